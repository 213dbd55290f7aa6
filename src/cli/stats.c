// SPDX-License-Identifier: BSD-3-Clause
// prism stats: an instance's numbers by name, from its shared memory. Lines are "NAME VALUE", so
// that grep, awk and watch do the rest; JSON carries the same names. Calls control/stats.h, and so
// works on a running, a stuck and a dead instance.

#include <fnmatch.h>
#include <inttypes.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/cli.h"
#include "control/stats.h"

#define VALUES_MAX 2048

struct picture {
	const char *pattern; // NULL: all
	uint32_t count;
	struct stats_value value[VALUES_MAX];
};

static void keep(void *context, const struct stats_value *value)
{
	struct picture *picture = context;

	if (picture->pattern && fnmatch(picture->pattern, value->name, FNM_CASEFOLD) != 0)
		return;
	if (picture->count < VALUES_MAX)
		picture->value[picture->count++] = *value;
}

static void print_value(const struct stats_value *value)
{
	// Signed: some gauges go below zero (unaccounted, a core of -1 for any).
	printf("%-48s %" PRId64 "\n", value->name, (int64_t)value->value);
}

static int print_lines(struct shm_reader *reader, enum stats_state state, const char *pattern)
{
	struct picture *picture = calloc(1, sizeof *picture);

	if (!picture)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	picture->pattern = pattern;
	if (!pattern)
		printf("%-48s %s\n", "state", stats_state_name(state));
	stats_each(reader, keep, picture);
	for (uint32_t i = 0; i < picture->count; i++)
		print_value(&picture->value[i]);
	int code = picture->count ? CLI_OK
				  : cli_error(CLI_FAILED, NULL,
					      "prism stats without a pattern "
					      "prints all names",
					      "nothing is called `%s`", pattern);
	free(picture);
	return code;
}

static int print_json(struct shm_reader *reader, enum stats_state state)
{
	json_t *json = stats_json(reader, state);

	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return CLI_OK;
}

// What was added since before, for ever; ends with the instance.
static int print_changes(struct shm_reader *reader, const char *pattern, uint64_t interval_ns)
{
	struct timespec wait = {.tv_sec = (time_t)(interval_ns / NS_PER_S),
				.tv_nsec = (long)(interval_ns % NS_PER_S)};
	struct picture *before = calloc(2, sizeof *before), *after = before + 1;

	if (!before)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	before->pattern = after->pattern = pattern;
	stats_each(reader, keep, before);
	while (shm_reader_alive(reader)) {
		nanosleep(&wait, NULL);
		if (shm_reader_refresh(reader) != 0)
			break;
		after->count = 0;
		stats_each(reader, keep, after);
		for (uint32_t i = 0; i < after->count; i++) {
			struct stats_value change = after->value[i];

			if (!change.gauge)
				change.value -= before->value[i].value;
			if (change.value)
				print_value(&change);
		}
		puts("");
		fflush(stdout);
		memcpy(before, after, sizeof *before);
	}
	free(before);
	return CLI_OK;
}

int cmd_stats(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values), code;
	uint64_t interval_ns = 0;

	if (at < 0 || (values[2] && !cli_time("interval", values[2], &interval_ns)))
		return CLI_USAGE;
	if (at + 1 < argc)
		return cli_error(CLI_USAGE, NULL, "quote it: prism stats 'drop.*'",
				 "prism stats takes one pattern");
	const char *pattern = at < argc ? argv[at] : NULL;
	struct shm_reader *reader = stats_open(values[1]);
	if (!reader)
		return cli_last_error(CLI_FAILED);
	enum stats_state state = stats_look(reader);
	if (values[0])
		code = print_json(reader, state);
	else if (interval_ns)
		code = print_changes(reader, pattern, interval_ns);
	else
		code = print_lines(reader, state, pattern);
	shm_reader_close(reader);
	return code;
}
