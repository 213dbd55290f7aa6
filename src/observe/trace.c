// SPDX-License-Identifier: BSD-3-Clause
// The names of trace events, made from their list event.def. Read by tools and tests, and copied
// into the shared-memory file when it is made; recording is the inline in the header.
// Deliberately not here: formatting. The file carries the sentences, and who prints fills them in.
#include "observe/trace.h"

#include <assert.h>

static_assert(sizeof(struct trace_record) == 32, "two records a cache line, none across two");
static_assert((TRACE_RECORDS & (TRACE_RECORDS - 1)) == 0, "the ring is indexed by a mask");

const struct event_info event_infos[EVENT_COUNT] = {
	[EVENT_NONE] = {"NONE", "nothing", "", ""},
#define EVENT(name, sentence, a, b) [EVENT_##name] = {#name, sentence, a, b},
#include "observe/event.def"
#undef EVENT
};
