// SPDX-License-Identifier: BSD-3-Clause
// The operations of the flow table for one size of key; included by table.c once for each, so that
// nothing about the size is decided per packet. The argument is in table.c. Whoever includes
// defines
//   KIND(name)   the function's name     ctrl_t   the control word: a tag a slot, and overflow
//   KEY, BUCKET  names of structs        WORDS    of 8 bytes in a key     SLOTS   keys in a bucket
#include <errno.h>

#include "base/assert.h"
#include "base/hash.h"
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
	return hash_words(t->secret, key->word, WORDS);
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

// Where the key is a member, with the value word that says so; or false.
static inline bool KIND(locate)(const struct table *t, const struct KEY *key, uint64_t hash,
				struct KIND(place) * at, uint32_t *word)
{
	for (struct probe p = probe_first(t, hash);; probe_next(t, hash, &p)) {
		struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
		ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE);

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

bool KIND(find)(const struct table *t, const struct KEY *key, uint64_t hash, uint32_t *value)
{
	struct KIND(place) at;
	uint32_t word;

	if (!KIND(locate)(t, key, hash, &at, &word))
		return false;
	*value = word & TABLE_VALUE_MAX;
	return true;
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
static inline void KIND(fetch_key)(const struct table *t, const struct probe *p)
{
	const struct BUCKET *b = &KIND(buckets)(t)[p->bucket];
	ctrl_t match = KIND(matches)(atomic_get(&b->ctrl, ACQUIRE), p->tag);
	const char *key = (const char *)&b->key[match ? KIND(slot_of)(match) : 0];

	bits_prefetch(key);
	bits_prefetch(key + sizeof(struct KEY) - 1);
}

// All keys' buckets of one round are loaded before the first of them is looked at.
uint64_t KIND(find_burst)(const struct table *t, const struct KEY *const *keys, uint32_t count,
			  uint32_t *values)
{
	uint64_t hash[TABLE_BURST], found = 0;
	struct probe probe[TABLE_BURST];
	uint8_t open[TABLE_BURST];

	for (uint32_t i = 0; i < count; i++) {
		hash[i] = KIND(hash)(t, keys[i]);
		probe[i] = probe_first(t, hash[i]);
		open[i] = (uint8_t)i;
		bits_prefetch(&KIND(buckets)(t)[probe[i].bucket]);
	}
	while (count > 0) {
		uint32_t left = 0;

		if (SLOTS * sizeof(struct KEY) > CACHE_LINE_BYTES)
			for (uint32_t k = 0; k < count; k++)
				KIND(fetch_key)(t, &probe[open[k]]);
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

// One more, or one fewer, of the keys that passed this bucket by. What reached its greatest number
// stays there.
static void KIND(pass)(struct table *t, uint32_t writer, struct BUCKET *b, int amount)
{
	ctrl_t ctrl = atomic_get(&b->ctrl, RELAXED);

	while (KIND(overflow)(ctrl) != OVERFLOW_MAX) {
		if (table_cas(t, &b->ctrl, &ctrl, (ctrl_t)(ctrl + (ctrl_t)amount * OVERFLOW_ONE),
			      SEQ_CST))
			return;
		count_retry(t, writer);
	}
}

// Takes back what reserve counted on the way to this place.
static void KIND(unpass)(struct table *t, uint32_t writer, uint64_t hash, uint32_t rounds)
{
	struct probe p = probe_first(t, hash);

	for (; p.round < rounds; probe_next(t, hash, &p))
		KIND(pass)(t, writer, &KIND(buckets)(t)[p.bucket], -1);
}

// A free slot of this bucket, for us alone: its tag is BUSY. False when it has none.
static bool KIND(take_slot)(struct table *t, uint32_t writer, struct BUCKET *b, uint32_t *slot)
{
	ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE), free;

	while ((free = KIND(matches)(ctrl, FREE))) {
		*slot = KIND(slot_of)(free);
		if (table_cas(t, &b->ctrl, &ctrl, (ctrl_t)(ctrl | (ctrl_t)BUSY << 8 * *slot),
			      ACQ_REL))
			return true;
		count_retry(t, writer);
	}
	return false;
}

// The first free slot on the key's way, counted as passed by in all buckets before it.
static bool KIND(reserve)(struct table *t, uint32_t writer, uint64_t hash, struct KIND(place) * at)
{
	struct probe p = probe_first(t, hash);

	for (; p.round < t->probes; probe_next(t, hash, &p)) {
		struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
		uint32_t slot;

		if (KIND(take_slot)(t, writer, b, &slot)) {
			*at = (struct KIND(place)){b, p.bucket, slot, p.round};
			return true;
		}
		KIND(pass)(t, writer, b, 1);
	}
	KIND(unpass)(t, writer, hash, t->probes);
	return false;
}

// Settles whether the key in a slot that is TENTATIVE is a member. True: it is, or was until
// somebody removed it. Anybody may do this for anybody.
static bool KIND(decide)(struct table *t, const struct KEY *key, uint64_t hash,
			 const struct KIND(place) * mine);

// Another slot with our key. True: ours need not go on (it was decided, by us or by others).
static bool KIND(meet)(struct table *t, const struct KEY *key, uint64_t hash,
		       const struct KIND(place) * mine, const struct KIND(place) * other)
{
	uint32_t *word = &other->bucket->value[other->slot];
	uint32_t *ours = &mine->bucket->value[mine->slot];
	uint32_t seen = atomic_get(word, ACQUIRE);

	while (STATE(seen) == TENTATIVE) {
		if (other->round < mine->round ||
		    (other->round == mine->round && other->slot < mine->slot))
			(void)KIND(decide)(t, key, hash, other); // it goes first: help
		else if (atomic_cas(word, &seen, ABORTED,
				    SEQ_CST)) // it comes later: it tries again
			return false;
		seen = atomic_get(word, ACQUIRE);
	}
	if (STATE(seen) != MEMBER)
		return false;
	seen = atomic_get(ours, ACQUIRE);
	if (STATE(seen) == TENTATIVE)
		(void)atomic_cas(ours, &seen, ABORTED, SEQ_CST);
	return true;
}

static bool KIND(decide)(struct table *t, const struct KEY *key, uint64_t hash,
			 const struct KIND(place) * mine)
{
	uint32_t *word = &mine->bucket->value[mine->slot], seen;

	for (struct probe p = probe_first(t, hash); p.round < t->probes; probe_next(t, hash, &p)) {
		struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
		ctrl_t ctrl = atomic_get(&b->ctrl, SEQ_CST);

		for (ctrl_t m = KIND(matches)(ctrl, p.tag); m; m &= m - 1) {
			struct KIND(place) other = {b, p.bucket, KIND(slot_of)(m), p.round};

			if ((b == mine->bucket && other.slot == mine->slot) ||
			    !KIND(equal)(&b->key[other.slot], key))
				continue;
			if (KIND(meet)(t, key, hash, mine, &other))
				goto decided;
		}
		if (KIND(overflow)(ctrl) == 0)
			break;
	}
	seen = atomic_get(word, SEQ_CST);
	if (STATE(seen) == TENTATIVE)
		(void)atomic_cas(word, &seen, seen | MEMBER, SEQ_CST);
decided:
	return STATE(atomic_get(word, SEQ_CST)) != ABORTED;
}

// A slot that is ABORTED by all, or REMOVED by us, goes to this writer's limbo.
static void KIND(bury)(struct table *t, uint32_t writer, uint64_t hash,
		       const struct KIND(place) * at)
{
	ctrl_t tag = probe_first(t, hash).tag;

	table_add(t, &at->bucket->ctrl, (ctrl_t) - ((tag - BUSY) << 8 * at->slot), ACQ_REL);
	KIND(unpass)(t, writer, hash, at->round);
	limbo_push(t, writer, at->index * SLOTS + at->slot, &at->bucket->value[at->slot]);
}

// Gives slots that waited back, at most count. Each leaves the list before it is free.
static void KIND(free_slots)(struct table *t, struct writer *w, uint32_t count)
{
	while (w->waiting != NOTHING && count--) {
		struct BUCKET *b = &KIND(buckets)(t)[w->waiting / SLOTS];
		uint32_t slot = w->waiting % SLOTS;

		w->waiting = atomic_get(&b->value[slot], RELAXED) & TABLE_VALUE_MAX;
		table_add(t, &b->ctrl, (ctrl_t) - ((ctrl_t)BUSY << 8 * slot), RELEASE);
	}
}

static void KIND(tend)(struct table *t, uint32_t writer)
{
	struct writer *w = &t->writer[writer];

	if (LIKELY(!limbo_waits(t, w)))
		return;
	KIND(free_slots)(t, w, FREED_MAX);
}

// The key and value go into a slot that is ours alone, and become visible to who decides.
static void KIND(publish)(struct table *t, const struct KIND(place) * at, const struct KEY *key,
			  uint8_t tag, uint32_t word)
{
	at->bucket->key[at->slot] = *key;
	atomic_set(&at->bucket->value[at->slot], word, RELAXED);
	table_add(t, &at->bucket->ctrl, (ctrl_t)((ctrl_t)(tag - BUSY) << 8 * at->slot), SEQ_CST);
}

// Puts the key into a slot of its own. True when it is, or was, a member by that. A writer that is
// alone need not ask the others.
static bool KIND(enter)(struct table *t, const struct KEY *key, uint64_t hash,
			const struct KIND(place) * at, uint32_t value)
{
	uint8_t tag = probe_first(t, hash).tag;

	if (table_alone(t)) {
		KIND(publish)(t, at, key, tag, MEMBER | value);
		return true;
	}
	KIND(publish)(t, at, key, tag, TENTATIVE | value);
	return KIND(decide)(t, key, hash, at);
}

int KIND(insert)(struct table *t, uint32_t writer, const struct KEY *key, uint64_t hash,
		 uint32_t *value)
{
	struct KIND(place) at;
	uint32_t word;

	DCHECK(hash == KIND(hash)(t, key) && *value <= TABLE_VALUE_MAX);
	KIND(tend)(t, writer);
	for (;;) {
		if (KIND(locate)(t, key, hash, &at, &word)) {
			*value = word & TABLE_VALUE_MAX;
			return -EEXIST;
		}
		if (!KIND(reserve)(t, writer, hash, &at))
			return -ENOSPC;
		if (LIKELY(KIND(enter)(t, key, hash, &at, *value))) {
			cell_add(&t->writer[writer].inserted, 1);
			return 0;
		}
		KIND(bury)(t, writer, hash, &at);
		count_retry(t, writer);
	}
}

int KIND(remove)(struct table *t, uint32_t writer, const struct KEY *key, uint64_t hash,
		 uint32_t *value)
{
	struct KIND(place) at;
	uint32_t word;

	KIND(tend)(t, writer);
	do {
		if (!KIND(locate)(t, key, hash, &at, &word))
			return -ENOENT;
	} while (!table_cas(t, &at.bucket->value[at.slot], &word, REMOVED, ACQ_REL));
	if (value)
		*value = word & TABLE_VALUE_MAX;
	cell_add(&t->writer[writer].removed, 1);
	KIND(bury)(t, writer, hash, &at);
	return 0;
}

int KIND(replace)(struct table *t, const struct KEY *key, uint64_t hash, uint32_t from, uint32_t to)
{
	struct KIND(place) at;
	uint32_t word;

	DCHECK(to <= TABLE_VALUE_MAX);
	do {
		if (!KIND(locate)(t, key, hash, &at, &word))
			return -ENOENT;
		if ((word & TABLE_VALUE_MAX) != from)
			return -EAGAIN;
	} while (!atomic_cas(&at.bucket->value[at.slot], &word, MEMBER | to, ACQ_REL));
	return 0;
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

// Adds one bucket to the statistics.
static void KIND(measure)(const struct table *t, uint32_t index, struct table_stats *stats)
{
	const struct BUCKET *b = &KIND(buckets)(t)[index];
	ctrl_t ctrl = atomic_get(&b->ctrl, ACQUIRE);

	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		uint8_t tag = (uint8_t)(ctrl >> 8 * slot);
		uint32_t depth = 0;

		stats->dead += tag == BUSY;
		if (tag <= BUSY || STATE(atomic_get(&b->value[slot], ACQUIRE)) != MEMBER)
			continue;
		uint64_t hash = KIND(hash)(t, &b->key[slot]);

		for (struct probe p = probe_first(t, hash); p.bucket != index;)
			probe_next(t, hash, &p), depth++;
		stats->keys++;
		stats->depth[MIN(depth, (uint32_t)TABLE_DEPTHS - 1)]++;
	}
}

// Asserts that every key of the bucket is found where it lies and nothing is TENTATIVE. Returns
// what all buckets' sum to 0: how often its keys passed others by, less how often it was passed.
static uint64_t KIND(check)(const struct table *t, uint32_t index, bool *stuck)
{
	const struct BUCKET *b = &KIND(buckets)(t)[index];
	uint64_t owed = 0u - (uint64_t)KIND(overflow)(b->ctrl);

	*stuck |= KIND(overflow)(b->ctrl) == OVERFLOW_MAX;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		struct KIND(place) at;
		uint32_t word;

		if ((uint8_t)(b->ctrl >> 8 * slot) <= BUSY)
			continue;
		ASSERT(STATE(b->value[slot]) == MEMBER);
		ASSERT(KIND(locate)(t, &b->key[slot], KIND(hash)(t, &b->key[slot]), &at, &word));
		ASSERT(at.bucket == b && at.slot == slot);
		owed += at.round;
	}
	return owed;
}
