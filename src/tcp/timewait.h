// SPDX-License-Identifier: BSD-3-Clause
// TIME-WAIT: what stays of a connection that closed first.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

struct time_wait {
	struct addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t snd_nxt, rcv_nxt; // as on the wire
	uint32_t ts_recent;
	uint64_t expires_ns; // 0: the record is a gap
	uint8_t has_ts;
	uint8_t answered;     // the stretch of time in which it last answered what it did not know
	uint16_t wnd_units;   // as last offered, scaled
	uint8_t source_route; // of its path
};
static_assert(sizeof(struct time_wait) == CACHE_LINE_BYTES, "a line for each");

void timewait_init(struct tcp *tcp);

// Takes over the connection's entry in the table. A full ring gives up its oldest record.
void timewait_add(struct tcp *tcp, struct conn *c);

// A segment for a record. Takes it. The record makes way for a SYN that begins a new connection.
void timewait_input(struct tcp *tcp, uint32_t index, struct segment *s);

// Our own connect may use the tuple again: the record is gone and *isn_floor set. False when it
// must still wait.
bool timewait_reuse(struct tcp *tcp, uint32_t index, uint32_t *isn_floor);
