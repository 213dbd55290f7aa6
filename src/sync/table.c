// SPDX-License-Identifier: BSD-3-Clause
// The flow table: buckets of three keys, each a cache line. A lookup costs one line, and more where
// buckets were full: at capacity, after every key was replaced several times, 1.5 lines on a hit
// and 2 on a miss. Called by tcp/ for every segment; calls only hash_flow.
//
//   bucket: key[3] value[3] tag[3] overflow
//
// A key that finds its bucket full goes on by its own step (double hashing over a prime number of
// buckets) and adds one to `overflow` of every bucket it passes; remove takes it back. So a lookup
// ends at the first bucket nobody passed, there are no tombstones, and nothing ever moves. An
// overflow that has reached its greatest number stays there: the bucket is passed for ever.
//
// One thread writes and reads.
#include "sync/table.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#define BUCKET_KEYS 3
#define OVERFLOW_MAX UINT8_MAX

// Buckets one key may try. At the highest load fewer than half of the buckets are full, so that a
// key finds 128 full ones in a row once in 2^128 tries.
#define PROBES_MAX 128

// Five slots in eight are filled at capacity: 34 bytes a key. Since nothing moves, a key that was
// pushed far away stays there when its bucket has room again. At seven in eight a table whose keys
// come and go had 86 buckets to look at before it knew that a key is not there.
#define LOAD_KEYS 5
#define LOAD_SLOTS 8

struct bucket {
	struct flow_key key[BUCKET_KEYS];
	uint32_t value[BUCKET_KEYS];
	uint8_t tag[BUCKET_KEYS]; // of the key's hash, never 0; 0: the slot is free
	uint8_t overflow;         // keys that passed by because this bucket was full
} CACHE_ALIGNED;

static_assert(sizeof(struct bucket) == CACHE_LINE_BYTES, "three keys in a line");
static_assert(offsetof(struct bucket, overflow) == offsetof(struct bucket, tag) + BUCKET_KEYS,
	      "tag_matches reads four bytes");

struct table {
	struct bucket *buckets;
	uint32_t bucket_count; // prime
	uint32_t count;
	uint32_t capacity;
	uint64_t secret[2];
};

// The order in which a hash visits buckets.
struct probe {
	uint32_t bucket, step;
	uint8_t tag;
};

static bool is_prime(uint32_t x)
{
	for (uint32_t d = 3; (uint64_t)d * d <= x; d += 2) {
		if (x % d == 0)
			return false;
	}
	return x % 2 != 0;
}

static uint32_t prime_from(uint32_t x)
{
	x |= 1;
	while (!is_prime(x))
		x += 2;
	return x;
}

static size_t buckets_bytes(const struct table *t)
{
	return (size_t)t->bucket_count * sizeof(struct bucket);
}

struct table *table_create(uint32_t capacity, const uint8_t secret[16])
{
	uint64_t slots = ((uint64_t)capacity * LOAD_SLOTS + LOAD_KEYS - 1) / LOAD_KEYS;
	struct table *t;

	if (capacity == 0) {
		err_set(ERR_INVALID_ARGUMENT, "a flow table for 0 keys");
		return NULL;
	}
	t = mem_map("flow table", sizeof(*t));
	if (!t)
		return NULL;
	t->capacity = capacity;
	t->bucket_count = prime_from((uint32_t)MAX(slots / BUCKET_KEYS + 1, 3u));
	memcpy(t->secret, secret, sizeof(t->secret));
	t->buckets = mem_map("flow table buckets", buckets_bytes(t));
	if (!t->buckets) {
		mem_unmap(t, sizeof(*t));
		return NULL;
	}
	return t;
}

void table_destroy(struct table *t)
{
	if (!t)
		return;
	mem_unmap(t->buckets, buckets_bytes(t));
	mem_unmap(t, sizeof(*t));
}

uint64_t table_hash(const struct table *t, const struct flow_key *key)
{
	return hash_flow(t->secret, key->word);
}

// The high half of the hash chooses the bucket, the low half tag and step.
static uint32_t first_bucket(const struct table *t, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * t->bucket_count >> 32);
}

static struct probe probe_first(const struct table *t, uint64_t hash)
{
	uint8_t tag = (uint8_t)hash;

	return (struct probe){.bucket = first_bucket(t, hash), .tag = tag ? tag : 1};
}

// The step is 1..bucket_count-1, so that it meets every bucket of a prime number of them.
static void probe_next(const struct table *t, uint64_t hash, struct probe *p)
{
	uint64_t next;

	if (!p->step)
		p->step = (uint32_t)((hash & UINT32_MAX) * (t->bucket_count - 1) >> 32) + 1;
	next = (uint64_t)p->bucket + p->step;
	p->bucket = (uint32_t)(next < t->bucket_count ? next : next - t->bucket_count);
}

void table_prefetch(const struct table *t, uint64_t hash)
{
	bits_prefetch(&t->buckets[first_bucket(t, hash)]);
}

static bool key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return ((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1])) == 0;
}

// The three tags as one word: the top bit of each byte that equals tag. Exact, unlike the shorter
// form with a borrow: a free slot still holds its last key, and must not match.
static uint32_t tag_matches(const struct bucket *b, uint8_t tag)
{
	uint32_t x;

	memcpy(&x, b->tag, sizeof(x)); // and overflow, which does not count
	x ^= tag * 0x01010101u;
	return ~(((x & 0x7f7f7f7fu) + 0x7f7f7f7fu) | x | 0x7f7f7f7fu) & 0x00808080u;
}

enum guess table_guess(const struct table *t, uint64_t hash, uint32_t round, uint32_t *value)
{
	struct probe p = probe_first(t, hash);
	const struct bucket *b;
	uint32_t match;

	for (uint32_t i = 0; i < round; i++)
		probe_next(t, hash, &p);
	b = &t->buckets[p.bucket];
	match = tag_matches(b, p.tag);
	if (LIKELY(match)) {
		*value = b->value[__builtin_ctz(match) / 8];
		return GUESS_VALUE;
	}
	if (b->overflow == 0)
		return GUESS_NONE;
	probe_next(t, hash, &p);
	bits_prefetch(&t->buckets[p.bucket]);
	return GUESS_ON_NEXT;
}

// The slot of this key in the bucket, or -1.
static int slot_of(const struct bucket *b, const struct flow_key *key, uint8_t tag)
{
	for (uint32_t match = tag_matches(b, tag); match; match &= match - 1) {
		int slot = __builtin_ctz(match) / 8;

		if (LIKELY(key_equal(&b->key[slot], key)))
			return slot;
	}
	return -1;
}

static int free_slot(const struct bucket *b)
{
	uint32_t match = tag_matches(b, 0);

	return match ? __builtin_ctz(match) / 8 : -1;
}

// The rest of a lookup after its first bucket. Apart, so that the usual case needs few registers.
__attribute__((noinline)) static struct bucket *
lookup_on(const struct table *t, const struct flow_key *key, uint64_t hash, int *slot)
{
	struct probe p = probe_first(t, hash);

	for (uint32_t i = 1; i < PROBES_MAX; i++) {
		probe_next(t, hash, &p);
		struct bucket *b = &t->buckets[p.bucket];

		*slot = slot_of(b, key, p.tag);
		if (*slot >= 0)
			return b;
		if (b->overflow == 0)
			return NULL;
	}
	return NULL;
}

// The bucket and slot that hold the key, or NULL.
static inline struct bucket *lookup(const struct table *t, const struct flow_key *key,
				    uint64_t hash, int *slot)
{
	struct probe p = probe_first(t, hash);
	struct bucket *b = &t->buckets[p.bucket];

	*slot = slot_of(b, key, p.tag);
	if (LIKELY(*slot >= 0))
		return b;
	return LIKELY(b->overflow == 0) ? NULL : lookup_on(t, key, hash, slot);
}

bool table_find(const struct table *t, const struct flow_key *key, uint64_t hash, uint32_t *value)
{
	int slot;
	const struct bucket *b = lookup(t, key, hash, &slot);

	if (!b)
		return false;
	*value = b->value[slot];
	return true;
}

// Adds amount to the overflow of every bucket the hash visits before `end`.
static void count_passing(struct table *t, uint64_t hash, const struct bucket *end, int amount)
{
	for (struct probe p = probe_first(t, hash); &t->buckets[p.bucket] != end;
	     probe_next(t, hash, &p)) {
		uint8_t *overflow = &t->buckets[p.bucket].overflow;

		if (*overflow != OVERFLOW_MAX)
			*overflow = (uint8_t)(*overflow + amount);
	}
}

int table_insert(struct table *t, const struct flow_key *key, uint64_t hash, uint32_t *value)
{
	struct probe p = probe_first(t, hash);
	int slot;
	const struct bucket *present = lookup(t, key, hash, &slot);

	DCHECK(hash == table_hash(t, key));
	if (present) {
		*value = present->value[slot];
		return -EEXIST;
	}
	if (t->count == t->capacity)
		return -ENOSPC;
	for (uint32_t i = 0; i < PROBES_MAX; i++, probe_next(t, hash, &p)) {
		struct bucket *b = &t->buckets[p.bucket];

		slot = free_slot(b);
		if (slot < 0)
			continue;
		b->tag[slot] = p.tag;
		b->value[slot] = *value;
		b->key[slot] = *key;
		count_passing(t, hash, b, 1);
		t->count++;
		return 0;
	}
	return -ENOSPC;
}

int table_remove(struct table *t, const struct flow_key *key, uint64_t hash)
{
	int slot;
	struct bucket *b = lookup(t, key, hash, &slot);

	if (!b)
		return -ENOENT;
	b->tag[slot] = 0;
	count_passing(t, hash, b, -1);
	t->count--;
	return 0;
}

uint32_t table_count(const struct table *t)
{
	return t->count;
}

uint64_t table_bytes(const struct table *t)
{
	return sizeof(*t) + buckets_bytes(t);
}

// Every key is found, and was counted by the buckets it passed and by no other.
static uint64_t check_bucket(const struct table *t, const struct bucket *b, uint32_t *keys)
{
	uint64_t passed = 0;

	for (int i = 0; i < BUCKET_KEYS; i++) {
		uint64_t hash = table_hash(t, &b->key[i]);
		struct probe p = probe_first(t, hash);
		int slot;

		if (!b->tag[i])
			continue;
		ASSERT(b->tag[i] == p.tag);
		ASSERT(lookup(t, &b->key[i], hash, &slot) == b);
		ASSERT(slot == i);
		for (; &t->buckets[p.bucket] != b; passed++) {
			ASSERT(t->buckets[p.bucket].overflow > 0);
			probe_next(t, hash, &p);
		}
		++*keys;
	}
	return passed;
}

void table_check(const struct table *t)
{
	uint64_t overflow = 0, passed = 0;
	uint32_t keys = 0;
	bool stuck = false;

	for (uint32_t i = 0; i < t->bucket_count; i++) {
		overflow += t->buckets[i].overflow;
		stuck |= t->buckets[i].overflow == OVERFLOW_MAX;
		passed += check_bucket(t, &t->buckets[i], &keys);
	}
	ASSERT(stuck || overflow == passed);
	ASSERT(keys == t->count);
}
