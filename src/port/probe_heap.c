// SPDX-License-Identifier: BSD-3-Clause
// The ground of tests, probed: it knows pair: only and asks the kernel for nothing. Called by
// prism doctor's functions in unit tests, where dpdk/probe.c is called in production; which of the
// two is chosen when linking.
#include "port/probe.h"

#include <string.h>

#include "base/err.h"

void probe_ground(struct probe *probe)
{
	*probe = (struct probe){0};
}

int probe_port(const char *name, const char *device, bool allow_default_route_device)
{
	if (strncmp(device, "pair:", strlen("pair:")) == 0)
		return 0;
	return err_set(ERR_PORT_NEEDS_DPDK, "%s: %s", name, device);
}

uint32_t probe_packet_bytes(const char *device, uint16_t mtu_bytes)
{
	return mtu_bytes + 64u;
}

bool probe_default_route(const char *interface)
{
	return false;
}

bool probe_interface_of_pci(const char *address, char name[64])
{
	return false;
}
