// SPDX-License-Identifier: BSD-3-Clause
// Idle established connections between two stacks in one process (duo.h): what benches of many
// connections stand on. Every one has a keep-alive timer armed.
#pragma once

#include "base/rand.h"
#include "duo.h"

struct idle {
	struct duo duo;
	uint32_t count, established;
	uint64_t bytes;   // of the process's memory, for both ends of all; the list below is not
	prism_conn *conn; // the client's, in random order
	uint32_t next;    // of conn: where the next measurement begins
};

// Opens them all, and lets time go by until only keep-alive timers are armed. Ends the program on
// failure.
void idle_open(struct idle *w, uint32_t count, struct rng *rng);
void idle_close(struct idle *w);

// A turn of one side; received bytes go back at once.
int idle_turn(struct idle *w, int side);

// Picoseconds a wheel tick without traffic, at the server.
uint64_t idle_tick_ps(struct idle *w);

// Picoseconds a pure ACK: a turn of the client that gets a burst of them, divided. Warm: one
// burst's connections, the same each time. Cold: IDLE_UNDER_WAY messages wait for their ACKs.
#define IDLE_UNDER_WAY 4032 // whole bursts, and fewer than the pair holds
uint64_t idle_ack_ps(struct idle *w, bool cold);

// Of what was measured so often in picoseconds; sorts it.
double idle_median_ns(uint64_t *ps, int rounds);

uint64_t idle_now_ns(void);
