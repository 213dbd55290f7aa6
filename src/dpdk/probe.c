// SPDX-License-Identifier: BSD-3-Clause
// Facts about the ground for port/probe.h. Called by prism doctor. Nothing of its own: each answer
// comes from the function that start-up asks, so the two cannot disagree. probe_port is in
// port_dpdk.c, beside port_open.
#include "port/probe.h"

#include <string.h>

#include "base/bits.h"
#include "dpdk/af_xdp_frame.h"
#include "dpdk/device.h"
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

uint32_t probe_packet_bytes(const char *device, uint16_t mtu_bytes)
{
	struct device d;

	if (device_parse_kind(&d, "", device) || strcmp(d.kind, "af_xdp") != 0)
		return mtu_bytes + 64u;
	if (mtu_bytes == 0 && device_parse(&d) == 0)
		kernel_get_mtu(d.target, &mtu_bytes);
	// More is refused when the port is opened.
	return MIN(mtu_bytes, AF_XDP_MTU_BYTES_MAX) + AF_XDP_FRONT_BYTES + 64u;
}

bool probe_default_route(const char *interface)
{
	return kernel_has_default_route(interface);
}

bool probe_interface_of_pci(const char *address, char name[64])
{
	return kernel_interface_of_pci(address, name);
}
