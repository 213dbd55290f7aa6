// SPDX-License-Identifier: BSD-3-Clause
// One run: a plan and a seed, from the first SYN until every buffer is home.
#pragma once

#include "sim/plan.h"

#define RUN_FAILURE_BYTES 120
#define RUN_DETAIL_BYTES 1000

struct run_result {
	uint64_t seed;
	uint64_t hash; // of all that crossed a link and of all events
	uint64_t steps;
	uint64_t virtual_ns; // until the last connection ended
	uint64_t received_bytes;
	uint64_t segments, retransmits;
	uint64_t drops; // of all hosts, by whatever reason
	uint32_t drop_most;
	uint64_t frames, lost; // on the links
	uint64_t stall_ns;     // the longest time a connection went without progress
	uint32_t connections;
	bool failed;
	bool unwritten;                  // the capture or the trace that were asked for
	char failure[RUN_FAILURE_BYTES]; // what was broken: the same words for the same cause
	char detail[RUN_DETAIL_BYTES];   // of this very run, lines
};

// Where a run is written down.
struct run_paths {
	const char *capture, *trace; // NULL: not
	uint32_t capture_at;         // as in struct world_config
};

// Runs it. False when something was broken: result->failure says what, and the stacks are left as
// they are, so the process should end. step says all along how far it is, for who survives it.
bool run_plan(const struct plan *plan, uint64_t seed, const struct run_paths *paths,
	      struct run_result *result, uint64_t *step);

// For a process that dies in an assertion: writes down what there is.
void run_last_words(void);
