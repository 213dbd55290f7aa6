// SPDX-License-Identifier: BSD-3-Clause
// Packets from plain heap: the allocator of unit tests, simulator and fuzzers. Each packet is an
// allocation of its own, freed when its last reference goes, so that AddressSanitizer sees every
// overrun, every use after release and every leak. A pool is a limit and a count.
//
// Any thread may get and put: malloc is shared, and so is the count.
//
// Deliberately not here: speed, caches, DMA.
#include "pkt/pool_heap.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rand.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "sync/atomic.h"

struct pool {
	struct pool_config config;
	uint32_t in_use; // any thread
};

struct pool *pool_create(const struct pool_config *config)
{
	ASSERT(config->room_bytes >= PKT_HEADROOM_BYTES);
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool) {
		err_set(ERR_OUT_OF_MEMORY, "pool %s", config->name);
		return NULL;
	}
	pool->config = *config;
	return pool;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	ASSERT(pool->in_use == 0);
	free(pool);
}

static struct pkt *pkt_create(struct pool *pool)
{
	void *memory;

	if (posix_memalign(&memory, CACHE_LINE_BYTES, sizeof(struct pkt) + pool->config.room_bytes))
		return NULL;
	struct pkt *p = memory;

	memset(p, 0, sizeof(*p));
	p->mbuf.buf_addr = (char *)memory + sizeof(*p);
	p->mbuf.buf_iova = (uint64_t)(uintptr_t)p->mbuf.buf_addr;
	p->mbuf.buf_len = pool->config.room_bytes;
	p->mbuf.data_off = PKT_HEADROOM_BYTES;
	p->mbuf.refcnt = 1;
	p->mbuf.nb_segs = 1;
	p->mbuf.pool = (struct rte_mempool *)pool;
	return p;
}

// The faults that tests ask for.
static uint32_t fail_ppm;
static struct rng fail_rng;
static uint64_t requests, fail_request;

void pool_heap_fail(uint32_t ppm, uint64_t seed)
{
	fail_ppm = ppm;
	rng_seed(&fail_rng, seed);
}

uint64_t pool_heap_fail_nth(uint64_t n)
{
	uint64_t before = requests;

	requests = 0;
	fail_request = n;
	return before;
}

static bool must_fail(void)
{
	if (fail_request && ++requests == fail_request)
		return true;
	return fail_ppm && rng_chance_ppm(&fail_rng, fail_ppm);
}

static bool claim(struct pool *pool, uint32_t count)
{
	uint32_t in_use = atomic_get(&pool->in_use, RELAXED);

	do {
		if (pool->config.pkts - in_use < count)
			return false;
	} while (!atomic_cas(&pool->in_use, &in_use, in_use + count, ACQ_REL));
	return true;
}

int pool_get(struct pool *pool, struct pkt **pkts, uint32_t count)
{
	if (must_fail())
		return -1;
	if (!claim(pool, count))
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		pkts[i] = pkt_create(pool);
		if (!pkts[i]) {
			pool_put(pkts, i);
			atomic_add(&pool->in_use, i - count, RELAXED);
			return -1;
		}
	}
	return 0;
}

void pool_put(struct pkt **pkts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct pool *pool = (struct pool *)pkts[i]->mbuf.pool;

		ASSERT(pkts[i]->mbuf.refcnt == 1);
		uint32_t in_use = atomic_add(&pool->in_use, UINT32_MAX, RELAXED);

		ASSERT(in_use > 0);
		free(pkts[i]);
	}
}

uint32_t pool_available(const struct pool *pool)
{
	return pool->config.pkts - atomic_get(&pool->in_use, RELAXED);
}

uint32_t pool_capacity(const struct pool *pool)
{
	return pool->config.pkts;
}

int pool_thread_enter(void)
{
	return 0; // there are no caches
}

void pool_thread_leave(void)
{
}

struct region {
	struct region *next;
	char bytes[];
};

void *pool_region_alloc(size_t bytes)
{
	static struct region *regions; // reachable for the leak checker; they live until the end
	struct region *r = malloc(sizeof(*r) + bytes);

	if (!r) {
		err_set(ERR_OUT_OF_MEMORY, "a region of %zu bytes", bytes);
		return NULL;
	}
	r->next = regions;
	regions = r;
	return r->bytes;
}
