// SPDX-License-Identifier: BSD-3-Clause
// How connections end.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

// Over: nothing is sent any more, all buffers go back, CLOSED is owed to the application.
void close_now(struct tcp *tcp, struct conn *c, enum prism_close_reason reason);

// The same with a reset to the peer first, when it knows of the connection.
void close_abort(struct tcp *tcp, struct conn *c, enum prism_close_reason reason);

// The application closes its side (RFC 9293 3.10.4).
void close_request(struct tcp *tcp, struct conn *c);

// The peer's FIN is next in order: rcv.nxt moves over it.
void close_fin_received(struct tcp *tcp, struct conn *c);

// Our FIN was acknowledged. False when that ended the connection.
bool close_fin_acked(struct tcp *tcp, struct conn *c);

// A segment with RST, in a synchronized state (RFC 5961 3.2). Says what becomes of the segment.
enum drop close_reset_received(struct tcp *tcp, struct conn *c, const struct segment *s);

// True when one more challenge ACK may leave (RFC 5961 7).
bool close_challenge_allowed(struct tcp *tcp);
