// SPDX-License-Identifier: BSD-3-Clause
// The rebalancer of prism run: the monitor looks at the workers and decides (control/balance.h); a
// worker gives connections away.
#pragma once

#include <prismnet/types.h>

#include "control/balance.h"

struct run;
struct run_worker;

struct rebalance {
	struct balance balance;
	uint64_t look_ns; // when to look next
	bool on;
	bool asked; // for one order, whatever is on
};

// As the configuration has it. Before the monitor starts.
void rebalance_begin(struct run *run);

// The monitor's, in its round: looks when it is time. Returns when it is next, TIME_NEVER_NS when
// it is off.
uint64_t rebalance_look(struct run *run, uint64_t now_ns);

// The control socket's (control/answer.h). The monitor's thread.
int rebalance_request(void *run, const char *word);

// An order to this worker: how many connections (16 bits), to whom (8), and which order it is, so
// that two alike are two. It ends when they went, when the next could come, or by one for none.
static inline uint64_t rebalance_order(uint64_t number, uint32_t to, uint32_t count)
{
	return number << 24 | (uint64_t)to << 16 | count;
}

// The worker's, when its order changed or is not done: gives connections that these events, already
// handled, were about. So the busiest are the most likely to go.
void rebalance_give(struct run_worker *w, const struct prism_event *events, int count);
