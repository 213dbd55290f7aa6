// SPDX-License-Identifier: BSD-3-Clause
// The ground under pools and ports: DPDK's EAL in production, nothing in tests. Implemented by
// dpdk/eal.c or port/platform_heap.c, chosen when linking.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum platform_memory { MEMORY_AUTO, MEMORY_HUGEPAGES, MEMORY_PLAIN };

struct platform_config {
	const char *instance;         // names runtime files; letters, digits, '-'
	enum platform_memory memory;  // AUTO: hugepages where there are enough, else plain, visibly
	uint32_t memory_mib;          // for all pools and regions
	int main_core;                // -1: where the caller runs
	bool probe_pci;               // only when a pci: port is configured
	const char *const *pci_allow; // addresses, NULL-terminated, or NULL
	const char *extra_args;       // passed to EAL as they are, or NULL
	bool already_running;         // the application called rte_eal_init itself
};

struct platform_report {
	bool hugepages;
	uint32_t page_kib;
	char sentence[200]; // memory mode and what it costs
};

// 0 or a negative errno with err_set.
int platform_start(const struct platform_config *config, struct platform_report *report);
void platform_stop(void);

// What the ground is and of which version, for people: "DPDK 22.11.11". Before any start, too.
const char *platform_version(void);
