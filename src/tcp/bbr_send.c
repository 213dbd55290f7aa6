// SPDX-License-Identifier: BSD-3-Clause
// What follows from BBR's model: the rate at which text leaves, and how much may be in flight (the
// draft 5.6). Called by bbr.c with each ACK, by the model's files for what they compare with. How
// text is held to the rate is pace.c's.
//
// Departures: a burst is pace.c's, 131 us of the rate and not 1 ms (5.6.3 asks for as little as is
// feasible); but no less than two segments count, as there.
#include "tcp/bbr.h"

#include "base/time.h"
#include "tcp/pace.h"

#define MARGIN_PCT 1        // PacingMarginPercent
#define QUANTUM_BYTES 65536 // at most
#define QUANTA 3            // offload_budget, for TCP

// So that a product with a rate has room in 64 bits.
#define RTT_US_MAX (60 * UINT32_C(1000000))

static const struct {
	uint16_t pacing_pct, cwnd_pct;
} gains[] = {
	[BBR_STARTUP] = {277, 200}, // 4 ln 2
	[BBR_DRAIN] = {50, 200},    [BBR_DOWN] = {90, 200}, [BBR_CRUISE] = {100, 200},
	[BBR_REFILL] = {100, 200},  [BBR_UP] = {125, 225},  [BBR_PROBE_RTT] = {100, 50},
};

// ---- 5.6.2: the rate

// Until something was measured, the first window in a round trip, or in a millisecond.
static void first_rate(struct rate *r, const struct conn *c, uint64_t rtt_us)
{
	rtt_us = rtt_us ? rtt_us : 1000;
	r->pacing_bytes_s = (uint64_t)cc_initial_window(c) * gains[BBR_STARTUP].pacing_pct *
			    (NS_PER_S / NS_PER_US / 100) / rtt_us;
	r->pacing_bytes_s = MAX(r->pacing_bytes_s, UINT64_C(1));
}

void bbr_send_begin(struct bbr_record *record, const struct conn *c)
{
	first_rate(&record->rate, c, c->rtt.srtt_us);
}

// It only grows until the path was full once, for samples of before may be of the application.
void bbr_send_set_rate(const struct bbr_event *e, uint32_t gain_pct)
{
	const struct bbr *b = e->bbr;
	uint64_t bytes_s = b->bytes_s * gain_pct * (100 - MARGIN_PCT) / 10000;

	if (bytes_s && (b->full_reached || bytes_s > e->rate->pacing_bytes_s))
		e->rate->pacing_bytes_s = bytes_s;
}

static void set_rate(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (UNLIKELY(!b->has_rtt) && b->min_rtt_us != BBR_NONE) {
		b->has_rtt = true;
		first_rate(e->rate, e->c, b->min_rtt_us);
	}
	bbr_send_set_rate(e, gains[b->state].pacing_pct);
}

// ---- 5.6.4: the window

uint32_t bbr_send_bdp(const struct bbr *b, const struct conn *c, uint64_t bytes_s,
		      uint32_t gain_pct)
{
	uint64_t bdp_bytes;

	if (b->min_rtt_us == BBR_NONE)
		return cc_initial_window(c);
	bdp_bytes = bytes_s * MIN(b->min_rtt_us, RTT_US_MAX) / (NS_PER_S / NS_PER_US);
	return (uint32_t)MIN(bdp_bytes * gain_pct / 100, (uint64_t)CWND_BYTES_MAX);
}

static uint32_t pipe_bytes(const struct conn *c)
{
	return (uint32_t)BBR_PIPE_SEGS * c->mss_bytes;
}

static uint32_t with_quanta(const struct bbr *b, const struct conn *c, uint32_t bytes)
{
	const struct rate *r = c->cc_state.sampled.rate;
	uint64_t quantum = r->pacing_bytes_s * PACE_BURST_NS / NS_PER_S;

	quantum = MAX(MIN(quantum, (uint64_t)QUANTUM_BYTES), UINT64_C(2) * c->mss_bytes);
	bytes = MAX(bytes, (uint32_t)(QUANTA * quantum));
	bytes = MAX(bytes, pipe_bytes(c));
	if (b->state == BBR_UP)
		bytes += 2u * c->mss_bytes;
	return MIN(bytes, CWND_BYTES_MAX);
}

uint32_t bbr_send_in_flight(const struct bbr *b, const struct conn *c, uint64_t bytes_s,
			    uint32_t gain_pct)
{
	return with_quanta(b, c, bbr_send_bdp(b, c, bytes_s, gain_pct));
}

// Of what is known to be too much, less what others may use.
uint32_t bbr_send_with_headroom(const struct bbr *b, const struct conn *c)
{
	uint32_t headroom_bytes = (uint32_t)((uint64_t)b->long_bytes * BBR_HEADROOM_PCT / 100);

	if (b->long_bytes == BBR_NONE)
		return BBR_NONE;
	headroom_bytes = MAX(headroom_bytes, (uint32_t)c->mss_bytes);
	return MAX(b->long_bytes - MIN(headroom_bytes, b->long_bytes), pipe_bytes(c));
}

uint32_t bbr_send_probe_rtt_window(const struct bbr *b, const struct conn *c)
{
	uint32_t bytes = bbr_send_bdp(b, c, b->bytes_s, gains[BBR_PROBE_RTT].cwnd_pct);

	return MAX(bytes, pipe_bytes(c));
}

// SaveCwnd: what recovery and ProbeRTT make of it is not what is kept.
void bbr_send_keep_window(struct bbr *b, const struct conn *c)
{
	bool is_less = b->state == BBR_PROBE_RTT || conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO);

	b->prior_cwnd_bytes =
		is_less ? MAX(b->prior_cwnd_bytes, c->cc.cwnd_bytes) : c->cc.cwnd_bytes;
}

void bbr_send_restore_window(const struct bbr *b, struct conn *c)
{
	c->cc.cwnd_bytes = MAX(c->cc.cwnd_bytes, b->prior_cwnd_bytes);
}

// 5.6.4.7
static uint32_t bound_of_model(const struct bbr *b, const struct conn *c)
{
	uint32_t bytes = BBR_NONE;

	if (b->state == BBR_CRUISE || b->state == BBR_PROBE_RTT)
		bytes = bbr_send_with_headroom(b, c);
	else if (bbr_is_probe_bw(b))
		bytes = b->long_bytes;
	bytes = MIN(bytes, b->short_bytes);
	return MAX(bytes, pipe_bytes(c));
}

// 5.6.4.6
static void set_window(const struct bbr_event *e)
{
	const struct bbr *b = e->bbr;
	struct conn *c = e->c;
	uint32_t most_bytes = bbr_send_bdp(b, c, b->bytes_s, gains[b->state].cwnd_pct);
	uint32_t cwnd_bytes = MIN(c->cc.cwnd_bytes + e->sample->bytes, CWND_BYTES_MAX);

	most_bytes = with_quanta(b, c, most_bytes + MAX(b->extra_bytes[0], b->extra_bytes[1]));
	if (b->full_reached)
		cwnd_bytes = MIN(cwnd_bytes, most_bytes);
	else if (c->cc.cwnd_bytes >= most_bytes && e->rate->delivered_bytes >= cc_initial_window(c))
		cwnd_bytes = c->cc.cwnd_bytes;
	cwnd_bytes = MAX(cwnd_bytes, pipe_bytes(c));
	if (b->state == BBR_PROBE_RTT)
		cwnd_bytes = MIN(cwnd_bytes, bbr_send_probe_rtt_window(b, c));
	c->cc.cwnd_bytes = MIN(cwnd_bytes, bound_of_model(b, c));
}

void bbr_send_update(const struct bbr_event *e)
{
	set_rate(e);
	set_window(e);
}
