// SPDX-License-Identifier: BSD-3-Clause
// What applications do with the connections of a simulation: the plan of both sides, and how far
// each has come. Every byte is known by connection, direction and offset, so whatever arrives can
// be checked on the spot.
#pragma once

#include <prismnet/prism.h>

#include "base/rand.h"
#include "sim/plan.h"
#include "sim/world.h"

struct held {
	struct prism_buf *buf;
	uint64_t until_ns;
	uint32_t len; // bytes still to be echoed
};

#define HELD_MAX 4096 // a power of two

struct side {
	struct plan_side plan;
	uint32_t request_bytes, response_bytes; // taking turns; 0: does not wait for the other
	int host;
	// how far it has come
	prism_conn conn;
	uint32_t worker; // of its host
	bool open, eof, close_called, closed, paused;
	bool moving; // to another worker
	uint64_t stays_until_ns;
	uint32_t reason;
	uint64_t sent_bytes, received_bytes;
	uint64_t cookies_sent, cookies_back;
	uint64_t paused_until_ns; // also after a send that found no buffer
	struct held *held;        // ring of held_max, which grows up to HELD_MAX
	uint32_t held_first, held_count, held_max;
};

struct flow {
	struct side side[2]; // 0 opened it
	uint32_t index, app;
	uint64_t start_ns;
	uint64_t progress_ns; // last, while one owes the other
	bool started, simultaneous, ip6;
	uint16_t port[2]; // local port of each side, once known
	uint64_t key[2];  // of the bytes side 0 and side 1 send
};

struct flows {
	struct world *world;
	struct flow *flow;
	uint32_t count;
	struct rng rng;
	const char *failure;
	uint64_t received_bytes;
	uint64_t event_ns; // of the last event
	uint64_t ended_ns; // when the last one to end did
	uint64_t stall_ns; // the longest time without progress
	uint32_t stalled;  // whose that was
	uint32_t refused;  // connects that could not even begin
	uint32_t move_ppm; // of a side's chances to act: it goes to another worker
	uint32_t moved;
};

#define FLOW_LISTEN_PORT 80

// The bytes everything sends: once a process.
void pattern_init(void);

// Where a connection's bytes with this key are, from offset on; at least PATTERN_RUN_BYTES there.
#define PATTERN_RUN_BYTES 65536
const uint8_t *pattern_at(uint64_t key, uint64_t offset);

// All connections of a plan, what is random of them from the seed.
void flows_make(struct flows *flows, const struct plan *plan, uint64_t seed);
void flows_free(struct flows *flows);

void flows_listen(struct flows *flows);

// What a host's stack reported; checks bytes and order.
void flows_take(void *flows, int node, const struct prism_event *event);

// Lets every side do what it can now: connect, send, release, close (flow_act.c).
void flows_act(struct flows *flows);

// When flows_act has something to do, if no event comes first.
uint64_t flows_next_ns(const struct flows *flows);

// All started, ended on both sides, all buffers released.
bool flows_over(const struct flows *flows);

// Ends what still goes on: an application that waited long enough. For connections whose peer is
// gone without a word.
void flows_give_up(struct flows *flows, uint32_t index);

// For flow.c and flow_act.c.
void flow_fail(struct flows *flows, const char *what);
struct prism_worker *flow_worker(struct flows *flows, const struct flow *flow, int side);
uint64_t flow_user(const struct flow *flow, int side);
void flow_release_first(struct flows *flows, struct flow *flow, int side);
