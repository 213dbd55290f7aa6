// SPDX-License-Identifier: BSD-3-Clause
// An rte_mempool made by hand, without EAL and its memory: head, private data, and ops of our own
// that hand out packets of the heap. Called by pool_dpdk.c for pool_config.plain; what draws and
// returns packets is the same code as in production, so that `prism sim` runs what serves.
//
// The ops are registered with DPDK before main, as those of its plugins are. One thread has a pool:
// a simulation is one thread.
#include "dpdk/pool_plain.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/rand.h"
#include "dpdk/compat.h"
#include "pkt/pkt.h"
#include "pkt/pool_heap.h"

#define KIND "prism_plain"

// Behind the head: what DPDK asks for a packet's room, then ours.
struct plain {
	struct rte_mempool mempool;
	struct rte_pktmbuf_pool_private room;
	struct rte_mbuf **free; // those that came back, the first free_count
	uint32_t free_count, made_count;
	size_t pkt_bytes;
	void *memory;
	uint8_t *first; // packet, within memory
};

// The fault that simulations ask for.
static uint32_t fail_ppm;
static struct rng fail_rng;

void pool_heap_fail(uint32_t ppm, uint64_t seed)
{
	fail_ppm = ppm;
	rng_seed(&fail_rng, seed);
}

static struct plain *to_plain(const struct rte_mempool *pool)
{
	return (struct plain *)(uintptr_t)pool;
}

static int plain_alloc(struct rte_mempool *pool)
{
	return -ENOTSUP; // pool_plain_create makes them, and nobody else
}

static void plain_free(struct rte_mempool *pool)
{
}

static int plain_put(struct rte_mempool *pool, void *const *pkts, unsigned int count)
{
	struct plain *p = to_plain(pool);

	ASSERT(p->free_count + count <= p->made_count);
	for (uint32_t i = 0; i < count; i++)
		p->free[p->free_count++] = pkts[i];
	return 0;
}

// Packets are made when they are first wanted: a pool that is never used up never takes its memory.
static struct rte_mbuf *make(struct plain *p)
{
	struct rte_mbuf *m = (void *)(p->first + p->made_count++ * p->pkt_bytes);

	m->buf_addr = (char *)m + sizeof(struct pkt);
	m->buf_iova = (uint64_t)(uintptr_t)m->buf_addr;
	m->buf_len = p->room.mbuf_data_room_size;
	m->refcnt = 1;
	m->nb_segs = 1;
	m->pool = &p->mempool;
	return m;
}

static uint32_t in_pool(const struct plain *p)
{
	return p->mempool.size - p->made_count + p->free_count;
}

static int plain_get(struct rte_mempool *pool, void **pkts, unsigned int count)
{
	struct plain *p = to_plain(pool);

	if ((fail_ppm && rng_chance_ppm(&fail_rng, fail_ppm)) || in_pool(p) < count)
		return -ENOENT;
	for (uint32_t i = 0; i < count; i++)
		pkts[i] = p->free_count ? p->free[--p->free_count] : make(p);
	return 0;
}

static unsigned int plain_count(const struct rte_mempool *pool)
{
	return in_pool(to_plain(pool));
}

static const struct rte_mempool_ops plain_ops = {
	.name = KIND,
	.alloc = plain_alloc,
	.free = plain_free,
	.enqueue = plain_put,
	.dequeue = plain_get,
	.get_count = plain_count,
};

static int plain_index = -1;

__attribute__((constructor)) static void plain_register(void)
{
	plain_index = rte_mempool_register_ops(&plain_ops);
}

bool pool_is_plain(const struct rte_mempool *pool)
{
	return pool->ops_index == plain_index;
}

static void destroy(struct plain *p)
{
	if (!p)
		return;
	free(p->memory);
	free(p->free);
	free(p);
}

struct rte_mempool *pool_plain_create(const struct pool_config *config)
{
	struct plain *p =
		aligned_alloc(CACHE_LINE_BYTES, bits_round_up(sizeof(*p), CACHE_LINE_BYTES));

	static_assert(offsetof(struct plain, room) == sizeof(struct rte_mempool),
		      "private data follows the head of a pool without caches");
	if (!p)
		goto fail;
	memset(p, 0, sizeof(*p));
	p->pkt_bytes = bits_round_up(sizeof(struct pkt) + config->room_bytes, CACHE_LINE_BYTES);
	p->memory = calloc(config->pkts + 1, p->pkt_bytes);
	p->free = calloc(config->pkts, sizeof(struct rte_mbuf *));
	if (!p->memory || !p->free)
		goto fail;
	p->first = (void *)bits_round_up((uintptr_t)p->memory, CACHE_LINE_BYTES);
	p->mempool.size = p->mempool.populated_size = config->pkts;
	p->mempool.ops_index = plain_index;
	p->mempool.pool_data = p;
	p->mempool.private_data_size = sizeof(p->room);
	p->room.mbuf_data_room_size = config->room_bytes;
	return &p->mempool;
fail:
	destroy(p);
	err_set(ERR_OUT_OF_MEMORY, "pool %s: %u packets of plain heap", config->name, config->pkts);
	return NULL;
}

void pool_plain_destroy(struct rte_mempool *pool)
{
	struct plain *p = to_plain(pool);

	ASSERT(p->free_count == p->made_count);
	destroy(p);
}
