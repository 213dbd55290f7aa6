// SPDX-License-Identifier: BSD-3-Clause
// When connections go from a busy worker to an idle one, and how many. A pure function of what
// workers were seen to do: who looks, and who makes the connections go, is elsewhere
// (cli/run_rebalance.c).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

// A look at all workers; the numbers are those of src/observe, which only grow.
struct balance_look {
	uint32_t worker_count;
	struct {
		uint64_t busy_ns, idle_ns;
		uint64_t conns; // open, now
	} worker[WORKERS_MAX];
};

struct balance_order {
	uint32_t from, to;
	uint32_t count; // connections; 0: nothing is to be done
};

struct balance {
	struct balance_look last;
	struct balance_order done; // the last that was given
	uint32_t candidate;        // the worker who was busiest
	uint32_t in_a_row;         // looks at which he was, and another idle
	uint32_t wait;             // looks until the next order may be given
	uint32_t patience;         // what wait is set to; grows with moves that were of no use
};

void balance_init(struct balance *balance);

// What is to be done now. force: somebody asks, so neither thresholds nor waiting count; and of
// equally busy workers, as saturated ones are, who has most connections gives to who has fewest.
struct balance_order balance_decide(struct balance *balance, const struct balance_look *look,
				    bool force);
