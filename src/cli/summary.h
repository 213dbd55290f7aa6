// SPDX-License-Identifier: BSD-3-Clause
// The live picture of prism run: a few lines, redrawn; or one line now and then.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "observe/counter.h"

#define SUMMARY_LINES 3
#define SUMMARY_COLUMNS 192

struct run;

struct summary_sample {
	uint64_t time_ns;
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes, busy_ns, idle_ns;
	uint64_t requests, connections;
	uint64_t drop[DROP_COUNT];
};

struct summary {
	const struct run *run;
	bool live; // redraw; else append a line
	uint32_t lines_drawn;
	struct summary_sample before;
};

void summary_begin(struct summary *summary, const struct run *run, bool live);
// What happened between summary->before and now, in words.
void summary_compose(const struct summary *summary, const struct summary_sample *now,
		     char line[SUMMARY_LINES][SUMMARY_COLUMNS]);
void summary_show(struct summary *summary, uint64_t now_ns);
