// SPDX-License-Identifier: BSD-3-Clause
// What prism sim says: a line a seed, totals, or all of it as JSON.
#pragma once

#include <jansson.h>

#include "sim/batch.h"

struct sim_report {
	const char *scenario; // file, NULL: drawn
	const char *folder;   // where captures and traces go
	const struct batch *batch;
	bool quiet;       // failures and totals alone
	uint32_t written; // failures with files
	json_t *runs;     // NULL: lines
};

// Files of so many failures; what fails more often needs no more of them.
#define SIM_WRITTEN_MAX 8

// A run as one line; a failed one with its details, and files beside it.
void sim_report_run(void *report, const struct run_result *result);

void sim_report_totals(const struct sim_report *report, const struct batch_totals *totals);
