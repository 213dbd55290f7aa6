// SPDX-License-Identifier: BSD-3-Clause
// Packets in one array and a stack of those that are free: what a thread's cache in front of a
// mempool comes to, without EAL. For benches of two stacks in one process, where the plain heap
// (one allocation a packet) would cost more than what is measured. Implements pkt/pool.h.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"

struct pool {
	uint32_t pkts, available;
	size_t bytes;
	char *memory;
	struct pkt *free[]; // the last one put is the next one got
};

struct pool *pool_create(const struct pool_config *config)
{
	struct pool *pool = calloc(1, sizeof(*pool) + config->pkts * sizeof(pool->free[0]));
	size_t step = bits_round_up(sizeof(struct pkt) + config->room_bytes, CACHE_LINE_BYTES);

	ASSERT(pool);
	pool->bytes = step * config->pkts;
	pool->memory = mem_map(config->name, pool->bytes);
	ASSERT(pool->memory);
	for (; pool->pkts < config->pkts; pool->pkts++) {
		struct pkt *p = (void *)(pool->memory + step * pool->pkts);

		p->mbuf.buf_addr = p + 1;
		p->mbuf.buf_iova = (uint64_t)(uintptr_t)(p + 1);
		p->mbuf.buf_len = config->room_bytes;
		p->mbuf.refcnt = 1;
		p->mbuf.nb_segs = 1;
		p->mbuf.pool = (struct rte_mempool *)pool;
		pool->free[pool->available++] = p;
	}
	return pool;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	ASSERT(pool->available == pool->pkts);
	mem_unmap(pool->memory, pool->bytes);
	free(pool);
}

int pool_get(struct pool *pool, struct pkt **pkts, uint32_t count)
{
	if (pool->available < count)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		struct pkt *p = pool->free[--pool->available];

		p->mbuf.data_off = PKT_HEADROOM_BYTES;
		p->mbuf.data_len = 0;
		p->mbuf.pkt_len = 0;
		p->mbuf.ol_flags = 0;
		pkts[i] = p;
	}
	return 0;
}

void pool_put(struct pkt **pkts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct pool *pool = (struct pool *)pkts[i]->mbuf.pool;

		pool->free[pool->available++] = pkts[i];
	}
}

uint32_t pool_available(const struct pool *pool)
{
	return pool->available;
}

uint32_t pool_capacity(const struct pool *pool)
{
	return pool->pkts;
}

int pool_thread_enter(void)
{
	return 0; // one thread
}

void pool_thread_leave(void)
{
}

void *pool_region_alloc(size_t bytes)
{
	return malloc(bytes); // lives until the process ends
}
