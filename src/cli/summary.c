// SPDX-License-Identifier: BSD-3-Clause
// The live picture of prism run, made from the counters the worker publishes. Called by the
// monitor's thread once a second on a terminal, once a minute otherwise. Rates are over the time
// since the last look; a worker that naps is busy for a share of that, not of its waking time.

#include "cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/human.h"
#include "cli/run.h"
#include "sync/cell.h"

static uint64_t counter(const struct run *run, const char *name)
{
	uint64_t value = 0;

	prism_counter(run->prism, name, &value);
	return value;
}

static void sample_services(const struct run_worker *w, struct summary_sample *s)
{
	for (uint32_t i = 0; i < w->service_count; i++) {
		const struct service_stats *stats = service_stats_of(w->services[i]);

		s->requests += cell_get(&stats->requests);
		s->connections += cell_get(&stats->connections_open);
	}
}

static void sample(const struct run *run, uint64_t now_ns, struct summary_sample *s)
{
	*s = (struct summary_sample){
		.time_ns = now_ns,
		.rx_pkts = counter(run, "rx_pkts"),
		.rx_bytes = counter(run, "rx_bytes"),
		.tx_pkts = counter(run, "tx_pkts"),
		.tx_bytes = counter(run, "tx_bytes"),
		.busy_ns = counter(run, "busy_ns"),
		.idle_ns = counter(run, "idle_ns"),
	};
	for (uint32_t i = 0; i < run->worker_count; i++)
		sample_services(&run->workers[i], s);
	for (int i = DROP_OK + 1; i < DROP_COUNT; i++) {
		char name[80];

		snprintf(name, sizeof name, "drop.%s", drop_infos[i].name);
		s->drop[i] = counter(run, name);
	}
}

void summary_begin(struct summary *summary, const struct run *run, bool live)
{
	*summary = (struct summary){.run = run, .live = live};
	sample(run, 0, &summary->before);
}

// The reasons that grew most, largest first, as "NAME 12/s".
static void drops_text(const struct summary *summary, const struct summary_sample *now, double s,
		       char *text, size_t text_bytes)
{
	uint64_t below = UINT64_MAX;
	size_t at = 0;

	snprintf(text, text_bytes, "none");
	for (int shown = 0; shown < 3; shown++) {
		uint64_t most = 0;
		int which = 0;

		for (int i = DROP_OK + 1; i < DROP_COUNT; i++) {
			uint64_t grown = now->drop[i] - summary->before.drop[i];

			if (grown > most && grown < below) {
				most = grown;
				which = i;
			}
		}
		if (!most || at >= text_bytes)
			return;
		below = most;
		at += (size_t)snprintf(text + at, text_bytes - at, "%s%s %s/s", at ? ", " : "",
				       drop_infos[which].name,
				       human_count((double)most / s, (char[HUMAN_BYTES]){0}));
	}
}

// A unit joins its prefix ("1.2 kbit/s"), or stands apart from a plain number.
static const char *gap(const char *count)
{
	return strchr(count, ' ') ? "" : " ";
}

static double per(uint64_t after, uint64_t before, double s)
{
	return (double)(after - before) / s;
}

void summary_compose(const struct summary *summary, const struct summary_sample *now,
		     char line[SUMMARY_LINES][SUMMARY_COLUMNS])
{
	const struct summary_sample *b = &summary->before;
	double s = (double)(now->time_ns - b->time_ns) / (double)NS_PER_S;
	uint64_t busy = now->busy_ns - b->busy_ns, idle = now->idle_ns - b->idle_ns;
	double busy_pct = busy ? 100.0 * (double)busy / (double)(busy + idle) : 0;
	// Time napped is in neither, so the share of the whole second is the honest one.
	double load_pct = 100.0 * (double)busy / (s * (double)NS_PER_S);
	char text[6][HUMAN_BYTES], drops[SUMMARY_COLUMNS - 48];

	drops_text(summary, now, s, drops, sizeof drops);
	snprintf(line[0], SUMMARY_COLUMNS, "requests %s/s  connections %s",
		 human_count(per(now->requests, b->requests, s), text[0]),
		 human_count((double)now->connections, text[1]));
	human_count(per(now->rx_pkts, b->rx_pkts, s), text[2]);
	human_count(8 * per(now->rx_bytes, b->rx_bytes, s), text[3]);
	human_count(per(now->tx_pkts, b->tx_pkts, s), text[4]);
	human_count(8 * per(now->tx_bytes, b->tx_bytes, s), text[5]);
	snprintf(line[1], SUMMARY_COLUMNS, "in %s pkt/s %s%sbit/s  out %s pkt/s %s%sbit/s", text[2],
		 text[3], gap(text[3]), text[4], text[5], gap(text[5]));
	snprintf(line[2], SUMMARY_COLUMNS, "busy %.1f %% (%.0f %% while awake)  drops: %s",
		 load_pct, busy_pct, drops);
}

// A terminal that wrapped a line would be moved up in too little, so it is told not to (DECAWM).
static void draw(struct summary *summary, char line[SUMMARY_LINES][SUMMARY_COLUMNS])
{
	if (!summary->live) {
		printf("%s  %s  %s\n", line[0], line[1], line[2]);
		return;
	}
	if (summary->lines_drawn)
		printf("\033[%uA", summary->lines_drawn);
	printf("\033[?7l");
	for (int i = 0; i < SUMMARY_LINES; i++)
		printf("%s\033[K\n", line[i]);
	printf("\033[?7h");
	summary->lines_drawn = SUMMARY_LINES;
}

void summary_show(struct summary *summary, uint64_t now_ns)
{
	char line[SUMMARY_LINES][SUMMARY_COLUMNS];
	struct summary_sample now;

	sample(summary->run, now_ns, &now);
	if (summary->before.time_ns && now_ns > summary->before.time_ns) {
		summary_compose(summary, &now, line);
		draw(summary, line);
		fflush(stdout);
	}
	summary->before = now;
}
