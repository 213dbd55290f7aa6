// SPDX-License-Identifier: BSD-3-Clause
// Packets from DPDK's mempool: the allocator of production. A struct pool is an rte_mempool, so
// that drivers take and give packets without asking us. Implements pkt/pool.h; called by pkt/ and
// by the drivers.
//
// Each thread that EAL knows has a cache in front of the pool; the shared part behind it is
// touched once in several hundred packets. Packets in a pool keep DPDK's promise (one reference,
// one segment, no next), so a packet drawn needs only its first cache line written.
//
// The shared part of a pool of one worker is DPDK's ring: quick, but a thread that is stopped
// between taking its place in it and saying so stops all others. That of a shared pool is DPDK's
// lock-free stack. What it costs and what was measured: docs/adr/0010-pools-across-workers.md.
#include "pkt/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/limits.h"
#include "dpdk/compat.h"
#include "dpdk/eal.h"
#include "dpdk/pool_plain.h"
#include "pkt/pkt.h"

static_assert(PKT_HEADROOM_BYTES == RTE_PKTMBUF_HEADROOM, "drivers leave the room we count on");
static_assert(sizeof(struct rte_mbuf) == sizeof(struct pkt), "a packet is an mbuf");

// Packets a thread keeps for itself: many bursts in and out before the shared ring is touched.
#define POOL_CACHE_PKTS 256u

static struct rte_mempool *to_mempool(const struct pool *pool)
{
	return (struct rte_mempool *)(uintptr_t)pool;
}

// DPDK keeps every packet inside one page unless told that addresses are contiguous across pages,
// which virtual ones are: on 4 KiB pages that is the difference between one packet a page and two.
static struct rte_mempool *create_empty(const struct pool_config *config)
{
	uint32_t flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
	int node = config->numa_node < 0 ? SOCKET_ID_ANY : config->numa_node;
	static uint32_t created; // two instances in one process both have a pool "rx"
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%.14s-%u", config->name, created++);
	return rte_mempool_create_empty(name, config->pkts, sizeof(struct pkt) + config->room_bytes,
					MIN(POOL_CACHE_PKTS, config->pkts / 4),
					sizeof(struct rte_pktmbuf_pool_private), node, flags);
}

// Another kind than the lock-free one would do too, until somebody is preempted in it. So there is
// none in its place.
static const char *kind_of(const struct pool_config *config)
{
	return config->shared ? COMPAT_LOCK_FREE_POOL : rte_mbuf_best_mempool_ops();
}

static bool kind_loaded(const char *kind)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (strcmp(rte_mempool_get_ops((int)i)->name, kind) == 0)
			return true;
	return false;
}

// DPDK begins every pool as a ring, whatever it is to be.
static int need_kinds(const struct pool_config *config)
{
	const char *needed[] = {COMPAT_FIRST_POOL, kind_of(config)};

	for (size_t i = 0; i < ARRAY_COUNT(needed); i++)
		if (!kind_loaded(needed[i]))
			return err_set(ERR_POOL_KIND, "pool %s: DPDK %s has no %s here",
				       config->name, rte_version() + 5, needed[i]);
	return 0;
}

// A kind may be there and not for this processor.
static void refuse(const struct pool_config *config, int number)
{
	enum err id = number == ENOTSUP ? ERR_POOL_KIND : ERR_OUT_OF_MEMORY;

	err_set(id, "pool %s: %u packets of %u bytes, %s: %s", config->name, config->pkts,
		config->room_bytes, kind_of(config), strerror(number));
}

struct pool *pool_create(const struct pool_config *config)
{
	ASSERT(config->room_bytes >= PKT_HEADROOM_BYTES);
	struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = config->room_bytes};

	if (config->plain)
		return (struct pool *)pool_plain_create(config);
	if (need_kinds(config))
		return NULL;
	struct rte_mempool *pool = create_empty(config);
	int result = pool ? 0 : -rte_errno;

	if (result == 0)
		result = rte_mempool_set_ops_byname(pool, kind_of(config), NULL);
	if (result == 0) {
		rte_pktmbuf_pool_init(pool, &room);
		result = rte_mempool_populate_default(pool);
	}
	if (result < 0) {
		rte_mempool_free(pool);
		refuse(config, -result);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return (struct pool *)pool;
}

void pool_destroy(struct pool *pool)
{
	if (pool && pool_is_plain(to_mempool(pool)))
		pool_plain_destroy(to_mempool(pool));
	else
		rte_mempool_free(to_mempool(pool));
}

// The state of a packet just drawn, without touching its second cache line.
HOT_INLINE void make_fresh(struct pkt *p)
{
	struct rte_mbuf *m = &p->mbuf;

	m->data_off = PKT_HEADROOM_BYTES;
	m->refcnt = 1;
	m->nb_segs = 1;
	m->port = RTE_MBUF_PORT_INVALID;
	m->ol_flags = 0;
	m->packet_type = 0;
	m->pkt_len = 0;
	m->data_len = 0;
	m->vlan_tci = 0;
	DCHECK(m->next == NULL);
}

// Packets drawn after this one whose lines are fetched while this one is written, and how many
// lines of its room: headers (from the second on) and a small answer.
#define AHEAD_PKTS 8
#define AHEAD_LINES 6

// What comes next out of the thread's cache was last in another core's hands: who sends over shared
// memory finds its lines there. Fetched now they are ours when they are drawn.
HOT_INLINE void fetch_ahead(struct rte_mempool *pool)
{
	const struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());

	if (UNLIKELY(!cache || cache->len < AHEAD_PKTS))
		return;
	const char *next = cache->objs[cache->len - AHEAD_PKTS];
	uint32_t lines = rte_pktmbuf_data_room_size(pool) / CACHE_LINE_BYTES - 1;

	bits_prefetch_write(next);
	bits_prefetch_write(next + CACHE_LINE_BYTES);
	next += sizeof(struct pkt) + CACHE_LINE_BYTES;
	for (uint32_t i = 0; i < MIN(lines, (uint32_t)AHEAD_LINES); i++)
		bits_prefetch_write(next + i * CACHE_LINE_BYTES);
}

int pool_get(struct pool *pool, struct pkt **pkts, uint32_t count)
{
	if (UNLIKELY(rte_mempool_get_bulk(to_mempool(pool), (void **)pkts, count)))
		return -1;
	for (uint32_t i = 0; i < count; i++)
		make_fresh(pkts[i]);
	fetch_ahead(to_mempool(pool));
	return 0;
}

void pool_put(struct pkt **pkts, uint32_t count)
{
	// Packets of one pool come in runs; a run is one call.
	for (uint32_t i = 0, end; i < count; i = end) {
		struct rte_mempool *pool = pkts[i]->mbuf.pool;

		for (end = i + 1; end < count && pkts[end]->mbuf.pool == pool;)
			end++;
		rte_mempool_put_bulk(pool, (void **)&pkts[i], end - i);
	}
}

uint32_t pool_available(const struct pool *pool)
{
	return rte_mempool_avail_count(to_mempool(pool));
}

uint32_t pool_capacity(const struct pool *pool)
{
	return to_mempool(pool)->size;
}

// DPDK's caches go by the number of a thread. EAL numbers those it started or was started by;
// others ask.
static _Thread_local struct {
	uint32_t times; // entered and not left
	bool numbered;  // here
} here;

int pool_thread_enter(void)
{
	if (here.times == 0 && rte_lcore_id() == LCORE_ID_ANY) {
		if (rte_thread_register())
			return err_set(ERR_POOL_THREAD, "%s", rte_strerror(rte_errno));
		here.numbered = true;
	}
	here.times++;
	return 0;
}

static void flush(struct rte_mempool *pool, void *context)
{
	rte_mempool_cache_flush(NULL, pool);
}

// The caches would wait for the next thread of this number, and their packets with them.
void pool_thread_leave(void)
{
	ASSERT(here.times > 0);
	if (--here.times)
		return;
	rte_mempool_walk(flush, NULL);
	if (here.numbered)
		rte_thread_unregister();
	here.numbered = false;
}

struct region {
	struct region *next;
} CACHE_ALIGNED;

static struct region *regions;

void *pool_region_alloc(size_t bytes)
{
	struct region *region =
		rte_malloc("prism region", sizeof(*region) + bytes, CACHE_LINE_BYTES);

	if (!region) {
		err_set(ERR_OUT_OF_MEMORY, "a region of %zu bytes in packet memory", bytes);
		return NULL;
	}
	region->next = regions;
	regions = region;
	return region + 1;
}

void pool_regions_free(void)
{
	while (regions) {
		struct region *next = regions->next;

		rte_free(regions);
		regions = next;
	}
}

// One field may be shared: drivers that stamp arrival times do it when a packet is received, and
// queue_next means nothing until somebody queues the packet afterwards.
static int claim(const char *name, size_t offset, size_t bytes)
{
	struct rte_mbuf_dynfield field = {.size = bytes, .align = 8};

	snprintf(field.name, sizeof(field.name), "%s", name);
	if (rte_mbuf_dynfield_register_offset(&field, offset) == (int)offset)
		return 0;
	return err_set(ERR_EAL_MBUF_FIELD, "bytes %zu to %zu of the packet head: %s", offset,
		       offset + bytes - 1, rte_strerror(rte_errno));
}

int pool_claim_field(void)
{
	static_assert(offsetof(struct pkt_own, queue_next) == 0 &&
			      sizeof(((struct pkt_own *)0)->queue_next) ==
				      sizeof(rte_mbuf_timestamp_t),
		      "the arrival time lies on the queue link");
	int result = claim(COMPAT_TIMESTAMP_FIELD_NAME, PKT_OWN_OFFSET, 8);

	return result ? result : claim("prism_own", PKT_OWN_OFFSET + 8, sizeof(struct pkt_own) - 8);
}
