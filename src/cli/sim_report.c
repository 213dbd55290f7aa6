// SPDX-License-Identifier: BSD-3-Clause
// The output of prism sim: one line a run, in stable columns of words, totals, and JSON with the
// same facts. A run that failed is made again with everything written down: sim-SEED.pcapng holds
// what crossed the links, sim-SEED.trace the decoded trace of all workers. Called by cli/sim.c.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/human.h"
#include "cli/sim.h"
#include "observe/counter.h"

static double goodput_bits_s(const struct run_result *r)
{
	return r->virtual_ns ? (double)r->received_bytes * 8 / ((double)r->virtual_ns / 1e9) : 0;
}

static void print_facts(const struct run_result *r)
{
	char bytes[HUMAN_BYTES], speed[HUMAN_BYTES];

	printf("%.6f s, %u connections, %sB, %sbit/s, %" PRIu64 "/%" PRIu64
	       " segments again, %" PRIu64 "/%" PRIu64 " frames lost, %" PRIu64 " drops",
	       (double)r->virtual_ns / 1e9, r->connections,
	       human_count((double)r->received_bytes, bytes), human_count(goodput_bits_s(r), speed),
	       r->retransmits, r->segments, r->lost, r->frames, r->drops);
	if (r->drops)
		printf(" (most: %s)", drop_infos[r->drop_most].name);
	putchar('\n');
}

static void print_details(const char *detail)
{
	while (*detail) {
		int len = (int)strcspn(detail, "\n");

		printf("  %.*s\n", len, detail);
		detail += len + (detail[len] == '\n');
	}
}

static json_t *facts(const struct run_result *r)
{
	char hash[20]; // of all that crossed a link, for who compares two builds
	json_t *json = json_pack(
		"{s:I, s:b, s:f, s:i, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:s}", "seed",
		(json_int_t)r->seed, "ok", !r->failed, "virtual_s", (double)r->virtual_ns / 1e9,
		"connections", (int)r->connections, "bytes", (json_int_t)r->received_bytes,
		"goodput_bits_s", goodput_bits_s(r), "segments", (json_int_t)r->segments,
		"retransmits", (json_int_t)r->retransmits, "frames", (json_int_t)r->frames,
		"frames_lost", (json_int_t)r->lost, "drops", (json_int_t)r->drops,
		"longest_stall_s", (double)r->stall_ns / 1e9, "drop_most",
		r->drops ? drop_infos[r->drop_most].name : "");

	snprintf(hash, sizeof(hash), "%016" PRIx64, r->hash);
	json_object_set_new(json, "hash", json_string(hash));
	if (r->failed) {
		json_object_set_new(json, "failure", json_string(r->failure));
		json_object_set_new(json, "detail", json_string(r->detail));
	}
	return json;
}

static void path_of(const struct sim_report *report, uint64_t seed, const char *kind,
		    char path[512])
{
	snprintf(path, 512, "%s/sim-%" PRIu64 ".%s", report->folder, seed, kind);
}

// Once more, with everything written down.
static void write_down(struct sim_report *report, const struct run_result *failed, json_t *json)
{
	static struct plan plan;
	char capture[512], trace[512];
	struct run_paths paths = {capture, trace};
	struct run_result result;

	if (report->written++ >= SIM_WRITTEN_MAX)
		return;
	path_of(report, failed->seed, "pcapng", capture);
	path_of(report, failed->seed, "trace", trace);
	batch_plan(report->batch, failed->seed, &plan);
	batch_run_one(&plan, failed->seed, &paths, &result);
	if (json) {
		json_object_set_new(json, "capture",
				    result.unwritten ? json_null() : json_string(capture));
		json_object_set_new(json, "trace",
				    result.unwritten ? json_null() : json_string(trace));
		return;
	}
	if (result.unwritten)
		printf("  its capture and trace could not be written to %s\n", report->folder);
	else
		printf("  see %s and %s\n", capture, trace);
	printf("  again: prism sim%s%s --seed %" PRIu64 "%s\n", report->scenario ? " " : "",
	       report->scenario ? report->scenario : "", failed->seed,
	       report->batch->plan && report->batch->plan->swarm ? " --swarm" : "");
}

void sim_report_run(void *context, const struct run_result *r)
{
	struct sim_report *report = context;
	json_t *json = report->runs ? facts(r) : NULL;

	if (json) {
		json_array_append_new(report->runs, json);
	} else if (r->failed || !report->quiet) {
		printf("seed %" PRIu64 ": %s%s%s", r->seed, r->failed ? "FAIL " : "ok, ",
		       r->failure, r->failed ? "\n  " : "");
		print_facts(r);
		print_details(r->detail);
	}
	if (r->failed)
		write_down(report, r, json);
	fflush(stdout);
}

void sim_report_totals(const struct sim_report *report, const struct batch_totals *t)
{
	char bytes[HUMAN_BYTES], frames[HUMAN_BYTES];
	double virtual_s = (double)t->virtual_ns / 1e9;

	if (report->runs) {
		json_t *json = json_pack(
			"{s:o, s:{s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "runs",
			report->runs, "totals", "runs", (json_int_t)t->runs, "failed",
			(json_int_t)t->failed, "virtual_s", virtual_s, "seconds", t->seconds,
			"connections", (json_int_t)t->connections, "bytes",
			(json_int_t)t->received_bytes, "segments", (json_int_t)t->segments,
			"retransmits", (json_int_t)t->retransmits, "frames", (json_int_t)t->frames,
			"frames_lost", (json_int_t)t->lost, "drops", (json_int_t)t->drops);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	printf("%" PRIu64 " runs, %" PRIu64 " failed: %.1f virtual s in %.1f s, %" PRIu64
	       " connections, %sB, %s frames, %" PRIu64 " lost, %" PRIu64 "/%" PRIu64
	       " segments again\n",
	       t->runs, t->failed, virtual_s, t->seconds, t->connections,
	       human_count((double)t->received_bytes, bytes),
	       human_count((double)t->frames, frames), t->lost, t->retransmits, t->segments);
}
