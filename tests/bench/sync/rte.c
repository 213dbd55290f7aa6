// SPDX-License-Identifier: BSD-3-Clause
// DPDK's rte_hash in its lock-free mode: cuckoo hashing, CRC32c, a removed key's place given back
// through rte_rcu_qsbr. It makes place by moving keys, so insert has a lock when others insert too
// (RTE_HASH_EXTRA_FLAGS_MULTI_WRITER_ADD); here one thread does, and it has none.
#include <stdlib.h>

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "sync.h"

struct sync_table {
	struct rte_hash *hash;
	struct rte_rcu_qsbr *qsbr;
	uint64_t bytes;
};

static uint64_t allocated(void)
{
	struct rte_malloc_socket_stats stats;

	return rte_malloc_get_socket_stats(0, &stats) ? 0 : stats.heap_allocsz_bytes;
}

static bool attach_rcu(struct sync_table *t)
{
	size_t bytes = rte_rcu_qsbr_get_memsize(2);
	struct rte_hash_rcu_config config = {.mode = RTE_HASH_QSBR_MODE_DQ};

	t->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(bytes, RTE_CACHE_LINE_SIZE));
	config.v = t->qsbr;
	return !rte_rcu_qsbr_init(t->qsbr, 2) && !rte_hash_rcu_qsbr_add(t->hash, &config);
}

static struct sync_table *create(uint32_t key_bytes, uint32_t count, uint32_t load_pct,
				 bool two_writers)
{
	struct sync_table *t = calloc(1, sizeof(*t));
	struct rte_hash_parameters parameters = {
		.name = "sync",
		.entries = (uint32_t)((uint64_t)count * 100 / load_pct),
		.key_len = key_bytes,
		.hash_func = rte_hash_crc,
		.socket_id = -1,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	if (two_writers)
		parameters.extra_flag |= RTE_HASH_EXTRA_FLAGS_MULTI_WRITER_ADD;
	t->bytes = allocated();
	t->hash = rte_hash_create(&parameters);
	t->bytes = allocated() - t->bytes;
	return t->hash && attach_rcu(t) ? t : NULL;
}

static void destroy(struct sync_table *t)
{
	rte_hash_free(t->hash);
	free(t->qsbr);
	free(t);
}

static bool find(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	void *data;

	if (rte_hash_lookup_data(t->hash, key, &data) < 0)
		return false;
	*value = (uint32_t)(uintptr_t)data;
	return true;
}

static uint64_t find_burst(struct sync_table *t, const uint8_t *const *keys, uint32_t *values)
{
	void *data[SYNC_BURST];
	uint64_t found;

	rte_hash_lookup_bulk_data(t->hash, (const void **)(uintptr_t)keys, SYNC_BURST, &found,
				  data);
	for (uint32_t i = 0; i < SYNC_BURST; i++)
		values[i] = (uint32_t)(uintptr_t)data[i];
	return found;
}

static bool insert(struct sync_table *t, int thread, const uint8_t *key, uint32_t value)
{
	return rte_hash_add_key_data(t->hash, key, (void *)(uintptr_t)value) == 0;
}

static bool take(struct sync_table *t, int thread, const uint8_t *key)
{
	return rte_hash_del_key(t->hash, key) >= 0;
}

static void online(struct sync_table *t, int thread)
{
	if (thread != 0 && rte_lcore_id() == LCORE_ID_ANY)
		(void)rte_thread_register(); // its caches are by lcore
	rte_rcu_qsbr_thread_register(t->qsbr, (unsigned)thread);
	rte_rcu_qsbr_thread_online(t->qsbr, (unsigned)thread);
}

static void quiescent(struct sync_table *t, int thread)
{
	rte_rcu_qsbr_quiescent(t->qsbr, (unsigned)thread);
}

static void offline(struct sync_table *t, int thread)
{
	rte_rcu_qsbr_thread_offline(t->qsbr, (unsigned)thread);
	rte_rcu_qsbr_thread_unregister(t->qsbr, (unsigned)thread);
}

static uint64_t bytes(const struct sync_table *t)
{
	return t->bytes;
}

const struct sync_ops sync_rte = {
	.name = "rte_hash",
	.create = create,
	.destroy = destroy,
	.find = find,
	.find_burst = find_burst,
	.insert = insert,
	.remove = take,
	.online = online,
	.quiescent = quiescent,
	.offline = offline,
	.bytes = bytes,
};
