// SPDX-License-Identifier: BSD-3-Clause
#include "cc_flow.h"

// RFC 9438 in segments, seconds and floating point.
#define C 0.4
#define BETA 0.7
#define ALPHA (3 * (1 - BETA) / (1 + BETA))

struct model {
	double cwnd, w_max, w_est, prior, k, epoch_s;
};

static double model_w_cubic(const struct model *m, double t)
{
	return C * pow(t - m->k, 3) + m->w_max; // figure 1
}

static void model_loses(struct model *m, double now_s)
{
	m->prior = m->cwnd;
	m->w_max = m->cwnd < m->w_max ? m->cwnd * (1 + BETA) / 2 : m->cwnd; // 4.7
	m->cwnd = m->w_est = BETA * m->cwnd;                                // 4.6
	m->k = cbrt((m->w_max - m->cwnd) / C);                              // figure 2
	m->epoch_s = now_s;
}

static void model_acked(struct model *m, double segs, double now_s, double rtt_s)
{
	double t = now_s - m->epoch_s;
	double target = fmin(fmax(model_w_cubic(m, t + rtt_s), m->cwnd), 1.5 * m->cwnd);

	m->w_est += (m->w_est >= m->prior ? 1 : ALPHA) * segs / m->cwnd; // figure 4
	if (model_w_cubic(m, t) < m->w_est)
		m->cwnd = fmax(m->cwnd, m->w_est);
	else
		m->cwnd += (target - m->cwnd) / m->cwnd * segs;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

// Loses at so many segments, then goes on to twice K beside the model; the largest difference from
// half of K on, in parts of cwnd, less one segment. Before that half, one has stayed for a round
// where the other has not.
static double largest_difference(uint32_t segs, uint64_t rtt_ns)
{
	struct flow f;
	struct model m = {.cwnd = segs};
	double worst = 0;

	flow_init(&f, PRISM_CONGESTION_CUBIC, rtt_ns);
	flow_at(&f, SEGS(segs));
	flow_loses(&f);
	model_loses(&m, seconds(f.now_ns));
	while (seconds(f.now_ns) < m.epoch_s + 2 * m.k + 10 * seconds(rtt_ns)) {
		uint32_t acked = MAX(SEGS(2), f.c.cc.cwnd_bytes / 32);

		f.now_ns += (uint64_t)((double)rtt_ns * acked / f.c.cc.cwnd_bytes);
		flow_ack(&f, acked);
		model_acked(&m, (double)acked / MSS, seconds(f.now_ns), seconds(rtt_ns));
		if (seconds(f.now_ns) < m.epoch_s + m.k / 2 + 2 * seconds(rtt_ns))
			continue;
		worst = fmax(worst, (fabs((double)f.c.cc.cwnd_bytes / MSS - m.cwnd) - 1) / m.cwnd);
	}
	return worst;
}

// RFC 9438 4.2, 4.4, 4.5; RFC 9438 R1, R2, R6
static void the_window_follows_the_curve_of_the_rfc(void **state)
{
	static const uint32_t segs[] = {10, 30, 100, 1000, 10000, 100000, 400000};
	static const uint64_t rtts_us[] = {1000, 10000, 40000, 100000, 300000};

	(void)state;
	for (size_t w = 0; w < ARRAY_COUNT(segs); w++) {
		for (size_t r = 0; r < ARRAY_COUNT(rtts_us); r++) {
			double worst = largest_difference(segs[w], rtts_us[r] * NS_PER_US);

			if (worst > 0.02)
				fail_msg("%u segments, %lu us: %f", segs[w], rtts_us[r], worst);
		}
	}
}

// RFC 9438 4.2, figure 2; RFC 9438 R1
static void the_turning_point_is_k_away_to_the_millisecond(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 4);
	for (int i = 0; i < 20000; i++) {
		struct flow f;
		uint32_t segs = (uint32_t)(4 + rng_below(&rng, UINT64_C(1) << (2 + i % 17)));
		uint32_t begin_ms;
		double k_ms;

		flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
		flow_at(&f, SEGS(segs));
		flow_loses(&f);
		k_ms = 1000 * cbrt(((double)SEGS(segs) - f.c.cc.cwnd_bytes) / MSS / C);
		flow_round(&f, 1);
		begin_ms = f.c.cc_state.cubic.counted_ms - 11; // a round trip and its edge
		assert_int_equal(f.c.cc_phase, CC_EPOCH);
		assert_true(f.c.cc_state.cubic.turn_ms - begin_ms <= k_ms);
		assert_true(f.c.cc_state.cubic.turn_ms - begin_ms > k_ms - 1.01);
	}
}

// RFC 9438 4.3: nine seventeenths of a segment a round, and from cwnd_prior on a whole one.
// RFC 9438 R4, R5
static void where_reno_has_more_the_window_is_renos(void **state)
{
	struct flow f;
	double segs = 14;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, NS_PER_MS);
	flow_at(&f, SEGS(20));
	flow_loses(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(14));
	for (int round = 0; round < 40; round++) {
		flow_round(&f, 7);
		segs += segs < 20 ? 9.0 / 17 : 1;
		if (round > 1)
			assert_in_range(f.c.cc.cwnd_bytes, (uint32_t)((segs - 1.2) * MSS),
					(uint32_t)((segs + 0.3) * MSS));
	}
	assert_in_range(f.c.cc.cwnd_bytes, SEGS(46), SEGS(49)); // 14 to 20 in 12, then 28 more
}

// RFC 9438 4.6: and not below two segments. RFC 9438 R7.
static void a_loss_leaves_seven_tenths(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(100));
	flow_loses(&f);
	assert_int_equal(f.c.ssthresh_bytes, SEGS(70));
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(70));
	flow_at(&f, SEGS(2));
	flow_loses(&f);
	assert_int_equal(f.c.ssthresh_bytes, SEGS(2));
}

// RFC 9438 4.7; RFC 9438 R9
static void who_does_not_reach_w_max_gives_way(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(1000));
	flow_round(&f, 10);
	flow_round(&f, 10);
	assert_int_equal(f.c.cc_phase, CC_EPOCH);
	f.c.cc.cwnd_bytes = SEGS(800);
	flow_loses(&f);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(680)); // 0.85 of 800
	f.c.cc.cwnd_bytes = SEGS(680);                     // this time it is reached
	flow_loses(&f);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(680));
}

// RFC 9438 4.3: cwnd_prior is where fast convergence began, not W_max. RFC 9438 R5.
static void after_fast_convergence_reno_is_caught_up_with_at_the_old_window(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, NS_PER_MS);
	flow_at(&f, SEGS(30));
	flow_loses(&f);
	f.c.cc.cwnd_bytes = SEGS(20);
	flow_loses(&f);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(17));
	for (int round = 0; round < 11; round++) // 14 to 20 at 9/17
		flow_round(&f, 7);
	assert_in_range(f.c.cc_state.cubic.w_est_bytes, SEGS(19), SEGS(20));
	flow_round(&f, 8);
	flow_round(&f, 8);
	uint32_t before = f.c.cc_state.cubic.w_est_bytes;

	flow_round(&f, 8);
	assert_in_range(f.c.cc_state.cubic.w_est_bytes - before, MSS - 9, MSS + 9);
}

// RFC 9438 4.8; RFC 9438 R10, R11
static void after_a_timeout_the_curve_begins_where_slow_start_ended(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 100 * NS_PER_MS);
	flow_at(&f, SEGS(100));
	flow_loses(&f);
	f.c.cc.cwnd_bytes = SEGS(100);
	flow_times_out(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, MSS);
	assert_int_equal(f.c.ssthresh_bytes, SEGS(70));
	f.c.backoff = 1;
	flow_times_out(&f); // the same segment again
	assert_int_equal(f.c.ssthresh_bytes, SEGS(70));
	f.c.backoff = 0;
	while (f.c.cc.cwnd_bytes < SEGS(70))
		flow_round(&f, 8);
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	flow_round(&f, 1);
	assert_int_equal(f.c.cc_phase, CC_EPOCH);
	assert_int_equal(f.c.cc_state.cubic.w_max_bytes, cwnd_bytes);
	assert_in_range(f.c.cc_state.cubic.counted_ms - f.c.cc_state.cubic.turn_ms, 100, 101);
	// W_cubic = 70 + 0.4 t^3 is slow at first: Reno's 9/17 of a segment a round is more.
	flow_round(&f, 8);
	assert_in_range(f.c.cc.cwnd_bytes - cwnd_bytes, MSS * 3 / 4, MSS * 5 / 4);
}

static void grow_for(struct flow *f, int rounds)
{
	for (int i = 0; i < rounds; i++)
		flow_round(f, 10);
}

// RFC 9438 5.8; 60 days are longer than the clock of 32 bits goes. RFC 9438 R3.
static void time_without_a_full_window_does_not_count(void **state)
{
	static const uint64_t idle_s[] = {2, 60, 3600, 30 * 86400, 60 * 86400};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(idle_s); i++) {
		struct flow idles, works;

		flow_init(&works, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
		flow_at(&works, SEGS(1000));
		flow_loses(&works);
		grow_for(&works, 40);
		idles = works;
		idles.now_ns += idle_s[i] * NS_PER_S;
		flow_ack(&idles, SEGS(2));
		assert_in_range(idles.c.cc.cwnd_bytes, works.c.cc.cwnd_bytes,
				works.c.cc.cwnd_bytes + works.c.cc.cwnd_bytes / 100);
		grow_for(&idles, 40);
		grow_for(&works, 41); // the idle one counted a round trip of its gap
		assert_in_range(idles.c.cc.cwnd_bytes, works.c.cc.cwnd_bytes * 0.99,
				works.c.cc.cwnd_bytes * 1.01);
	}
}

// Every other round trip is idle: what is left counts.
static void many_short_pauses_do_not_count_either(void **state)
{
	struct flow pauses, works;

	(void)state;
	flow_init(&works, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
	flow_at(&works, SEGS(1000));
	flow_loses(&works);
	grow_for(&works, 2);
	pauses = works;
	for (int i = 0; i < 100; i++) {
		flow_round(&works, 10);
		flow_round(&pauses, 10);
		pauses.now_ns += 10 * pauses.rtt_ns;
	}
	// Of each pause a round trip counts, so time goes at most twice as fast.
	assert_in_range(
		(int32_t)(pauses.c.cc_state.cubic.counted_ms - pauses.c.cc_state.cubic.turn_ms) +
			20000,
		0, 20000 + 2 * 5000);
}

// RFC 9438 4.9.2; RFC 9438 R12
static void a_loss_that_was_none_is_taken_back(void **state)
{
	struct flow f, twin;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	grow_for(&f, 60);
	twin = f;
	flow_loses(&f);
	assert_true(f.c.cc.cwnd_bytes < twin.c.cc.cwnd_bytes);
	flow_was_spurious(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, twin.c.cc.cwnd_bytes);
	assert_int_equal(f.c.ssthresh_bytes, twin.c.ssthresh_bytes);
	assert_int_equal(cc_w_max_bytes(&f.c), cc_w_max_bytes(&twin.c));
	grow_for(&f, 300); // through W_max and beyond: the same place on the same curve
	grow_for(&twin, 300);
	assert_in_range(f.c.cc.cwnd_bytes, twin.c.cc.cwnd_bytes * 0.99,
			twin.c.cc.cwnd_bytes * 1.01);
	assert_true(f.c.cc.cwnd_bytes > SEGS(1100));
}

static void above_w_max_it_is_taken_back_to_the_same_place_too(void **state)
{
	struct flow f, twin;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	grow_for(&f, 300);
	assert_true(f.c.cc.cwnd_bytes > SEGS(1050));
	twin = f;
	flow_loses(&f);
	flow_was_spurious(&f);
	grow_for(&f, 60);
	grow_for(&twin, 60);
	assert_in_range(f.c.cc.cwnd_bytes, twin.c.cc.cwnd_bytes * 0.99,
			twin.c.cc.cwnd_bytes * 1.01);
}

// When the epoch after it has begun, W_max stays; the window is what loss.c says.
static void taken_back_late_an_epoch_begins_at_the_window(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	grow_for(&f, 3);
	assert_int_equal(f.c.cc_phase, CC_EPOCH);
	flow_was_spurious(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(1000));
	flow_ack(&f, MSS);
	assert_int_equal(f.c.cc_state.cubic.turn_ms, f.c.cc_state.cubic.counted_ms);
	assert_int_equal(f.c.cc_state.cubic.w_max_bytes, SEGS(1000));
}

// The second timeout of a segment does not forget what W_max was before the first.
static void the_first_of_two_timeouts_is_what_is_taken_back(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 50 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	grow_for(&f, 3);
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	flow_times_out(&f);
	f.c.backoff = 1;
	flow_times_out(&f);
	f.c.backoff = 0;
	flow_was_spurious(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, cwnd_bytes);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(1000));
}

// A window of a gigabyte, the smallest and the largest segments, epochs of a hundred days.
static void nothing_overflows_at_the_extremes(void **state)
{
	static const uint16_t mss_bytes[] = {52, 1448, 9176, UINT16_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(mss_bytes); i++) {
		struct flow f;
		uint32_t before;

		flow_init(&f, PRISM_CONGESTION_CUBIC, 300 * NS_PER_MS);
		f.c.mss_bytes = mss_bytes[i];
		flow_at(&f, CWND_BYTES_MAX);
		flow_loses(&f);
		before = f.c.cc.cwnd_bytes;
		for (int round = 0; round < 3000; round++) {
			flow_round(&f, 1);
			assert_in_range(f.c.cc.cwnd_bytes, before, CWND_BYTES_MAX);
			before = f.c.cc.cwnd_bytes;
		}
		assert_in_range(f.c.cc.cwnd_bytes, CWND_BYTES_MAX - 10u * mss_bytes[i],
				CWND_BYTES_MAX);
	}
}

static void an_epoch_of_months_stays_on_its_curve(void **state)
{
	struct flow f;
	uint32_t before;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 100 * NS_PER_MS);
	f.c.rtt.srtt_us = 20000000; // so that a step of ten seconds is no gap
	flow_at(&f, SEGS(20));
	before = f.c.cc.cwnd_bytes;
	for (uint64_t day = 0; day < 100; day++) {
		for (int i = 0; i < 8640; i++) {
			f.now_ns += 10 * NS_PER_S;
			flow_ack(&f, f.c.cc.cwnd_bytes);
			assert_in_range(f.c.cc.cwnd_bytes, before, CWND_BYTES_MAX);
			before = f.c.cc.cwnd_bytes;
		}
	}
	assert_in_range(f.c.cc.cwnd_bytes, CWND_BYTES_MAX - 8, CWND_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_follows_the_curve_of_the_rfc),
		cmocka_unit_test(the_turning_point_is_k_away_to_the_millisecond),
		cmocka_unit_test(where_reno_has_more_the_window_is_renos),
		cmocka_unit_test(a_loss_leaves_seven_tenths),
		cmocka_unit_test(who_does_not_reach_w_max_gives_way),
		cmocka_unit_test(after_fast_convergence_reno_is_caught_up_with_at_the_old_window),
		cmocka_unit_test(after_a_timeout_the_curve_begins_where_slow_start_ended),
		cmocka_unit_test(time_without_a_full_window_does_not_count),
		cmocka_unit_test(many_short_pauses_do_not_count_either),
		cmocka_unit_test(a_loss_that_was_none_is_taken_back),
		cmocka_unit_test(above_w_max_it_is_taken_back_to_the_same_place_too),
		cmocka_unit_test(taken_back_late_an_epoch_begins_at_the_window),
		cmocka_unit_test(the_first_of_two_timeouts_is_what_is_taken_back),
		cmocka_unit_test(nothing_overflows_at_the_extremes),
		cmocka_unit_test(an_epoch_of_months_stays_on_its_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
