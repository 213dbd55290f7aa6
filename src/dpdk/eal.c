// SPDX-License-Identifier: BSD-3-Clause
// The ground in production: DPDK's EAL, started so that it needs no privileges, leaves nothing
// behind and changes nothing of its host process. Called by core/start.c; implements
// port/platform.h.
//
// EAL can be started once in a process's life. platform_stop therefore leaves it running for the
// next platform_start; it holds no file, and its memory goes with the process. Memory has no file
// either (--in-memory, or --no-huge with --no-shconf): a crash leaves nothing to clean.
//
// Deliberately not here: secondary processes, telemetry (Prism has its own), NUMA placement.
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"
#include "dpdk/compat.h"
#include "dpdk/eal.h"
#include "dpdk/eal_log.h"
#include "dpdk/memory.h"
#include "port/platform.h"

static struct {
	bool running; // rte_eal_init succeeded, here or in the application
	bool ours;    // here
	bool started; // between platform_start and platform_stop
	uint32_t memory_mib;
	struct platform_report report;
} eal;

#define ARGS_MAX 96

struct args {
	int count;
	char *argv[ARGS_MAX];
	char text[4096];
	size_t used_bytes;
};

static void __attribute__((format(printf, 2, 3))) args_add(struct args *a, const char *format, ...)
{
	size_t room_bytes = sizeof(a->text) - a->used_bytes;
	va_list list;

	va_start(list, format);
	int len = vsnprintf(a->text + a->used_bytes, room_bytes, format, list);
	va_end(list);
	// What does not fit is left out, and EAL names what it misses.
	if (len < 0 || (size_t)len >= room_bytes || a->count == ARGS_MAX - 1)
		return;
	a->argv[a->count++] = a->text + a->used_bytes;
	a->used_bytes += (size_t)len + 1;
}

static void args_add_words(struct args *a, const char *words)
{
	while (*words) {
		int len = (int)strcspn(words, " \t");

		if (len > 0)
			args_add(a, "%.*s", len, words);
		words += len;
		words += strspn(words, " \t");
	}
}

// One lcore that may run wherever the caller may: EAL pins nothing and starts no thread of its own.
static void args_add_cores(struct args *a, int main_core)
{
	char list[1024] = "";
	size_t len = 0;
	cpu_set_t cpus;

	if (main_core >= 0) {
		args_add(a, "--lcores=0@%d", main_core);
		return;
	}
	if (pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus))
		return;
	for (int from = 0, to; from < CPU_SETSIZE && len < sizeof(list) - 16; from = to) {
		to = from + 1;
		if (!CPU_ISSET(from, &cpus))
			continue;
		while (to < CPU_SETSIZE && CPU_ISSET(to, &cpus))
			to++;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%d-%d", len ? "," : "",
					from, to - 1);
	}
	args_add(a, "--lcores=0@(%s)", list);
}

static int choose_memory(const struct platform_config *config, struct platform_report *report)
{
	struct hugepages pages = memory_hugepages();
	uint64_t free_mib = pages.free_count * pages.page_kib / 1024;

	report->hugepages = config->memory != MEMORY_PLAIN && free_mib >= config->memory_mib &&
			    pages.page_kib != 0;
	report->page_kib =
		report->hugepages ? pages.page_kib : (uint32_t)(sysconf(_SC_PAGESIZE) / 1024);
	if (config->memory == MEMORY_HUGEPAGES && !report->hugepages)
		return err_set(
			ERR_EAL_NO_HUGEPAGES,
			"%u MiB of hugepages asked for, %llu MiB are free (%llu of %llu pages)",
			config->memory_mib, (unsigned long long)free_mib,
			(unsigned long long)pages.free_count,
			(unsigned long long)pages.total_count);
	return 0;
}

static void build_args(struct args *a, const struct platform_config *config, bool hugepages)
{
	static const char *const plain[] = {COMPAT_PLAIN_MEMORY_ARGS};

	args_add(a, "prism");
	args_add_cores(a, config->main_core);
	args_add(a, "-m");
	args_add(a, "%u", config->memory_mib);
	if (hugepages)
		args_add(a, "--in-memory");
	for (size_t i = 0; !hugepages && i < ARRAY_COUNT(plain); i++)
		args_add(a, "%s", plain[i]);
	// One file for all memory, so that memif can hand it to a peer.
	args_add(a, "--single-file-segments");
	args_add(a, "--iova-mode=va");
	args_add(a, "--no-telemetry");
	args_add(a, "--file-prefix=prism-%s", config->instance);
	if (!config->probe_pci)
		args_add(a, "--no-pci");
	for (size_t i = 0; config->probe_pci && config->pci_allow && config->pci_allow[i]; i++)
		args_add(a, "--allow=%s", config->pci_allow[i]);
	if (config->extra_args)
		args_add_words(a, config->extra_args);
}

// EAL makes a directory for files we told it not to keep. It gets a private one, which goes away
// again: the usual place may belong to somebody else (root in a user namespace).
struct runtime_dir {
	char path[64];
	char *previous;
};

static int runtime_dir_make(struct runtime_dir *dir, const char *instance)
{
	const char *previous = getenv("RUNTIME_DIRECTORY");

	snprintf(dir->path, sizeof(dir->path), "/tmp/prism-eal-%s-XXXXXX", instance);
	if (!mkdtemp(dir->path))
		return err_set(ERR_EAL_START_FAILED, "no directory can be made under /tmp: %s",
			       strerror(errno));
	dir->previous = previous ? strdup(previous) : NULL;
	setenv("RUNTIME_DIRECTORY", dir->path, 1);
	return 0;
}

static void runtime_dir_remove(struct runtime_dir *dir, const char *instance)
{
	char path[160];

	if (dir->previous)
		setenv("RUNTIME_DIRECTORY", dir->previous, 1);
	else
		unsetenv("RUNTIME_DIRECTORY");
	free(dir->previous);
	snprintf(path, sizeof(path), "%s/dpdk/prism-%s", dir->path, instance);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/dpdk", dir->path);
	rmdir(path);
	rmdir(dir->path);
}

// EAL's threads inherit a full signal mask: the process's signals go to the process's threads.
static int init_eal(struct args *args, const struct platform_config *config)
{
	struct runtime_dir dir;
	sigset_t all, before;

	if (runtime_dir_make(&dir, config->instance))
		return -EIO;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	eal_log_hold();
	int result = rte_eal_init(args->count, args->argv);
	int number = rte_errno;

	eal_log_release(result < 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	runtime_dir_remove(&dir, config->instance);
	if (result < 0)
		return err_set(ERR_EAL_START_FAILED, "DPDK %s: %s (%s)", rte_version() + 5,
			       eal_log_first_error(), strerror(number));
	return 0;
}

static void describe_memory(const struct platform_config *config, struct platform_report *report)
{
	uint32_t mib = config->memory_mib;

	if (report->hugepages) {
		snprintf(report->sentence, sizeof(report->sentence), "hugepages of %u KiB",
			 report->page_kib);
		return;
	}
	snprintf(report->sentence, sizeof(report->sentence),
		 "plain pages of %u KiB, no hugepages: more TLB misses, and cards (pci:) may "
		 "refuse; to have them: sysctl vm.nr_hugepages=%u",
		 report->page_kib, mib / 2 + 1);
}

static int check_config(const struct platform_config *config)
{
	const char *c = config->instance;

	while (isalnum((unsigned char)*c) || *c == '-' || *c == '_')
		c++;
	if (*c || c == config->instance || c - config->instance > 32)
		return err_set(ERR_INVALID_ARGUMENT,
			       "instance '%s' is not 1 to 32 letters, digits, '-' and '_'",
			       config->instance);
	if (eal.started)
		return err_set(ERR_EAL_ONCE, "instance %s: another stack is open in this process",
			       config->instance);
	if (eal.ours && config->memory_mib > eal.memory_mib)
		return err_set(ERR_EAL_ONCE,
			       "instance %s asks for %u MiB, DPDK was started with %u MiB",
			       config->instance, config->memory_mib, eal.memory_mib);
	return 0;
}

static int start_fresh(const struct platform_config *config)
{
	struct args args = {0};
	int result = choose_memory(config, &eal.report);

	if (result)
		return result;
	if (eal_log_capture())
		return err_set(ERR_OUT_OF_MEMORY, "DPDK's log stream");
	build_args(&args, config, eal.report.hugepages);
	result = init_eal(&args, config);
	if (result)
		return result;
	eal.ours = true;
	eal.memory_mib = config->memory_mib;
	describe_memory(config, &eal.report);
	return 0;
}

int platform_start(const struct platform_config *config, struct platform_report *report)
{
	int result = check_config(config);

	if (result)
		return result;
	if (config->already_running && !eal.running) {
		eal.report.hugepages = rte_eal_has_hugepages();
		snprintf(eal.report.sentence, sizeof(eal.report.sentence),
			 "DPDK as the application started it, %s hugepages",
			 eal.report.hugepages ? "with" : "without");
	} else if (!eal.running) {
		result = start_fresh(config);
		if (result)
			return result;
	}
	eal.running = true;
	result = pool_claim_field();
	if (result)
		return result;
	eal.started = true;
	*report = eal.report;
	return 0;
}

void platform_stop(void)
{
	pool_regions_free();
	eal.started = false;
}

const char *platform_version(void)
{
	return rte_version();
}
