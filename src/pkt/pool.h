// SPDX-License-Identifier: BSD-3-Clause
// Where packets come from. Two allocators implement these functions, chosen when linking:
// dpdk/pool_dpdk.c on rte_mempool (production) and pkt/pool_heap.c on plain heap, where
// AddressSanitizer sees every overrun and leak and no EAL, hugepage or root is needed.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pkt;
struct pool;

struct pool_config {
	const char *name;    // for messages; need not be unique
	uint32_t pkts;       // how many packets it holds
	uint16_t room_bytes; // a packet's buffer, PKT_HEADROOM_BYTES included
	int numa_node;       // -1 for any
};

// A pool, or NULL with err_set.
struct pool *pool_create(const struct pool_config *config);

// All packets must be back (the heap allocator asserts it).
void pool_destroy(struct pool *pool);

// count packets, all or none: reference count 1, empty, data at PKT_HEADROOM_BYTES.
// Returns 0, or -1 when the pool does not have them. Thread: the pool's worker.
int pool_get(struct pool *pool, struct pkt **pkts, uint32_t count);

// Gives back count packets (of any pools) whose last reference went away; no chains, no references.
void pool_put(struct pkt **pkts, uint32_t count);

// Packets that could be had right now. Approximate while other threads work.
uint32_t pool_available(const struct pool *pool);
uint32_t pool_capacity(const struct pool *pool);

// Registered memory for bytes that packets refer to (files, messages), reachable by every port's
// DMA and by memif peers. Lives until the platform ends. NULL with err_set when there is none.
void *pool_region_alloc(size_t bytes);
