// SPDX-License-Identifier: BSD-3-Clause
// Pacing: a window leaves over a round trip and not in one burst, where a connection is asked to.
#pragma once

#include "tcp/conn.h"

// What is due in so much time leaves at once.
#define PACE_BURST_NS (UINT64_C(1) << 17)

// Of a paced connection: true when new text has to wait; the timer is set then.
bool pace_holds(struct tcp *tcp, struct conn *c);

// Text is leaving just now; snd.nxt does not know of it yet.
void pace_sent(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t len);

// The most that one packet should carry, of what it may.
uint32_t pace_packet_bytes(const struct conn *c, uint32_t bytes_max);

// What both sides' windows but cwnd would let go now: it is the rate that holds it.
uint64_t pace_waiting_bytes(const struct conn *c);

// The connection's timer fired: what waited may be due.
void pace_fires(struct tcp *tcp, struct conn *c);

// What the application wants.
void pace_choose(struct tcp *tcp, struct conn *c, bool paced);
