// SPDX-License-Identifier: BSD-3-Clause
// table: flow key -> 32-bit value (an index the caller interprets), the one hash table of the
// house: connections now; NAT sessions, balancer flows and analytics later.
//
// Fixed capacity; a bucket is one cache line, tags and keys included, and two hits in three cost
// one line. Today one writer (the worker) and readers on the same thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

// Two IPv4 addresses, two ports, and whatever else tells flows apart: 16 bytes, compared whole.
struct flow_key {
	uint64_t word[2];
};

struct table;

// capacity: how many keys it must hold. NULL with err_set. secret: 16 bytes of hash key.
struct table *table_create(uint32_t capacity, const uint8_t secret[16]);
void table_destroy(struct table *table);

uint64_t table_hash(const struct table *table, const struct flow_key *key);

// Looking ahead, for many hashes at a time: table_prefetch loads the tags of each one's bucket,
// then table_guess, in rounds from 0 on, looks at them. It goes by tags, not by keys, so what it
// says is only good for fetching what the value names. What the next round will look at it loads
// ahead.
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
