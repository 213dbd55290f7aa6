// SPDX-License-Identifier: BSD-3-Clause
// What the ground would do, without doing it: the checks and choices of start-up, for tools that
// say beforehand what would happen. Implemented by dpdk/probe.c or port/probe_heap.c, chosen when
// linking; the same code decides at start-up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct probe {
	uint32_t hugepage_kib; // of the size that start-up would take, 0: this kernel has none
	uint64_t hugepages_total, hugepages_free;
	int tun_errno; // of opening /dev/net/tun, 0 when it can be
};

void probe_ground(struct probe *probe);

// All that port_open checks before it makes the device called name. 0 or a negative errno with
// err_set. A socket that a dead memif server left is removed, as port_open does.
int probe_port(const char *name, const char *device, bool allow_default_route_device);

// What a packet's room behind PKT_FRONT_BYTES must be at least for the device to receive mtu_bytes
// in one piece; 0: the device's own MTU.
uint32_t probe_packet_bytes(const char *device, uint16_t mtu_bytes);

// A default route of this network namespace leaves through the interface.
bool probe_default_route(const char *interface);

// The interface a PCI card ("0000:00:03.0") appears as, or false when the kernel does not drive it.
bool probe_interface_of_pci(const char *address, char name[64]);
