// SPDX-License-Identifier: BSD-3-Clause
// Reading and decoding the trace rings of the shared-memory file. Called by trace.c and
// trace_timeline.c; calls observe/shm_reader.h. Events are told by the names, sentences and words
// for arguments that the file carries, so that another version's are, too.
#include <arpa/inet.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain.h"
#include "cli/trace.h"
#include "see/conns.h"

static uint64_t readable(const struct shm_reader *reader, const uint64_t next[WORKERS_MAX])
{
	uint64_t count = 0, first, end;

	for (uint32_t w = 0; w < MIN(shm_reader_head(reader)->worker_count, (uint32_t)WORKERS_MAX);
	     w++) {
		shm_reader_trace_range(reader, w, &first, &end);
		count += end - MIN(end, MAX(first, next[w]));
	}
	return count;
}

static int by_time(const void *a, const void *b)
{
	const struct trace_event *x = a, *y = b;

	if (x->record.time_ns != y->record.time_ns)
		return x->record.time_ns < y->record.time_ns ? -1 : 1;
	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void read_worker(const struct shm_reader *reader, uint32_t worker, const char *pattern,
			uint64_t *next, struct trace_events *out)
{
	uint64_t first, end;

	shm_reader_trace_range(reader, worker, &first, &end);
	out->lost += first > *next ? first - *next : 0;
	for (uint64_t i = MAX(first, *next); i < end; i++) {
		struct trace_event *e = &out->event[out->count];

		*e = (struct trace_event){*shm_reader_trace(reader, worker, i), i, worker};
		out->count += !pattern ||
			      fnmatch(pattern, trace_event_name(reader, e), FNM_CASEFOLD) == 0;
	}
	*next = MAX(end, *next);
}

bool trace_events_read(const struct shm_reader *reader, const char *pattern,
		       uint64_t next[WORKERS_MAX], struct trace_events *out)
{
	uint32_t workers = MIN(shm_reader_head(reader)->worker_count, (uint32_t)WORKERS_MAX);
	uint64_t most = readable(reader, next);

	*out = (struct trace_events){.event = calloc(most + 1, sizeof(*out->event))};
	if (!out->event)
		return false;
	for (uint32_t w = 0; w < workers; w++)
		read_worker(reader, w, pattern, &next[w], out);
	qsort(out->event, out->count, sizeof(*out->event), by_time);
	return true;
}

void trace_events_free(struct trace_events *events)
{
	free(events->event);
	events->event = NULL;
}

// A text of the table "event", at the event's number.
static const char *text_of(const struct shm_reader *reader, const struct trace_event *e,
			   const char *field)
{
	const struct shm_table *table = shm_reader_table(reader, "event");

	return shm_reader_text(reader, table, e->record.event,
			       shm_reader_find(reader, table, field));
}

const char *trace_event_name(const struct shm_reader *reader, const struct trace_event *e)
{
	const char *name = text_of(reader, e, "name");

	return name[0] ? name : "?";
}

static void put_time(uint64_t ns, char *text, size_t size)
{
	if (ns < 1000000)
		snprintf(text, size, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, size, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(text, size, "%.3f s", (double)ns / 1e9);
}

// An argument, by the word that says what it is.
static void put_value(const char *what, uint64_t value, char *text, size_t size)
{
	struct in_addr addr = {htonl((uint32_t)value)};

	if (strcmp(what, "old state") == 0 || strcmp(what, "new state") == 0)
		snprintf(text, size, "%s", conns_state(value));
	else if (strcmp(what, "close reason") == 0)
		snprintf(text, size, "%s", explain_close_name(value));
	else if (strcmp(what, "nanoseconds") == 0)
		put_time(value, text, size);
	else if (strcmp(what, "IPv4 address") == 0)
		inet_ntop(AF_INET, &addr, text, (socklen_t)size);
	else
		snprintf(text, size, "%" PRIu64, value);
}

const char *trace_event_text(const struct shm_reader *reader, const struct trace_event *e,
			     char text[TRACE_TEXT_BYTES])
{
	const char *sentence = text_of(reader, e, "sentence");
	size_t len = 0;

	text[0] = '\0';
	for (const char *s = sentence; *s && len + 1 < TRACE_TEXT_BYTES; s++) {
		bool is_a = s[0] == '%' && s[1] == 'a', is_b = s[0] == '%' && s[1] == 'b';

		if (is_a || is_b) {
			put_value(text_of(reader, e, is_a ? "a" : "b"),
				  is_a ? e->record.a : e->record.b, text + len,
				  TRACE_TEXT_BYTES - len);
			len += strlen(text + len);
			s++;
			if (strncmp(s + 1, " ns", 3) == 0) // the value has a unit of its own
				s += 3;
		} else {
			text[len++] = *s;
			text[len] = '\0';
		}
	}
	return text;
}
