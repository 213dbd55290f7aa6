// SPDX-License-Identifier: BSD-3-Clause
// The receive window: what the peer is told, never less than it was told before.
#pragma once

#include "pkt/pressure.h"
#include "tcp/conn.h"
#include "tcp/timers.h"
#include "tcp/tune.h"

// The most this connection may offer: the configured size, or what its scale can express.
static inline uint32_t window_limit(const struct tcp *tcp, const struct conn *c)
{
	return MIN(tuned_receive_max(tcp, c), UINT32_C(65535) << c->rcv_scale);
}

// The most it may offer now: each step of pressure halves it, down to two segments, so that no peer
// comes to stand still by it. When pressure falls tcp_flush looks whose window may open again.
static inline uint32_t window_limit_now(const struct tcp *tcp, const struct conn *c)
{
	uint32_t limit = window_limit(tcp, c);

	if (LIKELY(pressure_of(tcp->env) == PRESSURE_NONE))
		return limit;
	return MAX(limit >> pressure_of(tcp->env), MIN(limit, 2u * c->mss_bytes));
}

// Room for more, by the true size of what is held.
static inline uint32_t window_free(const struct tcp *tcp, const struct conn *c)
{
	uint32_t limit = window_limit_now(tcp, c);

	return limit - MIN(c->rcv.charged, limit);
}

// The window field of the next segment; rcv.wnd becomes what it says.
//
// RFC 9293 MUST-39, 3.8.6.2.2: the right edge advances by a segment or half the buffer at least,
// or stays. It never moves back (SHLD-14): what the scale cuts off is rounded up instead.
// RFC 7323 R8
static inline uint16_t window_offer(const struct tcp *tcp, struct conn *c)
{
	uint32_t limit = window_limit_now(tcp, c);
	uint32_t room = limit - MIN(c->rcv.charged, limit);
	uint32_t told = (c->rcv.wnd + (UINT32_C(1) << c->rcv_scale) - 1) >> c->rcv_scale;
	uint32_t units = told;

	if (LIKELY(room >= c->rcv.wnd + MIN(limit / 2, (uint32_t)c->mss_bytes)))
		units = MAX(room >> c->rcv_scale, told);
	units = MIN(units, UINT32_C(65535));
	c->rcv.wnd = units << c->rcv_scale;
	return (uint16_t)units;
}

// The application released so much that the peer should know (RFC 9293 3.8.6.2.2).
static inline bool window_update_due(const struct tcp *tcp, const struct conn *c)
{
	uint32_t limit = window_limit_now(tcp, c);
	uint32_t step = MIN(limit / 2, MAX((uint32_t)c->mss_bytes, limit / 4));

	return conn_in(c, STATES_RECEIVING) && window_free(tcp, c) >= c->rcv.wnd + step;
}

// A segment with the present rcv.nxt left: nothing is owed any more.
static inline void window_told(struct conn *c)
{
	c->rcv.unacked = 0;
	conn_unset(c, CONN_ACK_NOW);
	timers_ack_sent(c);
}
