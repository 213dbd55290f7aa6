// SPDX-License-Identifier: BSD-3-Clause
// million [CONNECTIONS [ROUNDS]]: idle established connections between two stacks in one process:
// what one weighs, and what a timer tick and an ACK cost beside so many. Worlds of 1,000, 10,000,
// ... up to CONNECTIONS (default 1,000,000) stand side by side and are measured in turn; medians.
//
// Bytes: of two processes' memory for two ends, an end's share; everything there is (slots, table,
// timers, descriptors, packets), less what a world of 64 connections takes. Every connection has a
// keep-alive timer armed. A tick is a turn of one wheel tick without traffic.
//
// An ACK is a turn of the stack that gets pure acknowledgments, a burst at a time, divided. Every
// world is asked the same way. Warm: one burst's connections, the same each time. Cold:
// IDLE_UNDER_WAY messages wait for their ACKs, on as many connections drawn at random, or on all
// there are in turn; so between sending on a connection and its ACK as much else goes on in every
// world, and as many packets are held. (So of a thousand connections each has four messages out,
// and three in four of its ACKs leave some outstanding.) The memory of a thousand connections is
// small; that of a million is read at random.
#include <stdio.h>
#include <stdlib.h>

#include "idle.h"

#define WORLDS_MAX 5
#define ROUNDS_DEFAULT 201
#define ROUNDS_MAX 5000

enum measure { TICK, ACK_WARM, ACK_COLD, MEASURES };

struct world {
	struct idle idle;
	uint64_t cost[MEASURES][ROUNDS_MAX];
};

static struct world worlds[WORLDS_MAX];
static uint32_t world_count;
static struct rng rng;

static void measure_all(int rounds)
{
	for (int r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < world_count; i++) {
			struct world *w = &worlds[i];

			(void)idle_ack_ps(&w->idle, false); // the last world had the caches
			w->cost[ACK_WARM][r] = idle_ack_ps(&w->idle, false);
			w->cost[ACK_COLD][r] = idle_ack_ps(&w->idle, true);
			w->cost[TICK][r] = idle_tick_ps(&w->idle);
		}
	}
}

static void report(int rounds)
{
	printf("[");
	for (uint32_t i = 0; i < world_count; i++) {
		struct world *w = &worlds[i];
		const struct idle *idle = &w->idle, *least = &worlds[0].idle;
		double bytes = ((double)idle->bytes - (double)least->bytes) /
			       (2.0 * (idle->count - least->count));

		printf("%s\n {\"connections\": %u, \"bytes\": %.1f, \"tick_ns\": %.2f, "
		       "\"ack_warm_ns\": %.2f, \"ack_cold_ns\": %.2f}",
		       i ? "," : "", idle->count, i ? bytes : 0,
		       idle_median_ns(w->cost[TICK], rounds),
		       idle_median_ns(w->cost[ACK_WARM], rounds),
		       idle_median_ns(w->cost[ACK_COLD], rounds));
	}
	printf("\n]\n");
}

int main(int argc, char **argv)
{
	uint32_t most = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS_DEFAULT;

	if (most < 1000 || most > 1000000 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: million [1000..1000000 [ROUNDS up to %d]]\n", ROUNDS_MAX);
		return 2;
	}
	rng_seed(&rng, 1);
	idle_open(&worlds[world_count++].idle, 64, &rng);
	for (uint32_t count = 1000; count <= most; count *= 10)
		idle_open(&worlds[world_count++].idle, count, &rng);
	measure_all(rounds);
	report(rounds);
	for (uint32_t i = 0; i < world_count; i++)
		idle_close(&worlds[i].idle);
	return 0;
}
