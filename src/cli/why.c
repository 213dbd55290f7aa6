// SPDX-License-Identifier: BSD-3-Clause
// prism why: what became of packets, from what the flight recorder has of them; nothing has to be
// armed beforehand. Prints see/why.c's groups in words: of what was dropped, then of the samples of
// what passed. Works on a running, a stuck and a dead instance.

#include <inttypes.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "control/stats.h"
#include "see/why.h"

// Groups of a reason; --all has the rest.
#define GROUPS_MAX 5

#define AGO_BYTES 32

static const char *ago(uint64_t time_ns, uint64_t now_ns, char text[AGO_BYTES])
{
	double seconds = now_ns > time_ns ? (double)(now_ns - time_ns) / (double)NS_PER_S : 0;

	if (seconds < 120)
		snprintf(text, AGO_BYTES, "%.1f s ago", seconds);
	else if (seconds < 7200)
		snprintf(text, AGO_BYTES, "%.0f min ago", seconds / 60);
	else
		snprintf(text, AGO_BYTES, "%.0f h ago", seconds / 3600);
	return text;
}

// One, or how many.
static void print_addr(const struct addr *addr, uint32_t count)
{
	char text[ADDR_TEXT_BYTES];

	if (count > 1)
		printf("%u addresses", count);
	else
		printf("%s", addr_format(addr, text));
}

static void print_parties(const struct why_group *g)
{
	char kind[PACKET_KIND_BYTES];

	printf("%s", packet_head_kind(&g->head, kind));
	if (!g->head.has_addr)
		return;
	printf(" from ");
	print_addr(&g->head.src, g->src_count);
	printf(" to ");
	print_addr(&g->head.dst, g->dst_count);
	if (g->head.has_ports && g->dst_port_count > 1)
		printf(", %u ports", g->dst_port_count);
	else if (g->head.has_ports)
		printf(" port %u", g->head.dst_port);
}

static void print_way(const struct shm_reader *reader, const struct why_group *g)
{
	const char *port = why_port(reader, g->port);

	if (port[0])
		printf(", %s by %s", g->way == VERDICT_LEFT ? "out" : "in", port);
	else
		printf(", on the way out");
	if (port[0] && g->head.vlan_id)
		printf(" with VLAN tag %u", g->head.vlan_id);
}

static void print_group(const struct shm_reader *reader, const struct why *why,
			const struct why_group *g)
{
	char first[AGO_BYTES], last[AGO_BYTES];

	printf("  %8" PRIu64 " ", g->pkts);
	print_parties(g);
	print_way(reader, g);
	printf("; %s", ago(g->last_ns, why->now_ns, last));
	if (g->pkts > 1)
		printf(", the first %s", ago(g->first_ns, why->now_ns, first));
	puts("");
}

static void print_reason(const struct why_group *g)
{
	const char *bold = cli_color(stdout) ? "\033[1m" : "", *plain = bold[0] ? "\033[0m" : "";

	printf("%" PRIu64 " packet%s dropped, %s%s%s: %s%s%s%s\n", g->reason_pkts,
	       g->reason_pkts == 1 ? "" : "s", bold, g->reason, plain, g->sentence,
	       g->source[0] ? " (" : "", g->source, g->source[0] ? ")" : "");
}

static void print_remedy(const struct why_group *g)
{
	if (g->cause[0])
		printf("  why: %s\n", g->cause);
	if (g->remedy[0])
		printf("  do:  %s\n", strcmp(g->remedy, "none") ? g->remedy : "nothing");
}

// The groups of one reason from i on. Returns where the next one's begin.
static uint32_t print_groups(const struct shm_reader *reader, const struct why *why, uint32_t i,
			     bool all)
{
	const struct why_group *g = &why->group[i];
	uint32_t end = i, shown = 0;
	uint64_t rest = 0;

	print_reason(g);
	for (; end < why->group_count && strcmp(why->group[end].reason, g->reason) == 0; end++) {
		if (all || shown < GROUPS_MAX) {
			print_group(reader, why, &why->group[end]);
			shown++;
		} else {
			rest += why->group[end].pkts;
		}
	}
	if (rest)
		printf("  %8" PRIu64 " packets of %u other kinds: --all shows them\n", rest,
		       end - i - shown);
	print_remedy(g);
	return end;
}

// Where they came in and left, most first; the samples of all that passed.
static void print_passed(const struct shm_reader *reader, const struct why *passed,
			 const char *filter, bool all)
{
	uint32_t shown = all ? passed->group_count : MIN(passed->group_count, (uint32_t)GROUPS_MAX);
	uint64_t one_in = why_sample_one_in(reader), rest = passed->matched;

	if (passed->group_count)
		puts("not dropped, of the samples of what came and left:");
	for (uint32_t i = 0; i < shown; i++) {
		print_group(reader, passed, &passed->group[i]);
		rest -= passed->group[i].pkts;
	}
	if (rest)
		printf("  %8" PRIu64 " packets of %u other kinds: --all shows them\n", rest,
		       passed->group_count - shown);
	if (passed->recorded)
		printf("%" PRIu64 " of %" PRIu64 " samples%s%s%s; ", passed->matched,
		       passed->recorded, filter[0] ? " match `" : "", filter, filter[0] ? "`" : "");
	if (passed->lost)
		printf("%" PRIu64 " before them were overwritten; ", passed->lost);
	if (one_in == 1)
		puts("every packet is sampled (prism recorder)");
	else if (one_in)
		printf("one packet in %" PRIu64 " is sampled (prism recorder)\n", one_in);
	else
		puts("no packet that passes is sampled (prism recorder N)");
}

static void print_summary(const struct why *why, const char *filter)
{
	char since[AGO_BYTES];

	if (!why->recorded && why->lost) {
		printf("all %" PRIu64 " recorded drops were overwritten while they were read: look "
		       "again\n",
		       why->lost);
		return;
	}

	if (!why->recorded) {
		puts("no packet was dropped");
		return;
	}
	printf("%s%" PRIu64 " of %" PRIu64 " recorded drops%s%s%s; the oldest is of %s",
	       why->group_count ? "\n" : "", why->matched, why->recorded,
	       filter[0] ? " match `" : "", filter, filter[0] ? "`" : "",
	       ago(why->oldest_ns, why->now_ns, since));
	if (why->lost)
		printf(", %" PRIu64 " before it are counted only (prism drops)", why->lost);
	puts("");
}

static void print_text(const struct shm_reader *reader, const struct why *why, const char *filter,
		       bool all)
{
	if (!why->alive)
		puts("this instance has ended: times are before its last turn");
	for (uint32_t i = 0; i < why->group_count;)
		i = print_groups(reader, why, i, all);
	print_summary(why, filter);
}

static int print_json(const struct shm_reader *reader, const struct why *why,
		      const struct why *passed)
{
	json_t *json = why_json(reader, why, passed);

	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return CLI_OK;
}

// Samples first: a packet that is dropped in between is told as dropped.
static int look(struct shm_reader *reader, const struct packet_filter *filter, struct why *why,
		struct why *passed)
{
	int error = shm_reader_refresh_verdicts(reader, SHM_SAMPLES);

	if (!error)
		error = shm_reader_refresh_verdicts(reader, SHM_DROPS);
	if (!error)
		error = why_collect(reader, SHM_DROPS, filter, why);
	return error ? error : why_collect(reader, SHM_SAMPLES, filter, passed);
}

static int tell(struct shm_reader *reader, const char *text, bool json, bool all)
{
	struct packet_filter *filter = text[0] ? packet_filter_create(text) : NULL;
	struct why why = {0}, passed = {0};
	int code = CLI_OK;

	if (text[0] && !filter)
		return cli_last_error(CLI_USAGE);
	if (look(reader, filter, &why, &passed)) {
		code = cli_last_error(CLI_FAILED);
	} else if (json) {
		print_json(reader, &why, &passed);
	} else {
		print_text(reader, &why, text, all);
		print_passed(reader, &passed, text, all);
	}
	if (code == CLI_OK && why.matched)
		code = CLI_FOUND;
	why_free(&why);
	why_free(&passed);
	packet_filter_destroy(filter);
	return code;
}

int cmd_why(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);
	char filter[CLI_FILTER_BYTES];

	if (at < 0 || !cli_join(argv + at, argc - at, filter))
		return CLI_USAGE;
	struct shm_reader *reader = stats_open(values[1]);
	if (!reader)
		return cli_last_error(CLI_FAILED);
	int code = tell(reader, filter, values[0], values[2]);

	shm_reader_close(reader);
	return code;
}
