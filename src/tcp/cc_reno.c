// SPDX-License-Identifier: BSD-3-Clause
// Reno: slow start, congestion avoidance, halving (RFC 5681 3.1 and 3.2; RFC 3465, its L in
// slow_start). Called through cc_ops by ack.c and loss.c.
//
// RFC 9293 MUST-19: the standard congestion control, RFC 5681's.
#include "tcp/cc.h"

#define CWND_MAX (UINT32_C(1) << 30) // the largest window TCP can offer (RFC 7323 2.3)

static uint32_t half_of_flight(const struct conn *c, const struct cc_sample *s)
{
	// RFC 5681 3.1, equation 4
	return (uint32_t)MAX(s->in_flight_bytes / 2, (uint64_t)2 * c->mss_bytes);
}

// RFC 3465 2.3: at most two segments an ACK, for peers that delay theirs; one after a timeout, when
// an ACK covers what had arrived before it and says nothing of how fast the network takes more.
static void slow_start(struct conn *c, const struct cc_sample *s)
{
	uint32_t segs = UNLIKELY(s->after_rto) ? 1 : 2;
	uint32_t step = MIN(s->acked_bytes, segs * c->mss_bytes);

	c->cc.cwnd_bytes = MIN(c->cc.cwnd_bytes + step, CWND_MAX);
}

// One segment a round trip: count bytes, no division (RFC 5681 3.1, the recommended way).
static void avoid_congestion(struct conn *c, uint32_t acked_bytes)
{
	c->cc.acked += acked_bytes;
	if (c->cc.acked < c->cc.cwnd_bytes)
		return;
	c->cc.acked -= c->cc.cwnd_bytes;
	c->cc.cwnd_bytes = MIN(c->cc.cwnd_bytes + c->mss_bytes, CWND_MAX);
}

static void reno_on_ack(struct conn *c, const struct cc_sample *s)
{
	// RFC 7661's point in its simplest form: a window that was not used is not known to be
	// good.
	if (s->app_limited)
		return;
	if (c->cc.cwnd_bytes < c->ssthresh_bytes)
		slow_start(c, s);
	else
		avoid_congestion(c, s->acked_bytes);
}

static void reno_on_loss(struct conn *c, const struct cc_sample *s)
{
	c->ssthresh_bytes = half_of_flight(c, s);
	c->cc.acked = 0;
}

static void reno_on_rto(struct conn *c, const struct cc_sample *s)
{
	// RFC 5681 3.1: ssthresh is held when the same segment times out again.
	if (c->backoff == 0)
		c->ssthresh_bytes = half_of_flight(c, s);
	c->cc.cwnd_bytes = c->mss_bytes;
	c->cc.acked = 0;
}

static void reno_on_recovered(struct conn *c, const struct cc_sample *s)
{
	(void)s;
	c->cc.cwnd_bytes = c->ssthresh_bytes; // RFC 9937 6.2; PRR has brought the flight there
}

const struct cc_ops cc_reno = {
	.name = "reno",
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_rto = reno_on_rto,
	.on_recovered = reno_on_recovered,
};
