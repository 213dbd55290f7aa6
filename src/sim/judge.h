// SPDX-License-Identifier: BSD-3-Clause
// Whether a run came to what it must come to.
#pragma once

#include "sim/flow.h"
#include "sim/run.h"
#include "sim/schedule.h"

// A run under way.
struct run {
	const struct plan *plan;
	struct world *world;
	struct flows flows;
	struct schedule schedule;
	uint64_t *step;
	uint64_t waited_ns; // until then something was still planned
};

// What a plan expects at every moment. NULL, or what is not so: the same words for the same cause.
const char *judge_step(const struct run *r);

// What every connection and the whole run must have come to.
const char *judge_end(const struct run *r, const struct run_result *result);

// Measured values, and what goes on, into result->detail.
void judge_describe(const struct run *r, struct run_result *result);
