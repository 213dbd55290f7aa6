// SPDX-License-Identifier: BSD-3-Clause
// liburcu's cds_lfht: split-ordered lists, lock-free for all. Nodes lie in an array by the key's
// number, a line each with the key in it; one is used again after synchronize_rcu would be due,
// which the measurement leaves out (in liburcu's favour).
#include <stdlib.h>
#include <string.h>

#define URCU_API_MAP
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>
// The flavour first: the table's calls are made for it.
#include <urcu/rculfhash.h>

#include "base/hash.h"
#include "sync.h"

struct node {
	struct cds_lfht_node lfht;
	uint32_t key_bytes, value;
	uint8_t key[40];
};
static_assert(sizeof(struct node) == CACHE_LINE_BYTES, "a line");

struct sync_table {
	struct cds_lfht *lfht;
	struct node *node;
	uint32_t key_bytes, count;
	unsigned long buckets;
};

static struct sync_table *create(uint32_t key_bytes, uint32_t count, uint32_t load_pct,
				 bool two_writers)
{
	struct sync_table *t = calloc(1, sizeof(*t));
	unsigned long buckets = bits_ceil_pow2((uint64_t)count * 100 / load_pct);

	rcu_register_thread();
	t->lfht = cds_lfht_new(buckets, buckets, buckets, 0, NULL);
	t->node = aligned_alloc(CACHE_LINE_BYTES, 2 * (size_t)count * sizeof(*t->node));
	t->key_bytes = key_bytes;
	t->count = count;
	t->buckets = buckets;
	return t->lfht && t->node ? t : NULL;
}

static int nothing(struct sync_table *t)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *n;

	cds_lfht_for_each(t->lfht, &iter, n) cds_lfht_del(t->lfht, n);
	return cds_lfht_destroy(t->lfht, NULL);
}

static void destroy(struct sync_table *t)
{
	(void)nothing(t);
	rcu_unregister_thread();
	free(t->node);
	free(t);
}

static uint64_t hash_of(const struct sync_table *t, const uint8_t *key)
{
	const struct hash_key secret = hash_key_of((const uint64_t[2]){0x0807060504030201, 9});
	const uint64_t *words = (const void *)key;

	return t->key_bytes == 16 ? hash_words(&secret, words, 2) : hash_words(&secret, words, 5);
}

static int match(struct cds_lfht_node *n, const void *key)
{
	const struct node *node = (const struct node *)n;

	return memcmp(node->key, key, node->key_bytes) == 0;
}

static bool find(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	struct cds_lfht_iter iter;

	cds_lfht_lookup(t->lfht, hash_of(t, key), match, key, &iter);
	struct cds_lfht_node *n = cds_lfht_iter_get_node(&iter);

	if (!n)
		return false;
	*value = ((struct node *)n)->value;
	return true;
}

static bool insert(struct sync_table *t, int thread, const uint8_t *key, uint32_t value)
{
	struct node *node = &t->node[value];

	node->key_bytes = t->key_bytes;
	node->value = value;
	memcpy(node->key, key, t->key_bytes);
	cds_lfht_node_init(&node->lfht);
	return cds_lfht_add_unique(t->lfht, hash_of(t, key), match, key, &node->lfht) ==
	       &node->lfht;
}

static bool take(struct sync_table *t, int thread, const uint8_t *key)
{
	struct cds_lfht_iter iter;

	cds_lfht_lookup(t->lfht, hash_of(t, key), match, key, &iter);
	struct cds_lfht_node *n = cds_lfht_iter_get_node(&iter);

	return n && cds_lfht_del(t->lfht, n) == 0;
}

static void online(struct sync_table *t, int thread)
{
	if (thread != 0)
		rcu_register_thread();
}

static void quiescent(struct sync_table *t, int thread)
{
	rcu_quiescent_state();
}

static void offline(struct sync_table *t, int thread)
{
	if (thread != 0)
		rcu_unregister_thread();
}

// A bucket is a node of the list, too.
static uint64_t bytes(const struct sync_table *t)
{
	return t->buckets * sizeof(struct cds_lfht_node) + (uint64_t)t->count * sizeof(struct node);
}

const struct sync_ops sync_urcu = {
	.name = "cds_lfht",
	.create = create,
	.destroy = destroy,
	.find = find,
	.insert = insert,
	.remove = take,
	.online = online,
	.quiescent = quiescent,
	.offline = offline,
	.bytes = bytes,
};
