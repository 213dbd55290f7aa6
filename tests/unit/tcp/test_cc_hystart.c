// SPDX-License-Identifier: BSD-3-Clause
#include "cc_flow.h"

#define MS(n) ((n)*NS_PER_MS)

static void begin(struct flow *f)
{
	flow_init(f, PRISM_CONGESTION_CUBIC, MS(20));
	f->c.snd.nxt = f->c.snd.una + f->c.cc.cwnd_bytes; // the initial window is out
}

// One segment is acknowledged, with this round trip; 0: it measured nothing.
static void ack_rtt(struct flow *f, uint64_t rtt_ns)
{
	f->rtt_ns = rtt_ns;
	flow_ack(f, MSS);
}

static void acks_up_to(struct flow *f, uint64_t end, uint64_t rtt_ns)
{
	while (f->c.snd.una < end)
		ack_rtt(f, rtt_ns);
}

// Up to the end of the round, which is what was out when it began.
static void round_of(struct flow *f, uint64_t rtt_ns)
{
	uint32_t left = f->c.cc_state.hystart.round_end - (uint32_t)f->c.snd.una;

	acks_up_to(f, left ? f->c.snd.una + left : f->c.snd.nxt, rtt_ns);
}

static void first_acks(struct flow *f, int count, uint64_t rtt_ns)
{
	for (int i = 0; i < count; i++)
		ack_rtt(f, rtt_ns);
}

// RFC 5681 3.1
static void a_steady_round_trip_doubles_the_window(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	for (uint32_t segs = 20; segs < 10000; segs *= 2) {
		acks_up_to(&f, f.c.snd.nxt, MS(20));
		assert_int_equal(f.c.cc.cwnd_bytes, SEGS(segs));
		assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	}
}

// RFC 9406 4.2: at eight samples, at RttThresh, which is an eighth of the last round's shortest,
// but between 4 and 16 ms. RFC 9406 R1, R4.
static void eight_longer_round_trips_begin_the_conservative_end(void **state)
{
	static const struct {
		uint64_t last_ms, thresh_ms;
	} cases[] = {{1, 4}, {20, 4}, {80, 10}, {300, 16}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t last_ns = MS(cases[i].last_ms), rise_ns = MS(cases[i].thresh_ms);
		struct flow f;

		begin(&f);
		round_of(&f, last_ns);
		first_acks(&f, 7, last_ns + rise_ns);
		assert_int_equal(f.c.cc_phase, CC_SLOW_START);
		ack_rtt(&f, last_ns + rise_ns + MS(5));
		assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);

		begin(&f);
		round_of(&f, last_ns);
		round_of(&f, last_ns + rise_ns - NS_PER_US); // not quite
		assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	}
}

// RFC 9406 R2
// Unless they are long enough to be a burst's own.
static void one_short_round_trip_in_a_round_says_that_no_queue_stands(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	round_of(&f, MS(20));
	ack_rtt(&f, MS(23));
	round_of(&f, MS(24));
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
}

// RFC 6298 3: a retransmission measures nothing, and is no sample. RFC 9406 R2.
static void acks_that_measure_nothing_are_no_samples(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	round_of(&f, MS(20));
	for (int i = 0; i < 7; i++) {
		ack_rtt(&f, MS(90));
		ack_rtt(&f, 0);
	}
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	ack_rtt(&f, MS(90));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
}

static void to_conservative(struct flow *f)
{
	begin(f);
	round_of(f, MS(20));
	first_acks(f, 8, MS(30));
	assert_int_equal(f->c.cc_phase, CC_CONSERVATIVE);
}

// RFC 9406 4.2: CSS_GROWTH_DIVISOR; RFC 9406 R5
static void the_conservative_end_grows_a_quarter_as_fast(void **state)
{
	struct flow f;
	uint32_t before;

	(void)state;
	to_conservative(&f);
	before = f.c.cc.cwnd_bytes;
	ack_rtt(&f, MS(30));
	assert_int_equal(f.c.cc.cwnd_bytes, before + MSS / 4);
}

// RFC 9406 4.2: the round in which it began counts too. RFC 9406 R7; RFC 9438 R14.
static void after_five_rounds_slow_start_is_over(void **state)
{
	struct flow f;

	(void)state;
	to_conservative(&f);
	for (int round = 0; round < 4; round++) {
		round_of(&f, MS(31));
		assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
		assert_int_equal(f.c.ssthresh_bytes, UINT32_MAX);
	}
	round_of(&f, MS(31));
	assert_int_equal(f.c.cc_phase, CC_STEADY);
	assert_int_equal(f.c.ssthresh_bytes, f.c.cc.cwnd_bytes);
	// RFC 9438 4.10: W_max is cwnd, K is 0.
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	ack_rtt(&f, MS(31));
	assert_int_equal(f.c.cc_phase, CC_EPOCH);
	assert_int_equal(f.c.cc_state.cubic.w_max_bytes, cwnd_bytes);
	assert_int_equal(f.c.cc_state.cubic.turn_ms, f.c.cc_state.cubic.counted_ms);
}

// RFC 9406 R6
static void shorter_round_trips_resume_slow_start(void **state)
{
	struct flow f;

	(void)state;
	to_conservative(&f);
	round_of(&f, MS(31));
	first_acks(&f, 7, MS(29)); // below the baseline of 30, but not enough samples
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	ack_rtt(&f, MS(29));
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	uint32_t before = f.c.cc.cwnd_bytes;

	ack_rtt(&f, MS(29));
	assert_int_equal(f.c.cc.cwnd_bytes, before + MSS);
	round_of(&f, MS(29)); // and HyStart++ goes on with it, against this round
	first_acks(&f, 8, MS(33));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
}

static void rounds_count_anew_when_it_begins_again(void **state)
{
	struct flow f;

	(void)state;
	to_conservative(&f);
	round_of(&f, MS(31));
	round_of(&f, MS(31));
	round_of(&f, MS(29));
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	first_acks(&f, 8, MS(40));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	for (int round = 0; round < 4; round++)
		round_of(&f, MS(40));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	round_of(&f, MS(40));
	assert_int_equal(f.c.cc_phase, CC_STEADY);
}

// Eight in a row that wait for a quarter of a round trip, in a round that began without a queue: a
// burst makes one, though none stands. RFC 9406 R4.
static void the_queue_of_a_burst_begins_a_conservative_end(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	round_of(&f, MS(100));
	round_of(&f, MS(100));
	first_acks(&f, 4, MS(100));
	first_acks(&f, 7, MS(125));
	ack_rtt(&f, MS(124)); // not in a row
	first_acks(&f, 7, MS(125));
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	ack_rtt(&f, MS(125));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	uint32_t before = f.c.cc.cwnd_bytes;

	ack_rtt(&f, MS(125));
	assert_int_equal(f.c.cc.cwnd_bytes, before + MSS / 4);
}

static void to_burst(struct flow *f)
{
	begin(f);
	round_of(f, MS(100));
	round_of(f, MS(100));
	ack_rtt(f, MS(100));
	first_acks(f, 8, MS(130));
	assert_int_equal(f->c.cc_phase, CC_CONSERVATIVE);
}

// Bursts that make no queue were none of a path that is full. RFC 9406 R6.
static void slow_start_goes_on_when_bursts_do_not_queue(void **state)
{
	struct flow f;

	(void)state;
	to_burst(&f);
	round_of(&f, MS(100)); // it began in this one
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	round_of(&f, MS(111)); // 112.5 would be late
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
}

// RFC 9406 R7
static void it_lasts_while_bursts_queue_and_ends_when_the_queue_stands(void **state)
{
	struct flow f;

	(void)state;
	to_burst(&f);
	round_of(&f, MS(100));
	for (int round = 0; round < 20; round++) {
		ack_rtt(&f, MS(100));
		round_of(&f, MS(120));
		assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
	}
	uint32_t stood = 0;

	for (int round = 0; round < 2; round++) {
		round_of(&f, MS(120));
		assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
		assert_true(stood == 0 || stood == f.c.cc.cwnd_bytes);
		stood = f.c.cc.cwnd_bytes;
	}
	round_of(&f, MS(120));
	assert_int_equal(f.c.cc_phase, CC_STEADY);
	assert_int_equal(f.c.cc.cwnd_bytes, stood);
	assert_int_equal(f.c.ssthresh_bytes, stood);
}

// And while cwnd stands a queue of others drains. RFC 9406 R6
static void a_queue_that_drains_while_the_window_stands_was_made_by_others(void **state)
{
	struct flow f;

	(void)state;
	for (int rounds = 1; rounds <= 2; rounds++) {
		to_burst(&f);
		round_of(&f, MS(100));
		for (int round = 0; round < rounds; round++)
			round_of(&f, MS(130));
		assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
		round_of(&f, MS(100));
		assert_int_equal(f.c.cc_phase, CC_SLOW_START);
		assert_int_equal(f.c.ssthresh_bytes, UINT32_MAX);
	}
}

// RFC 9406 4.3: L, for senders that do not pace. RFC 9406 R3.
static void an_ack_of_many_segments_counts_for_eight(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	flow_ack(&f, SEGS(10));
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(10 + 8));
}

// RFC 9406 R8
static void a_loss_ends_it(void **state)
{
	struct flow f;

	(void)state;
	to_conservative(&f);
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	flow_loses(&f);
	assert_int_equal(cc_w_max_bytes(&f.c), cwnd_bytes);
	assert_in_range(f.c.ssthresh_bytes, cwnd_bytes * 0.69, cwnd_bytes * 0.71);
	acks_up_to(&f, f.c.snd.nxt, MS(90));
	acks_up_to(&f, f.c.snd.nxt, MS(20));
	assert_true(f.c.cc_phase > CC_CONSERVATIVE);
}

static void a_loss_that_was_none_lets_it_begin_again(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	round_of(&f, MS(20));
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	flow_loses(&f);
	flow_was_spurious(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, cwnd_bytes);
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
	round_of(&f, MS(20));
	assert_in_range(f.c.cc.cwnd_bytes, 2 * cwnd_bytes - SEGS(2), 2 * cwnd_bytes + SEGS(2));
	first_acks(&f, 8, MS(30));
	assert_int_equal(f.c.cc_phase, CC_CONSERVATIVE);
}

// RFC 9406 4.3: only the first one; a later slow start knows where to end. RFC 9406 R9.
static void a_later_slow_start_looks_at_no_delay(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_NEWRENO, MS(20));
	f.c.cc.cwnd_bytes = SEGS(1000);
	flow_times_out(&f);
	f.c.snd.nxt = f.c.snd.una + MSS;
	for (uint64_t ms = 20; f.c.cc.cwnd_bytes < SEGS(490); ms += 20)
		acks_up_to(&f, f.c.snd.nxt, MS(ms));
	assert_int_equal(f.c.ssthresh_bytes, SEGS(500));
	assert_true(f.c.cc_phase == CC_REDUCED);
}

// ACKs of a sender with little to say are not looked at; offsets go on. RFC 9406 R1.
static void a_round_that_was_passed_unseen_is_over(void **state)
{
	struct flow f;

	(void)state;
	begin(&f);
	round_of(&f, MS(20));
	f.c.snd.una += UINT64_C(3) << 30;
	f.c.snd.nxt = f.c.snd.una + f.c.cc.cwnd_bytes;
	ack_rtt(&f, MS(20));
	assert_in_range(f.c.cc_state.hystart.round_end - (uint32_t)f.c.snd.una, 1, CWND_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_round_trip_doubles_the_window),
		cmocka_unit_test(eight_longer_round_trips_begin_the_conservative_end),
		cmocka_unit_test(one_short_round_trip_in_a_round_says_that_no_queue_stands),
		cmocka_unit_test(acks_that_measure_nothing_are_no_samples),
		cmocka_unit_test(the_conservative_end_grows_a_quarter_as_fast),
		cmocka_unit_test(after_five_rounds_slow_start_is_over),
		cmocka_unit_test(shorter_round_trips_resume_slow_start),
		cmocka_unit_test(rounds_count_anew_when_it_begins_again),
		cmocka_unit_test(the_queue_of_a_burst_begins_a_conservative_end),
		cmocka_unit_test(slow_start_goes_on_when_bursts_do_not_queue),
		cmocka_unit_test(it_lasts_while_bursts_queue_and_ends_when_the_queue_stands),
		cmocka_unit_test(a_queue_that_drains_while_the_window_stands_was_made_by_others),
		cmocka_unit_test(an_ack_of_many_segments_counts_for_eight),
		cmocka_unit_test(a_loss_ends_it),
		cmocka_unit_test(a_loss_that_was_none_lets_it_begin_again),
		cmocka_unit_test(a_later_slow_start_looks_at_no_delay),
		cmocka_unit_test(a_round_that_was_passed_unseen_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
