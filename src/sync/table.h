// SPDX-License-Identifier: BSD-3-Clause
// table: flow key -> 32-bit value (an index the caller interprets), the one hash table of the
// house: connections now; NAT sessions, balancer flows and analytics later.
//
// Fixed capacity; buckets are cache lines with tags, so a hit costs one line here. Today one
// writer (the worker) and readers on the same thread; the interface is that of the lock-free one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

// Two addresses, two ports, protocol and whatever else tells flows apart: 40 bytes, compared whole.
struct flow_key {
	uint64_t word[5];
};

struct table;

// capacity: how many keys it must hold. NULL with err_set. secret: 16 bytes of hash key.
struct table *table_create(uint32_t capacity, const uint8_t secret[16]);
void table_destroy(struct table *table);

uint64_t table_hash(const struct table *table, const struct flow_key *key);

// Looking ahead, for many hashes at a time: table_prefetch loads the tags of each one's bucket,
// then table_guess, in rounds from 0 on, looks at them. It goes by tags, not by keys, so what it
// says is only good for fetching what the value names. It loads ahead what the next step will read:
// the key's line, or the tags for the next round.
enum guess {
	GUESS_NONE,   // the key is not in the table
	GUESS_VALUE,  // *value is probably its value
	GUESS_ON_NEXT // if anywhere, in a bucket of a later round
};
void table_prefetch(const struct table *table, uint64_t hash);
enum guess table_guess(const struct table *table, uint64_t hash, uint32_t round, uint32_t *value);

// True and *value, or false. Never waits.
bool table_find(const struct table *table, const struct flow_key *key, uint64_t hash,
		uint32_t *value);

// 0; -EEXIST with *value set to the one that is there; -ENOSPC when full.
int table_insert(struct table *table, const struct flow_key *key, uint64_t hash, uint32_t *value);

// 0 or -ENOENT.
int table_remove(struct table *table, const struct flow_key *key, uint64_t hash);

uint32_t table_count(const struct table *table);
uint64_t table_bytes(const struct table *table);

// Asserts the table's invariants over all its keys: for tests.
void table_check(const struct table *table);
