// SPDX-License-Identifier: BSD-3-Clause
// The timeline file of prism trace: Trace Event Format, JSON Object Format (chrome://tracing,
// Perfetto). Called by trace.c. A turn that took long is a span, all else an instant; times are
// since the instance's start, in the microseconds that the format wants.
#include <string.h>

#include <jansson.h>

#include "cli/trace.h"

#define NS_A_US 1e3 // the format counts in microseconds

static json_t *named(const struct shm_reader *reader, const char *kind, int tid, const char *name)
{
	return json_pack("{s:s, s:s, s:I, s:i, s:{s:s}}", "ph", "M", "name", kind, "pid",
			 (json_int_t)shm_reader_head(reader)->pid, "tid", tid, "args", "name",
			 name);
}

static bool is_span(const struct shm_reader *reader, const struct trace_event *e)
{
	return strcmp(trace_event_name(reader, e), "SLOW_TURN") == 0;
}

static json_t *event_json(const struct shm_reader *reader, const struct trace_event *e)
{
	const struct trace_record *r = &e->record;
	char text[TRACE_TEXT_BYTES];
	uint64_t start_ns = shm_reader_head(reader)->start_ns;
	double at_us = ((double)r->time_ns - (double)start_ns) / NS_A_US;
	json_t *json = json_pack(
		"{s:s, s:I, s:i, s:f, s:s, s:{s:s, s:I, s:I}}", "name", trace_event_name(reader, e),
		"pid", (json_int_t)shm_reader_head(reader)->pid, "tid", (int)e->worker, "ts", at_us,
		"cat", "prism", "args", "what", trace_event_text(reader, e, text), "a",
		(json_int_t)r->a, "b", (json_int_t)r->b);

	if (r->subject != TRACE_NO_SUBJECT)
		json_object_set_new(json_object_get(json, "args"), "subject",
				    json_integer(r->subject));
	if (is_span(reader, e)) {
		json_object_set_new(json, "ph", json_string("X"));
		json_object_set_new(json, "dur", json_real((double)r->a / NS_A_US));
	} else {
		json_object_set_new(json, "ph", json_string("i"));
		json_object_set_new(json, "s", json_string("t"));
	}
	return json;
}

bool trace_write_timeline(const struct shm_reader *reader, const struct trace_events *events,
			  FILE *out)
{
	const struct shm_head *head = shm_reader_head(reader);
	char name[32 + SHM_INSTANCE_BYTES];
	json_t *list = json_array();

	snprintf(name, sizeof name, "prism %s", head->instance);
	json_array_append_new(list, named(reader, "process_name", 0, name));
	for (uint32_t w = 0; w < MIN(head->worker_count, (uint32_t)WORKERS_MAX); w++) {
		snprintf(name, sizeof name, "worker %u", w);
		json_array_append_new(list, named(reader, "thread_name", (int)w, name));
	}
	for (uint64_t i = 0; i < events->count; i++)
		json_array_append_new(list, event_json(reader, &events->event[i]));
	json_t *root = json_pack("{s:s, s:o}", "displayTimeUnit", "ns", "traceEvents", list);
	bool good = json_dumpf(root, out, JSON_INDENT(1)) == 0 && fputc('\n', out) != EOF;

	json_decref(root);
	return good && fflush(out) == 0;
}
