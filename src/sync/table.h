// SPDX-License-Identifier: BSD-3-Clause
// table: flow key -> 30-bit value (an index the caller interprets), the one hash table of the
// house: connections now; NAT sessions, balancer flows and analytics later. Lock-free: any number
// of threads find, insert and remove at a time, and none waits for another.
//
// Keys are of 16 bytes (table16_*) or of 40 (table40_*); a table is of one kind for its life. What
// is said of one kind below holds for both. Fixed capacity. The protocol is in table.c.
//
// Threads. Every thread that calls find, insert, remove or walk is online in the table's epoch.
// A thread that inserts, replaces or removes does it as one of the table's writers, whose number it
// alone uses. The number of a writer that died is spent, and with it the slots that waited there.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "sync/epoch.h"

#define TABLE_VALUE_MAX ((UINT32_C(1) << 30) - 1)
#define TABLE_WRITERS_MAX 64
#define TABLE_LOAD_PCT_MAX 90
#define TABLE_LOAD_PCT_DEFAULT 40

// Two IPv4 addresses, two ports, and whatever else tells flows apart; compared whole.
struct flow_key16 {
	uint64_t word[2];
};

// The same with addresses of 16 bytes.
struct flow_key40 {
	uint64_t word[5];
};

struct table_config {
	uint32_t capacity;  // how many keys it must hold
	uint32_t key_bytes; // 16 or 40
	uint32_t load_pct;  // slots taken at capacity, up to 90; 0: 40, which is for keys that come
			    // and go
	uint32_t writers;   // 1..TABLE_WRITERS_MAX
	uint8_t secret[16]; // of the hash
	struct epoch *epoch; // outlives the table
};

struct table;

// NULL with err_set.
struct table *table_create(const struct table_config *config);
void table_destroy(struct table *table);

// Keys in it: exact while nobody writes, and as long as no writer died in the middle of it.
uint64_t table_count(const struct table *table);
uint64_t table_bytes(const struct table *table);

// Looking ahead, for many hashes at a time: table_prefetch loads each one's bucket, then
// table_guess, in rounds from 0 on, looks at tags. It goes by tags, not by keys, so what it says is
// only good for fetching what the value names. What the next round will look at it loads ahead.
enum guess {
	GUESS_NONE,   // the key is not in the table
	GUESS_VALUE,  // *value is probably its value
	GUESS_ON_NEXT // if anywhere, in a bucket of a later round
};

uint64_t table16_hash(const struct table *table, const struct flow_key16 *key);
void table16_prefetch(const struct table *table, uint64_t hash);
enum guess table16_guess(const struct table *table, uint64_t hash, uint32_t round, uint32_t *value);

// True and *value, or false. Wait-free.
bool table16_find(const struct table *table, const struct flow_key16 *key, uint64_t hash,
		  uint32_t *value);

// find for count keys, at most TABLE_BURST: their misses overlap. Bit i of what it returns: key i
// is there, and value[i] its value.
#define TABLE_BURST 64
uint64_t table16_find_burst(const struct table *table, const struct flow_key16 *const *keys,
			    uint32_t count, uint32_t *values);

// Get or insert. 0; -EEXIST with *value set to the one that is there; -ENOSPC when every bucket the
// key may lie in is full; a slot that was taken out of counts until its grace period is over.
// Lock-free.
int table16_insert(struct table *table, uint32_t writer, const struct flow_key16 *key,
		   uint64_t hash, uint32_t *value);

// 0 with *value (which may be NULL) set to what it was, or -ENOENT. Lock-free.
int table16_remove(struct table *table, uint32_t writer, const struct flow_key16 *key,
		   uint64_t hash, uint32_t *value);

// 0 when the key's value was `from` and is `to` now; -ENOENT, or -EAGAIN when it is another.
int table16_replace(struct table *table, const struct flow_key16 *key, uint64_t hash, uint32_t from,
		    uint32_t to);

// Shows what is in count buckets from *at on, and moves *at; true when the end was reached (*at is
// 0 again). What is inserted or removed meanwhile may be shown or not; all else is, once.
typedef void (*table16_see)(void *context, const struct flow_key16 *key, uint32_t value);
bool table16_walk(const struct table *table, uint64_t *at, uint32_t count, table16_see see,
		  void *context);

uint64_t table40_hash(const struct table *table, const struct flow_key40 *key);
void table40_prefetch(const struct table *table, uint64_t hash);
enum guess table40_guess(const struct table *table, uint64_t hash, uint32_t round, uint32_t *value);
bool table40_find(const struct table *table, const struct flow_key40 *key, uint64_t hash,
		  uint32_t *value);
uint64_t table40_find_burst(const struct table *table, const struct flow_key40 *const *keys,
			    uint32_t count, uint32_t *values);
int table40_insert(struct table *table, uint32_t writer, const struct flow_key40 *key,
		   uint64_t hash, uint32_t *value);
int table40_remove(struct table *table, uint32_t writer, const struct flow_key40 *key,
		   uint64_t hash, uint32_t *value);
int table40_replace(struct table *table, const struct flow_key40 *key, uint64_t hash, uint32_t from,
		    uint32_t to);
typedef void (*table40_see)(void *context, const struct flow_key40 *key, uint32_t value);
bool table40_walk(const struct table *table, uint64_t *at, uint32_t count, table40_see see,
		  void *context);

// Gives back some of the slots this writer took keys out of, as insert and remove do too: for a
// writer that does neither for long. True: more of them wait.
bool table_tend(struct table *table, uint32_t writer);

// How full, and how long the ways are. Counted by a walk; exact while nobody writes.
#define TABLE_DEPTHS 8
struct table_stats {
	uint64_t keys, slots;
	uint64_t dead; // taken out, not yet free again
	uint64_t
		depth[TABLE_DEPTHS]; // keys in the first bucket they may lie in, in the second, ...
	uint64_t retries;            // of compare-and-swaps that another thread's came before
};
void table_stats(const struct table *table, struct table_stats *stats);

// Asserts the table's invariants while nobody writes: for tests.
void table_check(const struct table *table);
