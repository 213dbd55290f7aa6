// SPDX-License-Identifier: BSD-3-Clause
// May I send, how much, build it.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

// A segment without text, of a connection or not: SYN, ACK, RST.
struct bare {
	struct net_path *path;
	const struct tcp_options *syn; // the options of a SYN, or NULL
	uint16_t local_port, remote_port;
	uint32_t seq, ack;
	uint16_t wnd_units; // the window field, as on the wire
	uint8_t flags;
	uint8_t dscp, ttl;
	bool has_ts;
	uint32_t ts_echo;
	const struct conn *blocks_of; // whose early text the ACK tells of, or NULL
};

// False when the control pool is empty; whoever asked comes again by timer.
bool output_bare(struct tcp *tcp, const struct bare *b);

// The SYN of a connect, with the first of its text. False without buffers.
bool output_syn(struct tcp *tcp, struct conn *c, const struct bare *b, uint32_t *text_len);

// An ACK of this connection, now. False when the control pool is empty.
bool output_ack(struct tcp *tcp, struct conn *c);

// A keep-alive probe that is due; it stays due without a buffer.
void output_keepalive(struct tcp *tcp, struct conn *c);

// A reset of this connection, now.
void output_reset(struct tcp *tcp, struct conn *c);

// RFC 9293 3.10.7.1: answers a segment that belongs to nothing, by the way it came; or one that a
// connection does not know, by its path. Does not take it.
void output_reset_reply(struct tcp *tcp, const struct segment *s, const struct net_path *by);

// All that the connection may send now. False when it must come again: no buffer.
bool output_run(struct tcp *tcp, struct conn *c);

// Sets the text a full segment may carry on this path, given what the peer said it takes
// (RFC 9293 3.7.1, Eff.snd.MSS; MUST-16).
void output_set_mss(const struct tcp *tcp, struct conn *c, uint16_t peer_mss);

// What we tell the peer (RFC 9293 3.7.1).
uint16_t output_mss_to_offer(const struct tcp *tcp, const struct net_path *path);

// The same by the whole IP packet that a full segment makes.
void output_set_full(const struct tcp *tcp, struct conn *c, uint16_t packet_bytes);

// The path's MTU may have fallen: segments follow.
void output_mtu_changed(struct tcp *tcp, struct conn *c);

// The path has another option, which took so many bytes of each IP header before: segments are as
// much smaller or larger from now on. What is in flight is not lost for that.
void output_header_changed(struct tcp *tcp, struct conn *c, uint32_t option_bytes_before);

static inline uint32_t output_options_bytes(const struct conn *c)
{
	return conn_is(c, CONN_TS) ? TCP_TS_BYTES : 0;
}
