// SPDX-License-Identifier: BSD-3-Clause
// The flow table for one size of key, what changes it: insert, remove, replace; and what is counted
// and checked. Included by table.c once for each size, which says what it is as table_find.h asks.
// The argument is in table.c.
#include <errno.h>

#include "base/assert.h"
#include "sync/table_find.h"

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

	while ((free = KIND(free)(ctrl))) {
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

// The same in one look, for a key that is nowhere when its first bucket has a free slot. False: it
// may be somewhere, there is none, or another was faster.
static inline bool KIND(reserve_first)(struct table *t, uint64_t hash, struct KIND(place) * at)
{
	struct probe p = probe_first(t, hash);
	struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
	ctrl_t ctrl, free;

	KIND(fetch_all)(b);
	ctrl = atomic_get(&b->ctrl, RELAXED);
	free = KIND(free)(ctrl);
	if (UNLIKELY(!free || KIND(anywhere)(ctrl, p.tag)))
		return false;
	*at = (struct KIND(place)){b, p.bucket, KIND(slot_of)(free), 0};
	return table_cas(t, &b->ctrl, &ctrl, (ctrl_t)(ctrl | (ctrl_t)BUSY << 8 * at->slot),
			 ACQ_REL);
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

// A slot that is ABORTED by all, or REMOVED by us, is nobody's way any more.
static void KIND(bury)(struct table *t, uint32_t writer, uint64_t hash,
		       const struct KIND(place) * at)
{
	ctrl_t tag = probe_first(t, hash).tag;

	table_add(t, &at->bucket->ctrl, (ctrl_t) - ((tag - BUSY) << 8 * at->slot), ACQ_REL);
	if (UNLIKELY(at->round))
		KIND(unpass)(t, writer, hash, at->round);
}

// Gives slots that waited back, at most count. Each leaves the list before it is free.
static void KIND(free_slots)(struct table *t, struct writer *w, uint32_t count)
{
	uint32_t number = w->waiting;

	while (number != NOTHING && count--) {
		struct BUCKET *b = &KIND(buckets)(t)[number >> SLOT_BITS];
		uint32_t slot = number & SLOT_MASK;

		number = atomic_get(&b->value[slot], RELAXED) & TABLE_VALUE_MAX;
		w->waiting = number;
		table_add(t, &b->ctrl, (ctrl_t) - ((ctrl_t)BUSY << 8 * slot), RELEASE);
	}
}

// False: nothing can be given back now.
static bool KIND(tend)(struct table *t, uint32_t writer)
{
	struct writer *w = &t->writer[writer];

	if (!limbo_waits(t, w))
		return false;
	KIND(free_slots)(t, w, FREED_MAX);
	return true;
}

static NOINLINE int KIND(tend_now)(struct table *t, uint32_t writer, int result)
{
	(void)KIND(tend)(t, writer);
	return result;
}

// What insert and remove end with: each eighth of this writer's looks at what waits.
static inline int KIND(inserted)(struct table *t, uint32_t writer)
{
	struct writer *w = writer_of(t, writer);
	uint64_t inserted = w->inserted + 1;

	cell_set(&w->inserted, inserted);
	if (UNLIKELY((inserted + w->removed) % TEND_EVERY == 0))
		return KIND(tend_now)(t, writer, 0);
	return 0;
}

static inline int KIND(removed)(struct table *t, uint32_t writer)
{
	struct writer *w = writer_of(t, writer);
	uint64_t removed = w->removed + 1;

	cell_set(&w->removed, removed);
	if (UNLIKELY((removed + w->inserted) % TEND_EVERY == 0))
		return KIND(tend_now)(t, writer, 0);
	return 0;
}

// The same for who changed nothing.
static int KIND(idled)(struct table *t, uint32_t writer, int result)
{
	if (++t->writer[writer].idle % TEND_EVERY == 0)
		return KIND(tend_now)(t, writer, result);
	return result;
}

// Puts the key into a slot of its own. True when it is, or was, a member by that. A writer that is
// alone need not ask the others; nor one who publishes at a moment when the key is nowhere else.
static bool KIND(enter)(struct table *t, const struct KEY *key, uint64_t hash,
			const struct KIND(place) * at, uint32_t value)
{
	uint8_t tag = probe_first(t, hash).tag;
	ctrl_t *ctrl = &at->bucket->ctrl, seen;
	ctrl_t publish = (ctrl_t)((ctrl_t)(tag - BUSY) << 8 * at->slot);

	at->bucket->key[at->slot] = *key;
	atomic_set(&at->bucket->value[at->slot], MEMBER | value, RELAXED);
	if (table_alone(t)) {
		atomic_set(ctrl, *ctrl + publish, RELEASE);
		return true;
	}
	seen = atomic_get(ctrl, ACQUIRE);
	if (LIKELY(at->round == 0 && KIND(anywhere)(seen, tag) == 0 &&
		   atomic_cas(ctrl, &seen, seen + publish, ACQ_REL)))
		return true;
	atomic_set(&at->bucket->value[at->slot], TENTATIVE | value, RELAXED);
	atomic_add(ctrl, publish, SEQ_CST);
	return KIND(decide)(t, key, hash, at);
}

// A table of one writer: the key into its first bucket, when that has a free slot and the key is
// nowhere. Few things depend on what the bucket holds, so that the processor has many inserts'
// misses under way at a time.
static inline bool KIND(settle)(struct table *t, const struct KEY *key, uint64_t hash,
				uint32_t value)
{
	struct probe p = probe_first(t, hash);
	struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
	ctrl_t ctrl, free;
	struct KEY *kept;
	uint32_t slot;

	ctrl = atomic_get(&b->ctrl, RELAXED);
	free = KIND(free)(ctrl);
	if (UNLIKELY(!free) || UNLIKELY(KIND(anywhere)(ctrl, p.tag)))
		return false;
	slot = KIND(slot_of)(free);
	kept = &b->key[slot];
	address_once(kept);
	KIND(fetch_to_write)(kept);
	*kept = *key;
	atomic_set(&b->value[slot], MEMBER | value, RELAXED);
	atomic_set(&b->ctrl, ctrl | (ctrl_t)p.tag << 8 * slot, RELEASE);
	return true;
}

// insert for one of several writers, and where settle does not do.
static NOINLINE int KIND(insert_among)(struct table *t, uint32_t writer, const struct KEY *key,
				       uint64_t hash, uint32_t *value)
{
	struct KIND(place) at;
	uint32_t word;

	for (bool mine = !table_alone(t) && KIND(reserve_first)(t, hash, &at);; mine = false) {
		if (UNLIKELY(!mine) && KIND(locate)(t, key, hash, &at, &word)) {
			*value = word & TABLE_VALUE_MAX;
			return KIND(idled)(t, writer, -EEXIST);
		}
		if (UNLIKELY(!mine) && !KIND(reserve)(t, writer, hash, &at)) {
			if (!KIND(tend)(t, writer))
				return -ENOSPC;
			continue;
		}
		if (LIKELY(KIND(enter)(t, key, hash, &at, *value)))
			return KIND(inserted)(t, writer);
		KIND(bury)(t, writer, hash, &at);
		limbo_push(t, writer, slot_number(at.index, at.slot), &at.bucket->value[at.slot]);
		count_retry(t, writer);
	}
}

// The same by one who asks for the hash anew: so the usual way need not keep it.
static NOINLINE int KIND(insert_alone)(struct table *t, uint32_t writer, const struct KEY *key,
				       uint32_t *value)
{
	return KIND(insert_among)(t, writer, key, KIND(hash)(t, key), value);
}

// What goes the usual way is short and keeps nothing on the stack: the fewer instructions, the more
// of these, and their misses, the processor has under way at a time.
int KIND(insert)(struct table *t, uint32_t writer, const struct KEY *key, uint64_t hash,
		 uint32_t *value)
{
	DCHECK(hash == KIND(hash)(t, key) && *value <= TABLE_VALUE_MAX);
	if (UNLIKELY(!table_alone(t)))
		return KIND(insert_among)(t, writer, key, hash, value);
	if (UNLIKELY(!KIND(settle)(t, key, hash, *value)))
		return KIND(insert_alone)(t, writer, key, value);
	return KIND(inserted)(t, writer);
}

// The same for a key that is in its first bucket: out of the table, to this writer's limbo. A table
// of one writer has nothing but members behind tags, when that one looks.
static inline bool KIND(drop)(struct table *t, struct writer *w, const struct KEY *key,
			      uint64_t hash, uint32_t *value)
{
	struct probe p = probe_first(t, hash);
	struct BUCKET *b = &KIND(buckets)(t)[p.bucket];
	ctrl_t ctrl, match;
	uint32_t slot;

	KIND(fetch_all)(b);
	ctrl = atomic_get(&b->ctrl, RELAXED);
	match = KIND(first_match)(ctrl, p.tag);
	if (UNLIKELY(!match))
		return false;
	slot = KIND(slot_of)(match);
	if (UNLIKELY(!KIND(equal)(&b->key[slot], key)))
		return false;
	if (value)
		*value = atomic_get(&b->value[slot], RELAXED) & TABLE_VALUE_MAX;
	atomic_set(&b->value[slot], REMOVED | w->filling, RELEASE);
	atomic_set(&b->ctrl, ctrl - (((ctrl_t)p.tag - BUSY) << 8 * slot), RELEASE);
	w->filling = slot_number(p.bucket, slot);
	return true;
}

static NOINLINE int KIND(remove_among)(struct table *t, uint32_t writer, const struct KEY *key,
				       uint64_t hash, uint32_t *value)
{
	struct writer *w = &t->writer[writer];
	struct KIND(place) at;
	uint32_t word;

	do {
		if (!KIND(locate)(t, key, hash, &at, &word))
			return KIND(idled)(t, writer, -ENOENT);
	} while (!table_cas(t, &at.bucket->value[at.slot], &word, REMOVED | w->filling, ACQ_REL));
	KIND(bury)(t, writer, hash, &at);
	w->filling = slot_number(at.index, at.slot);
	if (value)
		*value = word & TABLE_VALUE_MAX;
	return KIND(removed)(t, writer);
}

static NOINLINE int KIND(remove_alone)(struct table *t, uint32_t writer, const struct KEY *key,
				       uint32_t *value)
{
	return KIND(remove_among)(t, writer, key, KIND(hash)(t, key), value);
}

int KIND(remove)(struct table *t, uint32_t writer, const struct KEY *key, uint64_t hash,
		 uint32_t *value)
{
	struct writer *w = writer_of(t, writer);

	if (UNLIKELY(!table_alone(t)))
		return KIND(remove_among)(t, writer, key, hash, value);
	if (UNLIKELY(!KIND(drop)(t, w, key, hash, value)))
		return KIND(remove_alone)(t, writer, key, value);
	return KIND(removed)(t, writer);
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
