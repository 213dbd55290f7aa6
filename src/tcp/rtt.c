// SPDX-License-Identifier: BSD-3-Clause
// Round trip time and retransmission timeout (RFC 6298). Samples come from ack.c: of runs that were
// sent once, or of timestamps when they were not (RFC 7323 4). The timeout is computed when it is
// asked for: cheaper than keeping one more field, and it never goes stale.
#include "tcp/rtt.h"

#define DOUBLINGS_MAX 20

static uint32_t distance(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

// RFC 6298 R2, R3
void rtt_sample(struct conn *c, uint64_t rtt_ns)
{
	// At least 1: zero means not measured.
	uint32_t r = (uint32_t)MIN(MAX(rtt_ns / NS_PER_US, UINT64_C(1)), (uint64_t)UINT32_MAX / 8);

	if (UNLIKELY(c->rtt.srtt_us == 0)) { // RFC 6298 2.2
		c->rtt.srtt_us = r;
		c->rtt.rttvar_us = r / 2;
		return;
	}
	// RFC 6298 2.3, alpha 1/8, beta 1/4
	c->rtt.rttvar_us =
		(uint32_t)((3 * (uint64_t)c->rtt.rttvar_us + distance(c->rtt.srtt_us, r)) / 4);
	c->rtt.srtt_us = MAX((uint32_t)((7 * (uint64_t)c->rtt.srtt_us + r) / 8), 1u);
}

COLD uint64_t rtt_rto_ns_unusual(const struct tcp *tcp, const struct conn *c)
{
	uint8_t doublings = MIN((uint8_t)c->backoff, (uint8_t)DOUBLINGS_MAX);
	uint64_t rto_ns;

	if (c->rtt.srtt_us == 0)
		rto_ns = conn_is(c, CONN_SYN_RETRANSMITTED) && !conn_in(c, SYN_SENT | SYN_RECEIVED)
				 ? RTO_AFTER_LOST_SYN_NS
				 : RTO_INITIAL_NS;
	else
		rto_ns = rtt_over_srtt_ns(tcp, c);
	rto_ns = MAX(rto_ns, tcp->config.rto_ns_min);
	// RFC 6298 5.5: back off, 2.5: up to a bound.
	return MIN(rto_ns << doublings, RTO_NS_MAX);
}
