// SPDX-License-Identifier: BSD-3-Clause
// BBR in its long run, the draft's ProbeBW (5.3.3): below the rate of the path until no queue is
// left, at it for two to three seconds or as long as Reno would take to grow back, a round to fill
// the path, then a quarter faster until nothing more is delivered or too much is lost. Called by
// bbr.c with each ACK, by bbr_loss.c.
#include "tcp/bbr.h"

#include "base/time.h"

#define RENO_ROUNDS_MAX 63
#define WAIT_NS_MIN (2 * NS_PER_S)
#define WAIT_NS_MORE NS_PER_S
#define UP_ROUNDS_MAX 30

static uint32_t roll(struct bbr *b)
{
	b->dice ^= b->dice << 13;
	b->dice ^= b->dice >> 17;
	b->dice ^= b->dice << 5;
	return b->dice;
}

static uint32_t target_bytes(const struct bbr_event *e)
{
	return MIN(bbr_send_bdp(e->bbr, e->c, e->bbr->bytes_s, 100), e->c->cc.cwnd_bytes);
}

static bool is_cwnd_limited(const struct bbr *b)
{
	return b->cwnd_limited[0] || b->cwnd_limited[1];
}

// ---- from one to the next

void bbr_probe_down(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	bbr_loss_new_cycle(b);
	b->up_step_bytes = BBR_NONE;
	b->rounds_since_probe = roll(b) & 1;
	b->probe_wait_ns = WAIT_NS_MIN + ((uint64_t)roll(b) * WAIT_NS_MORE >> 32);
	b->cycle_ns = e->now_ns;
	b->acks = BBR_ACKS_STOPPING;
	bbr_path_start_round(e);
	b->state = BBR_DOWN;
}

void bbr_probe_cruise(struct bbr *b)
{
	b->state = BBR_CRUISE;
}

// What losses of before said of rate and window is forgotten.
void bbr_probe_refill(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	bbr_loss_forget_short(b);
	b->up_rounds = 0;
	b->up_acked_bytes = 0;
	b->probe_was_careful = false;
	b->acks = BBR_ACKS_REFILLING;
	bbr_path_start_round(e);
	b->state = BBR_REFILL;
}

// 1, 2, 4, ... segments a round more.
static void raise_slope(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	uint32_t step = e->c->cc.cwnd_bytes >> b->up_rounds;

	if (b->up_rounds < UP_ROUNDS_MAX)
		b->up_rounds++;
	b->up_step_bytes = MAX(step, (uint32_t)e->c->mss_bytes);
}

static void go_up(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	b->probe_sample = true;
	b->acks = BBR_ACKS_STARTING;
	bbr_path_start_round(e);
	bbr_path_reset_full(b, e->sample->rate_bytes_s);
	b->state = BBR_UP;
	raise_slope(e);
}

// 5.5.10.2; not more of a decrease than CUBIC's, once a probe.
void bbr_probe_too_high(const struct bbr_event *e, uint32_t in_flight_bytes, bool app_limited)
{
	struct bbr *b = e->bbr;
	uint32_t least_bytes = (uint32_t)BBR_BETA((uint64_t)target_bytes(e));

	b->probe_was_too_high = true;
	b->probe_sample = false;
	if (!app_limited)
		b->long_bytes = MAX(in_flight_bytes, least_bytes);
	if (b->state != BBR_UP)
		return;
	b->undo_state = BBR_UP;
	b->undo = true;
	bbr_probe_down(e);
}

// ---- each ACK

static bool is_time_to_probe(const struct bbr_event *e)
{
	const struct bbr *b = e->bbr;
	uint32_t reno_rounds = target_bytes(e) / e->c->mss_bytes;

	return e->now_ns > b->cycle_ns + b->probe_wait_ns ||
	       b->rounds_since_probe >= MIN(reno_rounds, (uint32_t)RENO_ROUNDS_MAX);
}

static bool is_time_to_cruise(const struct bbr_event *e)
{
	const struct bbr *b = e->bbr;
	uint64_t in_flight = e->sample->in_flight_bytes;

	return in_flight <= bbr_send_with_headroom(b, e->c) &&
	       in_flight <= bbr_send_in_flight(b, e->c, bbr_max_bytes_s(b), 100);
}

// 5.3.3.6: after a probe that went too high the next ends where that one began to. Before the ACK
// so much was in flight; after it a window that limits is not full any more.
static bool is_time_to_go_down(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->probe_was_too_high &&
	    e->sample->in_flight_bytes + e->sample->bytes >= b->long_bytes) {
		b->probe_was_careful = true;
		return true;
	}
	if (is_cwnd_limited(b) && e->c->cc.cwnd_bytes >= b->long_bytes) {
		bbr_path_reset_full(b, e->sample->rate_bytes_s);
		return false;
	}
	return b->full_now;
}

// The window fills what is known to be safe: then more is.
static void grow_long(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	uint32_t steps;

	if (!is_cwnd_limited(b) || e->c->cc.cwnd_bytes < b->long_bytes)
		return;
	b->up_acked_bytes += e->sample->bytes;
	if (b->up_acked_bytes >= b->up_step_bytes) {
		steps = b->up_acked_bytes / b->up_step_bytes;
		b->up_acked_bytes -= steps * b->up_step_bytes;
		b->long_bytes = MIN(b->long_bytes + steps * e->c->mss_bytes, CWND_BYTES_MAX);
	}
	if (b->round_start)
		raise_slope(e);
}

// A round after the probe its last samples are in: the cycle's most is known.
static bool ends_probe(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	b->probe_sample = false;
	b->acks = BBR_ACKS_INIT;
	if (!bbr_is_probe_bw(b))
		return false;
	if (!e->sample->app_limited)
		bbr_path_next_cycle(b);
	if (!b->probe_was_careful || b->probe_was_too_high)
		return false;
	bbr_probe_refill(e); // careful was well: at once again, without
	return true;
}

// True when it has decided what comes next.
static bool adapt_long(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->acks == BBR_ACKS_STARTING && b->round_start)
		b->acks = BBR_ACKS_FEEDBACK;
	if (b->acks == BBR_ACKS_STOPPING && b->round_start && ends_probe(e))
		return true;
	if (bbr_loss_is_too_high(e) || b->long_bytes == BBR_NONE)
		return false;
	if (e->sample->has_mark)
		b->long_bytes = MAX(b->long_bytes, e->sample->sent_bytes);
	if (b->state == BBR_UP)
		grow_long(e);
	return false;
}

void bbr_probe_step(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (!b->full_reached || adapt_long(e))
		return;
	switch (b->state) {
	case BBR_DOWN:
		if (is_time_to_probe(e))
			bbr_probe_refill(e);
		else if (is_time_to_cruise(e))
			bbr_probe_cruise(b);
		return;
	case BBR_CRUISE:
		if (is_time_to_probe(e))
			bbr_probe_refill(e);
		return;
	case BBR_REFILL:
		if (b->round_start)
			go_up(e);
		return;
	case BBR_UP:
		if (is_time_to_go_down(e)) {
			b->probe_was_too_high = false; // as far as is known
			bbr_probe_down(e);
		}
		return;
	default:
		return;
	}
}
