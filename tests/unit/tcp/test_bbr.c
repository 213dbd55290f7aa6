// SPDX-License-Identifier: BSD-3-Clause
// From one state to the next (draft-ietf-ccwg-bbr-06 5.3, and the cases of its appendix). The path
// is 10 MB/s and 40 ms, if not told otherwise: 276 segments.
#include "bbr_flow.h"

#define LINK_BYTES_S UINT64_C(10000000)
#define RTT_NS (40 * NS_PER_MS)
#define BDP_BYTES 400000

static struct path path;

static struct path *new_path(void)
{
	path_init(&path, LINK_BYTES_S, RTT_NS);
	return &path;
}

static struct path *path_in(enum bbr_state state)
{
	struct path *p = new_path();

	path_reach(p, state);
	return p;
}

static void startup_ends_when_three_rounds_bring_no_more(void **state)
{
	struct path *p = new_path();

	(void)state;
	assert_int_equal(path_leave(p), BBR_DRAIN);
	assert_int_equal(path_bbr(p)->full_count, 3);
	assert_true(path_bbr(p)->full_reached);
	assert_int_equal(path_bbr(p)->long_bytes, BBR_NONE); // nothing was lost
	assert_in_range(bbr_max_bytes_s(path_bbr(p)), LINK_BYTES_S * 98 / 100,
			LINK_BYTES_S * 102 / 100);
	assert_in_range(p->env.now_ns, (100 * NS_PER_S) + 5 * RTT_NS,
			(100 * NS_PER_S) + 20 * RTT_NS);
}

static void startup_ends_when_too_much_of_a_round_is_lost(void **state)
{
	struct path *p = new_path();

	(void)state;
	p->queue_bytes = BDP_BYTES / 10;
	assert_int_equal(path_leave(p), BBR_DRAIN);
	assert_true(path_bbr(p)->full_count < 3);
	assert_in_range(path_bbr(p)->long_bytes, BDP_BYTES * 8 / 10, BDP_BYTES * 15 / 10);
}

static void few_losses_do_not_end_startup(void **state)
{
	struct path *p = new_path();

	(void)state;
	p->lose_ppm = 10000;
	assert_int_equal(path_leave(p), BBR_DRAIN);
	assert_int_equal(path_bbr(p)->full_count, 3);
	assert_int_equal(path_bbr(p)->long_bytes, BBR_NONE);
}

// A peer without blocks tells of one loss a round trip.
static void without_blocks_one_loss_ends_startup(void **state)
{
	struct path *p = new_path();

	(void)state;
	conn_unset(&p->c, CONN_SACK);
	p->lose_ppm = 10000;
	assert_int_equal(path_leave(p), BBR_DRAIN);
	assert_true(path_bbr(p)->full_count < 3);
}

// Never more than half of what the path takes.
static void an_application_that_limits_stays_in_startup(void **state)
{
	struct path *p = new_path();
	uint64_t end_ns = p->env.now_ns + 3 * NS_PER_S;

	(void)state;
	while (p->env.now_ns < end_ns) {
		p->c.snd.end = p->c.snd.nxt + 20 * MSS;
		for (int i = 0; i < 20; i++)
			path_send(p);
		while (p->count)
			path_step((p->idle = true, p));
		p->env.now_ns += RTT_NS;
	}
	assert_int_equal(path_bbr(p)->state, BBR_STARTUP);
	assert_false(path_bbr(p)->full_reached);
}

static void drain_ends_when_what_is_in_flight_fits(void **state)
{
	struct path *p = path_in(BBR_DRAIN);
	uint64_t began_ns = p->env.now_ns;

	(void)state;
	assert_true(conn_outstanding(&p->c) > BDP_BYTES * 12 / 10);
	assert_in_range(p->record.rate.pacing_bytes_s, LINK_BYTES_S * 45 / 100,
			LINK_BYTES_S * 52 / 100);
	assert_int_equal(path_leave(p), BBR_CRUISE); // by way of down
	assert_true(conn_outstanding(&p->c) <= BDP_BYTES * 102 / 100);
	assert_true(p->env.now_ns - began_ns < 4 * RTT_NS);
}

// What it takes for the path is an eighth of it: half the rate is more than that in flight.
static void drain_ends_after_three_rounds_in_any_case(void **state)
{
	struct path *p = path_in(BBR_DRAIN);

	(void)state;
	path_bbr(p)->min_rtt_us /= 8;
	assert_int_equal(path_leave(p), BBR_DOWN);
	assert_true(conn_outstanding(&p->c) > BDP_BYTES / 5);
	assert_int_equal(path_bbr(p)->rounds, path_bbr(p)->drain_round + 4);
}

static void probe_bw_is_down_cruise_refill_up(void **state)
{
	struct path *p = path_in(BBR_DOWN);
	uint64_t began_ns = p->env.now_ns;

	(void)state;
	path_step(p);
	for (int cycle = 0; cycle < 2; cycle++) {
		path_bbr(p)->probe_rtt_min_ns = p->env.now_ns; // no ProbeRTT in between
		assert_in_range(p->record.rate.pacing_bytes_s, LINK_BYTES_S * 88 / 100,
				LINK_BYTES_S * 91 / 100);
		assert_int_equal(path_leave(p), BBR_CRUISE);
		assert_in_range(p->record.rate.pacing_bytes_s, LINK_BYTES_S * 97 / 100,
				LINK_BYTES_S * 101 / 100);
		assert_true(conn_outstanding(&p->c) <= BDP_BYTES * 102 / 100);
		assert_int_equal(path_leave(p), BBR_REFILL);
		assert_in_range(p->env.now_ns - began_ns, 2 * NS_PER_S, 3 * NS_PER_S + 3 * RTT_NS);
		assert_int_equal(path_leave(p), BBR_UP);
		path_run(p, RTT_NS / 4);
		assert_in_range(p->record.rate.pacing_bytes_s, LINK_BYTES_S * 121 / 100,
				LINK_BYTES_S * 126 / 100);
		assert_int_equal(path_leave(p), BBR_DOWN);
		began_ns = p->env.now_ns;
	}
}

// The window is short: Reno would be back after as many rounds as it has segments.
static void a_small_window_probes_as_often_as_reno(void **state)
{
	struct path *p = &path;
	uint64_t began_ns;

	(void)state;
	path_init(p, UINT64_C(1000000), 20 * NS_PER_MS); // 14 segments
	path_reach(p, BBR_DOWN);
	began_ns = p->env.now_ns;
	path_reach(p, BBR_UP);
	assert_true(p->env.now_ns - began_ns < 20 * 20 * NS_PER_MS);
}

static void up_finds_a_link_that_is_ten_times_faster(void **state)
{
	struct path *p = path_in(BBR_CRUISE);

	(void)state;
	p->link_bytes_s *= 10;
	path_run(p, 10 * NS_PER_S);
	assert_true(bbr_max_bytes_s(path_bbr(p)) > 9 * LINK_BYTES_S);
}

static void a_link_that_is_ten_times_slower_is_believed_after_two_cycles(void **state)
{
	struct path *p = path_in(BBR_CRUISE);

	(void)state;
	p->link_bytes_s /= 10;
	p->queue_bytes = BDP_BYTES;
	path_run(p, 14 * NS_PER_S);
	assert_in_range(bbr_max_bytes_s(path_bbr(p)), LINK_BYTES_S / 11, LINK_BYTES_S / 8);
}

static void no_shorter_round_trip_for_five_seconds_empties_the_queue(void **state)
{
	struct path *p = path_in(BBR_CRUISE);
	uint64_t began_ns;

	(void)state;
	p->rtt_ns += NS_PER_MS; // so that none is as short
	path_reach(p, BBR_PROBE_RTT);
	began_ns = p->env.now_ns;
	path_run(p, 3 * RTT_NS);
	assert_in_range(conn_outstanding(&p->c), BDP_BYTES * 4 / 10, BDP_BYTES * 52 / 100);
	assert_int_equal(path_leave(p), BBR_CRUISE);
	assert_in_range(p->env.now_ns - began_ns, 200 * NS_PER_MS, 200 * NS_PER_MS + 4 * RTT_NS);
	assert_true(p->c.cc.cwnd_bytes > BDP_BYTES); // the window of before
	// The longer one is believed when the other is ten seconds old.
	path_run(p, 10 * NS_PER_S);
	assert_in_range(path_bbr(p)->min_rtt_us, 41000, 41200);
}

static void probe_rtt_in_startup_goes_back_to_startup(void **state)
{
	struct path *p = new_path();

	(void)state;
	path_run(p, 2 * RTT_NS);
	path_bbr(p)->probe_rtt_min_ns -= 6 * NS_PER_S;
	path_bbr(p)->probe_rtt_min_us = 1;
	assert_int_equal(path_leave(p), BBR_PROBE_RTT);
	path_bbr(p)->full_reached = false;
	assert_int_equal(path_leave(p), BBR_STARTUP);
}

static void who_was_idle_needs_no_probe_of_the_round_trip(void **state)
{
	struct path *p = path_in(BBR_CRUISE);

	(void)state;
	p->idle = true;
	p->c.snd.end = p->c.snd.nxt;
	while (p->count)
		path_step(p);
	p->env.now_ns += 6 * NS_PER_S;
	p->idle = false;
	p->c.snd.end = UINT64_C(1) << 60;
	path_send(p);
	assert_true(path_bbr(p)->idle_restart);
	while (path_bbr(p)->idle_restart)
		path_step(p);
	assert_int_not_equal(path_bbr(p)->state, BBR_PROBE_RTT);
	assert_in_range(p->record.rate.pacing_bytes_s, LINK_BYTES_S * 90 / 100,
			LINK_BYTES_S * 101 / 100);
}

// No less than four segments: a peer delays its ACKs.
static void a_path_of_less_than_a_segment_has_four_in_flight(void **state)
{
	struct path *p = &path;

	(void)state;
	path_init(p, UINT64_C(100000), NS_PER_MS); // a fifteenth of a segment
	path_reach(p, BBR_CRUISE);
	path_run(p, NS_PER_S);
	assert_in_range(p->c.cc.cwnd_bytes, 4 * MSS, 10 * MSS);
	assert_in_range(bbr_max_bytes_s(path_bbr(p)), 95000, 110000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(startup_ends_when_three_rounds_bring_no_more),
		cmocka_unit_test(startup_ends_when_too_much_of_a_round_is_lost),
		cmocka_unit_test(few_losses_do_not_end_startup),
		cmocka_unit_test(without_blocks_one_loss_ends_startup),
		cmocka_unit_test(an_application_that_limits_stays_in_startup),
		cmocka_unit_test(drain_ends_when_what_is_in_flight_fits),
		cmocka_unit_test(drain_ends_after_three_rounds_in_any_case),
		cmocka_unit_test(probe_bw_is_down_cruise_refill_up),
		cmocka_unit_test(a_small_window_probes_as_often_as_reno),
		cmocka_unit_test(up_finds_a_link_that_is_ten_times_faster),
		cmocka_unit_test(a_link_that_is_ten_times_slower_is_believed_after_two_cycles),
		cmocka_unit_test(no_shorter_round_trip_for_five_seconds_empties_the_queue),
		cmocka_unit_test(probe_rtt_in_startup_goes_back_to_startup),
		cmocka_unit_test(who_was_idle_needs_no_probe_of_the_round_trip),
		cmocka_unit_test(a_path_of_less_than_a_segment_has_four_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
