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
// world is asked the same way. Warm: one burst's connections, the same each time. Cold: UNDER_WAY
// messages wait for their ACKs, on as many connections drawn at random, or on all there are in
// turn; so between sending on a connection and its ACK as much else goes on in every world, and as
// many packets are held. (So of a thousand connections each has four messages out, and three in
// four of its ACKs leave some outstanding.) The memory of a thousand connections is small; that of
// a million is read at random.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/time.h"
#include "base/wheel.h"
#include "core/clock.h"
#include "duo.h"

#define WORLDS_MAX 5
#define UNDER_WAY 4032 // whole bursts, and fewer than the pair holds
#define TICKS 64       // in one measurement
#define EVENTS 512
#define LISTEN_PORT 1000
#define PORTS_A_LISTENER 50000 // local ports 10000 and on, to each port listened on
#define ROUNDS_DEFAULT 201
#define ROUNDS_MAX 5000
#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)

enum measure { TICK, ACK_WARM, ACK_COLD, MEASURES };

struct world {
	struct duo duo;
	uint32_t count, established;
	uint64_t bytes;
	prism_conn *conn; // the client's, in random order
	uint32_t next;    // of conn: where the next measurement begins
	uint64_t cost[MEASURES][ROUNDS_MAX];
};

static struct world worlds[WORLDS_MAX];
static uint32_t world_count;
static struct clock wall;
static struct rng rng;

static uint64_t resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	duo_must(f && fscanf(f, "%llu %llu", &size, &resident) == 2, "/proc/self/statm");
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

// A turn of one side; received bytes go back at once.
static int turn(struct world *w, int side)
{
	struct prism_event events[EVENTS];
	int count = duo_turn(&w->duo, side, events, EVENTS);

	for (int i = 0; i < count; i++) {
		if (events[i].type == PRISM_EVENT_DATA)
			prism_buf_release(w->duo.worker[side], events[i].buf);
		duo_must(events[i].type != PRISM_EVENT_CLOSED, "a connection ended");
		w->established += events[i].type == PRISM_EVENT_CONNECTED;
	}
	return count;
}

static void connect_one(struct world *w, uint32_t index)
{
	struct prism_endpoint remote, local;

	prism_endpoint_parse(DUO_SERVER ":1", &remote);
	prism_endpoint_parse(DUO_CLIENT ":1", &local);
	remote.port = (uint16_t)(LISTEN_PORT + index / PORTS_A_LISTENER);
	local.port = (uint16_t)(10000 + index % PORTS_A_LISTENER);
	duo_must(prism_tcp_connect(w->duo.worker[CLIENT], &remote, &local, 0, &w->conn[index]) == 0,
		 "connect");
}

// All connections, a few hundred handshakes at a time.
static void connect_all(struct world *w)
{
	uint32_t begun = 0;

	for (uint64_t turns = 0; w->established < w->count; turns++) {
		while (begun < w->count && begun - w->established < 128)
			connect_one(w, begun++);
		turn(w, CLIENT);
		turn(w, SERVER);
		w->duo.now_ns += 1000;
		duo_must(turns < 100000000, "no progress");
	}
}

// Time goes by until timers of the handshake, or of what was sent, have fired and are armed for the
// keep-alive: their work is not what is measured.
static void settle(struct world *w)
{
	for (int i = 0; i < 4000; i++, w->duo.now_ns += NS_PER_MS) {
		turn(w, SERVER);
		turn(w, CLIENT);
	}
}

static void shuffle(struct world *w)
{
	for (uint32_t i = w->count - 1; i > 0; i--) {
		uint32_t j = (uint32_t)rng_below(&rng, i + 1);
		prism_conn conn = w->conn[i];

		w->conn[i] = w->conn[j];
		w->conn[j] = conn;
	}
}

static void world_open(struct world *w, uint32_t count)
{
	struct prism_options limits;
	char name[24];
	prism_listener listener;
	uint64_t before = resident_bytes();

	PRISM_OPTIONS_INIT(&limits);
	limits.connections_max = count;
	limits.keepalive_ns = 7200 * NS_PER_S;
	limits.buffers = 8192;
	limits.delayed_ack_ns = 1; // at the next tick
	snprintf(name, sizeof(name), "million%u", count);
	duo_open(&w->duo, name, &limits);
	w->count = count;
	for (uint16_t i = 0; i <= count / PORTS_A_LISTENER; i++) {
		struct prism_endpoint local = {.port = (uint16_t)(LISTEN_PORT + i)};

		duo_must(prism_tcp_listen(w->duo.worker[SERVER], &local, 0, &listener) == 0,
			 "listen");
	}
	w->conn = calloc(count, sizeof(*w->conn));
	duo_must(w->conn != NULL, "memory");
	connect_all(w);
	settle(w);
	shuffle(w);
	w->bytes = resident_bytes() - before - count * sizeof(*w->conn);
}

static uint64_t measure_tick(struct world *w)
{
	uint64_t begin_ns = clock_ns(&wall);

	for (int i = 0; i < TICKS; i++) {
		w->duo.now_ns += TICK_NS;
		turn(w, SERVER);
	}
	return (clock_ns(&wall) - begin_ns) * 1000 / TICKS;
}

static uint64_t received(const struct world *w)
{
	uint64_t segs = 0;

	(void)prism_counter(w->duo.prism[CLIENT], "tcp_segs_in", &segs);
	return segs;
}

// One message on each of count connections from first on. They wait in the pair.
static void send_messages(struct world *w, uint32_t first, uint32_t count)
{
	static const char message[64];

	for (uint32_t i = 0; i < count; i++) {
		duo_must(prism_tcp_send_copy(w->duo.worker[CLIENT], w->conn[(first + i) % w->count],
					     message, sizeof(message)) == 0,
			 "send");
		if (i % BURST_PKTS == BURST_PKTS - 1)
			turn(w, CLIENT);
	}
	turn(w, CLIENT);
}

// The server takes a burst and acknowledges it; the client's turn that gets the ACKs is timed.
static uint64_t measure_burst(struct world *w)
{
	uint64_t begin_ns;

	turn(w, SERVER);
	turn(w, SERVER); // nobody replied: acknowledgments may leave, or begin to wait
	w->duo.now_ns += 2 * TICK_NS;
	turn(w, SERVER);
	begin_ns = clock_ns(&wall);
	turn(w, CLIENT);
	return clock_ns(&wall) - begin_ns;
}

// Picoseconds an ACK.
static uint64_t measure_ack(struct world *w, bool cold)
{
	uint32_t burst = MIN(w->count, (uint32_t)BURST_PKTS);
	uint32_t count = cold && w->count > burst ? UNDER_WAY : burst;
	uint64_t before = received(w), spent_ns = 0, got;

	send_messages(w, cold ? w->next : 0, count);
	if (cold)
		w->next = (w->next + count) % w->count;
	for (uint32_t done = 0; done < count; done += burst)
		spent_ns += measure_burst(w);
	got = received(w) - before;
	duo_must(got >= count - burst, "acknowledgments"); // a burst may have to wait for ARP
	for (int i = 0; i < 300; i++, w->duo.now_ns += NS_PER_MS) { // retransmission timers
		turn(w, SERVER);
		turn(w, CLIENT);
	}
	return spent_ns * 1000 / MAX(got, UINT64_C(1));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median_ns(struct world *w, enum measure m, int rounds)
{
	qsort(w->cost[m], (size_t)rounds, sizeof(uint64_t), by_value);
	return (double)w->cost[m][rounds / 2] / 1000;
}

static void measure_all(int rounds)
{
	for (int r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < world_count; i++) {
			struct world *w = &worlds[i];

			(void)measure_ack(w, false); // the last world had the caches
			w->cost[ACK_WARM][r] = measure_ack(w, false);
			w->cost[ACK_COLD][r] = measure_ack(w, true);
			w->cost[TICK][r] = measure_tick(w);
		}
	}
}

static void report(int rounds)
{
	printf("[");
	for (uint32_t i = 0; i < world_count; i++) {
		struct world *w = &worlds[i];
		double bytes = ((double)w->bytes - (double)worlds[0].bytes) /
			       (2.0 * (w->count - worlds[0].count));

		printf("%s\n {\"connections\": %u, \"bytes\": %.1f, \"tick_ns\": %.2f, "
		       "\"ack_warm_ns\": %.2f, \"ack_cold_ns\": %.2f}",
		       i ? "," : "", w->count, i ? bytes : 0, median_ns(w, TICK, rounds),
		       median_ns(w, ACK_WARM, rounds), median_ns(w, ACK_COLD, rounds));
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
	clock_init(&wall);
	rng_seed(&rng, 1);
	world_open(&worlds[world_count++], 64);
	for (uint32_t count = 1000; count <= most; count *= 10)
		world_open(&worlds[world_count++], count);
	measure_all(rounds);
	report(rounds);
	for (uint32_t i = 0; i < world_count; i++) {
		duo_close(&worlds[i].duo);
		free(worlds[i].conn);
	}
	return 0;
}
