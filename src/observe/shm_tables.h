// SPDX-License-Identifier: BSD-3-Clause
// The tables of the shared-memory file, in their order. Those that most readers do not want, being
// most of the file, are last: a reader stops before the first of them.
#pragma once

#include "observe/shm.h"

enum shm_part {
	PART_WORKER,
	PART_FLOW_TABLE,
	PART_CONTROL,
	PART_COUNTER,
	PART_PORT,
	PART_PORT_TOTALS,
	PART_POOL,
	PART_TRACE,
	PART_EVENT,
	PART_CONNECTION,
	PART_VERDICT,
	PART_SAMPLE,
	PART_COUNT
};

struct shm_table_plan {
	const char *name;
	const struct shm_field *fields; // NULL: made from the lists
	uint32_t field_count;
	uint32_t row_bytes;
	uint32_t rows_per_worker;
};

extern const struct shm_table_plan shm_table_plans[PART_COUNT];
