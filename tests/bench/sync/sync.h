// SPDX-License-Identifier: BSD-3-Clause
// One hash table behind the same calls as the others it is measured with. Keys are key_bytes long
// and the caller's: what a table keeps of one it copies, as it must when keys come in packets. A
// key's value is its number. One thread inserts and removes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SYNC_BURST 32u

struct sync_table; // each kind's own

struct sync_ops {
	const char *name;
	// For count keys at a time, which are load_pct in a hundred of what it is asked to hold;
	// numbers are below 2 * count. NULL when the kind does not do that.
	struct sync_table *(*create)(uint32_t key_bytes, uint32_t count, uint32_t load_pct,
				     bool two_writers);
	void (*destroy)(struct sync_table *table);
	bool (*find)(struct sync_table *table, const uint8_t *key, uint32_t *value);
	// Bit i: keys[i] is there. NULL: it has no such call.
	uint64_t (*find_burst)(struct sync_table *table, const uint8_t *const *keys,
			       uint32_t *values);
	bool (*insert)(struct sync_table *table, int thread, const uint8_t *key, uint32_t value);
	bool (*remove)(struct sync_table *table, int thread, const uint8_t *key);
	// A thread of the measurement begins, is between two bursts, ends.
	void (*online)(struct sync_table *table, int thread);
	void (*quiescent)(struct sync_table *table, int thread);
	void (*offline)(struct sync_table *table, int thread);
	uint64_t (*bytes)(const struct sync_table *table); // keys included
};

extern const struct sync_ops sync_prism, sync_rte, sync_urcu, sync_ck;
