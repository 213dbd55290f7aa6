// SPDX-License-Identifier: BSD-3-Clause
// What an application does with one connection of the simulation: the plan of both sides, drawn
// from the seed, and how far each has come. Every byte is known by connection, direction and
// offset, so whatever arrives can be checked on the spot.
#pragma once

#include <prismnet/prism.h>

#include "../support/world.h"
#include "base/rand.h"

enum send_method { SEND_COPY, SEND_BUF, SEND_REGION, SEND_BORROWED, SEND_ECHO, SEND_METHODS };

// When a side closes, once all it had to send is queued.
enum close_rule {
	CLOSE_WHEN_SENT, // at once: half close
	CLOSE_ON_EOF,    // when the other side has closed
	CLOSE_WHEN_DONE, // when it has received all it expects
	CLOSE_ABORT,     // resets after abort_bytes were sent and received
	CLOSE_RULES,
};

struct held {
	struct prism_buf *buf;
	uint64_t until_ns;
	uint32_t len; // bytes still to be echoed
};

#define HELD_MAX 4096

struct side {
	// the plan
	uint64_t send_bytes;
	uint64_t abort_bytes;
	uint32_t chunk_bytes;                   // a send call's at most
	uint32_t request_bytes, response_bytes; // taking turns; 0: does not wait for the other
	uint64_t hold_ns_max;                   // how long received buffers are kept
	uint64_t pause_ns;                      // once, in the middle of sending
	enum send_method method;
	enum close_rule close_rule;
	// how far it has come
	prism_conn conn;
	uint32_t worker; // of its node
	bool open, eof, close_called, closed, paused;
	bool moving; // to another worker
	uint64_t stays_until_ns;
	uint32_t reason;
	uint64_t sent_bytes, received_bytes;
	uint64_t cookies_sent, cookies_back;
	uint64_t paused_until_ns; // also after a send that found no buffer
	struct held *held;        // ring of HELD_MAX
	uint32_t held_first, held_count;
};

struct flow {
	struct side side[2]; // 0 opened it
	int opener;          // node of side 0
	uint32_t index;
	uint64_t start_ns;
	bool started, simultaneous;
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
	uint32_t refused;  // connects that could not even begin
	uint32_t move_ppm; // of a side's chances to act: it goes to another worker
	uint32_t moved;
	bool ip6;        // every second connection goes over IPv6
	uint32_t broken; // ended by anything but plan
};

#define FLOW_LISTEN_PORT 80

// The bytes everything sends: once a process.
void pattern_init(void);

// Where a connection's bytes with this key are, from offset on; at least PATTERN_RUN_BYTES there.
#define PATTERN_RUN_BYTES 65536
const uint8_t *pattern_at(uint64_t key, uint64_t offset);

void flows_listen(struct flows *flows);

// What a node's stack reported; checks bytes and order.
void flows_take(void *flows, int node, const struct prism_event *event);

// Lets every side do what it can now: connect, send, release, close.
void flows_act(struct flows *flows);

// When flows_act has something to do, if no event comes first.
uint64_t flows_next_ns(const struct flows *flows);

// All started, ended on both sides, all buffers released.
bool flows_over(const struct flows *flows);

// Ends what still goes on: an application that waited long enough. For connections whose peer is
// gone without a word.
void flows_give_up(struct flows *flows, uint32_t index);
