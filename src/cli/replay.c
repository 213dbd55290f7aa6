// SPDX-License-Identifier: BSD-3-Clause
// prism replay: one side of a captured connection is fed to the stack in virtual time, and what
// Prism answers is shown beside what was captured. Reads captures by sim/capture.c and
// sim/dissect.c, runs them by sim/replay.c. No device, no privilege and no EAL is needed.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "control/units.h"
#include "sim/replay.h"
#include "wire/tcp.h"

// The order is commands.c's.
enum { AS, FLOW, LIST, TOLERANCE, STRICT, JSON, QUIET };

#define TOLERANCE_NS NS_PER_MS

static const char *const kind_names[] = {"fed", "same", "differs", "only captured", "only Prism"};

static void flags_text(uint8_t flags, char text[9])
{
	static const char letters[] = "FSRPAUEC"; // from the lowest bit on
	int len = 0;

	for (int bit = 0; bit < 8; bit++)
		if (flags >> bit & 1)
			text[len++] = letters[bit];
	text[len] = '\0';
}

static const char *flow_text(const struct tcp_flow *flow, char text[2 * ADDR_TEXT_BYTES + 32])
{
	char from[ADDR_TEXT_BYTES], to[ADDR_TEXT_BYTES];

	snprintf(text, 2 * ADDR_TEXT_BYTES + 32, "%s port %u to %s port %u",
		 addr_format(&flow->addr[0], from), flow->port[0], addr_format(&flow->addr[1], to),
		 flow->port[1]);
	return text;
}

static void print_flows(const struct flow_list *flows)
{
	char text[2 * ADDR_TEXT_BYTES + 32];

	for (uint32_t i = 0; i < flows->count; i++)
		printf("%4u  %s: %u segments, %" PRIu64 " bytes, from packet %u%s\n", i + 1,
		       flow_text(&flows->flow[i], text), flows->flow[i].segments,
		       flows->flow[i].bytes, flows->flow[i].first_number,
		       flows->flow[i].has_syn ? "" : ", without its beginning");
}

static bool outwards(const struct replay_line *line)
{
	return line->kind != REPLAY_FED;
}

static void print_line(const struct replay_line *line)
{
	char flags[9];

	flags_text(line->segment.flags, flags);
	printf("%12.6f %-3s %-5s seq %-10u ack %-10u len %-5u %s%s%s\n",
	       (double)line->time_ns / 1e9, outwards(line) ? "out" : "in", flags, line->seq,
	       line->ack, line->segment.len, kind_names[line->kind], line->how[0] ? ": " : "",
	       line->how);
}

static json_t *line_json(const struct replay_line *line)
{
	char flags[9];

	flags_text(line->segment.flags, flags);
	return json_pack("{s:f, s:s, s:s, s:I, s:I, s:i, s:i, s:s, s:s}", "time_s",
			 (double)line->time_ns / 1e9, "direction", outwards(line) ? "out" : "in",
			 "flags", flags, "seq", (json_int_t)line->seq, "ack", (json_int_t)line->ack,
			 "len", (int)line->segment.len, "packet", (int)line->segment.number, "kind",
			 kind_names[line->kind], "how", line->how);
}

static void print_json(const struct replay *replay)
{
	json_t *lines = json_array();

	for (uint32_t i = 0; i < replay->count; i++)
		json_array_append_new(lines, line_json(&replay->line[i]));
	json_t *json = json_pack(
		"{s:o, s:{s:i, s:i, s:i, s:i, s:i}}", "segments", lines, "totals", "fed",
		(int)replay->kinds[REPLAY_FED], "same", (int)replay->kinds[REPLAY_SAME], "differs",
		(int)replay->kinds[REPLAY_DIFFERS], "only_captured",
		(int)replay->kinds[REPLAY_MISSING], "only_prism", (int)replay->kinds[REPLAY_EXTRA]);

	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void print(const struct replay *replay, bool quiet)
{
	for (uint32_t i = 0; i < replay->count; i++)
		if (!quiet || replay->line[i].kind > REPLAY_SAME)
			print_line(&replay->line[i]);
	printf("%u segments fed, %u answers captured: %u same, %u differ, %u only captured; "
	       "%u only Prism's\n",
	       replay->kinds[REPLAY_FED],
	       replay->kinds[REPLAY_SAME] + replay->kinds[REPLAY_DIFFERS] +
		       replay->kinds[REPLAY_MISSING],
	       replay->kinds[REPLAY_SAME], replay->kinds[REPLAY_DIFFERS],
	       replay->kinds[REPLAY_MISSING], replay->kinds[REPLAY_EXTRA]);
}

// The one that was named, or the only one; NULL after it said why not.
static const struct tcp_flow *choose(const struct flow_list *flows, const char *number)
{
	uint64_t n = 1;
	char remedy[64];

	snprintf(remedy, sizeof(remedy), "--list shows them; then --flow=1 to --flow=%u",
		 flows->count);
	if (flows->count == 0) {
		cli_error(CLI_FAILED, "fragments, tunnels and other protocols are passed over",
			  "capture with the filter tcp", "no TCP connection in %u packets",
			  flows->skipped);
		return NULL;
	}
	if (number ? units_count(number, &n) != UNITS_OK || n == 0 || n > flows->count
		   : flows->count > 1) {
		cli_error(CLI_USAGE, NULL, remedy,
			  number ? "there is no connection %s"
				 : "the file holds several connections%s",
			  number ? number : "");
		return NULL;
	}
	if (!flows->flow[n - 1].has_syn) {
		cli_error(CLI_FAILED, "its SYN is not in the file",
			  "capture from the beginning of the connection",
			  "connection %" PRIu64 " cannot be replayed", n);
		return NULL;
	}
	return &flows->flow[n - 1];
}

// What either side can take at most; segments longer than that were cut by a card.
static uint32_t mss_of(const struct capture *capture, const struct tcp_flow *flow)
{
	struct segment_list all;
	uint32_t mss = 0;

	if (!dissect_segments(capture, flow, UINT32_MAX, &all))
		return 0;
	for (uint32_t i = 0; i < all.count; i++)
		if (all.segment[i].mss)
			mss = mss ? MIN(mss, (uint32_t)all.segment[i].mss) : all.segment[i].mss;
	bool stamps = all.count && all.segment[0].has_timestamps;

	free(all.segment);
	mss = MIN(MAX(mss, 536u), 9000u);
	return stamps ? mss - 12 : mss; // of each segment, timestamps take their share
}

static int replay_flow(const struct capture *capture, const struct tcp_flow *flow,
		       struct replay_config *config, const char *const *values)
{
	struct segment_list segments;
	struct replay replay;
	uint32_t mss = mss_of(capture, flow);

	if (mss == 0 || !dissect_segments(capture, flow, mss, &segments))
		return cli_error(CLI_FAILED, NULL, "use a smaller file", "out of memory");
	config->segments = &segments;
	config->ip6 = !addr_is_v4(&flow->addr[0]);
	memcpy(config->port, flow->port, sizeof(config->port));
	int code = CLI_FAILED;

	if (!replay_run(&replay, config)) {
		cli_error(CLI_FAILED, NULL, "capture from the first SYN on", "no replay: %s",
			  replay.failure);
	} else {
		if (values[JSON])
			print_json(&replay);
		else
			print(&replay, values[QUIET] != NULL);
		code = replay.kinds[REPLAY_DIFFERS] + replay.kinds[REPLAY_MISSING] +
				       replay.kinds[REPLAY_EXTRA]
			       ? CLI_FAILED
			       : CLI_OK;
	}
	replay_free(&replay);
	free(segments.segment);
	return code;
}

static bool read_options(const char *const *values, struct replay_config *config)
{
	const char *as = values[AS] ? values[AS] : "server";

	*config = (struct replay_config){.as_server = strcmp(as, "server") == 0,
					 .tolerance_ns = TOLERANCE_NS,
					 .strict = values[STRICT] != NULL};
	if (!config->as_server && strcmp(as, "client") != 0) {
		cli_error(CLI_USAGE, NULL, "--as=server or --as=client", "`%s` is no side", as);
		return false;
	}
	return !values[TOLERANCE] ||
	       cli_time("tolerance", values[TOLERANCE], &config->tolerance_ns);
}

int cmd_replay(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	struct replay_config config;
	struct capture capture;
	struct flow_list flows = {0};
	int at = cli_options(argc, argv, values), code = CLI_FAILED;

	if (at < 0)
		return CLI_USAGE;
	if (at + 1 != argc)
		return cli_error(CLI_USAGE, NULL, "prism replay FILE.pcapng",
				 "prism replay takes one capture");
	if (!read_options(values, &config))
		return CLI_USAGE;
	if (!capture_read(&capture, argv[at])) {
		cli_error(CLI_FAILED, NULL, capture.remedy, "%s: %s", argv[at], capture.error);
	} else if (!dissect_flows(&capture, &flows)) {
		cli_error(CLI_FAILED, NULL, "use a smaller file", "out of memory");
	} else if (values[LIST]) {
		print_flows(&flows);
		code = CLI_OK;
	} else {
		const struct tcp_flow *flow = choose(&flows, values[FLOW]);

		code = flow ? replay_flow(&capture, flow, &config, values) : CLI_USAGE;
	}
	flow_list_free(&flows);
	capture_free(&capture);
	return code;
}
