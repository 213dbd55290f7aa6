// SPDX-License-Identifier: BSD-3-Clause
// The bytes that simulated applications send and compare: any run of them can be had by its offset.
// Called by flow.c and flow_act.c, and by the goodput table. No card reads them, so they need not
// be memory that one could reach.
#include <string.h>

#include "sim/flow.h"

// Prime, so that no two offsets of a power of two apart look alike.
#define PATTERN_PERIOD_BYTES 65537

static uint8_t pattern[PATTERN_PERIOD_BYTES + PATTERN_RUN_BYTES];

void pattern_init(void)
{
	struct rng rng;

	rng_seed(&rng, 42);
	for (uint32_t i = 0; i < PATTERN_PERIOD_BYTES; i++)
		pattern[i] = (uint8_t)rng_next(&rng);
	memcpy(pattern + PATTERN_PERIOD_BYTES, pattern, PATTERN_RUN_BYTES);
}

const uint8_t *pattern_at(uint64_t key, uint64_t offset)
{
	return pattern + (key + offset) % PATTERN_PERIOD_BYTES;
}
