// SPDX-License-Identifier: BSD-3-Clause
// What one seed means: a world, the faults of its wire, applications and their plans.
#pragma once

#include "../support/world.h"
#include "flow.h"

struct scenario {
	struct world_config world;
	struct flows flows;
	uint64_t heal_ns;   // from the start
	uint32_t stall_ppm; // of steps, after which a worker gets no turn for a while
	uint32_t fail_ppm;  // of requests for a buffer, until the heal
	bool harsh;         // so bad that giving up is an answer too
};

void scenario_draw(struct scenario *sc, uint64_t seed);
void scenario_free(struct scenario *sc);
