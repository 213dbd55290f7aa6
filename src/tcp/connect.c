// SPDX-License-Identifier: BSD-3-Clause
// How connections begin that we open: our SYN, and what is answered to it (RFC 9293 3.5, 3.10.7.3),
// another SYN too (simultaneous open). Called by output.c, which sends, and input.c, which hears;
// what both sides agree on is open.c's, as for connections that others open.
#include "observe/counter.h"
#include "tcp/ack.h"
#include "tcp/cc.h"
#include "tcp/close.h"
#include "tcp/deliver.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/isn.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/sendq.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

bool open_send_syn(struct tcp *tcp, struct conn *c)
{
	bool first = c->snd.nxt == c->snd.una;
	uint32_t text_len = 0;
	struct tcp_options o = open_options(tcp, &c->path);
	struct bare b = {
		.path = &c->path,
		.syn = &o,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.seq = (uint32_t)c->snd.una,
		.wnd_units = open_first_window(window_limit(tcp, c)),
		.flags = TCP_SYN,
		.dscp = c->dscp,
		.ttl = c->ttl,
	};

	if (!first && !conn_is(c, CONN_RTX_NOW | CONN_ACK_NOW))
		return true;
	if (conn_in(c, SYN_RECEIVED)) {
		b.flags = TCP_SYN | TCP_ACK;
		b.ack = (uint32_t)c->rcv.nxt;
		o.has_ts = conn_is(c, CONN_TS);
		o.has_sack = conn_is(c, CONN_SACK);
		o.ts_echo = c->rcv.ts_recent;
		o.has_scale = c->snd_scale || c->rcv_scale;
		if (fast_is_pending(tcp, c) && tuning_of(tcp, c)->fast_grants && first)
			fast_grant(tcp, &c->path, &o);
	} else if (first) {
		text_len = fast_syn(tcp, c, &o);
	}
	b.flags |= ecn_syn_flags(tcp, c, conn_is(c, CONN_SYN_RETRANSMITTED)); // RFC 3168 R9
	if (!(text_len ? output_syn(tcp, c, &b, &text_len) : output_bare(tcp, &b)))
		return false;
	if (conn_in(c, SYN_SENT))
		fast_syn_left(tcp, c, &o, text_len);
	else
		c->rcv.wnd = b.wnd_units;
	c->rcv.unacked = 0;
	if (!first)
		counter_add(tcp->env, COUNTER_tcp_retrans_segs, 1);
	conn_unset(c, CONN_RTX_NOW | CONN_ACK_NOW);
	c->snd.nxt = MAX(c->snd.nxt, c->snd.una + 1);
	c->cc.sent_ms = (uint32_t)(tcp->env->now_ns >> 20);
	timers_segment_sent(tcp, c);
	return true;
}

// The peer's SYN, with or without an ACK of ours. RFC 7323 R5.
static void syn_received(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	struct tcp_options o;

	segment_syn_options(s, &o);
	conn_start_receive(c, s->raw_seq);
	open_agree(tcp, c, &o);
	ecn_answered(tcp, c, s);
	if (s->flags & TCP_ACK)
		fast_answered(tcp, c, s, &o);
	c->snd.wnd = s->wnd; // RFC 7323 2.2: the window of a SYN is never scaled
	c->snd.wnd_max = MAX(c->snd.wnd_max, s->wnd);
}

// cc.sent_ms counts what timestamps count: 2^20 ns.
static uint64_t ticks_since(const struct tcp *tcp, uint32_t then)
{
	return (uint64_t)((uint32_t)(tcp->env->now_ns >> 20) - then) << 20;
}

static void connected(struct tcp *tcp, struct conn *c, struct segment *s)
{
	// RFC 6298 3: only of a SYN that was sent once its time measures; the echo could be
	// anything (RFC 7323 4.1).
	if (!conn_is(c, CONN_SYN_RETRANSMITTED | CONN_SYN_AGAIN))
		rtt_sample(c, ticks_since(tcp, c->cc.sent_ms) + 1);
	c->snd.una++;
	conn_enter(tcp, c, ESTABLISHED);
	open_established(tcp, c);
	if (UNLIKELY(s->ack > c->snd.una)) { // text of the SYN
		if (conn_is(c, CONN_SYN_RETRANSMITTED | CONN_SYN_AGAIN))
			sendq_untime(tcp, c, s->ack);
		ack_advance(tcp, c, s);
	}
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
	deliver_news(tcp, c, NEWS_CONNECTED);
}

// An older connection of the same addresses answered, or its TIME-WAIT; our reset has ended it (RFC
// 9293 3.5.1, figure 9). The SYN goes again at once, as Linux has it, and not when its timer fires,
// a second later; once, or a forger could have us send at his pace.
static void syn_again(struct tcp *tcp, struct conn *c)
{
	if (conn_is(c, CONN_SYN_AGAIN))
		return;
	conn_set(c, CONN_SYN_AGAIN | CONN_RTX_NOW);
	conn_mark(tcp, c);
}

// RFC 9293 3.10.7.3; RFC 5961 R4
static enum drop syn_sent_step(struct tcp *tcp, struct conn *c, struct segment *s)
{
	s->ack = offset_near(c->snd.nxt, s->raw_ack);
	// first, the ACK bit
	bool acks = s->flags & TCP_ACK;

	if (acks)
		fast_text_counts(tcp, c, s->ack);
	if (acks && (s->ack <= c->snd.una || s->ack > c->snd.nxt)) {
		output_reset_reply(tcp, s, &c->path);
		if (!(s->flags & TCP_RST))
			syn_again(tcp, c);
		return DROP_TCP_ACK_UNACCEPTABLE;
	}
	if (s->flags & TCP_RST) { // second
		if (!acks)
			return DROP_TCP_RST_OUTSIDE_WINDOW;
		close_now(tcp, c, PRISM_CLOSE_REFUSED);
		return DROP_OK;
	}
	// third, security: obsolete
	if (!(s->flags & TCP_SYN)) // fifth
		return DROP_TCP_NO_SYN;
	syn_received(tcp, c, s); // fourth
	if (acks) {
		connected(tcp, c, s);
		return DROP_OK;
	}
	// RFC 9293 MUST-10: simultaneous open. MUST-11: conn.c's SYN-RECEIVED is always active.
	conn_enter(tcp, c, SYN_RECEIVED);
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
	return DROP_OK;
}

void open_syn_sent(struct tcp *tcp, struct conn *c, struct segment *s)
{
	enum drop reason = syn_sent_step(tcp, c, s);

	if (reason == DROP_OK)
		pkt_consume(tcp->env, s->pkt);
	else
		pkt_drop(tcp->env, s->pkt, reason);
}
