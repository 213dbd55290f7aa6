// SPDX-License-Identifier: BSD-3-Clause
// Samples of the delivery rate (draft-ietf-ccwg-bbr-06 4.1). What a sample said is seen in the
// model that took it: latest_bytes_s, latest_bytes.
#include "bbr_flow.h"

static struct path path;

static struct path *new_path(void)
{
	path_init(&path, UINT64_C(1000000000), NS_PER_MS);
	path.record.rate.pacing_bytes_s = UINT64_C(1) << 34;
	return &path;
}

static void leaves(struct path *p, uint64_t at_ms)
{
	p->env.now_ns = 100 * NS_PER_S + at_ms * NS_PER_MS;
	rate_sent(&p->tcp, &p->c, p->c.snd.nxt, MSS);
	p->c.snd.nxt += MSS;
}

// So many segments more are acknowledged; what the sample says.
static uint64_t arrive(struct path *p, uint64_t at_ms, uint32_t segs)
{
	struct bbr *b = path_bbr(p);
	struct cc_sample s = {.acked_bytes = segs * MSS};

	p->env.now_ns = s.now_ns = 100 * NS_PER_S + at_ms * NS_PER_MS;
	p->c.snd.una += segs * MSS;
	b->latest_bytes_s = 0;
	b->latest_bytes = 0;
	rate_arrived(&p->tcp, &p->c, segs * MSS);
	rate_acked(&p->tcp, &p->c, &s);
	return b->latest_bytes_s;
}

static uint64_t segs_in(uint32_t segs, uint64_t ms)
{
	return (uint64_t)segs * MSS * 1000 / ms;
}

#define assert_near(a, b) assert_in_range(a, (b)*999 / 1000, (b)*1001 / 1000)

static void a_sample_is_what_was_delivered_since_it_left_by_how_long_that_took(void **state)
{
	struct path *p = new_path();

	(void)state;
	for (uint64_t ms = 0; ms < 10; ms++)
		leaves(p, ms);
	assert_near(arrive(p, 100, 1), segs_in(1, 100)); // nothing was in flight when it left
	leaves(p, 100);
	assert_near(arrive(p, 104, 9), segs_in(10, 104));
	// One was delivered when it left, nine and itself since, at most as fast as those left.
	assert_near(arrive(p, 200, 1), segs_in(10, 100));
	assert_int_equal(path_bbr(p)->latest_bytes, 10 * MSS);
}

// What comes all at once did not leave at once: it cannot be faster than that.
static void acks_that_come_together_are_no_faster_than_what_they_are_of(void **state)
{
	struct path *p = new_path();

	(void)state;
	for (uint64_t ms = 0; ms < 20; ms++)
		leaves(p, ms);
	arrive(p, 20, 1);
	leaves(p, 21);
	assert_near(arrive(p, 22, 20), segs_in(20, 21)); // and not in 2 ms
}

static void time_with_nothing_in_flight_does_not_count(void **state)
{
	struct path *p = new_path();

	(void)state;
	leaves(p, 0);
	arrive(p, 10, 1);
	leaves(p, 5000);
	assert_near(arrive(p, 5010, 1), segs_in(1, 10));
}

static void what_leaves_behind_a_gap_of_the_application_says_nothing_of_the_path(void **state)
{
	struct path *p = new_path();
	struct rate *r = &p->record.rate;

	(void)state;
	p->c.snd.end = p->c.snd.nxt + 2 * MSS;
	leaves(p, 0);
	leaves(p, 0); // that was all
	assert_true(r->limited_bytes >= 2 * MSS);
	p->c.snd.end = UINT64_C(1) << 60;
	for (uint64_t ms = 1; ms < 10; ms++)
		leaves(p, ms);
	path_bbr(p)->cycle_bytes_s[0] = UINT64_C(1) << 30;
	arrive(p, 20, 2);
	assert_true(r->limited_bytes != 0); // until more is delivered than was in flight then
	arrive(p, 21, 1);
	assert_int_equal(r->limited_bytes, 0);
	leaves(p, 22);
	arrive(p, 30, 8);
	assert_int_equal(path_bbr(p)->full_count, 0); // no round of those counted
	arrive(p, 40, 1);
	assert_int_equal(path_bbr(p)->full_bytes_s, path_bbr(p)->latest_bytes_s);
}

// A segment a round trip is all that its window lets out, or all that it has.
static void nothing_in_flight_is_no_gap_while_there_is_text(void **state)
{
	struct path *p = new_path();
	struct rate *r = &p->record.rate;

	(void)state;
	leaves(p, 0);
	arrive(p, 10, 1);
	leaves(p, 11);
	assert_int_equal(r->limited_bytes, 0);
	p->c.cc.cwnd_bytes = MSS;
	p->c.snd.end = p->c.snd.nxt;
	arrive(p, 20, 1); // of a full window, and there is no more
	assert_int_not_equal(r->limited_bytes, 0);
}

static void less_than_any_round_trip_is_no_interval(void **state)
{
	struct path *p = new_path();

	(void)state;
	p->record.rate.min_rtt_ns = 50 * NS_PER_MS;
	leaves(p, 0);
	leaves(p, 1);
	assert_int_equal(arrive(p, 49, 1), 0);
	assert_int_not_equal(arrive(p, 52, 1), 0);
}

// A fortieth of a thousand segments is their grain.
static void a_large_flight_has_forty_marks_and_its_samples_are_good(void **state)
{
	struct path *p = new_path();
	struct rate *r = &p->record.rate;
	uint64_t best_bytes_s = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		p->c.cc.cwnd_bytes = 1 << 30;
		leaves(p, i);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t rate_bytes_s = arrive(p, 1000 + i, 1);

		assert_true(r->made - r->first <= RATE_MARKS);
		if (i >= 2000)
			assert_in_range(rate_bytes_s, segs_in(1, 1) * 97 / 100, segs_in(1, 1));
		best_bytes_s = MAX(best_bytes_s, rate_bytes_s);
		p->c.cc.cwnd_bytes = 1 << 30;
		leaves(p, 1000 + i);
	}
	assert_near(best_bytes_s, segs_in(1, 1));
	// Of the first flight more: a fortieth of little is less.
	assert_in_range(r->made, 40 + 5000 / 25, 180 + 5000 / 24);
}

// Its first time the text left at 0; what arrived is what was sent again at 300.
static void what_was_sent_again_is_known_by_when_that_was(void **state)
{
	struct path *p = new_path();
	struct send_desc d = {.flags = DESC_RETRANSMITTED, .len = MSS};
	struct cc_sample s = {0};

	(void)state;
	leaves(p, 0);
	leaves(p, 1);
	leaves(p, 200);
	d.offset = p->c.snd.una;
	p->env.now_ns = d.sent_ns = 100 * NS_PER_S + 300 * NS_PER_MS;
	rate_sent(&p->tcp, &p->c, d.offset, MSS);
	p->env.now_ns = s.now_ns = 100 * NS_PER_S + 340 * NS_PER_MS;
	path_bbr(p)->latest_bytes_s = 0;
	rate_delivered(&p->tcp, &p->c, &d);
	p->c.snd.una += 3 * MSS;
	s.acked_bytes = 3 * MSS;
	rate_arrived(&p->tcp, &p->c, 3 * MSS);
	rate_acked(&p->tcp, &p->c, &s);
	assert_int_equal(p->record.rate.first_sent_ns, d.sent_ns);
	assert_int_equal(p->record.rate.min_rtt_ns, 40 * NS_PER_MS);
}

// Marks of another time would be read as of this one.
static void marks_do_not_outlive_what_is_in_flight(void **state)
{
	struct path *p = new_path();
	struct rate *r = &p->record.rate;

	(void)state;
	for (uint64_t ms = 0; ms < 10; ms++)
		leaves(p, ms);
	arrive(p, 20, 10);
	leaves(p, 1000000);
	assert_int_equal(r->made - r->first, 1);
}

static void a_rate_has_an_upper_bound(void **state)
{
	struct path *p = new_path();
	struct cc_sample s = {.acked_bytes = 1 << 29};

	(void)state;
	leaves(p, 0);
	p->c.snd.nxt += 1 << 29;
	p->c.snd.una += 1 << 29;
	s.now_ns = p->env.now_ns += 1;
	rate_arrived(&p->tcp, &p->c, 1 << 29);
	rate_acked(&p->tcp, &p->c, &s);
	assert_int_equal(bbr_max_bytes_s(path_bbr(p)), RATE_BYTES_S_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_sample_is_what_was_delivered_since_it_left_by_how_long_that_took),
		cmocka_unit_test(acks_that_come_together_are_no_faster_than_what_they_are_of),
		cmocka_unit_test(time_with_nothing_in_flight_does_not_count),
		cmocka_unit_test(
			what_leaves_behind_a_gap_of_the_application_says_nothing_of_the_path),
		cmocka_unit_test(nothing_in_flight_is_no_gap_while_there_is_text),
		cmocka_unit_test(less_than_any_round_trip_is_no_interval),
		cmocka_unit_test(a_large_flight_has_forty_marks_and_its_samples_are_good),
		cmocka_unit_test(what_was_sent_again_is_known_by_when_that_was),
		cmocka_unit_test(marks_do_not_outlive_what_is_in_flight),
		cmocka_unit_test(a_rate_has_an_upper_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
