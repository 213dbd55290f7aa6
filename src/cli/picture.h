// SPDX-License-Identifier: BSD-3-Clause
// One look at an instance, as lines of text: what prism top shows.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/stats.h"

#define PICTURE_LINES_MAX 128
#define PICTURE_COLUMNS 160
#define PICTURE_VALUES_MAX 2048

// The numbers at one moment.
struct picture_sample {
	uint64_t time_ns; // of the monotonic clock
	uint32_t count;
	struct stats_value value[PICTURE_VALUES_MAX];
};

struct picture {
	const struct shm_head *head; // who it is
	enum stats_state state;
	bool by_total; // drops: most ever first, else most now
	struct picture_sample *before, *after;
	uint32_t line_count;
	char line[PICTURE_LINES_MAX][PICTURE_COLUMNS];
};

void picture_sample(const struct shm_reader *reader, uint64_t now_ns, struct picture_sample *out);

// Composes the lines from the two samples.
void picture_compose(struct picture *picture);
