// SPDX-License-Identifier: BSD-3-Clause
// survey: how a flow table is doing, found out a slice at a time by a worker that uses it, for who
// watches. table_stats is the same at once, which for a million keys takes milliseconds.
//
// Who writes: the survey is its worker's own. Whoever calls is online in the table's epoch, as for
// a walk; others may write to the table meanwhile. What is counted in slices is then of no one
// moment, but never beyond what was there while the walk went on.
#pragma once

#include "sync/table.h"

struct survey {      // zeroed at first
	uint64_t at; // the next bucket
	struct {
		uint64_t waiting, longest;
	} now, done; // of the walk under way; of the last whole one
};

struct survey_result {
	uint64_t keys, slots;
	uint64_t waiting; // slots taken out of whose grace period is not over
	uint64_t longest; // buckets that the longest lookup of a key goes through
	uint64_t retries; // of writers, because another was first
};

// Looks at so many more buckets. keys and retries are of now, waiting and longest of the last walk
// that came to the end.
void survey_go_on(struct survey *survey, const struct table *table, uint32_t buckets,
		  struct survey_result *result);
