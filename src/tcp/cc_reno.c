// SPDX-License-Identifier: BSD-3-Clause
// NewReno's windows: halving, and a segment a round trip (RFC 5681 3.1 and 3.2). Called through
// cc_ops by ack.c and loss.c; slow start is cc_hystart.c's, what is resent loss.c's.
//
// RFC 9293 MUST-19: the standard congestion control, RFC 5681's.
#include "tcp/cc.h"

static uint32_t half_of_flight(const struct conn *c, const struct cc_sample *s)
{
	return cc_ssthresh_bytes(c, s->in_flight_bytes / 2); // RFC 5681 3.1, equation 4
}

// One segment a round trip: count bytes, no division (RFC 5681 3.1, the recommended way).
static void avoid_congestion(struct conn *c, uint32_t acked_bytes)
{
	c->cc.acked += acked_bytes;
	if (c->cc.acked < c->cc.cwnd_bytes)
		return;
	c->cc.acked -= c->cc.cwnd_bytes;
	cc_grow(c, c->mss_bytes);
}

static void reno_on_ack(struct conn *c, const struct cc_sample *s)
{
	if (cc_is_held(c))
		return;
	if (c->cc.cwnd_bytes < c->ssthresh_bytes)
		cc_slow_start(c, s);
	else
		avoid_congestion(c, s->acked_bytes);
}

static void reno_on_loss(struct conn *c, const struct cc_sample *s)
{
	cc_keep(c, 0, CC_PRIOR_W_MAX);
	c->ssthresh_bytes = half_of_flight(c, s);
}

// RFC 8511 3.1: beta_ecn = 0.8. RFC 8511 R1.
static void reno_on_mark(struct conn *c, const struct cc_sample *s)
{
	cc_marked(c, 0, CC_PRIOR_W_MAX, s->in_flight_bytes * 8 / 10);
}

static void reno_on_rto(struct conn *c, const struct cc_sample *s)
{
	// RFC 5681 3.1: ssthresh is held when the same segment times out again.
	if (c->backoff == 0 || c->cc_phase != CC_REDUCED) {
		cc_keep(c, 0, CC_PRIOR_SSTHRESH);
		c->ssthresh_bytes = half_of_flight(c, s);
	}
	c->cc.cwnd_bytes = c->mss_bytes;
	c->cc.acked = 0;
}

const struct cc_ops cc_reno = {
	.name = "newreno",
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_mark = reno_on_mark,
	.on_rto = reno_on_rto,
	.on_recovered = cc_recovered,
	.on_spurious = cc_taken_back,
};
