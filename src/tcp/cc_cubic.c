// SPDX-License-Identifier: BSD-3-Clause
// CUBIC (RFC 9438): after a reduction cwnd grows by the clock and not by round trips, steeply back
// to near where it was (W_max), flat around there, then ever faster in search of more.
//
//   cwnd |            W_max                  /        W_cubic(t) = C (t - K)^3 + W_max
//        |- - - - - - - - -. - - - - . - '  /         C = 0.4 segments/s^3
//        |         . '     :                          K: when it is at W_max
//        |     /           :
//        |    / 0.7 W_max  :
//        +----|------------|---------------- t
//           epoch          K = the turning point
//
// Where that is less than what Reno would have (W_est; short round trips, small windows) it is
// that. Called through cc_ops by ack.c and loss.c; slow start is cc_hystart.c's.
//
// Bytes and milliseconds, integers only. Nothing is computed on most ACKs: bytes are counted, and
// eight times a window the curve is asked, so that no division by a variable is needed, and what a
// window's ACKs add is what they would one by one, an eighth of a round trip later.
//
// Time in which the application or the peer's window held the sender back does not count (RFC 9438
// 5.8), and costs nothing: such ACKs never come here. The next one that does finds a gap longer
// than a round trip, and moves the turning point on by what is too much of it.
#include "base/time.h"
#include "tcp/cc.h"

// beta_cubic = 0.7 (RFC 9438 4.6)
#define BETA(bytes) ((uint64_t)(bytes)*7 / 10)
#define BEFORE_BETA(bytes) ((uint64_t)(bytes)*10 / 7)
#define MARKED_BETA(bytes) ((uint64_t)(bytes)*17 / 20)
// RFC 9438 4.7: (1 + beta) / 2 = 17 / 20
#define FAST(bytes) ((uint64_t)(bytes)*17 / 20)
#define BEFORE_FAST(bytes) ((uint64_t)(bytes)*20 / 17)
// RFC 9438 4.3: alpha_cubic = 3 (1 - beta) / (1 + beta) = 9 / 17
#define ALPHA(bytes) (((bytes)*9 + 8) / 17)

// Of a window's bytes, how many times the curve is asked.
#define STEP_SHIFT 3

// The furthest from the turning point that matters: with the smallest segment (MSS 64 less 12 of
// options) the largest window lies 373 s from it, and this is 524 s. Its cube has 57 bits.
#define DISTANCE_MS_MAX (UINT32_C(1) << 19)

// C is 0.4 segments/s^3: one segment in 2.5 * 10^9 ms^3. The cube loses ten bits before it is
// multiplied by MSS, which is less than 2^16: 63 bits at most. The error is below 0.1 bytes.
#define MS3_PER_SEGMENT UINT64_C(2500000000)
#define MS3_SHIFT 10

static uint32_t curve_bytes(uint32_t mss_bytes, uint32_t distance_ms)
{
	uint64_t cube = (uint64_t)distance_ms * distance_ms * distance_ms;
	uint64_t bytes = (cube >> MS3_SHIFT) * mss_bytes / (MS3_PER_SEGMENT >> MS3_SHIFT);

	return (uint32_t)MIN(bytes, (uint64_t)CWND_BYTES_MAX);
}

// The largest integer whose cube is not above x: bit by bit, from the highest that can be set. It
// runs once an epoch. The result is less than 1 below the real root.
static uint32_t cube_root(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = DISTANCE_MS_MAX >> 1; bit; bit >>= 1) {
		uint64_t larger = root | bit;

		if (larger * larger * larger <= x)
			root = larger;
	}
	return (uint32_t)root;
}

// K, or how long ago it was (RFC 9438 4.2, figure 2): the time from bytes below or above W_max to
// it. Less than 1 ms too short. 2^30 bytes times MS3_PER_SEGMENT are 62 bits. RFC 9438 R1.
static uint32_t distance_ms(const struct conn *c, uint32_t bytes)
{
	return cube_root(bytes * MS3_PER_SEGMENT / c->mss_bytes);
}

// RFC 9438 4.2, figure 1; RFC 9438 R1
static uint32_t w_cubic_bytes(const struct conn *c, uint32_t at_ms)
{
	const struct cc_cubic *cubic = &c->cc_state.cubic;
	int32_t since_ms = (int32_t)(at_ms - cubic->turn_ms);
	uint32_t curve;

	if (since_ms >= 0) {
		curve = curve_bytes(c->mss_bytes, MIN((uint32_t)since_ms, DISTANCE_MS_MAX));
		return MIN(cubic->w_max_bytes + curve, CWND_BYTES_MAX);
	}
	curve = curve_bytes(c->mss_bytes, MIN(-(uint32_t)since_ms, DISTANCE_MS_MAX));
	return cubic->w_max_bytes - MIN(curve, cubic->w_max_bytes);
}

// RFC 9438 4.1.2: cwnd when ssthresh was last set.
static uint64_t cwnd_prior_bytes(const struct conn *c)
{
	uint32_t w_max_bytes = c->cc_state.cubic.w_max_bytes;

	if (c->cc_prior == CC_PRIOR_FAST)
		return BEFORE_FAST(w_max_bytes);
	return c->cc_prior == CC_PRIOR_SSTHRESH ? BEFORE_BETA(c->ssthresh_bytes) : w_max_bytes;
}

// RFC 9438 4.3: as steep as makes up for the smaller decrease, and as Reno once it is where the
// decrease began. RFC 9438 R5.
static void grow_w_est(struct conn *c)
{
	struct cc_cubic *cubic = &c->cc_state.cubic;
	uint32_t step = (uint32_t)c->mss_bytes;

	if (cubic->w_est_bytes < cwnd_prior_bytes(c))
		step = ALPHA(step);
	step = (step + (1 << (STEP_SHIFT - 1))) >> STEP_SHIFT;
	cubic->w_est_bytes = MIN(cubic->w_est_bytes + step, CWND_BYTES_MAX);
}

// An eighth of a window was acknowledged. now and next: W_cubic(t), W_cubic(t + RTT).
// RFC 9438 R2, R4, R6
static void take_step(struct conn *c, uint32_t now_bytes, uint32_t next_bytes)
{
	uint32_t cwnd_bytes = c->cc.cwnd_bytes;

	grow_w_est(c);
	if (now_bytes < c->cc_state.cubic.w_est_bytes) {
		// RFC 9438 4.3: the Reno-friendly region
		c->cc.cwnd_bytes = MAX(cwnd_bytes, c->cc_state.cubic.w_est_bytes);
		return;
	}
	// RFC 9438 4.2: the target, not below cwnd and not above one and a half of it; 4.4 and 4.5:
	// (target - cwnd) / cwnd for each that is acknowledged.
	next_bytes = MIN(MAX(next_bytes, cwnd_bytes), cwnd_bytes + cwnd_bytes / 2);
	cc_grow(c, (next_bytes - cwnd_bytes) >> STEP_SHIFT);
}

// RFC 9438 R11, R14
static void begin_epoch(struct conn *c, uint32_t begin_ms)
{
	uint32_t cwnd_bytes = c->cc.cwnd_bytes;
	uint32_t w_max_bytes = cc_w_max_bytes(c);

	// RFC 9438 4.8 and 4.10: after a timeout, or a slow start that no loss ended, K is 0 and
	// W_max what cwnd is now.
	if (w_max_bytes == 0)
		w_max_bytes = cwnd_bytes;
	c->cc_phase = CC_EPOCH;
	c->cc_state.cubic = (struct cc_cubic){
		.w_max_bytes = w_max_bytes,
		.turn_ms = cwnd_bytes <= w_max_bytes
				   ? begin_ms + distance_ms(c, w_max_bytes - cwnd_bytes)
				   : begin_ms - distance_ms(c, cwnd_bytes - w_max_bytes),
		.counted_ms = begin_ms,
		.w_est_bytes = cwnd_bytes,
	};
}

// A round trip; at least a millisecond, for they are counted from edge to edge.
static uint32_t round_trip_ms(const struct conn *c, const struct cc_sample *s)
{
	return MAX(c->rtt.srtt_us, s->rtt_us) / 1000 + 1;
}

// False while there is none. For a window after a reduction cwnd stays, so that the reduction can
// be taken back; then the epoch has begun a round trip ago, with what W_est gained in it.
// RFC 9438 R6
static bool in_epoch(struct conn *c, const struct cc_sample *s, uint32_t now_ms)
{
	if (LIKELY(c->cc_phase == CC_EPOCH))
		return true;
	if (c->cc_phase != CC_REDUCED) {
		begin_epoch(c, now_ms);
		return true;
	}
	if (c->cc.acked < c->cc.cwnd_bytes)
		return false;
	begin_epoch(c, now_ms - round_trip_ms(c, s));
	c->cc_state.cubic.w_est_bytes += ALPHA((uint32_t)c->mss_bytes);
	c->cc.acked = 0;
	return true;
}

// RFC 9438 4.2 and 5.8: t leaves out what was limited by the application. While cwnd limits, an ACK
// comes at least once a round trip. RFC 9438 R3.
static void pass_over_gap(struct conn *c, const struct cc_sample *s, uint32_t now_ms)
{
	struct cc_cubic *cubic = &c->cc_state.cubic;
	uint32_t gap_ms = now_ms - cubic->counted_ms;
	uint32_t counted_ms = MIN(gap_ms, round_trip_ms(c, s));

	cubic->turn_ms += gap_ms - counted_ms;
	cubic->counted_ms = now_ms;
	// An epoch may last for months: the turning point comes along, far enough behind.
	if ((int32_t)(now_ms - cubic->turn_ms) > (int32_t)DISTANCE_MS_MAX)
		cubic->turn_ms = now_ms - DISTANCE_MS_MAX;
}

static void avoid_congestion(struct conn *c, const struct cc_sample *s)
{
	uint32_t now_ms = (uint32_t)(s->now_ns / NS_PER_MS);
	uint32_t now_bytes, next_bytes, step_bytes;

	// One ACK counts for a window at most: it may cover what was sent under a larger one.
	c->cc.acked = MIN(c->cc.acked + s->acked_bytes, c->cc.cwnd_bytes);
	if (!in_epoch(c, s, now_ms))
		return;
	pass_over_gap(c, s, now_ms);
	if (c->cc.acked < c->cc.cwnd_bytes >> STEP_SHIFT)
		return;
	now_bytes = w_cubic_bytes(c, now_ms);
	next_bytes = w_cubic_bytes(c, now_ms + c->rtt.srtt_us / 1000);
	while ((step_bytes = c->cc.cwnd_bytes >> STEP_SHIFT) <= c->cc.acked) {
		c->cc.acked -= step_bytes;
		take_step(c, now_bytes, next_bytes);
	}
}

// RFC 9438 R13
static void cubic_on_ack(struct conn *c, const struct cc_sample *s)
{
	if (cc_is_held(c))
		return;
	if (c->cc.cwnd_bytes < c->ssthresh_bytes)
		cc_slow_start(c, s);
	else
		avoid_congestion(c, s);
}

// RFC 9438 R7, R10
static uint32_t beta_of_flight(const struct conn *c, const struct cc_sample *s)
{
	return cc_ssthresh_bytes(c, BETA(s->in_flight_bytes));
}

// RFC 9438 R7, R9
static void cubic_on_loss(struct conn *c, const struct cc_sample *s)
{
	uint32_t cwnd_bytes = c->cc.cwnd_bytes;

	// RFC 9438 4.7: fast convergence. Not even W_max was reached, so there are others: give
	// them room.
	if (cwnd_bytes < cc_w_max_bytes(c))
		cc_keep(c, (uint32_t)FAST(cwnd_bytes), CC_PRIOR_FAST);
	else
		cc_keep(c, cwnd_bytes, CC_PRIOR_W_MAX);
	c->ssthresh_bytes = beta_of_flight(c, s); // RFC 9438 4.6
}

// RFC 8511 3.1: of CUBIC beta_ecn = 0.85 was tried and found good. RFC 8511 R2; RFC 9438 R8.
static void cubic_on_mark(struct conn *c, const struct cc_sample *s)
{
	uint32_t cwnd_bytes = c->cc.cwnd_bytes;
	bool gives_way = cwnd_bytes < cc_w_max_bytes(c); // RFC 9438 4.7

	cc_marked(c, gives_way ? (uint32_t)FAST(cwnd_bytes) : cwnd_bytes,
		  gives_way ? CC_PRIOR_FAST : CC_PRIOR_W_MAX, MARKED_BETA(s->in_flight_bytes));
}

// RFC 9438 4.8: as Reno, with CUBIC's beta. RFC 9438 R10.
static void cubic_on_rto(struct conn *c, const struct cc_sample *s)
{
	if (c->backoff == 0 || c->cc_phase != CC_REDUCED) {
		cc_keep(c, 0, CC_PRIOR_SSTHRESH);
		c->ssthresh_bytes = beta_of_flight(c, s);
	}
	c->cc.cwnd_bytes = c->mss_bytes;
	c->cc.acked = 0;
}

const struct cc_ops cc_cubic = {
	.name = "cubic",
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_mark = cubic_on_mark,
	.on_rto = cubic_on_rto,
	.on_recovered = cc_recovered,
	.on_spurious = cc_taken_back,
};
