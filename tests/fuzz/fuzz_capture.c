// SPDX-License-Identifier: BSD-3-Clause
// Capture files as prism replay reads them: whatever the bytes are, no byte outside of them is
// looked at, and what is refused is refused in words.
#include <stdlib.h>

#include "sim/dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t sum; // so that every byte is read

static void look_at(const struct segment_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		for (uint32_t b = 0; b < list->segment[i].captured_len; b++)
			sum += list->segment[i].payload[b];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture capture = {0};
	struct flow_list flows;
	struct segment_list segments;

	if (!capture_parse(&capture, data, size)) {
		if (!capture.error[0] || !capture.remedy[0])
			abort();
		capture_free(&capture);
		return 0;
	}
	if (dissect_flows(&capture, &flows))
		for (uint32_t i = 0; i < flows.count && i < 16; i++) {
			if (dissect_segments(&capture, &flows.flow[i], 536, &segments))
				look_at(&segments);
			free(segments.segment);
		}
	flow_list_free(&flows);
	capture_free(&capture);
	return 0;
}
