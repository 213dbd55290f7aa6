// SPDX-License-Identifier: BSD-3-Clause
// What the flow table is made of: words, slots, the order in which a key visits buckets, and the
// slots that wait for a grace period. Of table.c and its table_find.h and
// table_kind.h alone; the argument is in table.c.
#pragma once

#include <assert.h>

#include "base/bits.h"
#include "base/hash.h"
#include "sync/atomic.h"
#include "sync/cell.h"
#include "sync/epoch.h"
#include "sync/table.h"

#define OVERFLOW_MAX UINT8_MAX
#define FREED_MAX 32  // slots that are given back at a time
#define TEND_EVERY 8u // inserts and removes between two looks at what waits; a power of two

// Buckets one key may try. With nine slots in ten taken about three in four buckets are full, so
// that a key finds 128 full ones in a row once in 10^16 tries.
#define PROBES_MAX 128u

// Tags that are none: those of a hash begin behind them.
#define FREE 0
#define BUSY 1
#define TAGS_FROM 2

// States of a value word.
#define TENTATIVE (UINT32_C(0) << 30)
#define MEMBER (UINT32_C(1) << 30)
#define ABORTED (UINT32_C(2) << 30)
#define REMOVED (UINT32_C(3) << 30)
#define STATE(word) ((word) & (UINT32_C(3) << 30))

#define NOTHING TABLE_VALUE_MAX // ends a list of slots

struct bucket16 {
	struct flow_key16 key[3];
	uint32_t value[3];
	uint32_t ctrl;
} CACHE_ALIGNED;

struct bucket40 {
	uint64_t ctrl;
	uint32_t value[4];
	struct flow_key40 key[4];
} CACHE_ALIGNED;

static_assert(sizeof(struct bucket16) == CACHE_LINE_BYTES, "three keys in a line");
static_assert(sizeof(struct bucket40) == 3 * CACHE_LINE_BYTES, "four keys in three lines");

// Its thread writes it; the counts are read by others.
struct writer {
	uint64_t inserted, removed, retries; // cells
	uint64_t token;                      // of the epoch, for the slots that wait
	uint32_t waiting, filling;           // lists of slots: retired with the token; since then
	uint32_t idle;                       // inserts and removes that changed nothing
} CACHE_ALIGNED;

struct table {
	void *buckets;
	struct hash_key hash_key;
	uint32_t bucket_count; // prime
	uint32_t bucket_bytes;
	uint32_t slots;  // of a bucket
	uint32_t probes; // buckets one key may try: none twice
	uint32_t writers;
	struct epoch *epoch;
	struct writer writer[TABLE_WRITERS_MAX];
};

// Changes of words that other writers change too, where there are any. Where there are none a store
// does, which readers see whole: no locked instruction, which would hold up what comes after it.
#define table_alone(t) ((t)->writers == 1)
#define table_cas(t, p, expected, value, order) \
	(table_alone(t) ? (atomic_set(p, value, RELEASE), true) \
			: atomic_cas(p, expected, value, order))
#define table_add(t, p, amount, order) \
	(table_alone(t) ? atomic_set(p, *(p) + (amount), RELEASE) \
			: (void)atomic_add(p, amount, order))

// The order in which a hash visits buckets.
struct probe {
	uint32_t bucket, step, round;
	uint8_t tag;
};

// The high half of the hash chooses the bucket, the low half tag and step.
static inline uint32_t first_bucket(const struct table *t, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * t->bucket_count >> 32);
}

static inline uint8_t tag_of(uint64_t hash)
{
	uint8_t tag = (uint8_t)hash;

	return tag >= TAGS_FROM ? tag : (uint8_t)(tag + TAGS_FROM);
}

static inline struct probe probe_first(const struct table *t, uint64_t hash)
{
	return (struct probe){.bucket = first_bucket(t, hash), .tag = tag_of(hash)};
}

// What the first bucket of a key's way says of the key.
enum first { NOWHERE, HERE, PERHAPS };

// The step is 1..bucket_count-1, so that it meets every bucket of a prime number of them.
static inline void probe_next(const struct table *t, uint64_t hash, struct probe *p)
{
	uint64_t next;

	if (!p->step)
		p->step = (uint32_t)((hash & UINT32_MAX) * (t->bucket_count - 1) >> 32) + 1;
	next = (uint64_t)p->bucket + p->step;
	p->bucket = (uint32_t)(next < t->bucket_count ? next : next - t->bucket_count);
	p->round++;
}

// Compilers work out the address of each field of what p points to by itself otherwise.
#define address_once(p) __asm__("" : "+r"(p))

static inline struct writer *writer_of(struct table *t, uint32_t writer)
{
	struct writer *w = &t->writer[writer];

	address_once(w);
	return w;
}

static inline void count_retry(struct table *t, uint32_t writer)
{
	cell_add(&t->writer[writer].retries, 1);
}

// Slots by number, as in the lists: SLOT_BITS of them for each bucket.
#define SLOT_BITS 2
#define SLOT_MASK ((1u << SLOT_BITS) - 1)

static inline uint32_t slot_number(uint32_t bucket, uint32_t slot)
{
	return bucket << SLOT_BITS | slot;
}

static inline void limbo_push(struct table *t, uint32_t writer, uint32_t slot, uint32_t *word)
{
	struct writer *w = &t->writer[writer];

	atomic_set(word, STATE(atomic_get(word, RELAXED)) | w->filling, RELAXED);
	w->filling = slot;
}

// True when slots of this writer may be given back: those in w->waiting.
static inline bool limbo_waits(const struct table *t, struct writer *w)
{
	if (w->waiting == NOTHING) {
		if (LIKELY(w->filling == NOTHING))
			return false;
		w->waiting = w->filling;
		w->filling = NOTHING;
		w->token = epoch_retire(t->epoch);
	}
	return epoch_passed(t->epoch, w->token);
}
