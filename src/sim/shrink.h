// SPDX-License-Identifier: BSD-3-Clause
// The smallest scenario that still fails.
#pragma once

#include "sim/batch.h"

struct shrink {
	uint64_t seed;
	const char *failure; // it must go on failing like this
	uint32_t trials_max; // runs; 0: as many as it takes
	double seconds_max;  // of the clock; 0: no limit
	uint32_t trials;     // made
	uint32_t kept;       // of them, those that made it smaller
	void (*progress)(void *context, const struct shrink *shrink); // or NULL
	void *context;
};

// Makes plan, which fails with the seed, smaller until nothing can be left out.
void shrink_plan(struct shrink *shrink, struct plan *plan);
