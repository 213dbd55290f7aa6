// SPDX-License-Identifier: BSD-3-Clause
// Prism's own table.
#include <stdlib.h>

#include "sync.h"
#include "sync/table.h"

struct sync_table {
	struct epoch epoch;
	struct table *table;
	uint32_t key_bytes;
	int reader[2];
};

static struct sync_table *create(uint32_t key_bytes, uint32_t count, uint32_t load_pct,
				 bool two_writers)
{
	struct sync_table *t = aligned_alloc(CACHE_LINE_BYTES, sizeof(*t));
	struct table_config config = {.capacity = (uint32_t)((uint64_t)count * 100 / load_pct),
				      .key_bytes = key_bytes,
				      .writers = two_writers ? 2 : 1,
				      .secret = {1, 2, 3, 4, 5, 6, 7, 8, 9},
				      .epoch = &t->epoch};

	epoch_init(&t->epoch);
	t->key_bytes = key_bytes;
	t->table = table_create(&config);
	return t->table ? t : NULL;
}

static void destroy(struct sync_table *t)
{
	table_destroy(t->table);
	free(t);
}

static bool find16(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	const struct flow_key16 *k = (const void *)key;

	return table16_find(t->table, k, table16_hash(t->table, k), value);
}

static bool find40(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	const struct flow_key40 *k = (const void *)key;

	return table40_find(t->table, k, table40_hash(t->table, k), value);
}

static bool find(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	return t->key_bytes == 16 ? find16(t, key, value) : find40(t, key, value);
}

static uint64_t find_burst(struct sync_table *t, const uint8_t *const *keys, uint32_t *values)
{
	if (t->key_bytes == 16)
		return table16_find_burst(t->table, (const struct flow_key16 *const *)keys,
					  SYNC_BURST, values);
	return table40_find_burst(t->table, (const struct flow_key40 *const *)keys, SYNC_BURST,
				  values);
}

static bool insert(struct sync_table *t, int thread, const uint8_t *key, uint32_t value)
{
	const void *k = key;

	if (t->key_bytes == 16)
		return table16_insert(t->table, (uint32_t)thread, k, table16_hash(t->table, k),
				      &value) == 0;
	return table40_insert(t->table, (uint32_t)thread, k, table40_hash(t->table, k), &value) ==
	       0;
}

static bool take(struct sync_table *t, int thread, const uint8_t *key)
{
	const void *k = key;

	if (t->key_bytes == 16)
		return table16_remove(t->table, (uint32_t)thread, k, table16_hash(t->table, k),
				      NULL) == 0;
	return table40_remove(t->table, (uint32_t)thread, k, table40_hash(t->table, k), NULL) == 0;
}

static void online(struct sync_table *t, int thread)
{
	t->reader[thread] = epoch_join(&t->epoch);
	epoch_online(&t->epoch, t->reader[thread]);
}

static void quiescent(struct sync_table *t, int thread)
{
	epoch_quiescent(&t->epoch, t->reader[thread]);
}

static void offline(struct sync_table *t, int thread)
{
	epoch_leave(&t->epoch, t->reader[thread]);
}

static uint64_t bytes(const struct sync_table *t)
{
	return table_bytes(t->table);
}

const struct sync_ops sync_prism = {
	.name = "prism",
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
