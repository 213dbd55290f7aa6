// SPDX-License-Identifier: BSD-3-Clause
// Slow start (RFC 5681 3.1), the first one with HyStart++ (RFC 9406): when a round's shortest round
// trip is clearly longer than the last round's, a queue is building, and cwnd grows a quarter as
// fast for up to five rounds. If the round trips get shorter again it was jitter, and slow start
// goes on; else it ends there, before the queue overflows. Called by cc_cubic.c and cc_reno.c.
//
// A departure (docs/adr/0018): the shortest is that of a burst's first segments, whose queue drains
// until the next burst as long as cwnd is below what the path holds; in the round after that it
// overflows. So a burst's own queue counts too, when eight in a row wait for a quarter of a round
// trip: twice as much in the next round fills the path. CSS then lasts as long as bursts queue.
// When the queue stands cwnd does too, for two rounds: a queue that drains meanwhile was made by
// others, and slow start goes on; else it ends.
//
// RFC 9406 4.3: who does not pace counts 8 segments of an ACK at most (L). Later slow starts have a
// ssthresh that was learned and need no other sign (RFC 9406 4.3).
#include "tcp/cc.h"

// RFC 9406 4.3
#define RTT_THRESH_US_MIN 4000
#define RTT_THRESH_US_MAX 16000
#define RTT_DIVISOR_MIN 8
#define RTT_SAMPLES 8
#define CSS_GROWTH_SHIFT 2 // CSS_GROWTH_DIVISOR is 4
#define CSS_ROUNDS 5
#define L_SEGS 8

// Ours: css_rounds of a CSS that a burst's queue began, and the part of a round trip it takes; it
// is less by one for each round in which the queue stood, up to so many.
#define CSS_OF_BURST 15
#define STANDING_ROUNDS 2
#define BURST_DIVISOR 4

static_assert(CSS_ROUNDS < CSS_OF_BURST - STANDING_ROUNDS && RTT_SAMPLES < 1 << 4,
	      "counts have four bits");

// RFC 9406 R1, R2
static void begin_round(struct conn *c)
{
	struct cc_hystart *h = &c->cc_state.hystart;

	h->last_us = h->current_us;
	h->current_us = CC_RTT_NONE;
	h->samples = h->late = 0;
	h->round_end = (uint32_t)c->snd.nxt;
}

void cc_slow_start_begin(struct conn *c)
{
	c->cc_phase = CC_SLOW_START;
	c->cc_state.hystart = (struct cc_hystart){.current_us = CC_RTT_NONE};
	begin_round(c);
}

// No more than the largest window lies between una and the round's end. What lies further away was
// passed: ACKs of a sender who had less to send than he may are not looked at. RFC 9406 R1.
static bool round_is_over(const struct conn *c)
{
	uint32_t left = c->cc_state.hystart.round_end - (uint32_t)c->snd.una;

	return left == 0 || left > CWND_BYTES_MAX;
}

// RFC 9438 R14
static void end_slow_start(struct conn *c)
{
	c->ssthresh_bytes = c->cc.cwnd_bytes;
	c->cc_phase = CC_STEADY;
	c->cc_prior = CC_PRIOR_W_MAX;
	c->cc_state.cubic.w_max_bytes = 0; // RFC 9438 4.10: without a loss it is not defined
}

static bool in_burst_css(const struct conn *c)
{
	return c->cc_phase == CC_CONSERVATIVE &&
	       c->cc_state.hystart.css_rounds >= CSS_OF_BURST - STANDING_ROUNDS;
}

static uint32_t thresh_us(uint32_t rtt_us)
{
	return MAX(MIN(rtt_us / RTT_DIVISOR_MIN, (uint32_t)RTT_THRESH_US_MAX),
		   (uint32_t)RTT_THRESH_US_MIN);
}

// A round of CSS that a burst began is over. Even its shortest round trip waited: the queue does
// not drain between two bursts any more.
static void end_burst_round(struct conn *c)
{
	struct cc_hystart *h = &c->cc_state.hystart;
	bool stands = h->samples == RTT_SAMPLES &&
		      h->current_us >= h->baseline_us + thresh_us(h->baseline_us);

	if (stands && h->css_rounds == CSS_OF_BURST - STANDING_ROUNDS)
		end_slow_start(c);
	else if (stands)
		h->css_rounds--;
	else if (h->css_rounds < CSS_OF_BURST || h->late < RTT_SAMPLES)
		c->cc_phase = CC_SLOW_START;
}

// RFC 9406 R7
static void end_round(struct conn *c)
{
	struct cc_hystart *h = &c->cc_state.hystart;

	if (in_burst_css(c)) {
		end_burst_round(c);
		if (c->cc_phase <= CC_CONSERVATIVE)
			begin_round(c);
		return;
	}
	begin_round(c);
	if (c->cc_phase != CC_CONSERVATIVE)
		return;
	// RFC 9406 4.2: the round in which it began counts too.
	h->css_rounds++;
	if (h->css_rounds == CSS_ROUNDS)
		end_slow_start(c);
}

// RFC 9406 R4
static bool delay_rose(const struct cc_hystart *h)
{
	return h->last_us != CC_RTT_NONE && h->current_us >= h->last_us + thresh_us(h->last_us);
}

static uint32_t lowest_us(const struct cc_hystart *h)
{
	return MIN((uint32_t)h->last_us, (uint32_t)h->current_us);
}

static void conserve(struct conn *c, uint32_t baseline_us, uint8_t css_rounds)
{
	c->cc_phase = CC_CONSERVATIVE;
	c->cc_state.hystart.baseline_us = baseline_us & CC_RTT_NONE;
	c->cc_state.hystart.css_rounds = css_rounds & 15;
}

// RFC 9406 4.2; RFC 9406 R4, R6
static void look_at_delay(struct conn *c)
{
	struct cc_hystart *h = &c->cc_state.hystart;

	if (h->samples < RTT_SAMPLES)
		return;
	if (c->cc_phase == CC_SLOW_START) {
		if (delay_rose(h))
			conserve(c, h->current_us, 0);
		else if (h->late == RTT_SAMPLES)
			conserve(c, lowest_us(h), CSS_OF_BURST);
	} else if (!in_burst_css(c) && h->current_us < h->baseline_us) {
		c->cc_phase = CC_SLOW_START;
	}
}

// RFC 9406 R2
static void take_sample(struct cc_hystart *h, uint32_t rtt_us)
{
	h->current_us = MIN((uint32_t)h->current_us, MIN(rtt_us, CC_RTT_NONE - 1));
	if (h->samples < RTT_SAMPLES)
		h->samples++;
}

// Samples in a row, up to as many as say something.
static void count_late(struct conn *c, uint32_t rtt_us)
{
	struct cc_hystart *h = &c->cc_state.hystart;
	uint32_t low_us = lowest_us(h), wait_us;

	if (h->late == RTT_SAMPLES)
		return;
	wait_us = MAX(low_us / BURST_DIVISOR, (uint32_t)RTT_THRESH_US_MIN);
	if (in_burst_css(c)) {
		low_us = h->baseline_us;
		wait_us = thresh_us(low_us);
	}
	h->late = rtt_us < low_us + wait_us ? 0 : (h->late + 1) & 15;
}

// RFC 9406 R3, R5
static void first_slow_start(struct conn *c, const struct cc_sample *s)
{
	struct cc_hystart *h = &c->cc_state.hystart;
	uint32_t step = s->acked_bytes;

	if (!c->paced)
		step = MIN(step, (uint32_t)L_SEGS * c->mss_bytes);

	if (c->cc_phase == CC_CONSERVATIVE)
		step >>= CSS_GROWTH_SHIFT;
	if (!in_burst_css(c) || h->css_rounds == CSS_OF_BURST)
		cc_grow(c, step);
	// A round that began with nothing in flight is what was sent then.
	if (h->round_end == (uint32_t)c->snd.una - s->acked_bytes)
		h->round_end = (uint32_t)c->snd.nxt;
	if (s->rtt_us) {
		take_sample(h, s->rtt_us);
		count_late(c, s->rtt_us);
	}
	look_at_delay(c);
	if (round_is_over(c))
		end_round(c);
}

// RFC 9406 R9
void cc_slow_start(struct conn *c, const struct cc_sample *s)
{
	uint32_t segs;

	if (c->cc_phase <= CC_CONSERVATIVE) {
		first_slow_start(c, s);
		return;
	}
	// RFC 3465 2.3: at most two segments an ACK, for peers that delay theirs; one after a
	// timeout, when an ACK covers what had arrived before it and says nothing of how fast the
	// network takes more.
	segs = UNLIKELY(s->after_rto) ? 1 : 2;
	cc_grow(c, MIN(s->acked_bytes, segs * c->mss_bytes));
}
