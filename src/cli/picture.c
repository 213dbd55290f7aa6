// SPDX-License-Identifier: BSD-3-Clause
// One look at an instance, as lines: state, workers, ports, connections, pools, the copy ledger,
// drops with their rates, and unaccounted. Pure text from two samples, so that prism top on a
// terminal and prism top --once show the same. Called by top.c.

#include "cli/picture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/human.h"

static void take(void *context, const struct stats_value *value)
{
	struct picture_sample *sample = context;

	if (sample->count < PICTURE_VALUES_MAX)
		sample->value[sample->count++] = *value;
}

void picture_sample(const struct shm_reader *reader, uint64_t now_ns, struct picture_sample *out)
{
	out->time_ns = now_ns;
	out->count = 0;
	stats_each(reader, take, out);
}

static void add_line(struct picture *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_line(struct picture *p, const char *format, ...)
{
	va_list args;

	if (p->line_count == PICTURE_LINES_MAX)
		return;
	va_start(args, format);
	vsnprintf(p->line[p->line_count++], PICTURE_COLUMNS, format, args);
	va_end(args);
}

static uint64_t value_in(const struct picture_sample *sample, const char *name)
{
	for (uint32_t i = 0; i < sample->count; i++)
		if (strcmp(sample->value[i].name, name) == 0)
			return sample->value[i].value;
	return 0;
}

static uint64_t value_of(const struct picture *p, const char *name)
{
	return value_in(p->after, name);
}

static uint64_t grown(const struct picture *p, const char *name)
{
	return value_in(p->after, name) - value_in(p->before, name);
}

static double seconds(const struct picture *p)
{
	return (double)(p->after->time_ns - p->before->time_ns) / (double)NS_PER_S;
}

// How much a second, for people.
static const char *rate(const struct picture *p, const char *name, double factor, char *text)
{
	return human_count(factor * (double)grown(p, name) / seconds(p), text);
}

static double share_pct(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

// "worker.3.turns"
static const char *of_worker(uint32_t worker, const char *field, char name[80])
{
	snprintf(name, 80, "worker.%u.%s", worker, field);
	return name;
}

static void add_worker(struct picture *p, uint32_t worker)
{
	char name[80], text[7][HUMAN_BYTES];
	uint64_t busy_turns = grown(p, of_worker(worker, "turns_busy", name));
	uint64_t pkts = grown(p, of_worker(worker, "in_pkts", name));
	uint64_t busy_ns = grown(p, of_worker(worker, "busy_ns", name));
	uint64_t cycles = grown(p, of_worker(worker, "busy_cycles", name));

	snprintf(text[6], HUMAN_BYTES, "%u", worker);
	add_line(p, "%-6s %6.1f %8s %8.1f %10s %8s %7s %9s %9s", text[6],
		 share_pct(busy_ns, p->after->time_ns - p->before->time_ns),
		 rate(p, of_worker(worker, "turns", name), 1, text[0]),
		 busy_turns ? (double)pkts / (double)busy_turns : 0.0,
		 pkts ? human_count((double)cycles / (double)pkts, text[1]) : "-",
		 human_count((double)value_of(p, of_worker(worker, "handed_pkts", name)), text[2]),
		 human_count((double)value_of(p, of_worker(worker, "conns_open", name)), text[3]),
		 human_count((double)value_of(p, of_worker(worker, "conns_half_open", name)),
			     text[4]),
		 human_count((double)value_of(p, of_worker(worker, "conns_time_wait", name)),
			     text[5]));
}

static void add_workers(struct picture *p)
{
	uint64_t turns = grown(p, "turns");

	add_line(p, "%-6s %6s %8s %8s %10s %8s %7s %9s %9s", "worker", "busy %", "turns/s",
		 "pkt/turn", "cycles/pkt", "in rings", "open", "half open", "time-wait");
	for (uint32_t i = 0; i < p->head->worker_count; i++)
		add_worker(p, i);
	if (turns == 0 && p->state == STATS_RUNNING)
		add_line(p, "  no turn was counted between two looks");
	if (p->head->worker_count > 1)
		add_line(p, "rebalance %s: %" PRIu64 " orders, %" PRIu64 " connections given",
			 value_of(p, "control.rebalance") ? "on" : "off",
			 value_of(p, "rebalance_orders"), value_of(p, "rebalance_conns"));
}

// The part of "port.NAME.field" between the dots, when field is what it ends in.
static bool named(const char *name, const char *kind, const char *field, char *part)
{
	size_t kind_len = strlen(kind), len = strlen(name), field_len = strlen(field);

	if (strncmp(name, kind, kind_len) != 0 || len <= kind_len + field_len ||
	    strcmp(name + len - field_len, field) != 0)
		return false;
	snprintf(part, 48, "%.*s", (int)(len - kind_len - field_len), name + kind_len);
	return true;
}

static void add_ports(struct picture *p)
{
	add_line(p, "%-10s %12s %12s %12s %12s", "port", "in pkt/s", "in bit/s", "out pkt/s",
		 "out bit/s");
	for (uint32_t i = 0; i < p->after->count; i++) {
		char part[48], name[4][80], text[4][HUMAN_BYTES];

		if (!named(p->after->value[i].name, "port.", ".rx_pkts", part))
			continue;
		snprintf(name[0], sizeof name[0], "port.%s.rx_pkts", part);
		snprintf(name[1], sizeof name[1], "port.%s.rx_bytes", part);
		snprintf(name[2], sizeof name[2], "port.%s.tx_pkts", part);
		snprintf(name[3], sizeof name[3], "port.%s.tx_bytes", part);
		add_line(p, "%-10s %12s %12s %12s %12s", part, rate(p, name[0], 1, text[0]),
			 rate(p, name[1], 8, text[1]), rate(p, name[2], 1, text[2]),
			 rate(p, name[3], 8, text[3]));
	}
}

static void add_pools(struct picture *p)
{
	add_line(p, "%-10s %12s %12s %12s", "pool", "free", "of", "in use %");
	for (uint32_t i = 0; i < p->after->count; i++) {
		char part[48], name[80];

		if (!named(p->after->value[i].name, "pool.", ".capacity_pkts", part))
			continue;
		snprintf(name, sizeof name, "pool.%s.available_pkts", part);
		uint64_t capacity = p->after->value[i].value, available = value_of(p, name);
		add_line(p, "%-10s %12" PRIu64 " %12" PRIu64 " %12.1f", part, available, capacity,
			 share_pct(capacity - available, capacity));
	}
}

// Bytes copied, by reason: the law is that these stay at zero for bulk data.
static void add_copies(struct picture *p)
{
	char text[PICTURE_COLUMNS] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < p->after->count && at < sizeof text; i++) {
		const struct stats_value *v = &p->after->value[i];

		if (strncmp(v->name, "copied_bytes_", 13) == 0)
			at += (size_t)snprintf(
				text + at, sizeof text - at, "  %s %s", v->name + 13,
				human_count((double)v->value, (char[HUMAN_BYTES]){0}));
	}
	add_line(p, "copied bytes:%s", text);
}

// A worker counts on while its numbers are read, so up to some bursts may seem to be missing. What
// is really lost stays the same, or grows beyond that.
#define IN_FLIGHT_PKTS 1024

static void add_unaccounted(struct picture *p)
{
	int64_t now = (int64_t)value_of(p, "unaccounted");
	int64_t then = (int64_t)value_in(p->before, "unaccounted");
	const char *why = "";

	if (now != 0 && (now == then || llabs(now) > IN_FLIGHT_PKTS))
		why = "  (a bug in Prism: please report it)";
	else if (now != 0)
		why = "  (in flight while this was read)";
	add_line(p, "unaccounted: %" PRId64 "%s", now, why);
}

struct drop_row {
	const char *name;
	uint64_t total, grown;
	bool by_total;
};

static int more_first(const void *a, const void *b)
{
	const struct drop_row *x = a, *y = b;
	uint64_t of_x = x->by_total ? x->total : x->grown;
	uint64_t of_y = y->by_total ? y->total : y->grown;

	if (of_x != of_y)
		return of_x < of_y ? 1 : -1;
	return x->total < y->total ? 1 : x->total > y->total ? -1 : strcmp(x->name, y->name);
}

static void add_drops(struct picture *p)
{
	struct drop_row rows[PICTURE_LINES_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->after->count && count < PICTURE_LINES_MAX; i++) {
		const struct stats_value *v = &p->after->value[i];

		if (strncmp(v->name, "drop.", 5) == 0 && v->value)
			rows[count++] = (struct drop_row){v->name + 5, v->value, grown(p, v->name),
							  p->by_total};
	}
	qsort(rows, count, sizeof rows[0], more_first);
	add_line(p, "%-36s %12s %14s", count ? "dropped" : "dropped: nothing", count ? "pkt/s" : "",
		 count ? "in all" : "");
	for (uint32_t i = 0; i < count; i++)
		add_line(p, "  %-34s %12s %14" PRIu64, rows[i].name,
			 human_count((double)rows[i].grown / seconds(p), (char[HUMAN_BYTES]){0}),
			 rows[i].total);
}

void picture_compose(struct picture *p)
{
	static const char *const words[] = {
		"starting",
		"running",
		"STUCK: a worker makes no turns",
		"stopping",
		"ended: these are its last numbers",
		"DEAD: these are its last numbers",
	};

	p->line_count = 0;
	add_line(p, "prism %s  pid %u  version %s  %s", p->head->instance, p->head->pid,
		 p->head->version, words[p->state]);
	add_line(p, "%s", "");
	add_workers(p);
	add_line(p, "%s", "");
	add_ports(p);
	add_line(p, "%s", "");
	add_pools(p);
	add_line(p, "%s", "");
	add_copies(p);
	add_unaccounted(p);
	add_line(p, "%s", "");
	add_drops(p);
}
