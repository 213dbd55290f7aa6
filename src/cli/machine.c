// SPDX-License-Identifier: BSD-3-Clause
// What this machine has: procfs, sysfs, and trying. Called by doctor.c, which judges. Where a fact
// can be tried it is tried (making a namespace, a socket) rather than derived from configuration
// that some other mechanism may overrule; what start-up looks at is asked of it (port/probe.h).

#include "cli/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/namespace.h"
#include "port/probe.h"

// The first line of a file without its end, "" when it cannot be read.
static void read_line(const char *path, char *text, size_t text_bytes)
{
	FILE *file = fopen(path, "re");

	text[0] = '\0';
	if (!file)
		return;
	if (!fgets(text, (int)text_bytes, file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

// The number behind "KEY:" in /proc/meminfo.
static uint64_t meminfo(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t key_len = strlen(key);
	uint64_t value = 0;
	char line[128];

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, key, key_len) == 0 && line[key_len] == ':')
			value = strtoull(line + key_len + 1, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static bool cpu_has_constant_tsc(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool constant = false;
	char line[8192];

	while (file && !constant && fgets(line, sizeof line, file))
		constant = strncmp(line, "flags", 5) == 0 && strstr(line, " constant_tsc") &&
			   strstr(line, " nonstop_tsc");
	if (file)
		fclose(file);
	return constant;
}

static void look_at_cpus(struct machine *m)
{
	char active[8];

	m->cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", m->governor,
		  sizeof m->governor);
	read_line("/sys/devices/system/cpu/smt/active", active, sizeof active);
	m->smt = strcmp(active, "1") == 0;
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  m->clock_source, sizeof m->clock_source);
	m->constant_tsc = cpu_has_constant_tsc();
}

static void look_at_memory(struct machine *m, const struct probe *ground)
{
	struct rlimit limit = {0};

	m->hugepage_kib = ground->hugepage_kib;
	m->hugepages_total = ground->hugepages_total;
	m->hugepages_free = ground->hugepages_free;
	m->memory_available_mib = meminfo("MemAvailable") / 1024;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	m->memlock_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

static void look_at_privileges(struct machine *m, const struct probe *ground)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	m->tun_errno = ground->tun_errno;
	m->xdp_errno = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	m->cap_net_admin = namespace_has_capability(CAP_NET_ADMIN);
	m->cap_net_raw = namespace_has_capability(CAP_NET_RAW);
	m->cap_sys_admin = namespace_has_capability(CAP_SYS_ADMIN);
	m->cap_ipc_lock = namespace_has_capability(CAP_IPC_LOCK);
	m->namespace_errno = namespace_try();
}

static bool folder_has_entries(const char *path)
{
	DIR *folder = opendir(path);
	uint32_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count > 2; // besides . and ..
}

static void look_at_card(struct machine *m, const char *path)
{
	struct machine_card *card = &m->card[m->card_count];
	char text[512], link[256], name[64];

	snprintf(text, sizeof text, "%s/class", path);
	read_line(text, link, sizeof link);
	if (strncmp(link, "0x02", 4) != 0) // PCI base class 02h: network controllers
		return;
	snprintf(card->address, sizeof card->address, "%.15s", strrchr(path, '/') + 1);
	snprintf(text, sizeof text, "%s/driver", path);
	ssize_t len = readlink(text, link, sizeof link - 1);
	link[len > 0 ? len : 0] = '\0';
	const char *driver = strrchr(link, '/');
	snprintf(card->driver, sizeof card->driver, "%.31s", driver ? driver + 1 : "");
	if (probe_interface_of_pci(card->address, name))
		snprintf(card->interface, sizeof card->interface, "%.15s", name);
	card->default_route = card->interface[0] && probe_default_route(card->interface);
	m->card_count++;
}

static void look_at_cards(struct machine *m)
{
	glob_t devices;

	m->vfio = access("/sys/bus/pci/drivers/vfio-pci", F_OK) == 0;
	m->iommu = folder_has_entries("/sys/kernel/iommu_groups");
	if (glob("/sys/bus/pci/devices/*", 0, NULL, &devices) != 0)
		return;
	for (size_t i = 0; i < devices.gl_pathc && m->card_count < MACHINE_CARDS_MAX; i++)
		look_at_card(m, devices.gl_pathv[i]);
	globfree(&devices);
}

static void look_for_drivers(struct machine *m)
{
	glob_t folders;

	if (glob("{/usr/lib/*,/usr/local/lib/*,/usr/local/lib,/usr/lib64}/dpdk/pmds-*", GLOB_BRACE,
		 NULL, &folders) != 0)
		return;
	snprintf(m->driver_folder, sizeof m->driver_folder, "%s", folders.gl_pathv[0]);
	globfree(&folders);
}

bool machine_has_driver(const struct machine *machine, const char *driver)
{
	char path[256];

	snprintf(path, sizeof path, "%s/librte_%s.so", machine->driver_folder, driver);
	return machine->driver_folder[0] && access(path, R_OK) == 0;
}

void machine_look(struct machine *machine)
{
	struct utsname name;
	struct probe ground;

	memset(machine, 0, sizeof *machine);
	uname(&name);
	snprintf(machine->kernel, sizeof machine->kernel, "%.64s %.64s", name.sysname,
		 name.release);
	sscanf(name.release, "%u.%u", &machine->kernel_major, &machine->kernel_minor);
	look_at_cpus(machine);
	probe_ground(&ground);
	look_at_memory(machine, &ground);
	look_at_privileges(machine, &ground);
	look_at_cards(machine);
	look_for_drivers(machine);
}
