// SPDX-License-Identifier: BSD-3-Clause
// How connections begin.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

// What is known of a connection between SYN and the last ACK of its handshake: much less than a
// connection, so that a flood of SYNs fills a small array and nothing else.
struct half_open {
	struct net_path path;
	uint16_t local_port, remote_port;
	uint32_t iss, irs; // as on the wire
	uint32_t ts_recent;
	uint32_t listener_generation;
	uint32_t receive_bytes_max; // of its listener's connections
	uint16_t listener;
	uint16_t peer_mss;
	uint8_t peer_scale;
	bool has_scale, has_ts, has_sack;
	bool has_ecn;          // asked for and agreed to (ecn.h)
	uint8_t retransmits;   // of the SYN-ACK
	uint8_t dscp, ttl;     // of what we answer
	bool wants_cookie;     // of fast open
	uint32_t older, newer; // in the order of their SYNs; newer is the next free one's too
	uint64_t began_ns;
	struct timer timer;
};

void open_init(struct tcp *tcp);
void open_forget_all(struct tcp *tcp);

// A segment to a tuple that nobody owns. NULL: it was taken. Otherwise the connection it completed
// by a cookie, and the segment goes on to it. isn_floor: what a new ISN must lie above, when
// TIME-WAIT made room for this SYN (0: anything).
struct conn *open_stranger(struct tcp *tcp, struct segment *s, uint32_t isn_floor);

// Why this worker begins no connection now, whatever the SYN; DROP_OK: path is the way back.
enum drop open_refusal(struct tcp *tcp, const struct segment *s, struct net_path *path);

// A segment to a half-open connection. NULL: it was taken. Otherwise the connection it completed,
// and the segment goes on to it.
struct conn *open_half(struct tcp *tcp, uint32_t index, struct segment *s);

// The window before any window was agreed on, of one who takes so much; the options we offer; what
// both sides agreed on.
uint16_t open_first_window(uint32_t receive_bytes_max);
struct tcp_options open_options(const struct tcp *tcp, const struct net_path *path);
void open_agree(struct tcp *tcp, struct conn *c, const struct tcp_options *o);

// What its SYN says of a connection to come, whose path and listener are known.
void open_fill(struct tcp *tcp, struct half_open *h, struct segment *s, uint32_t isn_floor);

// A connection of it in SYN-RECEIVED, in the table's place of this value, nothing sent yet. NULL
// where there is none left, or the key has another's value.
struct conn *open_conn_of(struct tcp *tcp, const struct half_open *h, uint32_t instead_of);

// The SYN asks for marks, and the listener may agree (ecn.h).
bool open_may_mark(const struct tcp *tcp, const struct listener *l, const struct segment *s);

// What is sent in one segment to a peer that did not say what it takes.
uint16_t open_mss_default(const struct net_path *path);

// answer.c. False when the control pool is empty: the SYN-ACK's timer comes again.
bool answer_syn(struct tcp *tcp, struct half_open *h);
void answer_segment(struct tcp *tcp, struct half_open *h);
void answer_by_cookie(struct tcp *tcp, const struct listener *l, const struct segment *s,
		      struct net_path *path);

// connect.c. RFC 9293 3.10.7.3: a segment in SYN-SENT. Takes it.
void open_syn_sent(struct tcp *tcp, struct conn *c, struct segment *s);

// SYN or SYN-ACK of a connection we began, when it is due. False without buffers.
bool open_send_syn(struct tcp *tcp, struct conn *c);

// The connection's handshake is done: the peer acknowledged our SYN.
void open_established(struct tcp *tcp, struct conn *c);
