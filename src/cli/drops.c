// SPDX-License-Identifier: BSD-3-Clause
// prism drops: what was dropped, by reason, with where the latest came from and what to do; with an
// interval again and again, with rates; -f prints each drop as it happens. Calls see/drops.c for
// the table; follows the flight recorder by the numbers of its records, so that a look that comes
// late says how many it missed. Reads the shared-memory file only.

#include <inttypes.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "control/stats.h"
#include "see/drops.h"
#include "see/packet_filter.h"
#include "see/packet_head.h"
#include "see/why.h"

// Between two looks of -f: the ring of a worker holds what comes in between at a million a second.
#define FOLLOW_NS (10 * NS_PER_MS) // what was not there the last time is read, no more

static void wait_for(uint64_t ns)
{
	struct timespec wait = {.tv_sec = (time_t)(ns / NS_PER_S),
				.tv_nsec = (long)(ns % NS_PER_S)};

	nanosleep(&wait, NULL);
}

// Packets of this reason a second, from before to now.
static double rate(const struct drops_row *row, const struct drops *before, uint64_t now_ns)
{
	uint64_t then = 0;

	if (now_ns <= before->now_ns)
		return 0;
	for (uint32_t i = 0; i < before->row_count; i++)
		if (strcmp(before->row[i].reason, row->reason) == 0)
			then = before->row[i].pkts;
	return (double)(row->pkts - then) * (double)NS_PER_S / (double)(now_ns - before->now_ns);
}

static void print_from(const struct shm_reader *reader, const struct drops_row *row)
{
	char text[DROPS_FROM_BYTES];

	printf("  from: ");
	for (uint32_t i = 0; i < MIN(row->from_count, (uint32_t)DROPS_FROM); i++)
		printf("%s%s (%" PRIu64 ")", i ? ", " : "",
		       drops_from_text(reader, &row->from[i], text), row->from[i].pkts);
	if (row->from_count > DROPS_FROM)
		printf(", and %u others", row->from_count - DROPS_FROM);
	printf("; of the last %" PRIu64 "\n", row->recorded);
}

// before: NULL when there is no earlier look.
static void print_table(const struct shm_reader *reader, const struct drops *drops,
			const struct drops *before)
{
	char text[HUMAN_BYTES];

	if (!drops->row_count)
		puts("no packet was dropped");
	else
		printf("%-28s %14s %10s  %s\n", "reason", "packets", "a second", "what");
	for (uint32_t i = 0; i < drops->row_count; i++) {
		const struct drops_row *row = &drops->row[i];
		const char *now =
			before ? human_count(rate(row, before, drops->now_ns), text) : "-";

		printf("%-28s %14" PRIu64 " %10s  %s\n", row->reason, row->pkts, now,
		       row->sentence);
		if (row->from_count)
			print_from(reader, row);
		if (row->remedy[0] && strcmp(row->remedy, "none") != 0)
			printf("  do:   %s\n", row->remedy);
	}
}

static int look(struct shm_reader *reader, struct drops *drops)
{
	if (shm_reader_refresh(reader) || shm_reader_refresh_verdicts(reader, SHM_DROPS))
		return -1;
	return drops_collect(reader, drops);
}

static int print_once(struct shm_reader *reader, bool json)
{
	struct drops *drops = calloc(1, sizeof *drops);

	if (!drops)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	if (look(reader, drops)) {
		free(drops);
		return cli_last_error(CLI_FAILED);
	}
	if (json) {
		json_t *object = drops_json(reader, drops);

		json_dumpf(object, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(object);
	} else {
		print_table(reader, drops, NULL);
	}
	free(drops);
	return CLI_OK;
}

// Until the instance ends.
static int repeat(struct shm_reader *reader, uint64_t interval_ns)
{
	struct drops *drops = calloc(2, sizeof *drops), *before = drops + 1;

	if (!drops)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	int error = look(reader, before);

	while (!error && shm_reader_alive(reader)) {
		wait_for(interval_ns);
		error = look(reader, drops);
		if (error)
			break;
		print_table(reader, drops, before);
		puts("");
		if (fflush(stdout))
			break; // nobody reads
		*before = *drops;
	}
	free(drops);
	return error ? cli_last_error(CLI_FAILED) : CLI_OK;
}

// Since the instance began.
static void print_time(const struct shm_reader *reader, uint64_t time_ns)
{
	uint64_t start_ns = shm_reader_head(reader)->start_ns;
	uint64_t ns = time_ns > start_ns ? time_ns - start_ns : 0;

	printf("%" PRIu64 ".%06" PRIu64, ns / NS_PER_S, ns % NS_PER_S / NS_PER_US);
}

static void print_party(const struct packet_head *head, const struct addr *addr, uint16_t port)
{
	char text[ADDR_TEXT_BYTES];

	printf(" %s", addr_format(addr, text));
	if (head->has_ports)
		printf(" port %u", port);
}

static void print_line(const struct shm_reader *reader, const struct verdict *v)
{
	const struct shm_field *field = shm_reader_drop(reader, v->reason);
	const char *port = why_port(reader, v->port);
	struct packet_head head;
	char kind[PACKET_KIND_BYTES];

	packet_head_read((enum verdict_head)v->head_kind, v->head, v->head_bytes, &head);
	print_time(reader, v->time_ns);
	printf(" %s %s", port[0] ? port : "out", packet_head_kind(&head, kind));
	if (head.has_addr) {
		print_party(&head, &head.src, head.src_port);
		printf(" >");
		print_party(&head, &head.dst, head.dst_port);
	}
	printf(", %u bytes: %s\n", v->len, field ? field->name + strlen("drop.") : "?");
}

// What a worker recorded from *next on.
static void follow_worker(const struct shm_reader *reader, uint32_t worker,
			  const struct packet_filter *filter, uint64_t *next)
{
	uint64_t first, end;

	shm_reader_verdict_range(reader, SHM_DROPS, worker, &first, &end);
	if (first > *next)
		printf("(%" PRIu64 " were overwritten before they were read)\n", first - *next);
	for (uint64_t i = MAX(first, *next); i < end; i++) {
		struct verdict v = shm_reader_verdict(reader, SHM_DROPS, worker, i);

		if (!filter || packet_filter_matches(filter, &v))
			print_line(reader, &v);
	}
	*next = MAX(end, *next);
}

static int follow(struct shm_reader *reader, const char *text)
{
	struct packet_filter *filter = text ? packet_filter_create(text) : NULL;
	uint32_t workers = MIN(shm_reader_head(reader)->worker_count, (uint32_t)WORKERS_MAX);
	uint64_t next[WORKERS_MAX], first;

	if (text && !filter)
		return cli_last_error(CLI_USAGE);
	int error = shm_reader_refresh_verdicts(reader, SHM_DROPS);

	for (uint32_t w = 0; w < workers; w++)
		shm_reader_verdict_range(reader, SHM_DROPS, w, &first, &next[w]);
	for (bool alive = true; alive && !error;) {
		alive = shm_reader_alive(reader);
		error = shm_reader_refresh_verdicts(reader, SHM_DROPS);
		for (uint32_t w = 0; !error && w < workers; w++)
			follow_worker(reader, w, filter, &next[w]);
		if (fflush(stdout))
			break; // nobody reads
		wait_for(FOLLOW_NS);
	}
	packet_filter_destroy(filter);
	return error ? cli_last_error(CLI_FAILED) : CLI_OK;
}

int cmd_drops(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values), code;
	uint64_t interval_ns = 0;

	if (at < 0 || (values[2] && !cli_time("interval", values[2], &interval_ns)))
		return CLI_USAGE;
	const char *filter = at < argc ? argv[at] : NULL;
	if ((values[0] && (values[2] || values[3])) || (values[2] && values[3]))
		return cli_error(CLI_USAGE, NULL, "prism help drops says what each does",
				 "prism drops does one of --json, --interval and --follow");
	if (at + 1 < argc || (filter && !values[3]))
		return cli_error(
			CLI_USAGE, NULL,
			"prism drops -f 'FILTER' follows; prism why 'FILTER' tells of what was",
			"prism drops takes one filter, and only with --follow");
	struct shm_reader *reader = stats_open(values[1]);
	if (!reader)
		return cli_last_error(CLI_FAILED);
	if (values[3])
		code = follow(reader, filter);
	else if (interval_ns)
		code = repeat(reader, interval_ns);
	else
		code = print_once(reader, values[0]);
	shm_reader_close(reader);
	return code;
}
