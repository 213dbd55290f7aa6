// SPDX-License-Identifier: BSD-3-Clause
// trace: what happened, in binary, always on: a ring of fixed records a worker writes and any tool
// may read from the shared-memory file, while it runs or after it died. Old records are
// overwritten; a reader sees by the sequence number what it missed.
#pragma once

#include <stdint.h>

#include "base/bits.h"
#include "base/env.h"

enum event {
	EVENT_NONE,
#define EVENT(name, sentence, a, b) EVENT_##name,
#include "observe/event.def"
#undef EVENT
	EVENT_COUNT,
};

struct event_info {
	const char *name;
	const char *sentence; // with %a and %b for the two arguments
	const char *a, *b;    // what the arguments are, or ""
};

extern const struct event_info event_infos[EVENT_COUNT];

struct trace_record {
	uint64_t time_ns;
	uint32_t event;
	uint32_t subject; // connection index, port index; ~0 for none
	uint64_t a, b;
};

#define TRACE_RECORDS 4096 // a power of two; 128 KiB a worker, some milliseconds of a busy core

struct trace {
	uint64_t written; // records ever; the next goes to written % TRACE_RECORDS
	struct trace_record record[TRACE_RECORDS];
} CACHE_ALIGNED;

#define TRACE_NO_SUBJECT UINT32_MAX

static inline void trace_add(const struct env *env, enum event event, uint32_t subject, uint64_t a,
			     uint64_t b)
{
	struct trace *t = env->trace;
	struct trace_record *r = &t->record[t->written & (TRACE_RECORDS - 1)];

	*r = (struct trace_record){env->now_ns, event, subject, a, b};
	__atomic_store_n(&t->written, t->written + 1, __ATOMIC_RELEASE);
}
