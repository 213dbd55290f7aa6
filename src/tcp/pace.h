// SPDX-License-Identifier: BSD-3-Clause
// Pacing: a window leaves over a round trip and not in one burst, where a connection is asked to.
#pragma once

#include "tcp/conn.h"

// Of a paced connection: true when new text has to wait; the timer is set then.
bool pace_holds(struct tcp *tcp, struct conn *c);

// So much text left just now.
void pace_sent(struct tcp *tcp, struct conn *c, uint64_t bytes);

// The most that one packet should carry, of what it may.
uint32_t pace_packet_bytes(const struct conn *c, uint32_t bytes_max);

// What both sides' windows but cwnd would let go now: it is the rate that holds it.
uint64_t pace_waiting_bytes(const struct conn *c);

// The connection's timer fired: what waited may be due.
void pace_fires(struct tcp *tcp, struct conn *c);

// What the application wants: 0 or 1. A negative errno with err_set.
int pace_choose(struct tcp *tcp, struct conn *c, uint64_t value);
