// SPDX-License-Identifier: BSD-3-Clause
// Runs: segments of one flow that come one behind the other in one burst.
#pragma once

#include "tcp/segment.h"

struct conn;
struct tcp;

// The segment before, while text of its flow follows in the same burst (run.c).
struct text_run {
	struct conn *conn; // NULL: there is none
	struct addr src, dst;
	uint32_t ports, ack, wnd; // as struct segment has them
	uint16_t header_len;
	uint8_t tos;
};

// A segment of a run (arrival's in_run). True: it was taken, as one that only brings the next text
// after the segment before it; false: it goes the way of all others, and the run is over.
bool run_input(struct tcp *tcp, struct pkt *p, const struct arrival *arrival);

// Text in order was taken of a segment that another of its run follows.
void run_begins(struct tcp *tcp, struct conn *c, const struct segment *s);
