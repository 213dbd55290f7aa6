// SPDX-License-Identifier: BSD-3-Clause
// The flow table for one size of key, what looks only: how buckets are read, find, the walk.
// Included by table_kind.h, and so by table.c, once for each size, so that nothing about it is
// decided per packet. The argument is in table.c. Whoever includes defines
//   KIND(name)   the function's name     ctrl_t   the control word: a tag a slot, and overflow
//   KEY, BUCKET  names of structs        WORDS    of 8 bytes in a key     SLOTS   keys in a bucket
#include "sync/table_slot.h"

#ifndef KIND // the header by itself
#define KIND(name) table16_##name
#define KEY flow_key16
#define BUCKET bucket16
#define ctrl_t uint32_t
#define WORDS 2
#define SLOTS 3
#endif

#define OVERFLOW_SHIFT (8 * SLOTS)
#define OVERFLOW_ONE ((ctrl_t)1 << OVERFLOW_SHIFT)
#define TAG_ONES ((ctrl_t)0x01010101)
#define TAG_LOWS ((ctrl_t)0x7f7f7f7f)
#define TAG_TOPS ((ctrl_t)0x80808080 & (OVERFLOW_ONE - 1))

// A slot, and where it lies in the order in which its key visits them.
struct KIND(place) {
	struct BUCKET *bucket;
	uint32_t index; // of the bucket
	uint32_t slot;
	uint32_t round;
};

static inline struct BUCKET *KIND(buckets)(const struct table *t)
{
	return t->buckets;
}

static inline uint32_t KIND(overflow)(ctrl_t ctrl)
{
	return (uint32_t)(ctrl >> OVERFLOW_SHIFT) & OVERFLOW_MAX;
}

// The top bit of each tag that equals tag. Exact, unlike the shorter form with a borrow.
static inline ctrl_t KIND(matches)(ctrl_t ctrl, uint8_t tag)
{
	ctrl_t x = ctrl ^ tag * TAG_ONES;

	return ~(((x & TAG_LOWS) + TAG_LOWS) | x | TAG_LOWS) & TAG_TOPS;
}

static inline uint32_t KIND(slot_of)(ctrl_t match)
{
	return (uint32_t)__builtin_ctzll(match) / 8;
}

static inline bool KIND(equal)(const struct KEY *a, const struct KEY *b)
{
	uint64_t difference = 0;

	for (int i = 0; i < WORDS; i++)
		difference |= a->word[i] ^ b->word[i];
	return difference == 0;
}

uint64_t KIND(hash)(const struct table *t, const struct KEY *key)
{
	return hash_words(&t->hash_key, key->word, WORDS);
}

void KIND(prefetch)(const struct table *t, uint64_t hash)
{
	bits_prefetch(&KIND(buckets)(t)[first_bucket(t, hash)]);
}

enum guess KIND(guess)(const struct table *t, uint64_t hash, uint32_t round, uint32_t *value)
{
	struct probe p = probe_first(t, hash);
	const struct BUCKET *b;
	ctrl_t ctrl, match;

	while (p.round < round)
		probe_next(t, hash, &p);
	b = &KIND(buckets)(t)[p.bucket];
	ctrl = atomic_get(&b->ctrl, ACQUIRE);
	match = KIND(matches)(ctrl, p.tag);
	if (LIKELY(match)) {
		*value = atomic_get(&b->value[KIND(slot_of)(match)], RELAXED);
		if (LIKELY(STATE(*value) == MEMBER)) {
			*value &= TABLE_VALUE_MAX;
			return GUESS_VALUE;
		}
	}
	if (KIND(overflow)(ctrl) == 0)
		return GUESS_NONE;
	probe_next(t, hash, &p);
	bits_prefetch(&KIND(buckets)(t)[p.bucket]);
	return GUESS_ON_NEXT;
}

// The top bit of the first tag that equals tag, and perhaps more bits above it.
static inline ctrl_t KIND(first_match)(ctrl_t ctrl, uint8_t tag)
{
	ctrl_t x = ctrl ^ tag * TAG_ONES;

	return (x - TAG_ONES) & ~x & TAG_TOPS;
}

// Nonzero when a tag equals tag or keys went on from here: if this is its first bucket, a key of
// that tag may be somewhere.
static inline ctrl_t KIND(anywhere)(ctrl_t ctrl, uint8_t tag)
{
	return KIND(first_match)(ctrl, tag) | ctrl >> OVERFLOW_SHIFT;
}

// The top bit of the first tag that is FREE, and perhaps more bits above it.
static inline ctrl_t KIND(free)(ctrl_t ctrl)
{
	return (ctrl - TAG_ONES) & ~ctrl & TAG_TOPS;
}

// Where keys have lines of their own: loads them while the first, with the tags, is awaited. Which
// key it will be is not known yet.
static inline void KIND(fetch_all)(const struct BUCKET *b)
{
	for (size_t at = CACHE_LINE_BYTES; at < sizeof(*b); at += CACHE_LINE_BYTES)
		bits_prefetch((const char *)b + at);
}

// The lines of this key alone, as soon as it is known which: they come while what stores to them
// waits for its turn.
static inline void KIND(fetch_to_write)(const struct KEY *key)
{
	if (sizeof(struct BUCKET) == CACHE_LINE_BYTES)
		return;
	bits_prefetch_write(key);
	bits_prefetch_write((const char *)(key + 1) - 1);
}

// Where the key is a member, with the value word that says so; or false.
static inline bool KIND(locate)(const struct table *t, const struct KEY *key, uint64_t hash,
				struct KIND(place) * at, uint32_t *word)
{
	for (struct probe p = probe_first(t, hash);; probe_next(t, hash, &p)) {
		struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
		ctrl_t ctrl;

		KIND(fetch_all)(b);
		ctrl = atomic_get(&b->ctrl, ACQUIRE);
		for (ctrl_t m = KIND(matches)(ctrl, p.tag); m; m &= m - 1) {
			uint32_t slot = KIND(slot_of)(m);

			if (!KIND(equal)(&b->key[slot], key))
				continue;
			*word = atomic_get(&b->value[slot], ACQUIRE);
			if (LIKELY(STATE(*word) == MEMBER)) {
				*at = (struct KIND(place)){b, p.bucket, slot, p.round};
				return true;
			}
		}
		if (LIKELY(KIND(overflow)(ctrl) == 0) || p.round + 1 == t->probes)
			return false;
	}
}

static NOINLINE bool KIND(find_on)(const struct table *t, const struct KEY *key, uint64_t hash,
				   uint32_t *value)
{
	struct KIND(place) at;
	uint32_t word;

	if (!KIND(locate)(t, key, hash, &at, &word))
		return false;
	*value = word & TABLE_VALUE_MAX;
	return true;
}

// Most keys are behind the first tag of their first bucket that is theirs, or nowhere. The fewer
// instructions, the more finds, and their misses, the processor has under way at a time; so the
// others are looked for by functions of their own, from the start.
static inline enum first KIND(look_first)(const struct BUCKET *b, const struct KEY *key,
					  uint64_t hash, uint32_t *value)
{
	ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE);
	ctrl_t match = KIND(first_match)(ctrl, tag_of(hash));
	const struct KEY *kept;
	uint32_t slot, word;

	if (!match)
		return LIKELY(KIND(overflow)(ctrl) == 0) ? NOWHERE : PERHAPS;
	slot = KIND(slot_of)(match);
	kept = &b->key[slot];
	address_once(kept);
	if (UNLIKELY(!KIND(equal)(kept, key)))
		return PERHAPS;
	word = atomic_get(&b->value[slot], ACQUIRE) ^ MEMBER;
	if (UNLIKELY(word > TABLE_VALUE_MAX))
		return PERHAPS;
	*value = word;
	return HERE;
}

bool KIND(find)(const struct table *t, const struct KEY *key, uint64_t hash, uint32_t *value)
{
	const struct BUCKET *b = &KIND(buckets)(t)[first_bucket(t, hash)];
	enum first first;

	KIND(fetch_all)(b);
	first = KIND(look_first)(b, key, hash, value);
	if (UNLIKELY(first == PERHAPS))
		return KIND(find_on)(t, key, hash, value);
	return first == HERE;
}

// One bucket of a burst's lookup. True: decided, *found says how.
static inline bool KIND(look)(const struct table *t, const struct KEY *key, const struct probe *p,
			      uint32_t *value, bool *found)
{
	const struct BUCKET *b = &KIND(buckets)(t)[p->bucket];
	ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE);

	for (ctrl_t m = KIND(matches)(ctrl, p->tag); m; m &= m - 1) {
		uint32_t slot = KIND(slot_of)(m), word;

		if (!KIND(equal)(&b->key[slot], key))
			continue;
		word = atomic_get(&b->value[slot], ACQUIRE);
		if (LIKELY(STATE(word) == MEMBER)) {
			*value = word & TABLE_VALUE_MAX;
			*found = true;
			return true;
		}
	}
	*found = false;
	return KIND(overflow)(ctrl) == 0 || p->round + 1 == t->probes;
}

// Where keys have lines of their own: loads the one whose tag is right.
static inline void KIND(fetch_key)(const struct BUCKET *b, uint8_t tag)
{
	ctrl_t match = KIND(first_match)(atomic_get(&b->ctrl, RELAXED), tag);
	const struct KEY *key = &b->key[match ? KIND(slot_of)(match) : 0];

	bits_prefetch(key);
	bits_prefetch((const char *)(key + 1) - 1);
}

// Those of a burst that were not behind the first tag of their first bucket, count of them in open:
// all their buckets of one round are loaded before the first of them is looked at.
static NOINLINE uint64_t KIND(find_rest)(const struct table *t, const struct KEY *const *keys,
					 const uint64_t *hash, uint8_t *open, uint32_t count,
					 uint32_t *values)
{
	struct probe probe[TABLE_BURST];
	uint64_t found = 0;

	for (uint32_t k = 0; k < count; k++)
		probe[open[k]] = probe_first(t, hash[open[k]]);
	while (count > 0) {
		uint32_t left = 0;

		if (SLOTS * sizeof(struct KEY) > CACHE_LINE_BYTES)
			for (uint32_t k = 0; k < count; k++)
				KIND(fetch_key)
				(&KIND(buckets)(t)[probe[open[k]].bucket], probe[open[k]].tag);
		for (uint32_t k = 0; k < count; k++) {
			uint32_t i = open[k];
			bool here;

			if (LIKELY(KIND(look)(t, keys[i], &probe[i], &values[i], &here))) {
				found |= (uint64_t)here << i;
				continue;
			}
			probe_next(t, hash[i], &probe[i]);
			bits_prefetch(&KIND(buckets)(t)[probe[i].bucket]);
			open[left++] = (uint8_t)i;
		}
		count = left;
	}
	return found;
}

// In passes, each as short as can be: load all buckets, load all keys, look.
uint64_t KIND(find_burst)(const struct table *t, const struct KEY *const *keys, uint32_t count,
			  uint32_t *values)
{
	const struct BUCKET *bucket[TABLE_BURST];
	uint64_t hash[TABLE_BURST], found = 0;
	uint8_t open[TABLE_BURST];
	uint32_t left = 0;

	for (uint32_t i = 0; i < count; i++) {
		hash[i] = KIND(hash)(t, keys[i]);
		bucket[i] = &KIND(buckets)(t)[first_bucket(t, hash[i])];
		bits_prefetch(bucket[i]);
	}
	if (SLOTS * sizeof(struct KEY) > CACHE_LINE_BYTES)
		for (uint32_t i = 0; i < count; i++)
			KIND(fetch_key)(bucket[i], tag_of(hash[i]));
	for (uint32_t i = 0; i < count; i++) {
		enum first first = KIND(look_first)(bucket[i], keys[i], hash[i], &values[i]);

		found |= (uint64_t)(first == HERE) << i;
		open[left] = (uint8_t)i;
		left += first == PERHAPS;
	}
	if (UNLIKELY(left > 0))
		found |= KIND(find_rest)(t, keys, hash, open, left, values);
	return found;
}

bool KIND(walk)(const struct table *t, uint64_t *at, uint32_t count, KIND(see) see, void *context)
{
	for (; count-- && *at < t->bucket_count; ++*at) {
		const struct BUCKET *b = &KIND(buckets)(t)[*at];
		ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE);

		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			uint32_t word = atomic_get(&b->value[slot], ACQUIRE);

			if ((uint8_t)(ctrl >> 8 * slot) > BUSY && STATE(word) == MEMBER)
				see(context, &b->key[slot], word & TABLE_VALUE_MAX);
		}
	}
	if (*at < t->bucket_count)
		return false;
	*at = 0;
	return true;
}
