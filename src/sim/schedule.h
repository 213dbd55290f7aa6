// SPDX-License-Identifier: BSD-3-Clause
// What befalls links when: a plan's faults, its events, and the healing of it all.
#pragma once

#include "sim/plan.h"
#include "sim/world.h"

struct schedule {
	const struct plan *plan;
	struct world *world;
	uint64_t start_ns;
	uint64_t change_ns; // the next; TIME_NEVER_NS when nothing changes any more
	bool healed;
};

void schedule_start(struct schedule *s, const struct plan *plan, struct world *world);

// Changes what is due.
void schedule_run(struct schedule *s);
