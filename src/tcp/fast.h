// SPDX-License-Identifier: BSD-3-Clause
// TCP Fast Open (RFC 7413): text on a SYN from whom we, or who us, gave a cookie before. fast.c is
// what listeners do, fast_client.c what connects do.
#pragma once

#include "tcp/listener.h"
#include "tcp/open.h"
#include "tcp/tune.h"

// Beside the listener: a SYN with text. True: its cookie is ours, and it was taken with its text;
// the connection waits in SYN-RECEIVED for the handshake's end, and the application knows of it.
bool fast_takes(struct tcp *tcp, struct listener *l, struct segment *s, uint32_t isn_floor);

// The SYN of a half-open connection asks for a cookie, or has one that is not good any more.
bool fast_asks(const struct tcp *tcp, const struct listener *l, const struct segment *s,
	       const struct tcp_options *o);

// Puts our cookie for this path's peer among the options of a SYN-ACK. RFC 7413 R5.
void fast_grant(const struct tcp *tcp, const struct net_path *path, struct tcp_options *o);

// It was opened fast, and the handshake is not complete.
static inline bool fast_is_pending(const struct tcp *tcp, const struct conn *c)
{
	return UNLIKELY(conn_is(c, CONN_TUNED)) && tuning_of(tcp, c)->fast == FAST_PENDING;
}

// Text may be queued although the handshake is not complete.
static inline bool fast_sends(const struct tcp *tcp, const struct conn *c)
{
	return conn_in(c, SYN_SENT | SYN_RECEIVED) && conn_is(c, CONN_TUNED) &&
	       !conn_is(c, CONN_FIN_QUEUED) && tuning_of(tcp, c)->fast;
}

// fast_client.c. The table of cookies. False with err_set.
bool fast_init(struct tcp *tcp);
void fast_fini(struct tcp *tcp);

// The option that the first SYN of a connect has, if it asked, and how much text goes with it.
uint32_t fast_syn(const struct tcp *tcp, const struct conn *c, struct tcp_options *o);

// A SYN left with these options, and so much text.
void fast_syn_left(struct tcp *tcp, struct conn *c, const struct tcp_options *o, uint32_t text_len);

// An ACK that may be of the SYN's text: then that counts as sent.
void fast_text_counts(struct tcp *tcp, struct conn *c, uint64_t ack);

// The peer's SYN-ACK, with these options.
void fast_answered(struct tcp *tcp, struct conn *c, const struct segment *s,
		   const struct tcp_options *o);

// Of a connect that asked: what its SYN had is of no concern any more.
void fast_forget(struct tcp *tcp, struct conn *c);

// What the application wants, before the SYN leaves.
void fast_choose(struct tcp *tcp, struct conn *c, bool fast);

// The handshake is complete, or the connection ended before it was. Says whether it was pending.
bool fast_completes(struct tcp *tcp, struct conn *c);
void fast_ends(struct tcp *tcp, struct conn *c, bool was_reset);
