// SPDX-License-Identifier: BSD-3-Clause
// Many runs: a range of seeds, each in a process that may die of it.
#pragma once

#include "sim/run.h"

struct batch {
	const struct plan *plan; // NULL: drawn wholly from each seed
	uint64_t first, last;    // seeds
	double seconds_max;      // of the clock, no seed begins after them; 0: no limit
	uint32_t repeat_every;   // so many seeds one runs twice and must run the same; 0: none
	void (*report)(void *context, const struct run_result *result);
	void *context;
};

struct batch_totals {
	uint64_t runs, failed;
	uint64_t virtual_ns, received_bytes, segments, retransmits, drops, frames, lost;
	uint64_t connections;
	double seconds; // of the clock
};

// Runs them and reports each in order. 0, or -errno when no process could be made.
int batch_run(const struct batch *batch, struct batch_totals *totals);

// The plan of one seed, all coins thrown.
void batch_plan(const struct batch *batch, uint64_t seed, struct plan *plan);

// One run in a process of its own, quietly. True when it went well.
bool batch_run_one(const struct plan *plan, uint64_t seed, const struct run_paths *paths,
		   struct run_result *result);
