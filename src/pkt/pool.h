// SPDX-License-Identifier: BSD-3-Clause
// Where packets come from. Two allocators implement these functions, chosen when linking:
// dpdk/pool_dpdk.c on rte_mempool (production) and pkt/pool_heap.c on plain heap, where
// AddressSanitizer sees every overrun and leak and no EAL, hugepage or root is needed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pkt;
struct pool;

struct pool_config {
	const char *name;    // for messages; need not be unique
	uint32_t pkts;       // how many packets it holds
	uint16_t room_bytes; // a packet's buffer, PKT_HEADROOM_BYTES included
	int numa_node;       // -1 for any
	bool shared;         // several threads get and put, and none ever waits for another
	bool plain;          // one thread's, of plain heap whatever the platform, started or not
};

// A pool, or NULL with err_set. A shared one is lock-free (docs/adr/0010) or is not made.
struct pool *pool_create(const struct pool_config *config);

// All packets must be back (the heap allocator asserts it).
void pool_destroy(struct pool *pool);

// count packets, all or none: reference count 1, empty, data at PKT_HEADROOM_BYTES.
// Returns 0, or -1 when the pool does not have them. Thread: the pool's worker; any, when shared.
int pool_get(struct pool *pool, struct pkt **pkts, uint32_t count);

// Gives back count packets (of any pools) whose last reference went away; no chains, no references.
// Thread: as pool_get, for each pool they are of.
void pool_put(struct pkt **pkts, uint32_t count);

// Packets that could be had right now. Approximate while other threads work.
uint32_t pool_available(const struct pool *pool);
uint32_t pool_capacity(const struct pool *pool);

// This thread will get and put: gives it caches of its own in front of every pool. A thread that
// does not enter goes to the shared part each time: slower, not wrong. 0, or a negative errno with
// err_set. May be called several times; leave as often. The thread that started the platform has
// caches anyway.
int pool_thread_enter(void);

// This thread is done: what its caches hold goes back to the pools, which are all still there.
void pool_thread_leave(void);

// Registered memory for bytes that packets refer to (files, messages), reachable by every port's
// DMA and by memif peers. Lives until the platform ends. NULL with err_set when there is none.
void *pool_region_alloc(size_t bytes);
