// SPDX-License-Identifier: BSD-3-Clause
// DPDK logs to a stream. Ours is a stream without a file: each line arrives in line_arrives, is
// dropped below warning, kept for quoting while a request is being served, and otherwise written
// to stderr as "dpdk: LINE". Called by eal.c and port_dpdk.c around calls that may fail.
//
// Lines may come from DPDK's own threads (a peer disconnects); a lock of stdio's orders them, and
// nothing here is on the data path.
#include "dpdk/eal_log.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/bits.h"
#include "dpdk/compat.h"

static struct {
	bool held;
	char first_error[256];
	char kept[2048]; // warnings and errors of a held section, to be passed on
	size_t kept_len;
} eal_log;

// Complaints that are known and harmless: about secondary processes, which Prism has none of, about
// flow rules on tap interfaces, which it does not use, and about servers not there yet.
static const char *const harmless[] = {
	"Failed to register mp action callback", // memif
	"hugepages reported on node",            // EAL looks for every size there is
	"Failed to connect socket",              // memif; the client tries again
	"Failed to send start req to secondary", // tap
	"Failed to send stop req to secondary",
	"Specified qdisc kind is unknown",
	"multiq qdisc",
	"ingress qdisc",
	"Disabling rte flow support",
	"No bpffs found", // libxdp would like to share the interface with other XDP programs
	"Can't use dispatcher",
	"Falling back to loading single prog",
};

static bool expected(const char *text)
{
	for (size_t i = 0; i < ARRAY_COUNT(harmless); i++)
		if (strstr(text, harmless[i]))
			return true;
	return false;
}

static void pass_on(const char *text, size_t len)
{
	fprintf(stderr, "dpdk: %.*s", (int)len, text);
}

static void keep(const char *text, size_t len, unsigned int level)
{
	if (level <= RTE_LOG_ERR && !eal_log.first_error[0])
		snprintf(eal_log.first_error, sizeof(eal_log.first_error), "%.*s",
			 (int)strcspn(text, "\n"), text);
	if (eal_log.kept_len + len >= sizeof(eal_log.kept))
		return;
	memcpy(eal_log.kept + eal_log.kept_len, text, len);
	eal_log.kept_len += len;
	eal_log.kept[eal_log.kept_len] = '\0';
}

static ssize_t line_arrives(void *cookie, const char *text, size_t len)
{
	int level = rte_log_cur_msg_loglevel();

	(void)cookie;
	if (level > (int)RTE_LOG_WARNING || len == 0 || expected(text))
		return (ssize_t)len;
	if (eal_log.held)
		keep(text, len, (unsigned int)level);
	else
		pass_on(text, len);
	return (ssize_t)len;
}

int eal_log_capture(void)
{
	static FILE *stream; // lives as long as EAL does: to the end of the process

	if (stream)
		return 0;
	stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = line_arrives});
	if (!stream)
		return -ENOMEM;
	return rte_openlog_stream(stream);
}

// As libbpf.h and libxdp.h have them: level 0 is a warning or an error, the others inform.
typedef int (*bpf_print)(int level, const char *format, va_list args);

static int bpf_says(int level, const char *format, va_list args)
{
	char text[512];
	int len = vsnprintf(text, sizeof(text), format, args);

	if (level > 0 || len <= 0 || expected(text))
		return 0;
	len = MIN(len, (int)sizeof(text) - 1);
	if (eal_log.held)
		keep(text, (size_t)len, RTE_LOG_ERR);
	else
		pass_on(text, (size_t)len);
	return 0;
}

void eal_log_capture_bpf(void)
{
	static const struct {
		const char *library, *function;
	} libraries[] = {{"libbpf.so.1", "libbpf_set_print"},
			 {"libbpf.so.0", "libbpf_set_print"},
			 {"libxdp.so.1", "libxdp_set_print"}};

	for (size_t i = 0; i < ARRAY_COUNT(libraries); i++) {
		void *library = dlopen(libraries[i].library, RTLD_NOW | RTLD_NOLOAD);
		void *symbol = library ? dlsym(library, libraries[i].function) : NULL;
		bpf_print (*set_print)(bpf_print);

		memcpy(&set_print, &symbol, sizeof(set_print)); // POSIX dlsym(), ISO C has no cast
		if (set_print)
			set_print(bpf_says);
		if (library)
			dlclose(library);
	}
}

void eal_log_hold(void)
{
	eal_log.held = true;
	eal_log.first_error[0] = '\0';
	eal_log.kept_len = 0;
}

void eal_log_release(int failed)
{
	eal_log.held = false;
	if (failed)
		return;
	for (char *line = eal_log.kept, *end; eal_log.kept_len > 0; line = end) {
		end = strchr(line, '\n');
		end = end ? end + 1 : line + strlen(line);
		pass_on(line, (size_t)(end - line));
		eal_log.kept_len -= MIN(eal_log.kept_len, (size_t)(end - line));
	}
}

const char *eal_log_first_error(void)
{
	return eal_log.first_error[0] ? eal_log.first_error : "no reason given";
}
