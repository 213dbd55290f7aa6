// SPDX-License-Identifier: BSD-3-Clause
// The flow table, lock-free. Buckets are cache lines: of 16-byte keys three in one line, of 40-byte
// keys four in three. Called by tcp/ for every segment; calls hash_words and epoch.
//
//   bucket (16): key[3] value[3] ctrl           ctrl: tag[3] overflow
//   bucket (40): ctrl value[4] key[0] | key[1] key[2].. | ..key[2] key[3]   ctrl: tag[4] overflow
//
// A key that finds its bucket full goes on by its own step (double hashing over a prime number of
// buckets) and adds one to `overflow` of every bucket it passes; when it leaves it takes that back.
// So a lookup ends at the first bucket nobody passed, nothing ever moves, and there are no
// tombstones. An overflow that has reached its greatest number stays there.
//
// The life of a slot. Its tag is in ctrl, its state in two bits of its value word:
//
//   tag FREE ── reserve: cas ctrl ──► tag BUSY, ours alone: key and value are written
//     ▲                                 │ publish: change of ctrl, the tag of the hash
//     │                                 ├──────────────────────────────────┐ key nowhere else
//     │                                 ▼                                  ▼
//     │                       tag of the hash, TENTATIVE ── cas value ──► MEMBER  (in the table)
//     │                                 │ cas value                        │ cas value
//     │                                 ▼                                  ▼
//     │                              ABORTED                            REMOVED
//     │                                 └──────────── bury: tag BUSY ───────┘
//     └─── a grace period later: sub from ctrl
//
// Who writes. Every word that threads share is changed by compare-and-swap, add or subtract, but
// for key and value of a slot with tag BUSY: whoever changed FREE to BUSY writes them alone. No
// thread reads them then: a reader goes to a slot only by a tag of a hash, and one who saw such a
// tag before the slot was buried is still in the epoch that must pass before it is FREE again.
//
// What publishes. publish changes ctrl with release; whoever loads ctrl with acquire and finds the
// tag therefore sees key and value. The value word's changes are read with acquire.
//
// One key, one member. Two threads may insert the same key in two slots at a time. Both first
// publish (TENTATIVE), then look at every slot the key may lie in (decide). Publishing and looking
// are sequentially consistent, so of two at least the later to publish sees the other. Among
// TENTATIVE ones he that lies earlier on the key's way goes first: the later aborts itself by
// helping the earlier, or is aborted. A MEMBER aborts them all. So a slot becomes MEMBER only when
// every other that was published before its owner looked is ABORTED or REMOVED, and every one
// published since will look and find it. insert is that moment: the change of TENTATIVE to MEMBER
// (or, for -EEXIST, the reading of the MEMBER); remove is the change of MEMBER to REMOVED; find the
// reading of the value word, or, when it finds nothing, a moment at which the key was in no slot:
// a key that is a member all the while is in one slot, which find passes after its overflows were
// counted.
//
// Most inserts need not look. All slots of a key show in its first bucket's ctrl: one in that
// bucket by its tag; one further on by overflow, which was counted before it was published and is
// taken back after it was buried. So who publishes in the first bucket by a compare-and-swap on a
// ctrl that shows nothing does so at a moment when the key is in no slot, and may be MEMBER at
// once. Whoever publishes the same key later changes this ctrl later, by his tag or by his
// overflow; so he has seen ours when he looks, and meets a MEMBER. When another changed ctrl first,
// or it shows something, the slot is published TENTATIVE as above.
//
// A table of one writer needs none of that: its slots become MEMBER with the tag, and plain stores
// with release do for compare-and-swap. Readers see no difference but by the clock: what the writer
// did is seen some nanoseconds after the call returned, though never after anything it did later.
//
// No ABA: a state never comes back before a grace period has passed, and who compares and swaps
// has been online since he read. Progress: find is wait-free (PROBES_MAX buckets at most, the
// first of them twice). insert, remove and replace are lock-free: a compare-and-swap fails because
// another's succeeded, and an abort of ours means that the key earlier on the way goes on; who is
// stopped anywhere is helped or passed by. A thread that stops while it is online holds up only
// the return of slots.
#include "sync/table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "sync/table_slot.h"

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
	return (size_t)t->bucket_count * t->bucket_bytes;
}

static uint64_t slots_of(const struct table_config *c)
{
	uint32_t load_pct = c->load_pct ? c->load_pct : TABLE_LOAD_PCT_DEFAULT;

	return ((uint64_t)c->capacity * 100 + load_pct - 1) / load_pct;
}

static int refuse_config(const struct table_config *c)
{
	if (c->capacity == 0 || c->capacity > TABLE_VALUE_MAX / 2)
		return err_set(ERR_INVALID_ARGUMENT, "a flow table for %u keys; it takes 1 to %u",
			       c->capacity, TABLE_VALUE_MAX / 2);
	if (c->key_bytes != 16 && c->key_bytes != 40)
		return err_set(ERR_INVALID_ARGUMENT,
			       "a flow table of %u-byte keys; it takes 16 or 40", c->key_bytes);
	if (c->load_pct > TABLE_LOAD_PCT_MAX)
		return err_set(ERR_INVALID_ARGUMENT, "a flow table %u %% full; it takes at most %u",
			       c->load_pct, TABLE_LOAD_PCT_MAX);
	if (slots_of(c) >= NOTHING / 2)
		return err_set(ERR_INVALID_ARGUMENT,
			       "a flow table of %" PRIu64 " slots; at most %u", slots_of(c),
			       NOTHING / 2);
	if (c->writers == 0 || c->writers > TABLE_WRITERS_MAX)
		return err_set(ERR_INVALID_ARGUMENT, "a flow table of %u writers; it takes 1 to %u",
			       c->writers, TABLE_WRITERS_MAX);
	return 0;
}

static void shape(struct table *t, const struct table_config *c)
{
	uint64_t secret[2];

	t->slots = c->key_bytes == 16 ? 3 : 4;
	t->bucket_bytes = c->key_bytes == 16 ? sizeof(struct bucket16) : sizeof(struct bucket40);
	t->bucket_count = prime_from((uint32_t)MAX(slots_of(c) / t->slots + 1, UINT64_C(3)));
	t->probes = MIN(PROBES_MAX, t->bucket_count);
	t->writers = c->writers;
	t->epoch = c->epoch;
	memcpy(secret, c->secret, sizeof(secret));
	t->hash_key = hash_key_of(secret);
	for (uint32_t i = 0; i < TABLE_WRITERS_MAX; i++)
		t->writer[i].waiting = t->writer[i].filling = NOTHING;
}

struct table *table_create(const struct table_config *config)
{
	struct table *t;

	if (refuse_config(config))
		return NULL;
	t = mem_map("flow table", sizeof(*t));
	if (!t)
		return NULL;
	shape(t, config);
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

uint64_t table_count(const struct table *t)
{
	uint64_t inserted = 0, removed = 0;

	for (uint32_t i = 0; i < t->writers; i++) {
		removed += cell_get(&t->writer[i].removed);
		inserted += cell_get(&t->writer[i].inserted);
	}
	return inserted > removed ? inserted - removed : 0;
}

uint64_t table_bytes(const struct table *t)
{
	return sizeof(*t) + buckets_bytes(t);
}

#define KIND(name) table16_##name
#define KEY flow_key16
#define BUCKET bucket16
#define ctrl_t uint32_t
#define WORDS 2
#define SLOTS 3
#include "sync/table_kind.h"
#undef KIND
#undef KEY
#undef BUCKET
#undef ctrl_t
#undef WORDS
#undef SLOTS

#define KIND(name) table40_##name
#define KEY flow_key40
#define BUCKET bucket40
#define ctrl_t uint64_t
#define WORDS 5
#define SLOTS 4
#include "sync/table_kind.h"

bool table_tend(struct table *t, uint32_t writer)
{
	(void)(t->slots == 3 ? table16_tend(t, writer) : table40_tend(t, writer));
	return t->writer[writer].waiting != NOTHING || t->writer[writer].filling != NOTHING;
}

void table_stats(const struct table *t, struct table_stats *stats)
{
	*stats = (struct table_stats){.slots = (uint64_t)t->bucket_count * t->slots};
	for (uint32_t i = 0; i < t->writers; i++)
		stats->retries += cell_get(&t->writer[i].retries);
	for (uint32_t i = 0; i < t->bucket_count; i++) {
		if (t->slots == 3)
			table16_measure(t, i, stats);
		else
			table40_measure(t, i, stats);
	}
}

void table_check(const struct table *t)
{
	struct table_stats stats;
	uint64_t owed = 0;
	bool stuck = false; // an overflow is at its greatest number and counts no more

	table_stats(t, &stats);
	ASSERT(stats.keys == table_count(t));
	for (uint32_t i = 0; i < t->bucket_count; i++)
		owed += t->slots == 3 ? table16_check(t, i, &stuck) : table40_check(t, i, &stuck);
	ASSERT(owed == 0 || stuck);
}
