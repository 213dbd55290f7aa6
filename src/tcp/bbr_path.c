// SPDX-License-Identifier: BSD-3-Clause
// BBR's model of a path without losses: rounds that packets keep the time of, the most that was
// delivered in the last two cycles, whether more is delivered for more that is sent, how much comes
// at once, and the shortest round trip, for which ProbeRTT empties the queue when it was not seen
// for five seconds (the draft 5.3.1.2, 5.3.4, 5.5.1 to 5.5.9). Called by bbr.c and bbr_probe.c.
#include "tcp/bbr.h"

#include "base/time.h"

#define FULL_ROUNDS 3

// 5.5.9: the window of ten rounds is two halves, in Startup it is a round.
#define EXTRA_HALF_ROUNDS 5

#define MIN_RTT_NS (10 * NS_PER_S)
#define PROBE_RTT_INTERVAL_NS (5 * NS_PER_S)
#define PROBE_RTT_NS (200 * NS_PER_MS)

// A departure: srtt is not taken for a first minimum. It may be made of timestamps, whose tick is a
// millisecond, and so be less than any round trip was.
void bbr_path_begin(struct bbr *b, uint64_t now_ns)
{
	b->min_rtt_us = b->probe_rtt_min_us = BBR_NONE;
	b->min_rtt_ns = b->probe_rtt_min_ns = now_ns;
	b->extra_since_ns = now_ns;
}

// ---- 5.5.1: rounds

void bbr_path_start_round(const struct bbr_event *e)
{
	e->bbr->round_end_bytes = e->rate->delivered_bytes;
}

static void count_round(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	b->round_start = e->sample->has_mark && e->sample->prior_bytes >= b->round_end_bytes;
	b->cwnd_limited[0] |= e->rate->filled;
	e->rate->filled = false;
	if (!b->round_start)
		return;
	bbr_path_start_round(e);
	b->rounds++;
	b->rounds_since_probe++;
	b->cwnd_limited[1] = b->cwnd_limited[0];
	b->cwnd_limited[0] = false;
}

// ---- 5.5.2 to 5.5.6: bandwidth

void bbr_path_measure(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	uint64_t bytes_s = e->sample->rate_bytes_s;

	count_round(e);
	if (bytes_s == 0 || (e->sample->app_limited && bytes_s < bbr_max_bytes_s(b)))
		return;
	b->cycle_bytes_s[0] = MAX(b->cycle_bytes_s[0], bytes_s);
}

// What was the most two cycles ago is forgotten, unless nothing was measured since.
void bbr_path_next_cycle(struct bbr *b)
{
	if (b->cycle_bytes_s[0] == 0)
		return;
	b->cycle_bytes_s[1] = b->cycle_bytes_s[0];
	b->cycle_bytes_s[0] = 0;
}

// 5.3.1.2
void bbr_path_reset_full(struct bbr *b, uint64_t bytes_s)
{
	b->full_bytes_s = bytes_s;
	b->full_count = 0;
	b->full_now = false;
}

void bbr_path_check_full(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->full_now || !b->round_start || e->sample->app_limited ||
	    e->sample->rate_bytes_s == 0)
		return;
	if (e->sample->rate_bytes_s >= b->full_bytes_s + b->full_bytes_s / 4) {
		bbr_path_reset_full(b, e->sample->rate_bytes_s);
		return;
	}
	b->full_count++;
	b->full_now = b->full_count >= FULL_ROUNDS;
	b->full_reached |= b->full_now;
}

// ---- 5.5.9: what comes at once

static void remember_extra(struct bbr *b, uint32_t bytes)
{
	uint32_t half = b->full_reached ? EXTRA_HALF_ROUNDS : 1;

	if (b->rounds - b->extra_round >= half) {
		b->extra_bytes[1] = b->full_reached ? b->extra_bytes[0] : 0;
		b->extra_bytes[0] = 0;
		b->extra_round = b->rounds;
	}
	b->extra_bytes[0] = MAX(b->extra_bytes[0], bytes);
}

// How long the interval may be: then an estimate of what was expected says nothing any more, and
// the product has room in 64 bits up to 100 Gbit/s.
#define EXTRA_NS_MAX NS_PER_S

void bbr_path_aggregation(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	uint64_t interval_ns = e->now_ns - b->extra_since_ns;
	uint64_t expected_bytes = b->bytes_s * MIN(interval_ns, EXTRA_NS_MAX) / NS_PER_S;
	uint64_t extra_bytes;

	if (b->extra_delivered_bytes <= expected_bytes || interval_ns > EXTRA_NS_MAX) {
		b->extra_delivered_bytes = 0;
		b->extra_since_ns = e->now_ns;
		expected_bytes = 0;
	}
	b->extra_delivered_bytes += e->sample->bytes;
	extra_bytes = b->extra_delivered_bytes - MIN(expected_bytes, b->extra_delivered_bytes);
	remember_extra(b, (uint32_t)MIN(extra_bytes, (uint64_t)e->c->cc.cwnd_bytes));
}

// ---- 5.3.4: round trips

// Of the minimum of ten seconds that of the last five is the better half.
void bbr_path_round_trip(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	bool expired = e->now_ns > b->min_rtt_ns + MIN_RTT_NS;
	uint64_t rtt_us = (e->sample->rtt_ns + NS_PER_US - 1) / NS_PER_US;

	b->probe_rtt_expired = e->now_ns > b->probe_rtt_min_ns + PROBE_RTT_INTERVAL_NS;
	if (rtt_us && (rtt_us < b->probe_rtt_min_us || b->probe_rtt_expired)) {
		b->probe_rtt_min_us = (uint32_t)MIN(rtt_us, (uint64_t)BBR_NONE - 1);
		b->probe_rtt_min_ns = e->now_ns;
	}
	if (b->probe_rtt_min_us < b->min_rtt_us || expired) {
		b->min_rtt_us = b->probe_rtt_min_us;
		b->min_rtt_ns = b->probe_rtt_min_ns;
	}
}

static void enter_probe_rtt(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	bbr_send_keep_window(b, e->c);
	b->state = BBR_PROBE_RTT;
	b->probe_rtt_done_ns = 0;
	b->acks = BBR_ACKS_STOPPING;
	bbr_path_start_round(e);
}

static void leave_probe_rtt(const struct bbr_event *e)
{
	bbr_loss_forget_short(e->bbr);
	if (!e->bbr->full_reached) {
		bbr_enter_startup(e->bbr);
		return;
	}
	bbr_probe_down(e);
	bbr_probe_cruise(e->bbr);
}

void bbr_path_probe_rtt_may_end(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->probe_rtt_done_ns == 0 || e->now_ns <= b->probe_rtt_done_ns)
		return;
	b->probe_rtt_min_ns = e->now_ns; // the next is five seconds from now
	bbr_send_restore_window(b, e->c);
	leave_probe_rtt(e);
}

// What little is in flight lasts for 200 ms and a round.
static void go_on_in_probe_rtt(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	rate_limit(e->rate, e->sample->in_flight_bytes);
	if (b->probe_rtt_done_ns) {
		b->probe_rtt_round_done |= b->round_start;
		if (b->probe_rtt_round_done)
			bbr_path_probe_rtt_may_end(e);
	} else if (e->sample->in_flight_bytes <= bbr_send_probe_rtt_window(b, e->c)) {
		b->probe_rtt_done_ns = e->now_ns + PROBE_RTT_NS;
		b->probe_rtt_round_done = false;
		bbr_path_start_round(e);
	}
}

void bbr_path_check_probe_rtt(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart)
		enter_probe_rtt(e);
	if (b->state == BBR_PROBE_RTT)
		go_on_in_probe_rtt(e);
	if (e->sample->bytes)
		b->idle_restart = false;
}
