// SPDX-License-Identifier: BSD-3-Clause
// What prism load says: a line a second on stderr, and at the end the numbers on stdout, for people
// or as one JSON object. Called by load.c. Latencies are the upper ends of their histogram bucket,
// at most 0.8 % too high; the maximum is exact.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/time.h"
#include "cli/human.h"
#include "cli/load.h"

const char *const load_error_names[LOAD_ERRORS] = {
	[LOAD_ERROR_CONNECT] = "connect", [LOAD_ERROR_RESET] = "reset",
	[LOAD_ERROR_CLOSED] = "closed",   [LOAD_ERROR_PARSE] = "parse",
	[LOAD_ERROR_STATUS] = "status",   [LOAD_ERROR_BODY] = "body",
	[LOAD_ERROR_LOST] = "lost",       [LOAD_ERROR_SEND] = "send",
	[LOAD_ERROR_NO_PORT] = "no_port",
};

uint64_t load_error_sum(const struct load *load)
{
	uint64_t sum = 0;

	for (int i = 0; i < LOAD_ERRORS; i++)
		sum += load->stats.error[i];
	return sum;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static const struct {
	const char *name;
	double quantile;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

void load_progress(const struct load *load, uint64_t now_ns)
{
	static const char *const phases[] = {"connecting", "warming up", "measuring", "finishing"};
	const struct load_stats *stats = &load->stats;
	double passed_s = seconds(now_ns - load->begin_ns);
	char rate[HUMAN_BYTES];

	if (load->options->quiet)
		return;
	fprintf(stderr, "%-10s %5.1f s  %s requests/s  p99 %.1f us  errors %" PRIu64 "\n",
		phases[load->phase], passed_s,
		human_count(passed_s > 0 ? (double)stats->requests / passed_s : 0, rate),
		(double)histogram_quantile(stats->latency_ns, 0.99) / 1e3, load_error_sum(load));
}

struct summary {
	double seconds, requests_s, sent_gbit_s, received_gbit_s;
};

static struct summary summarize(const struct load *load)
{
	uint64_t end_ns = load->stopped_ns ? load->stopped_ns : prism_now_ns(load->worker);
	double s = seconds(MAX(end_ns, load->begin_ns + 1) - load->begin_ns);
	const struct load_stats *stats = &load->stats;

	return (struct summary){.seconds = s,
				.requests_s = (double)stats->requests / s,
				.sent_gbit_s = (double)stats->sent_bytes * 8 / s / 1e9,
				.received_gbit_s = (double)stats->received_bytes * 8 / s / 1e9};
}

static void print_text(const struct load *load)
{
	const struct load_stats *stats = &load->stats;
	struct summary sum = summarize(load);
	char text[HUMAN_BYTES];

	printf("%s, %u connection%s%s, pipeline %u, %.2f s\n", load->options->kind,
	       load->options->connections, load->options->connections == 1 ? "" : "s",
	       load->options->new_connection ? ", a new one for each request" : "",
	       load->options->pipeline, sum.seconds);
	printf("requests   %" PRIu64 ", %s/s\n", stats->requests,
	       human_count(sum.requests_s, text));
	printf("payload    %.3f Gbit/s received, %.3f Gbit/s sent\n", sum.received_gbit_s,
	       sum.sent_gbit_s);
	printf("latency   ");
	for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++)
		printf(" %s %.1f us", quantiles[i].name,
		       (double)histogram_quantile(stats->latency_ns, quantiles[i].quantile) / 1e3);
	printf("\nerrors     %" PRIu64, load_error_sum(load));
	for (int i = 0; i < LOAD_ERRORS; i++)
		if (stats->error[i] > 0)
			printf(", %s %" PRIu64, load_error_names[i], stats->error[i]);
	printf("\n");
}

static void print_json(const struct load *load)
{
	const struct load_stats *stats = &load->stats;
	struct summary sum = summarize(load);
	json_t *latency = json_object(), *errors = json_object();

	for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++)
		json_object_set_new(latency, quantiles[i].name,
				    json_integer((json_int_t)histogram_quantile(
					    stats->latency_ns, quantiles[i].quantile)));
	for (int i = 0; i < LOAD_ERRORS; i++)
		json_object_set_new(errors, load_error_names[i],
				    json_integer((json_int_t)stats->error[i]));
	json_t *root = json_pack(
		"{s:s, s:I, s:I, s:b, s:f, s:I, s:f, s:f, s:f, s:I, s:o, s:I, s:o, s:I}", "kind",
		load->options->kind, "connections", (json_int_t)load->options->connections,
		"pipeline", (json_int_t)load->options->pipeline, "new_connection",
		load->options->new_connection, "seconds", sum.seconds, "requests",
		(json_int_t)stats->requests, "requests_per_s", sum.requests_s, "sent_gbit_per_s",
		sum.sent_gbit_s, "received_gbit_per_s", sum.received_gbit_s, "connections_made",
		(json_int_t)stats->connections, "latency_ns", latency, "errors",
		(json_int_t)load_error_sum(load), "errors_by_kind", errors, "buffers_out",
		(json_int_t)load->buffers_out);

	if (root) {
		json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		printf("\n");
	}
	json_decref(root);
}

void load_report(const struct load *load)
{
	if (load->options->json)
		print_json(load);
	else
		print_text(load);
}
