// SPDX-License-Identifier: BSD-3-Clause
// The timers of a connection, named by what happened; which timer that starts or stops is decided
// in timers.c alone.
//
//   retransmission  something outstanding was not acknowledged for an RTO (RFC 6298)
//   tail probe      the last of a flight was not acknowledged for two round trips (RFC 8985 7).
//   reordering      what is missing may come yet (RFC 8985 6.2). Both share the deadline with
//                   retransmission, which comes after them
//   persist         the window is closed and there is text: probe (RFC 9293 3.8.6.1). Shares the
//                   deadline with retransmission: never both
//   delayed ACK     received text waits for a reply to carry its ACK (RFC 9293 3.8.6.3)
//   keep-alive      nothing came for long (RFC 9293 3.8.4)
//   FIN-WAIT-2      neither the peer's FIN nor text comes, whatever else does. Shares the deadline
//                   with keep-alive
//
// TIME-WAIT is not among them: timewait.c. Of a paced connection the token fires for text that
// waits for its turn, too (pace.c), of one with a user timeout for that (patience.c).
#pragma once

#include "tcp/conn.h"
#include "tcp/patience.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"

void timers_init(struct tcp *tcp);

// The timeout of what is outstanding is counted from now on.
void timers_begin_in_trouble(struct tcp *tcp, struct conn *c);

// In recovery the oldest was sent again, as RACK says: its timeout begins anew, lest it come too
// early. RFC 6298 5.
void timers_oldest_again(struct tcp *tcp, struct conn *c);

// What is missing may come yet, until rack.reorder_ns; or no more. news: more was delivered, which
// puts off a probe, but not beyond that timeout.
void timers_may_be_reordered(struct tcp *tcp, struct conn *c, bool news);

// Arms the connection's one token when it would otherwise be late. Deadlines that move away are
// only written down: the token fires, sees, and is armed anew.
static inline void timers_arm(struct tcp *tcp, struct conn *c, uint64_t deadline_ns)
{
	if (UNLIKELY(!timer_armed(&c->timer) || deadline_ns < c->timer.deadline_ns))
		wheel_arm(tcp->wheel, &c->timer, deadline_ns);
}

// RFC 8985 7.2: a probe may come before the timeout, where nothing is sacked or lost, and none has
// come already. As in RFC 9002 6.2 also in recovery: what was sent again may be lost, or the one
// ACK of all, with nothing behind it that would tell. RFC 8985 R15, R19.
static inline bool timers_probe_first(const struct tcp *tcp, const struct conn *c)
{
	const struct trouble *t;

	if (c->rtt.srtt_us == 0 || conn_outstanding(c) == 0)
		return false;
	if (LIKELY((c->flags & (CONN_SACK | CONN_IN_TROUBLE)) == CONN_SACK))
		return true;
	if (!conn_is(c, CONN_SACK))
		return false;
	t = conn_is(c, CONN_TROUBLE) ? trouble_of(tcp, c) : NULL;
	return t && !conn_is(c, CONN_AFTER_RTO) && t->tlp.end == 0 && !t->tlp.is_due &&
	       (conn_is(c, CONN_RECOVERY) || (t->sacked_bytes == 0 && t->lost_bytes == 0));
}

// The deadline for what is outstanding, from now on.
static inline void timers_retransmission_in(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(conn_is(c, CONN_TROUBLE)))
		timers_begin_in_trouble(tcp, c);
	if (UNLIKELY(conn_is(c, CONN_TUNED)))
		patience_begins(tcp, c);
	if (LIKELY(timers_probe_first(tcp, c))) {
		conn_set(c, CONN_PTO);
		c->retransmit_ns = tcp->env->now_ns + rack_probe_timeout_ns(tcp, c);
	} else {
		conn_unset(c, CONN_PTO);
		c->retransmit_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
	}
	timers_arm(tcp, c, c->retransmit_ns);
}

// A segment that was alone when the probe's time was set has company now, whose ACK no receiver
// delays. RFC 8985 R16.
void timers_not_alone(struct tcp *tcp, struct conn *c);

static inline bool timers_waits_for_a_lone_one(const struct tcp *tcp, const struct conn *c)
{
	return c->retransmit_ns - tcp->env->now_ns > RACK_ACK_DELAY_NS_MAX &&
	       conn_is(c, CONN_PTO) && conn_outstanding(c) > c->mss_bytes;
}

// Segments with sequence space left, a flight at a time (RFC 6298 5.1). More text does not put the
// probe off, as RFC 8985 7.2 has it: who sends a little now and then would never hear that the path
// is dead. RFC 8985 R18; RFC 6298 R8.
static inline void timers_segment_sent(struct tcp *tcp, struct conn *c)
{
	if (c->retransmit_ns != TIME_NEVER_NS && !conn_is(c, CONN_PERSIST)) {
		if (UNLIKELY(timers_waits_for_a_lone_one(tcp, c)))
			timers_not_alone(tcp, c);
		return;
	}
	conn_unset(c, CONN_PERSIST | CONN_WINDOW_PROBE);
	timers_retransmission_in(tcp, c);
}

// New data was acknowledged (RFC 6298 5.2 and 5.3); una is already its new value.
// RFC 6298 R9, R10, R13; RFC 6582 R7
static inline void timers_ack_advanced(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(c->backoff)) {
		c->backoff = 0;
		c->stalled_ms = 0;
	}
	if (UNLIKELY(conn_is(c, CONN_TUNED)))
		patience_progress(tcp, c);
	conn_unset(c, CONN_PERSIST | CONN_WINDOW_PROBE | CONN_PTO);
	c->retransmit_ns = TIME_NEVER_NS;
	if (conn_outstanding(c))
		timers_retransmission_in(tcp, c);
	if (UNLIKELY(conn_is(c, CONN_TROUBLE)))
		timers_may_be_reordered(tcp, c, false);
}

// Text waits, nothing is outstanding, and the window does not let it go.
void timers_window_closed(struct tcp *tcp, struct conn *c);
// It does again.
void timers_window_opened(struct tcp *tcp, struct conn *c);

// Received text is not acknowledged yet.
static inline void timers_ack_delayed(struct tcp *tcp, struct conn *c)
{
	if (c->ack_ns != TIME_NEVER_NS)
		return;
	c->ack_ns = tcp->env->now_ns + tcp->config.delayed_ack_ns; // RFC 9293 MUST-40
	timers_arm(tcp, c, c->ack_ns);
}

static inline void timers_ack_sent(struct conn *c)
{
	c->ack_ns = TIME_NEVER_NS;
}

// Any acceptable segment: the peer is there.
void timers_peer_heard_slow(struct tcp *tcp, struct conn *c);

static inline void timers_peer_heard(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(c->idle_ns != TIME_NEVER_NS))
		timers_peer_heard_slow(tcp, c);
}

void timers_established(struct tcp *tcp, struct conn *c);
void timers_fin_wait_2(struct tcp *tcp, struct conn *c);

// New text for the application. One that closed and goes on reading has all the time it takes; a
// peer that only says that it is there has not.
static inline void timers_text_arrived(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, FIN_WAIT_2))
		timers_fin_wait_2(tcp, c);
}

void timers_keepalive_changed(struct tcp *tcp, struct conn *c);
void timers_closed(struct tcp *tcp, struct conn *c);
