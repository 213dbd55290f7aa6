// SPDX-License-Identifier: BSD-3-Clause
// Linearizability of a history of operations on a map (Herlihy and Wing 1990), by trying orders
// (Wing and Gong 1993): there must be one order that keeps whatever ended before another began, in
// which each operation gives what it gave, done one after the other.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_KEYS 8
#define HISTORY_OPS_MAX 64
#define HISTORY_ABSENT UINT32_MAX

#define HISTORY_OTHER (UINT32_MAX - 1)

enum history_kind { HISTORY_FIND, HISTORY_INSERT, HISTORY_REMOVE, HISTORY_REPLACE };

struct history_op {
	enum history_kind kind;
	uint32_t key;
	uint32_t given;  // INSERT, REPLACE: the value
	uint32_t seen;   // REPLACE: what it must have been
	uint32_t result; // the value found, already there, removed or replaced; HISTORY_ABSENT:
			 // none; HISTORY_OTHER: REPLACE, some other
	uint64_t begin, end;
};

struct history {
	uint32_t count;
	uint32_t value[HISTORY_KEYS]; // before the first
	struct history_op op[HISTORY_OPS_MAX];
};

// What the operation gives on this map; changes it.
static inline uint32_t history_apply(uint32_t *value, const struct history_op *op)
{
	uint32_t before = value[op->key];

	if (op->kind == HISTORY_INSERT && before == HISTORY_ABSENT)
		value[op->key] = op->given;
	if (op->kind == HISTORY_REMOVE)
		value[op->key] = HISTORY_ABSENT;
	if (op->kind != HISTORY_REPLACE || before == HISTORY_ABSENT)
		return before;
	if (before != op->seen)
		return HISTORY_OTHER;
	value[op->key] = op->given;
	return before;
}

// The operations in `left` (a bit each) follow.
static inline bool history_order(const struct history *h, uint64_t left, uint32_t *value)
{
	uint64_t first_end = UINT64_MAX;

	if (left == 0)
		return true;
	for (uint64_t m = left; m; m &= m - 1) {
		const struct history_op *op = &h->op[__builtin_ctzll(m)];

		first_end = op->end < first_end ? op->end : first_end;
	}
	for (uint64_t m = left; m; m &= m - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct history_op *op = &h->op[i];
		uint32_t before = value[op->key];

		if (op->begin > first_end)
			continue; // another ended before it began
		if (history_apply(value, op) == op->result &&
		    history_order(h, left & ~(UINT64_C(1) << i), value))
			return true;
		value[op->key] = before;
	}
	return false;
}

static inline bool history_linearizable(const struct history *h)
{
	uint32_t value[HISTORY_KEYS];

	for (int i = 0; i < HISTORY_KEYS; i++)
		value[i] = h->value[i];
	return history_order(h, h->count == 64 ? UINT64_MAX : (UINT64_C(1) << h->count) - 1, value);
}
