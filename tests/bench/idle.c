// SPDX-License-Identifier: BSD-3-Clause
// See idle.h.
#include "idle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/wheel.h"
#include "core/clock.h"

#define TICKS 64 // in one measurement
#define EVENTS 512
#define LISTEN_PORT 1000
#define PORTS_A_LISTENER 50000 // local ports 10000 and on, to each port listened on
#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)

uint64_t idle_now_ns(void)
{
	static struct clock wall;
	static bool known;

	if (!known)
		clock_init(&wall);
	known = true;
	return clock_ns(&wall);
}

static uint64_t resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	duo_must(f && fscanf(f, "%llu %llu", &size, &resident) == 2, "/proc/self/statm");
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

int idle_turn(struct idle *w, int side)
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

static void connect_one(struct idle *w, uint32_t index)
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
static void connect_all(struct idle *w)
{
	uint32_t begun = 0;

	for (uint64_t turns = 0; w->established < w->count; turns++) {
		while (begun < w->count && begun - w->established < 128)
			connect_one(w, begun++);
		idle_turn(w, CLIENT);
		idle_turn(w, SERVER);
		w->duo.now_ns += 1000;
		duo_must(turns < 100000000, "no progress");
	}
}

// Time goes by until timers of the handshake, or of what was sent, have fired and are armed for the
// keep-alive: their work is not what is measured.
static void settle(struct idle *w)
{
	for (int i = 0; i < 4000; i++, w->duo.now_ns += NS_PER_MS) {
		idle_turn(w, SERVER);
		idle_turn(w, CLIENT);
	}
}

static void shuffle(struct idle *w, struct rng *rng)
{
	for (uint32_t i = w->count - 1; i > 0; i--) {
		uint32_t j = (uint32_t)rng_below(rng, i + 1);
		prism_conn conn = w->conn[i];

		w->conn[i] = w->conn[j];
		w->conn[j] = conn;
	}
}

void idle_open(struct idle *w, uint32_t count, struct rng *rng)
{
	struct prism_options limits;
	char name[24];
	prism_listener listener;
	uint64_t before = resident_bytes();

	PRISM_OPTIONS_INIT(&limits);
	limits.connections_max = count;
	limits.listeners_max = MAX(64u, count / PORTS_A_LISTENER + 1);
	limits.keepalive_ns = 7200 * NS_PER_S;
	limits.buffers = 8192;
	limits.delayed_ack_ns = 1; // at the next tick
	snprintf(name, sizeof(name), "idle%u", count);
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
	shuffle(w, rng);
	w->bytes = resident_bytes() - before - count * sizeof(*w->conn);
}

void idle_close(struct idle *w)
{
	duo_close(&w->duo);
	free(w->conn);
}

uint64_t idle_tick_ps(struct idle *w)
{
	uint64_t begin_ns = idle_now_ns();

	for (int i = 0; i < TICKS; i++) {
		w->duo.now_ns += TICK_NS;
		idle_turn(w, SERVER);
	}
	return (idle_now_ns() - begin_ns) * 1000 / TICKS;
}

static uint64_t received(const struct idle *w)
{
	uint64_t segs = 0;

	(void)prism_counter(w->duo.prism[CLIENT], "tcp_segs_in", &segs);
	return segs;
}

// One message on each of count connections from first on. They wait in the pair.
static void send_messages(struct idle *w, uint32_t first, uint32_t count)
{
	static const char message[64];

	for (uint32_t i = 0; i < count; i++) {
		duo_must(prism_tcp_send_copy(w->duo.worker[CLIENT], w->conn[(first + i) % w->count],
					     message, sizeof(message)) == 0,
			 "send");
		if (i % BURST_PKTS == BURST_PKTS - 1)
			idle_turn(w, CLIENT);
	}
	idle_turn(w, CLIENT);
}

// The server takes a burst and acknowledges it; the client's turn that gets the ACKs is timed.
static uint64_t measure_burst(struct idle *w)
{
	uint64_t begin_ns;

	idle_turn(w, SERVER);
	idle_turn(w, SERVER); // nobody replied: acknowledgments may leave, or begin to wait
	w->duo.now_ns += 2 * TICK_NS;
	idle_turn(w, SERVER);
	begin_ns = idle_now_ns();
	idle_turn(w, CLIENT);
	return idle_now_ns() - begin_ns;
}

uint64_t idle_ack_ps(struct idle *w, bool cold)
{
	uint32_t burst = MIN(w->count, (uint32_t)BURST_PKTS);
	uint32_t count = cold && w->count > burst ? IDLE_UNDER_WAY : burst;
	uint64_t before = received(w), spent_ns = 0, got;

	send_messages(w, cold ? w->next : 0, count);
	if (cold)
		w->next = (w->next + count) % w->count;
	for (uint32_t done = 0; done < count; done += burst)
		spent_ns += measure_burst(w);
	got = received(w) - before;
	duo_must(got >= count - burst, "acknowledgments"); // a burst may have to wait for ARP
	for (int i = 0; i < 300; i++, w->duo.now_ns += NS_PER_MS) { // retransmission timers
		idle_turn(w, SERVER);
		idle_turn(w, CLIENT);
	}
	return spent_ns * 1000 / MAX(got, UINT64_C(1));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double idle_median_ns(uint64_t *ps, int rounds)
{
	qsort(ps, (size_t)rounds, sizeof(*ps), by_value);
	return (double)ps[rounds / 2] / 1000;
}
