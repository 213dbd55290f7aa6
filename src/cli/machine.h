// SPDX-License-Identifier: BSD-3-Clause
// What this machine has, as far as Prism cares: measured, not judged.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_CARDS_MAX 16

struct machine_card {
	char address[16];   // "0000:00:03.0"
	char driver[32];    // the kernel's, "" when none
	char interface[16]; // as the kernel calls it, or ""
	bool default_route; // this machine is reached through it, perhaps
};

struct machine {
	char kernel[160];
	uint32_t kernel_major, kernel_minor;
	uint32_t cpu_count;
	char governor[32]; // "" when the kernel does not set frequencies
	bool smt;
	char clock_source[32];
	bool constant_tsc;     // counts at one rate and does not stop
	uint32_t hugepage_kib; // 0: none known
	uint64_t hugepages_total, hugepages_free;
	uint64_t memory_available_mib;
	int tun_errno;       // of opening /dev/net/tun, 0 when it can be
	int namespace_errno; // of making user and network namespaces
	int xdp_errno;       // of making an AF_XDP socket
	bool cap_net_admin, cap_net_raw, cap_sys_admin, cap_ipc_lock;
	uint64_t memlock_bytes;  // UINT64_MAX: no limit
	bool vfio;               // the vfio-pci module is loaded
	bool iommu;              // the kernel made IOMMU groups
	char driver_folder[192]; // of DPDK's drivers, "" when none was found
	uint32_t card_count;
	struct machine_card card[MACHINE_CARDS_MAX];
};

// Looks at everything. Blocks: file system, and a child that tries namespaces.
void machine_look(struct machine *machine);

// A driver of DPDK is installed: "net_tap".
bool machine_has_driver(const struct machine *machine, const char *driver);
