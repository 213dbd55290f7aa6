// SPDX-License-Identifier: BSD-3-Clause
// What is lost: duplicate ACKs, NewReno's partial ACKs, the timeout (RFC 5681 3.2, RFC 6582).
// Called by ack.c and timers.c; marks a range [rtx_nxt, rtx_end) that output.c sends again. How
// much may fly is asked of cc_*.c.
//
// Not here: SACK, RACK. Their scoreboard is the descriptors of the send queue; without SACK one
// range says all there is to know.
#include "tcp/loss.h"

#include "observe/counter.h"
#include "observe/trace.h"
#include "tcp/cc.h"

#define DUPACK_THRESHOLD 3

static struct cc_sample sample_now(const struct conn *c)
{
	return (struct cc_sample){.in_flight_bytes = conn_in_flight(c)};
}

// The oldest segment counts as lost and leaves at once.
static void resend_first(struct tcp *tcp, struct conn *c)
{
	c->loss.rtx_nxt = c->snd.una;
	c->loss.rtx_end = MIN(c->snd.una + c->mss_bytes, c->snd.nxt);
	conn_set(c, CONN_RTX_NOW | CONN_LOST);
	conn_mark(tcp, c);
}

// RFC 6582 3.2, step 2
static void enter_recovery(struct tcp *tcp, struct conn *c)
{
	struct cc_sample s = sample_now(c);

	counter_add(tcp->env, COUNTER_tcp_fast_retransmits, 1);
	// RFC 5681 3.2, step 2: what the first two duplicates let out beyond cwnd does not count.
	s.in_flight_bytes = MIN(s.in_flight_bytes, (uint64_t)c->cc.cwnd_bytes);
	cc_of(c)->on_loss(c, &s);
	c->loss.recover = c->snd.nxt;
	conn_set(c, CONN_RECOVERY);
	resend_first(tcp, c);
}

void loss_duplicate_ack(struct tcp *tcp, struct conn *c)
{
	// RFC 5681 3.2, step 4: a segment has left the network. No more can than were in it: a peer
	// that repeats itself for ever does not blow the window up.
	if (conn_is(c, CONN_RECOVERY)) {
		if (c->cc.cwnd_bytes < c->ssthresh_bytes + conn_outstanding(c))
			c->cc.cwnd_bytes += c->mss_bytes;
		conn_mark(tcp, c);
		return;
	}
	if (c->dupacks < CONN_DUPACKS_MAX)
		c->dupacks++;
	conn_mark(tcp, c); // RFC 3042: the first two let one new segment out each (output.c)
	if (c->dupacks != DUPACK_THRESHOLD)
		return;
	// RFC 6582 3.2, step 2: after a recovery or a timeout duplicates of what was sent before it
	// may come from what was resent without need.
	if (c->snd.una <= c->loss.recover)
		return;
	enter_recovery(tcp, c);
}

// RFC 6582 3.2, step 3, partial acknowledgment: the next hole is lost too.
static void partial_ack(struct tcp *tcp, struct conn *c, uint32_t acked_bytes)
{
	c->cc.cwnd_bytes -= MIN(c->cc.cwnd_bytes - c->mss_bytes, acked_bytes);
	if (acked_bytes >= c->mss_bytes)
		c->cc.cwnd_bytes += c->mss_bytes;
	resend_first(tcp, c);
}

COLD bool loss_ack_in_trouble(struct tcp *tcp, struct conn *c, uint32_t acked_bytes)
{
	c->loss.rtx_nxt = MAX(c->loss.rtx_nxt, c->snd.una);
	if (c->loss.rtx_nxt < c->loss.rtx_end) // slow start goes on with what was lost
		conn_mark(tcp, c);
	else
		conn_unset(c, CONN_LOST);
	if (conn_is(c, CONN_AFTER_RTO) && c->snd.una > c->loss.recover)
		conn_unset(c, CONN_AFTER_RTO);
	if (!conn_is(c, CONN_RECOVERY))
		return false;
	if (c->snd.una < c->loss.recover) {
		partial_ack(tcp, c, acked_bytes);
		return true;
	}
	struct cc_sample s = sample_now(c);

	conn_unset(c, CONN_RECOVERY);
	cc_of(c)->on_recovered(c, &s);
	return true;
}

void loss_timeout(struct tcp *tcp, struct conn *c)
{
	struct cc_sample s = sample_now(c);

	cc_of(c)->on_rto(c, &s);
	conn_unset(c, CONN_RECOVERY);
	conn_set(c, CONN_AFTER_RTO);
	c->loss.recover = c->snd.nxt; // RFC 6582 3.2, step 4
	c->dupacks = 0;
	loss_resend_all(c);
	conn_set(c, CONN_RTX_NOW);
	conn_mark(tcp, c);
}

void loss_resend_all(struct conn *c)
{
	c->loss.rtx_nxt = c->snd.una;
	c->loss.rtx_end = c->snd.nxt;
	conn_set(c, CONN_LOST);
}
