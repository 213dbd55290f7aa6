// SPDX-License-Identifier: BSD-3-Clause
// Facts about the ground for port/probe.h. Called by prism doctor. Nothing of its own: each answer
// comes from the function that start-up asks, so the two cannot disagree. probe_port is in
// port_dpdk.c, beside port_open.
#include "port/probe.h"

#include "dpdk/kernel.h"
#include "dpdk/memory.h"

void probe_ground(struct probe *probe)
{
	struct hugepages pages = memory_hugepages();

	probe->hugepage_kib = pages.page_kib;
	probe->hugepages_total = pages.total_count;
	probe->hugepages_free = pages.free_count;
	probe->tun_errno = -kernel_try_tun();
}

bool probe_default_route(const char *interface)
{
	return kernel_has_default_route(interface);
}

bool probe_interface_of_pci(const char *address, char name[64])
{
	return kernel_interface_of_pci(address, name);
}
