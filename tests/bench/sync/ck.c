// SPDX-License-Identifier: BSD-3-Clause
// Concurrency Kit's ck_ht: open addressing, one writer. It keeps pointers to keys; the keys, in an
// array by their numbers, count as part of it: somebody must keep them.
#include <stdlib.h>
#include <string.h>

#include <ck_ht.h>

#include "base/bits.h"
#include "base/hash.h"
#include "sync.h"

struct sync_table {
	ck_ht_t ht;
	uint8_t *kept;
	uint32_t key_bytes, count;
};

static uint64_t given_bytes;

static void *give(size_t bytes)
{
	given_bytes += bytes;
	return malloc(bytes);
}

static void take_back(void *p, size_t bytes, bool defer)
{
	given_bytes -= bytes;
	free(p);
}

static struct ck_malloc memory = {.malloc = give, .free = take_back};

static void hash_key(ck_ht_hash_t *h, const void *key, size_t bytes, uint64_t seed)
{
	const struct hash_key secret = hash_key_of((const uint64_t[2]){seed, 9});

	h->value = bytes == 16 ? hash_words(&secret, key, 2) : hash_words(&secret, key, 5);
}

static struct sync_table *create(uint32_t key_bytes, uint32_t count, uint32_t load_pct,
				 bool two_writers)
{
	struct sync_table *t;

	if (two_writers)
		return NULL;
	t = calloc(1, sizeof(*t));
	t->key_bytes = key_bytes;
	t->count = count;
	t->kept = malloc(2 * (size_t)count * key_bytes);
	if (!t->kept)
		return NULL;
	if (!ck_ht_init(&t->ht, CK_HT_MODE_BYTESTRING, hash_key, &memory,
			bits_ceil_pow2((uint64_t)count * 100 / load_pct), 7))
		return NULL;
	return t;
}

static void destroy(struct sync_table *t)
{
	ck_ht_destroy(&t->ht);
	free(t->kept);
	free(t);
}

static bool find(struct sync_table *t, const uint8_t *key, uint32_t *value)
{
	ck_ht_hash_t h;
	ck_ht_entry_t entry;

	ck_ht_hash(&h, &t->ht, key, (uint16_t)t->key_bytes);
	ck_ht_entry_key_set(&entry, key, (uint16_t)t->key_bytes);
	if (!ck_ht_get_spmc(&t->ht, h, &entry))
		return false;
	*value = (uint32_t)(uintptr_t)ck_ht_entry_value(&entry);
	return true;
}

// A value of 0 would be none: numbers are kept plus one.
static bool insert(struct sync_table *t, int thread, const uint8_t *key, uint32_t value)
{
	uint8_t *kept = t->kept + (size_t)value * t->key_bytes;
	ck_ht_hash_t h;
	ck_ht_entry_t entry;

	memcpy(kept, key, t->key_bytes);
	ck_ht_hash(&h, &t->ht, key, (uint16_t)t->key_bytes);
	ck_ht_entry_set(&entry, h, kept, (uint16_t)t->key_bytes, (void *)(uintptr_t)(value + 1));
	return ck_ht_put_spmc(&t->ht, h, &entry);
}

static bool take(struct sync_table *t, int thread, const uint8_t *key)
{
	ck_ht_hash_t h;
	ck_ht_entry_t entry;

	ck_ht_hash(&h, &t->ht, key, (uint16_t)t->key_bytes);
	ck_ht_entry_key_set(&entry, key, (uint16_t)t->key_bytes);
	return ck_ht_remove_spmc(&t->ht, h, &entry);
}

static uint64_t bytes(const struct sync_table *t)
{
	return given_bytes + (uint64_t)t->count * t->key_bytes;
}

static void nothing(struct sync_table *t, int thread)
{
}

const struct sync_ops sync_ck = {
	.name = "ck_ht",
	.create = create,
	.destroy = destroy,
	.find = find,
	.insert = insert,
	.remove = take,
	.online = nothing,
	.quiescent = nothing,
	.offline = nothing,
	.bytes = bytes,
};
