// SPDX-License-Identifier: BSD-3-Clause
// The seed of a random test: from PRISM_SEED, else from the clock; printed (as a TAP comment), so
// that a failure can be run again.
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t test_seed(void)
{
	const char *given = getenv("PRISM_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (given)
		seed = strtoull(given, NULL, 0);
	printf("# PRISM_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}
