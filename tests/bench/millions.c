// SPDX-License-Identifier: BSD-3-Clause
// millions [CONNECTIONS [ROUNDS]]: so many established connections between two stacks in one
// process (default 8,000,000), with worlds of 1,000 and 1,000,000 beside them: what they weigh, and
// what it costs to find one of them. All are measured in turn; medians, as JSON.
//
// A find looks for the key of a connection drawn at random in the server's flow table; the key is
// in the cache, as an arriving packet's is. One: the next key is known only when the last value is.
// Burst: 32 at a time, whose misses overlap. A miss is a read that needs the one before it, of as
// much memory as the table has, in pages of the same kind. ACKs and ticks: million.c says what.
//
// Where there is less memory than that takes, by what the world before took, it is said how much
// would be needed, as many connections as there is memory for are made, and the exit status is 3.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/mem.h"
#include "core/start.h"
#include "core/worker.h"
#include "idle.h"
#include "tcp/conn.h"
#include "tcp/flow.h"

#define WORLDS_MAX 3
#define CONNECTIONS_DEFAULT 8000000
#define ROUNDS_DEFAULT 101
#define ROUNDS_MAX 5000
#define FINDS 1024 // in one measurement
#define WARM_UP 8  // that do not count before it
#define BURST 32   // not what a turn takes but what the flow table is measured with elsewhere
#define STEP 100000

enum measure { MISS, FIND_ONE, FIND_BURST, ACK_WARM, ACK_COLD, TICK, MEASURES };

static const char *const names[MEASURES] = {"miss_ns",     "find_one_ns", "find_burst_ns",
					    "ack_warm_ns", "ack_cold_ns", "tick_ns"};

struct world {
	struct idle idle;
	uint64_t open_ns; // to establish all
	uint64_t *chain;  // of reads, each of which says where the next one is
	uint64_t chain_lines;
	uint64_t cost[MEASURES][ROUNDS_MAX];
};

static struct world worlds[WORLDS_MAX];
static uint32_t world_count;
static struct rng rng;
static uint64_t sink; // what was found, so that it must be

static struct tcp *server(const struct world *w)
{
	return w->idle.duo.worker[SERVER]->tcp;
}

// One cycle through all lines (Sattolo).
static void chain_open(struct world *w)
{
	uint64_t lines = table_bytes(server(w)->table) / CACHE_LINE_BYTES;
	uint64_t *next = mem_map("a chain of reads", lines * CACHE_LINE_BYTES);

	duo_must(next != NULL, "memory");
	for (uint64_t i = 0; i < lines; i++)
		next[i * 8] = i;
	for (uint64_t i = lines - 1; i > 0; i--) {
		uint64_t j = rng_below(&rng, i), t = next[i * 8];

		next[i * 8] = next[j * 8];
		next[j * 8] = t;
	}
	w->chain = next;
	w->chain_lines = lines;
}

static uint64_t walk(const struct world *w, uint64_t at, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++)
		at = w->chain[at * 8];
	return at;
}

// A small table is in the caches when it is asked; so is its chain.
static uint64_t measure_miss(struct world *w)
{
	uint64_t at = walk(w, rng_below(&rng, w->chain_lines), WARM_UP * FINDS);
	uint64_t begin_ns = idle_now_ns();

	sink += walk(w, at, FINDS);
	return (idle_now_ns() - begin_ns) * 1000 / FINDS;
}

// Of connections the server has, which are all those in its slots.
static void draw_keys(struct world *w, struct flow_key16 *keys)
{
	for (uint32_t i = 0; i < FINDS; i++)
		keys[i] = conn_key(&server(w)->conn[rng_below(&rng, w->idle.count)]);
}

static uint64_t find_one_by_one(struct world *w, const struct flow_key16 *keys)
{
	const struct table *table = server(w)->table;
	uint32_t at = 0, value = 0, missed = 0;
	uint64_t begin_ns = idle_now_ns();

	for (uint32_t i = 0; i < FINDS; i++) {
		const struct flow_key16 *key = &keys[at];

		missed += !table16_find(table, key, table16_hash(table, key), &value);
		at += 1 + (value >> OWNER_SHIFT); // connections are kind 0, which only we know
	}
	uint64_t spent_ns = idle_now_ns() - begin_ns;

	duo_must(missed == 0, "a connection is not in the table");
	return spent_ns;
}

static uint64_t find_in_bursts(struct world *w, const struct flow_key16 *keys)
{
	const struct flow_key16 *burst[BURST];
	uint64_t found = UINT32_MAX, begin_ns = idle_now_ns();
	uint32_t values[BURST];

	for (uint32_t i = 0; i < FINDS; i += BURST) {
		for (uint32_t j = 0; j < BURST; j++)
			burst[j] = &keys[i + j];
		found &= table16_find_burst(server(w)->table, burst, BURST, values);
	}
	uint64_t spent_ns = idle_now_ns() - begin_ns;

	duo_must(found == UINT32_MAX, "a connection is not in the table");
	return spent_ns;
}

// Of several the last, as of the chain's reads: what lay between had the caches, and whatever
// translates addresses.
static uint64_t measure_find(struct world *w,
			     uint64_t (*find)(struct world *w, const struct flow_key16 *keys))
{
	static struct flow_key16 keys[FINDS];
	uint64_t spent_ns = 0;

	for (uint32_t i = 0; i <= WARM_UP; i++) {
		draw_keys(w, keys);
		spent_ns = find(w, keys);
	}
	return spent_ns * 1000 / FINDS;
}

static void measure(struct world *w, int round)
{
	(void)idle_ack_ps(&w->idle, false); // the last world had the caches
	w->cost[ACK_WARM][round] = idle_ack_ps(&w->idle, false);
	w->cost[ACK_COLD][round] = idle_ack_ps(&w->idle, true);
	w->cost[TICK][round] = idle_tick_ps(&w->idle);
	w->cost[FIND_ONE][round] = measure_find(w, find_one_by_one);
	w->cost[FIND_BURST][round] = measure_find(w, find_in_bursts);
	w->cost[MISS][round] = measure_miss(w);
}

static uint64_t available_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
		;
	duo_must(f != NULL, "/proc/meminfo");
	fclose(f);
	return (uint64_t)kib << 10;
}

// No stack has so many: its own words, before anything is made.
static void check_limit(uint32_t asked)
{
	struct prism_options given, o;

	PRISM_OPTIONS_INIT(&given);
	given.connections_max = asked;
	given.port_count = 1;
	given.ports[0].device = "pair:limit";
	options_fill(&o, &given);
	duo_must(options_check(&o) == 0, "millions");
}

// As many as were asked for, or as many as there is memory for, going by what a million took. Fewer
// than a million are not asked about.
static uint32_t fitting(uint32_t asked)
{
	if (world_count < 2)
		return asked;
	const struct world *last = &worlds[world_count - 1];
	uint64_t bytes = last->idle.bytes + table_bytes(server(last)->table);
	uint64_t each = bytes / last->idle.count + sizeof(prism_conn) + 1;
	uint64_t available = available_bytes() / 16 * 15; // the rest is for others
	uint64_t most = available / each / STEP * STEP;

	if (asked <= most)
		return asked;
	fprintf(stderr,
		"millions: %u connections, with both ends of each, take %.1f GiB; there is memory "
		"for %.1f GiB: %" PRIu64 " connections\n",
		asked, (double)(asked * each) / (1 << 30), (double)available / (1 << 30), most);
	duo_must(most > last->idle.count, "that is no more than are there already");
	return (uint32_t)most;
}

static void world_open(uint32_t count)
{
	struct world *w = &worlds[world_count++];
	uint64_t begin_ns = idle_now_ns();

	idle_open(&w->idle, count, &rng);
	w->open_ns = idle_now_ns() - begin_ns;
	chain_open(w);
}

static void report(struct world *w, int rounds)
{
	const struct idle *idle = &w->idle, *least = &worlds[0].idle;
	double bytes = (double)idle->bytes - (double)least->bytes;
	uint32_t more = idle->count - least->count;
	struct table_stats stats;

	table_stats(server(w)->table, &stats);
	duo_must(stats.keys == idle->count, "not every connection is in the table");
	printf("{\"connections\": %u, \"established_s\": %.2f, \"resident_bytes\": %" PRIu64
	       ", \"end_bytes\": %.1f, \"table_bytes\": %" PRIu64 ", \"table_entries\": %" PRIu64
	       ", \"table_slots\": %" PRIu64 ", \"in_first_bucket\": %" PRIu64,
	       idle->count, (double)w->open_ns / 1e9, idle->bytes, more ? bytes / (2.0 * more) : 0,
	       table_bytes(server(w)->table), stats.keys, stats.slots, stats.depth[0]);
	for (int m = 0; m < MEASURES; m++)
		printf(", \"%s\": %.2f", names[m], idle_median_ns(w->cost[m], rounds));
	printf("}");
}

int main(int argc, char **argv)
{
	uint32_t asked = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : CONNECTIONS_DEFAULT,
		 most;
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS_DEFAULT;

	if (asked <= 1000 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: millions [more than 1000 [ROUNDS up to %d]]\n", ROUNDS_MAX);
		return 2;
	}
	check_limit(asked);
	rng_seed(&rng, 1);
	world_open(1000);
	if (asked > 1000000)
		world_open(1000000);
	most = fitting(asked);
	world_open(most);
	for (int r = 0; r < rounds; r++)
		for (uint32_t i = 0; i < world_count; i++)
			measure(&worlds[i], r);
	for (uint32_t i = 0; i < world_count; i++) {
		printf(i ? ",\n " : "[");
		report(&worlds[i], rounds);
	}
	printf("]\n");
	for (uint32_t i = 0; i < world_count; i++) {
		idle_close(&worlds[i].idle);
		mem_unmap(worlds[i].chain, worlds[i].chain_lines * CACHE_LINE_BYTES);
	}
	return most < asked ? 3 : 0;
}
