// SPDX-License-Identifier: BSD-3-Clause
// Counters: one writer (the worker), relaxed stores; anyone may read and add up. A block lies in
// the shared-memory file (observe/shm.h) in production and in plain memory in tests.
#pragma once

#include <stdint.h>

#include "base/bits.h"
#include "base/env.h"
#include "sync/cell.h"

enum counter {
#define COUNTER(name, kind, unit, sentence) COUNTER_##name,
#include "observe/counter.def"
#undef COUNTER
	COUNTER_COUNT,
};

enum drop {
	DROP_OK = 0,
#define DROP(name, sentence, cause, remedy, source) DROP_##name,
#include "observe/drop.def"
#undef DROP
	DROP_COUNT,
};

struct counters {
	uint64_t value[COUNTER_COUNT];
	uint64_t drop[DROP_COUNT]; // packets, by reason; [DROP_OK] stays 0
} CACHE_ALIGNED;

struct counter_info {
	const char *name;
	const char *kind; // "counter" or "gauge"
	const char *unit;
	const char *sentence;
};

struct drop_info {
	const char *name;
	const char *sentence;
	const char *cause;
	const char *remedy;
	const char *source; // RFC and section, or ""
};

extern const struct counter_info counter_infos[COUNTER_COUNT];
extern const struct drop_info drop_infos[DROP_COUNT];

static inline void counter_add(const struct env *env, enum counter which, uint64_t amount)
{
	cell_add(&env->counters->value[which], amount);
}

static inline void counter_sub(const struct env *env, enum counter which, uint64_t amount)
{
	cell_add(&env->counters->value[which], -amount);
}

static inline void drop_count(const struct env *env, enum drop reason)
{
	cell_add(&env->counters->drop[reason], 1);
}

// rx + originated + handed in - (tx + consumed + queued + handed out + all drops); zero at the end
// of every turn.
int64_t counters_unaccounted(const struct counters *c);

// Of all reasons together.
uint64_t counters_drops(const struct counters *c);
