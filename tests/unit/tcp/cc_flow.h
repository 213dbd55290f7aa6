// SPDX-License-Identifier: BSD-3-Clause
// A connection that is nothing but its congestion window: acknowledged, lost and timed out by the
// test, at the test's own time. What RFC 9438 says the window is, the tests compute beside it with
// floating point.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "tcp/cc.h"

#define MSS 1448u
#define SEGS(n) ((uint32_t)(n)*MSS)

struct flow {
	struct tcp tcp;
	struct conn c;
	uint64_t now_ns;
	uint64_t rtt_ns;
	uint32_t undo_cwnd_bytes, undo_ssthresh_bytes; // as loss.c remembers them
};

static inline void flow_init(struct flow *f, enum prism_congestion kind, uint64_t rtt_ns)
{
	*f = (struct flow){.now_ns = 100 * NS_PER_S, .rtt_ns = rtt_ns};
	f->tcp.config.fixed_window_bytes = SEGS(100);
	f->c.state = ESTABLISHED;
	f->c.mss_bytes = MSS;
	f->c.cc_kind = (uint8_t)kind;
	f->c.snd.una = f->c.snd.nxt = UINT64_C(1) << 32;
	f->c.rtt.srtt_us = (uint32_t)(rtt_ns / NS_PER_US);
	cc_init(&f->tcp, &f->c);
}

static inline struct cc_sample flow_sample(const struct flow *f)
{
	return (struct cc_sample){.now_ns = f->now_ns,
				  .in_flight_bytes = f->c.cc.cwnd_bytes,
				  .rtt_us = (uint32_t)(f->rtt_ns / NS_PER_US)};
}

// An ACK, and cwnd is filled again.
static inline void flow_ack(struct flow *f, uint32_t acked_bytes)
{
	struct cc_sample s = flow_sample(f);

	s.acked_bytes = acked_bytes;
	f->c.snd.una += acked_bytes;
	f->c.snd.nxt = MAX(f->c.snd.nxt, f->c.snd.una);
	cc_of(&f->c)->on_ack(&f->c, &s);
	f->c.snd.nxt = f->c.snd.una + f->c.cc.cwnd_bytes;
}

// A window is acknowledged in a round trip, at an even pace, by so many ACKs.
static inline void flow_round(struct flow *f, uint32_t acks)
{
	uint32_t window_bytes = f->c.cc.cwnd_bytes;

	for (uint32_t i = 0; i < acks; i++) {
		f->now_ns += f->rtt_ns / acks;
		flow_ack(f, window_bytes / acks);
	}
}

static inline void flow_remembers(struct flow *f)
{
	f->undo_cwnd_bytes = f->c.cc.cwnd_bytes;
	f->undo_ssthresh_bytes = f->c.ssthresh_bytes;
}

// cwnd bytes are in flight, one segment of them is lost, and recovery ends.
static inline void flow_loses(struct flow *f)
{
	struct cc_sample s = flow_sample(f);

	flow_remembers(f);
	cc_of(&f->c)->on_loss(&f->c, &s);
	cc_of(&f->c)->on_recovered(&f->c, &s);
}

static inline void flow_times_out(struct flow *f)
{
	struct cc_sample s = flow_sample(f);

	if (f->c.backoff == 0)
		flow_remembers(f);
	cc_of(&f->c)->on_rto(&f->c, &s);
}

// The last of those was for nothing.
static inline void flow_was_spurious(struct flow *f)
{
	f->c.cc.cwnd_bytes = MAX(f->c.cc.cwnd_bytes, f->undo_cwnd_bytes);
	f->c.ssthresh_bytes = MAX(f->c.ssthresh_bytes, f->undo_ssthresh_bytes);
	cc_of(&f->c)->on_spurious(&f->c);
}

// In congestion avoidance with a window that no loss ended.
static inline void flow_at(struct flow *f, uint32_t cwnd_bytes)
{
	f->c.cc.cwnd_bytes = f->c.ssthresh_bytes = cwnd_bytes;
	f->c.cc_phase = CC_STEADY;
	f->c.cc_state.cubic.w_max_bytes = 0;
}
