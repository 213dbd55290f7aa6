// SPDX-License-Identifier: BSD-3-Clause
// What the two halves of pool_bench share: the kinds of pool, getting and putting, threads.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dpdk/compat.h"

#define KINDS 6
#define BURST_MAX 32
#define CACHE_PKTS 256 // as dpdk/pool_dpdk.c
#define THREADS_MAX 4
#define PKT_BYTES 2304
#define SPARES 1024

// DPDK's ops beside each other; the first is no pool at all: what the machine and the loop cost.
extern const char *const kinds[KINDS];

// A thread's end of a pool.
struct user {
	struct rte_mempool *pool; // NULL: the same few packets for ever
	uint32_t burst, spare;    // spare: the next one of these
	char *spares;
	bool touch; // writes what a packet's first owner writes, reads what its last one reads
	uint64_t sum;
};

static inline bool user_get(struct user *u, void **pkts)
{
	if (!u->pool)
		for (uint32_t i = 0; i < u->burst; i++)
			pkts[i] = u->spares + (size_t)(u->spare++ % SPARES) * PKT_BYTES;
	else if (rte_mempool_get_bulk(u->pool, pkts, u->burst))
		return false;
	for (uint32_t i = 0; u->touch && i < u->burst; i++) {
		char *packet = pkts[i];

		*(volatile uint64_t *)(packet + 16) = 1;  // the head's first line
		*(volatile uint64_t *)(packet + 256) = i; // headers
	}
	return true;
}

static inline void user_put(struct user *u, void **pkts, uint32_t count)
{
	for (uint32_t i = 0; u->touch && i < count; i++)
		u->sum += *(volatile uint64_t *)((char *)pkts[i] + 256);
	if (u->pool && count)
		rte_mempool_put_bulk(u->pool, pkts, count);
}

// A pool for each kind; the first is NULL. Ends the program when it cannot be had.
void pools_create(struct rte_mempool *pools[KINDS], uint32_t cache_pkts);
void pools_destroy(struct rte_mempool *pools[KINDS]);

// SPARES packets for kind 0, for one thread.
char *pools_spares(uint32_t thread);

// Runs body(context + i * bytes) in count threads that have caches of their own, and waits for
// them. pin: thread i on the i-th of the first two cores; otherwise wherever the scheduler likes.
struct crew {
	void (*body)(void *context);
	void *contexts;
	size_t context_bytes;
	uint32_t count;
	bool pin;
	pthread_t thread[THREADS_MAX];
};

void crew_start(struct crew *crew);
void crew_join(struct crew *crew);

// Of the processor's clock.
extern double ticks_per_ns;

// The other half: what a thread waits when another is stopped.
void waits_bench(uint32_t pauses);
