// SPDX-License-Identifier: BSD-3-Clause
// How long is a round trip, and how long to wait for an ACK.
#pragma once

#include "tcp/conn.h"

// RFC 6298 2.1 and 5.7; 2.5's upper bound.
#define RTO_INITIAL_NS NS_PER_S
#define RTO_AFTER_LOST_SYN_NS (3 * NS_PER_S)
#define RTO_NS_MAX (60 * NS_PER_S)

void rtt_sample(struct conn *c, uint64_t rtt_ns);

// The shortest is kept of those that were measured while the window was the limit, in ticks of 16
// us: who is not limited so makes no queue, and has no line more to look at. A timeout forgets it:
// the path may be another one.
#define RTT_MIN_SHIFT 4
#define RTT_MIN_NONE UINT16_MAX

static inline void rtt_keep_min(struct conn *c, uint32_t rtt_us)
{
	uint32_t ticks = rtt_us >> RTT_MIN_SHIFT;

	if (UNLIKELY(ticks < c->min_rtt_ticks))
		c->min_rtt_ticks = (uint16_t)ticks;
}

// Or the smoothed one, where that is shorter. 0: there is none.
static inline uint64_t rtt_min_ns(const struct conn *c)
{
	uint64_t min_us = MAX((uint64_t)c->min_rtt_ticks, UINT64_C(1)) << RTT_MIN_SHIFT;

	if (c->min_rtt_ticks == RTT_MIN_NONE)
		return c->rtt.srtt_us * NS_PER_US;
	return MIN(min_us, (uint64_t)c->rtt.srtt_us) * NS_PER_US;
}

// RFC 6298 2.3. An ACK for every second segment lets the variance of a long steady path decay to
// nothing, so the least timeout is a floor for it too, as in Linux: 150 ms of path and 200 ms of
// least timeout would leave 50 ms to a queue that grows. RFC 6298 R2, R3; RFC 7323 R16.
static inline uint64_t rtt_over_srtt_ns(const struct tcp *tcp, const struct conn *c)
{
	uint64_t variance_ns = 4 * (uint64_t)c->rtt.rttvar_us * NS_PER_US;

	return c->rtt.srtt_us * NS_PER_US + MAX(variance_ns, tcp->config.rto_ns_min);
}

// Before anything was measured, or with doublings.
uint64_t rtt_rto_ns_unusual(const struct tcp *tcp, const struct conn *c);

// The retransmission timeout, with its doublings. What is over SRTT is no less than the least
// timeout, so neither is the sum. RFC 6298 R1, R4, R5, R14.
static inline uint64_t rtt_rto_ns(const struct tcp *tcp, const struct conn *c)
{
	if (UNLIKELY(c->backoff || c->rtt.srtt_us == 0))
		return rtt_rto_ns_unusual(tcp, c);
	return MIN(rtt_over_srtt_ns(tcp, c), RTO_NS_MAX);
}
