// SPDX-License-Identifier: BSD-3-Clause
// prism trace: what happened in an instance's workers, in the order of time: connections' states,
// timeouts, turns that took long. Prints lines, follows, sums up, or writes a timeline file. Reads
// the shared-memory file only, so it works on a running, a stuck and a dead instance.
#include "cli/trace.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/cli.h"
#include "control/stats.h"

// Between two looks of -f: a worker's ring holds what comes in between at 400,000 a second.
#define FOLLOW_NS (10 * NS_PER_MS)

// The order is that of trace_options in commands.c.
enum option { JSON, INSTANCE, FOLLOW, SUMMARY, WRITE };

static void print_event(const struct shm_reader *reader, const struct trace_event *e)
{
	uint64_t start_ns = shm_reader_head(reader)->start_ns;
	uint64_t ns = e->record.time_ns > start_ns ? e->record.time_ns - start_ns : 0;
	char text[TRACE_TEXT_BYTES];

	printf("%" PRIu64 ".%06" PRIu64 " worker %u ", ns / NS_PER_S, ns % NS_PER_S / NS_PER_US,
	       e->worker);
	if (e->record.subject != TRACE_NO_SUBJECT)
		printf("#%u ", e->record.subject);
	printf("%s: %s\n", trace_event_name(reader, e), trace_event_text(reader, e, text));
}

static void print_lost(const struct trace_events *events)
{
	if (events->lost)
		printf("(%" PRIu64 " before were overwritten)\n", events->lost);
}

static void print_lines(const struct shm_reader *reader, const struct trace_events *events)
{
	print_lost(events);
	for (uint64_t i = 0; i < events->count; i++)
		print_event(reader, &events->event[i]);
	if (!events->count)
		puts("nothing happened that is traced");
}

// Some event is called so, whether it happened or not.
static bool is_known(const struct shm_reader *reader, const char *pattern)
{
	const struct shm_table *table = shm_reader_table(reader, "event");
	const struct shm_field *name = shm_reader_find(reader, table, "name");

	for (uint32_t i = 0; table && i < table->rows; i++)
		if (fnmatch(pattern, shm_reader_text(reader, table, i, name), FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static void print_json(const struct shm_reader *reader, const struct trace_events *events)
{
	json_t *list = json_array();
	char text[TRACE_TEXT_BYTES];

	for (uint64_t i = 0; i < events->count; i++) {
		const struct trace_event *e = &events->event[i];
		bool is_none = e->record.subject == TRACE_NO_SUBJECT;

		json_array_append_new(
			list, json_pack("{s:I, s:i, s:o, s:s, s:s, s:I, s:I}", "time_ns",
					(json_int_t)e->record.time_ns, "worker", (int)e->worker,
					"subject",
					is_none ? json_null() : json_integer(e->record.subject),
					"event", trace_event_name(reader, e), "what",
					trace_event_text(reader, e, text), "a",
					(json_int_t)e->record.a, "b", (json_int_t)e->record.b));
	}
	json_t *root = json_pack(
		"{s:s, s:b, s:I, s:I, s:o}", "instance", shm_reader_head(reader)->instance, "alive",
		shm_reader_alive(reader), "start_ns", (json_int_t)shm_reader_head(reader)->start_ns,
		"overwritten", (json_int_t)events->lost, "events", list);

	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

// Of one kind of event.
struct sum {
	uint64_t count, longest, last_ns;
	const struct trace_event *example;
};

static void sum_up(const struct trace_events *events, struct sum *sums, uint32_t kinds)
{
	for (uint64_t i = 0; i < events->count; i++) {
		const struct trace_event *e = &events->event[i];
		struct sum *s = &sums[MIN(e->record.event, kinds - 1)];

		s->count++;
		s->longest = MAX(s->longest, e->record.a);
		s->last_ns = e->record.time_ns;
		s->example = e;
	}
}

static void print_summary(const struct shm_reader *reader, const struct trace_events *events)
{
	const struct shm_table *table = shm_reader_table(reader, "event");
	uint32_t kinds = (table ? table->rows : 0) + 1; // the last: of no known number
	struct sum *sums = calloc(kinds, sizeof *sums);
	uint64_t begin_ns = events->count ? events->event[0].record.time_ns : 0;
	uint64_t end_ns = events->count ? events->event[events->count - 1].record.time_ns : 0;

	if (!sums)
		return;
	print_lost(events);
	sum_up(events, sums, kinds);
	printf("%" PRIu64 " events in %.3f s\n", events->count,
	       (double)(end_ns - begin_ns) / (double)NS_PER_S);
	for (uint32_t i = 0; i < kinds; i++) {
		const struct sum *s = &sums[i];
		const char *name = s->count ? trace_event_name(reader, s->example) : "";

		if (s->count && strcmp(name, "SLOW_TURN") == 0)
			printf("%10" PRIu64
			       " %-18s the longest %.1f us, the last %.3f s before the "
			       "latest event\n",
			       s->count, name, (double)s->longest / 1e3,
			       (double)(end_ns - s->last_ns) / (double)NS_PER_S);
		else if (s->count)
			printf("%10" PRIu64 " %-18s the last %.3f s before the latest event\n",
			       s->count, name, (double)(end_ns - s->last_ns) / (double)NS_PER_S);
	}
	free(sums);
}

static int write_file(const struct shm_reader *reader, const struct trace_events *events,
		      const char *path)
{
	bool is_stdout = strcmp(path, "-") == 0;
	FILE *out = is_stdout ? stdout : fopen(path, "w");
	bool good = out && trace_write_timeline(reader, events, out);
	int error = errno;

	if (out && !is_stdout && fclose(out) != 0) {
		error = good ? errno : error;
		good = false;
	}
	if (!good)
		return cli_error(CLI_FAILED, strerror(error), "name a file on a disk with room",
				 "%s could not be written", path);
	if (!is_stdout)
		printf("%" PRIu64 " events in %s: open it in ui.perfetto.dev or chrome://tracing\n",
		       events->count, path);
	return CLI_OK;
}

static int follow(struct shm_reader *reader, const char *pattern, uint64_t next[WORKERS_MAX])
{
	const struct timespec pause = {.tv_nsec = FOLLOW_NS};
	struct trace_events events;

	for (bool alive = true; alive;) {
		alive = shm_reader_alive(reader);
		if (shm_reader_refresh(reader))
			return cli_last_error(CLI_FAILED);
		if (!trace_events_read(reader, pattern, next, &events))
			return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
		print_lost(&events);
		for (uint64_t i = 0; i < events.count; i++)
			print_event(reader, &events.event[i]);
		trace_events_free(&events);
		if (fflush(stdout))
			break; // nobody reads
		nanosleep(&pause, NULL);
	}
	return CLI_OK;
}

static int show(struct shm_reader *reader, const char *pattern,
		const char *const values[CLI_OPTIONS_MAX])
{
	uint64_t next[WORKERS_MAX] = {0};
	struct trace_events events;
	int code = CLI_OK;

	if (pattern && !is_known(reader, pattern))
		return cli_error(CLI_USAGE, NULL, "names are as TCP_STATE: 'TCP_*' is some of them",
				 "no event is called `%s`", pattern);
	if (!trace_events_read(reader, pattern, next, &events))
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	if (values[WRITE])
		code = write_file(reader, &events, values[WRITE]);
	else if (values[JSON])
		print_json(reader, &events);
	else if (values[SUMMARY])
		print_summary(reader, &events);
	else
		print_lines(reader, &events);
	trace_events_free(&events);
	return code == CLI_OK && values[FOLLOW] ? follow(reader, pattern, next) : code;
}

int cmd_trace(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	if (at + 1 < argc)
		return cli_error(CLI_USAGE, NULL, "prism trace 'TCP_*'",
				 "prism trace takes one pattern, not `%s` too", argv[at + 1]);
	if ((values[JSON] != NULL) + (values[FOLLOW] != NULL) + (values[SUMMARY] != NULL) +
		    (values[WRITE] != NULL) >
	    1)
		return cli_error(CLI_USAGE, NULL, "prism help trace says what each does",
				 "prism trace does one of --json, --follow, --summary and --write");
	struct shm_reader *reader = stats_open(values[INSTANCE]);

	if (!reader)
		return cli_last_error(CLI_FAILED);
	int code = show(reader, at < argc ? argv[at] : NULL, values);

	shm_reader_close(reader);
	return code;
}
