// SPDX-License-Identifier: BSD-3-Clause
// Events of an instance's trace, as prism trace shows them: of all workers, in the order of time.
#pragma once

#include <stdio.h>

#include "observe/shm_reader.h"

struct trace_event {
	struct trace_record record;
	uint64_t number; // of the worker's records
	uint32_t worker;
};

struct trace_events {
	struct trace_event *event;
	uint64_t count;
	uint64_t lost; // overwritten before
};

// Events from next[worker] on, whose names match pattern (fnmatch; NULL: all), of what reader's
// last refresh brought; next is moved behind them. False: out of memory. trace_events_free either
// way.
bool trace_events_read(const struct shm_reader *reader, const char *pattern,
		       uint64_t next[WORKERS_MAX], struct trace_events *out);
void trace_events_free(struct trace_events *events);

// As the instance calls it: "TCP_STATE".
const char *trace_event_name(const struct shm_reader *reader, const struct trace_event *event);

// What happened, its arguments in the place of %a and %b, by what they are: "connection went from
// state ESTAB to CLOSE-WAIT". Returns text.
#define TRACE_TEXT_BYTES 400
const char *trace_event_text(const struct shm_reader *reader, const struct trace_event *event,
			     char text[TRACE_TEXT_BYTES]);

// All of them as a timeline in the Trace Event Format of chrome://tracing, which Perfetto opens
// too: a process, a thread for each worker. False when out takes no more.
bool trace_write_timeline(const struct shm_reader *reader, const struct trace_events *events,
			  FILE *out);
