// SPDX-License-Identifier: BSD-3-Clause
// prism doctor's judgment: what the measured facts mean for Prism, and the one line that mends what
// is amiss. Warnings cost speed or comfort; failures keep something from working. Called by
// doctor.c, which prints.

#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "control/config.h"
#include "observe/instance.h"
#include "port/probe.h"

void doctor_add(struct doctor *d, enum doctor_level level, const char *name, const char *remedy,
		const char *fact, ...)
{
	struct doctor_finding *f = &d->finding[d->count];
	va_list args;

	if (d->count == DOCTOR_FINDINGS_MAX)
		return;
	d->count++;
	f->level = level;
	snprintf(f->name, sizeof f->name, "%s", name);
	snprintf(f->remedy, sizeof f->remedy, "%s", level == DOCTOR_OK ? "" : remedy);
	va_start(args, fact);
	vsnprintf(f->fact, sizeof f->fact, fact, args);
	va_end(args);
}

static enum doctor_level warn_unless(bool good)
{
	return good ? DOCTOR_OK : DOCTOR_WARN;
}

static void judge_cpus(struct doctor *d)
{
	const struct machine *m = &d->machine;

	doctor_add(d, warn_unless(m->cpu_count > 1), "cpus",
		   "give the machine a second core: one "
		   "is the worker's",
		   "%u online, hyper-threading %s", m->cpu_count, m->smt ? "on" : "off or unknown");
	bool fast = !m->governor[0] || strcmp(m->governor, "performance") == 0;
	doctor_add(d, warn_unless(fast), "governor", "cpupower frequency-set -g performance", "%s",
		   m->governor[0] ? m->governor
				  : "none: the frequency is not this kernel's to set");
	doctor_add(d, warn_unless(m->constant_tsc), "clock",
		   "boot with tsc=reliable if the hardware has a constant one",
		   "kernel uses %s; time-stamp counter is %s", m->clock_source,
		   m->constant_tsc ? "constant, so reading the time costs no system call"
				   : "not constant, so the kernel's clock is read each turn");
}

static void judge_memory(struct doctor *d)
{
	const struct machine *m = &d->machine;
	char remedy[160];

	snprintf(remedy, sizeof remedy,
		 "sysctl vm.nr_hugepages=%u is plenty; prism run says how many a file needs",
		 m->hugepage_kib ? 512 * 2048 / m->hugepage_kib : 512);
	doctor_add(d, warn_unless(m->hugepages_free > 0), "hugepages", remedy,
		   "%lu of %lu free, %u KiB each%s", (unsigned long)m->hugepages_free,
		   (unsigned long)m->hugepages_total, m->hugepage_kib,
		   m->hugepages_free ? "" : ": packets will lie in plain pages, which costs speed");
	doctor_add(d, warn_unless(m->memory_available_mib >= 512), "memory",
		   "lower limits.buffers and limits.connections", "%lu MiB available",
		   (unsigned long)m->memory_available_mib);
	bool unlimited = m->memlock_bytes == UINT64_MAX || m->cap_ipc_lock;
	doctor_add(d, warn_unless(unlimited || m->memlock_bytes >= 64 << 20), "memlock",
		   "ulimit -l unlimited (matters to af_xdp: and pci:)",
		   unlimited ? "no limit" : "%lu KiB may be locked",
		   (unsigned long)(m->memlock_bytes >> 10));
}

static void judge_privileges(struct doctor *d)
{
	const struct machine *m = &d->machine;
	char run_dir[INSTANCE_PATH_BYTES];

	doctor_add(
		d, warn_unless(m->cap_net_admin), "capabilities",
		"run as root, or: setcap cap_net_admin,cap_net_raw,cap_sys_admin,cap_ipc_lock+ep "
		"$(which prism)",
		"net_admin %s, net_raw %s, sys_admin %s, ipc_lock %s",
		m->cap_net_admin ? "yes" : "no", m->cap_net_raw ? "yes" : "no",
		m->cap_sys_admin ? "yes" : "no", m->cap_ipc_lock ? "yes" : "no");
	doctor_add(d, warn_unless(m->namespace_errno == 0), "namespaces",
		   "sysctl user.max_user_namespaces=10000 "
		   "kernel.apparmor_restrict_unprivileged_userns=0",
		   "user and network namespaces: %s",
		   m->namespace_errno ? strerror(m->namespace_errno) : "may be made");
	doctor_add(d, warn_unless(m->tun_errno == 0), "tun", "modprobe tun; chmod 666 /dev/net/tun",
		   "/dev/net/tun: %s", m->tun_errno ? strerror(m->tun_errno) : "opens");
	doctor_add(d, warn_unless(m->xdp_errno == 0), "xdp",
		   "needs CAP_NET_RAW and a kernel with CONFIG_XDP_SOCKETS", "AF_XDP socket: %s",
		   m->xdp_errno ? strerror(m->xdp_errno) : "may be made");
	if (instance_run_dir(NULL, run_dir) == 0) {
		doctor_add(d, DOCTOR_OK, "run folder", "", "%s", run_dir);
		instance_leave_dir(run_dir);
	} else {
		doctor_add(d, DOCTOR_FAIL, "run folder", "mkdir /run/prism, or set XDG_RUNTIME_DIR",
			   "%s", err_last()->message);
	}
}

static void judge_cards(struct doctor *d)
{
	const struct machine *m = &d->machine;

	for (uint32_t i = 0; i < m->card_count; i++) {
		const struct machine_card *c = &m->card[i];

		doctor_add(d, DOCTOR_OK, "card", "", "%s, driver %s%s%s%s", c->address,
			   c->driver[0] ? c->driver : "none", c->interface[0] ? ", interface " : "",
			   c->interface,
			   c->default_route ? ", carries this machine's default route" : "");
	}
}

void doctor_machine(struct doctor *d)
{
	const struct machine *m = &d->machine;
	bool recent = m->kernel_major > 5 || (m->kernel_major == 5 && m->kernel_minor >= 4);

	// 5.4 brought what DPDK's af_xdp driver asks for (XDP_USE_NEED_WAKEUP).
	doctor_add(d, warn_unless(recent), "kernel", "use Linux 5.4 or later for af_xdp:", "%s",
		   m->kernel);
	judge_cpus(d);
	judge_memory(d);
	doctor_add(d, m->driver_folder[0] ? DOCTOR_OK : DOCTOR_FAIL, "drivers",
		   "apt install libdpdk-dev", "DPDK's drivers: %s",
		   m->driver_folder[0] ? m->driver_folder : "not found");
	judge_privileges(d);
	judge_cards(d);
}

struct verdict {
	const char *kind, *driver;
	const char *lacks, *remedy; // NULL: works
};

static struct verdict judge_kind(const struct machine *m, const char *kind)
{
	static const struct {
		const char *kind, *driver;
	} drivers[] = {{"tap", "net_tap"},
		       {"af_xdp", "net_af_xdp"},
		       {"memif", "net_memif"},
		       {"pcap", "net_pcap"}};
	struct verdict v = {.kind = kind};

	for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
		if (strcmp(drivers[i].kind, kind) == 0)
			v.driver = drivers[i].driver;
	if (v.driver && !machine_has_driver(m, v.driver)) {
		v.lacks = "DPDK's driver is not installed";
		v.remedy = "apt install libdpdk-dev";
	} else if (strcmp(kind, "tap") == 0 && m->tun_errno) {
		v.lacks = "/dev/net/tun does not open";
		v.remedy = "modprobe tun; chmod 666 /dev/net/tun";
	} else if (strcmp(kind, "tap") == 0 && !m->cap_net_admin && m->namespace_errno) {
		v.lacks = "neither CAP_NET_ADMIN nor user namespaces";
		v.remedy = "run as root";
	} else if (strcmp(kind, "af_xdp") == 0 && m->xdp_errno) {
		v.lacks = "no AF_XDP socket can be made";
		v.remedy = "run as root on a kernel with CONFIG_XDP_SOCKETS";
	} else if (strcmp(kind, "af_xdp") == 0 &&
		   !(m->cap_net_admin && m->cap_net_raw && m->cap_sys_admin && m->cap_ipc_lock)) {
		v.lacks = "it needs net_admin, net_raw, sys_admin and ipc_lock";
		v.remedy = "run as root";
	} else if (strcmp(kind, "pci") == 0 && !m->vfio) {
		v.lacks = "vfio-pci is not loaded";
		v.remedy = "modprobe vfio-pci, then dpdk-devbind.py -b vfio-pci ADDRESS";
	} else if (strcmp(kind, "pci") == 0 && !m->iommu) {
		v.lacks = "there is no IOMMU";
		v.remedy = "boot with intel_iommu=on or amd_iommu=on";
	}
	return v;
}

void doctor_ports(struct doctor *d)
{
	static const char *const kinds[] = {"tap", "af_xdp", "memif", "pcap", "pci", "vdev"};
	const struct machine *m = &d->machine;
	uint32_t before = d->count;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct verdict v = judge_kind(m, kinds[i]);
		char name[40];

		snprintf(name, sizeof name, "%s:", v.kind);
		if (v.lacks)
			doctor_add(d, DOCTOR_WARN, name, v.remedy, "does not work here: %s",
				   v.lacks);
		else
			doctor_add(d, DOCTOR_OK, name, "", "works%s",
				   strcmp(v.kind, "tap") == 0 && !m->cap_net_admin
					   ? " in a network namespace of its own"
					   : "");
	}
	d->verdict_count = d->count - before;
}

// The checks of start-up itself, except where it would first step into another namespace: what is
// in this one does not matter there.
static void judge_port(struct doctor *d, const struct prism_port_options *port)
{
	bool elsewhere = strncmp(port->device, "tap:", 4) == 0 && !d->machine.cap_net_admin;
	char kind[32];

	snprintf(kind, sizeof kind, "%.*s", (int)strcspn(port->device, ":"), port->device);
	struct verdict v = judge_kind(&d->machine, kind);
	if (v.lacks)
		doctor_add(d, DOCTOR_FAIL, port->name, v.remedy, "%s: %s", port->device, v.lacks);
	else if (elsewhere)
		doctor_add(d, DOCTOR_OK, port->name, "",
			   "%s: prism run opens it in a namespace; your own program needs root",
			   port->device);
	else if (probe_port(port->name, port->device, port->allow_default_route_device))
		doctor_add(d, DOCTOR_FAIL, port->name, err_infos[err_last()->id].remedy, "%s",
			   err_last()->message);
	else
		doctor_add(d, DOCTOR_OK, port->name, "", "%s: can be opened", port->device);
}

void doctor_config(struct doctor *d, const struct config *config)
{
	const struct machine *m = &d->machine;

	for (uint32_t i = 0; i < config->options.port_count; i++)
		judge_port(d, &config->options.ports[i]);
	if (config->options.memory == PRISM_MEMORY_HUGEPAGES && m->hugepages_free == 0)
		doctor_add(d, DOCTOR_FAIL, "memory.mode",
			   "sysctl vm.nr_hugepages=512, or mode: auto",
			   "hugepages are asked for and none is free");
	for (uint32_t i = 0; i < config->options.workers; i++)
		if (config->options.cores[i] >= (int)m->cpu_count)
			doctor_add(d, DOCTOR_FAIL, "workers", "lscpu --extended lists them",
				   "there is no cpu %d", config->options.cores[i]);
	if (config->options.workers > m->cpu_count)
		doctor_add(d, DOCTOR_WARN, "workers", "at most as many workers as cpus",
			   "%u workers share %u cpus", config->options.workers, m->cpu_count);
}
