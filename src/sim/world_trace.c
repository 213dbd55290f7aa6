// SPDX-License-Identifier: BSD-3-Clause
// What a world did, in words and numbers: the trace rings of all its workers decoded and merged by
// time, and counters summed over the workers of a node. Called by sim/run.c for results and for
// runs that failed; reads world.c's structures and observe/trace.h.
#include <stdio.h>

#include "base/time.h"
#include "sim/world.h"

static const struct counters *counters_of(const struct node *node, uint32_t w)
{
	return w ? &node->more_counters[w] : &node->counters;
}

uint64_t world_counter(const struct world *world, int node, enum counter which)
{
	const struct node *n = &world->node[node];
	uint64_t sum = 0;

	for (uint32_t w = 0; w < n->worker_count; w++)
		sum += counters_of(n, w)->value[which];
	return sum;
}

uint64_t world_drops(const struct world *world, int node, enum drop *most)
{
	const struct node *n = &world->node[node];
	uint64_t sum = 0, greatest = 0;

	*most = DROP_OK;
	for (uint32_t reason = DROP_OK + 1; reason < DROP_COUNT; reason++) {
		uint64_t count = 0;

		for (uint32_t w = 0; w < n->worker_count; w++)
			count += counters_of(n, w)->drop[reason];
		sum += count;
		if (count <= greatest)
			continue;
		greatest = count;
		*most = (enum drop)reason;
	}
	return sum;
}

static void write_record(FILE *f, int node, uint32_t w, const struct trace_record *r)
{
	const struct event_info *info = &event_infos[r->event < EVENT_COUNT ? r->event : 0];

	fprintf(f, "%12.6f node %d ", ((double)r->time_ns - (double)WORLD_START_NS) / 1e9, node);
	if (w)
		fprintf(f, "worker %u ", w);
	if (r->subject != TRACE_NO_SUBJECT)
		fprintf(f, "#%u ", r->subject);
	fprintf(f, "%s: ", info->name);
	for (const char *c = info->sentence; *c; c++) {
		if (c[0] == '%' && (c[1] == 'a' || c[1] == 'b'))
			fprintf(f, "%llu", (unsigned long long)(*++c == 'a' ? r->a : r->b));
		else
			fputc(*c, f);
	}
	fputc('\n', f);
}

// One worker's ring, and how far it is written down.
struct cursor {
	const struct trace *trace;
	uint64_t at;
	int node;
	uint32_t worker;
};

static uint32_t cursors_of(const struct world *world, struct cursor *cursors)
{
	uint32_t count = 0;

	for (int i = 0; i < world->node_count; i++) {
		const struct node *node = &world->node[i];

		for (uint32_t w = 0; w < node->worker_count; w++) {
			const struct trace *trace = w ? &node->more_trace[w] : &node->trace;
			uint64_t written = trace->written;

			cursors[count++] = (struct cursor){
				trace, written > TRACE_RECORDS ? written - TRACE_RECORDS : 0, i, w};
		}
	}
	return count;
}

static const struct trace_record *record_at(const struct cursor *c)
{
	return c->at < c->trace->written ? &c->trace->record[c->at & (TRACE_RECORDS - 1)] : NULL;
}

bool world_write_trace(const struct world *world, const char *path)
{
	struct cursor cursors[WORLD_NODES_MAX * WORLD_WORKERS_MAX];
	uint32_t count = cursors_of(world, cursors);
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	for (;;) {
		const struct trace_record *first = NULL;
		struct cursor *of = NULL;

		for (uint32_t i = 0; i < count; i++) {
			const struct trace_record *r = record_at(&cursors[i]);

			if (!r || (first && first->time_ns <= r->time_ns))
				continue;
			first = r;
			of = &cursors[i];
		}
		if (!first)
			break;
		write_record(f, of->node, of->worker, first);
		of->at++;
	}
	bool good = ferror(f) == 0;

	return fclose(f) == 0 && good;
}
