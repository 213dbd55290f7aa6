// SPDX-License-Identifier: BSD-3-Clause
// What BBR makes of losses, of those that were none, and of marks (draft-ietf-ccwg-bbr-06 5.5.10,
// 5.5.11, 3.6).
#include "bbr_flow.h"

#define LINK_BYTES_S UINT64_C(10000000)
#define RTT_NS (40 * NS_PER_MS)
#define BDP_BYTES 400000

static struct path path;

static struct path *path_in(enum bbr_state state)
{
	path_init(&path, LINK_BYTES_S, RTT_NS);
	path_reach(&path, state);
	return &path;
}

static struct cc_sample sample_of(const struct path *p)
{
	return (struct cc_sample){.now_ns = p->env.now_ns,
				  .in_flight_bytes = conn_outstanding(&p->c)};
}

static void lose(struct path *p, uint32_t segs)
{
	struct send_desc d = {.offset = p->c.snd.una, .len = segs * MSS, .sent_ns = p->env.now_ns};

	rate_lost(&p->tcp, &p->c, &d);
}

static void a_loss_while_cruising_brings_it_to_what_is_delivered(void **state)
{
	struct path *p = path_in(BBR_CRUISE);

	(void)state;
	path_run(p, 10 * RTT_NS); // Startup's queue is gone
	uint64_t cwnd_bytes = p->c.cc.cwnd_bytes;

	lose(p, 1);
	assert_int_equal(path_bbr(p)->short_bytes, BBR_NONE); // not before the round is over
	path_run(p, 2 * RTT_NS);
	assert_in_range(path_bbr(p)->short_bytes, cwnd_bytes * 69 / 100, cwnd_bytes * 71 / 100);
	assert_in_range(path_bbr(p)->short_bytes_s, LINK_BYTES_S * 90 / 100,
			LINK_BYTES_S * 101 / 100);
	assert_true(p->c.cc.cwnd_bytes <= path_bbr(p)->short_bytes);
	assert_int_equal(path_bbr(p)->long_bytes, BBR_NONE);
	path_reach(p, BBR_REFILL);
	assert_int_equal(path_bbr(p)->short_bytes, BBR_NONE); // forgotten
}

// Though nothing at all was delivered.
static void a_round_takes_three_tenths_at_most(void **state)
{
	struct path *p = path_in(BBR_CRUISE);
	struct bbr *b = path_bbr(p);
	struct rate_sample s = {0};
	struct bbr_event e = {&p->c, &p->record.rate, b, &s, p->env.now_ns};
	uint32_t cwnd_bytes = p->c.cc.cwnd_bytes;

	(void)state;
	lose(p, 1);
	b->loss_round_start = true;
	b->latest_bytes = 0;
	b->latest_bytes_s = 0;
	bbr_loss_adapt(&e);
	assert_int_equal(b->short_bytes, (uint64_t)cwnd_bytes * 7 / 10);
	assert_int_equal(b->short_bytes_s, bbr_max_bytes_s(b) * 7 / 10);
}

static void too_much_lost_while_it_probes_is_remembered(void **state)
{
	struct path *p = path_in(BBR_UP);

	(void)state;
	path_run(p, RTT_NS * 3 / 2);
	lose(p, 20);
	assert_int_equal(path_bbr(p)->state, BBR_DOWN);
	assert_true(path_bbr(p)->probe_was_too_high);
	assert_in_range(path_bbr(p)->long_bytes, BDP_BYTES * 7 / 10, BDP_BYTES * 14 / 10);
	path_reach(p, BBR_CRUISE);
	path_run(p, RTT_NS);
	assert_true(p->c.cc.cwnd_bytes <= (uint64_t)path_bbr(p)->long_bytes * 85 / 100 + 1);
}

static void two_of_a_hundred_while_it_probes_are_not_too_much(void **state)
{
	struct path *p = path_in(BBR_UP);

	(void)state;
	path_run(p, RTT_NS);
	lose(p, 3);
	assert_int_equal(path_bbr(p)->state, BBR_UP);
	assert_int_equal(path_bbr(p)->long_bytes, BBR_NONE);
}

// The next probe ends where that one was too much; when nothing is lost of it, another follows.
static void after_a_probe_that_was_too_much_one_is_careful(void **state)
{
	struct path *p = path_in(BBR_UP);

	(void)state;
	path_run(p, RTT_NS * 3 / 2);
	lose(p, 20);
	path_bbr(p)->long_bytes = BDP_BYTES;
	path_reach(p, BBR_UP);
	assert_int_equal(path_leave(p), BBR_DOWN);
	assert_true(path_bbr(p)->probe_was_careful);
	assert_false(path_bbr(p)->probe_was_too_high);
	uint64_t began_ns = p->env.now_ns;

	path_reach(p, BBR_REFILL);
	assert_true(p->env.now_ns - began_ns < 3 * RTT_NS);
}

static void what_was_safe_while_it_probes_grows_by_doubling_steps(void **state)
{
	struct path *p = path_in(BBR_REFILL);
	struct bbr *b = path_bbr(p);

	(void)state;
	b->long_bytes = BDP_BYTES / 2;
	path_reach(p, BBR_UP);
	uint32_t step_bytes = b->up_step_bytes;

	path_run(p, 5 * RTT_NS);
	assert_int_equal(b->state, BBR_UP);
	assert_true(b->long_bytes > BDP_BYTES / 2 + 3 * MSS);
	assert_true(b->up_step_bytes <= step_bytes / 4);
}

static void what_was_no_loss_is_taken_back(void **state)
{
	struct path *p = path_in(BBR_UP);

	(void)state;
	path_run(p, RTT_NS * 3 / 2);
	uint32_t cwnd_bytes = p->c.cc.cwnd_bytes;

	lose(p, 20);
	p->c.cc.cwnd_bytes /= 2;
	assert_int_equal(path_bbr(p)->state, BBR_DOWN);
	cc_of(&p->c)->on_spurious(&p->c);
	assert_int_equal(path_bbr(p)->state, BBR_REFILL);
	assert_int_equal(path_bbr(p)->long_bytes, BBR_NONE);
	assert_int_equal(p->c.cc.cwnd_bytes, cwnd_bytes);
}

static void startup_that_ended_for_no_loss_begins_again(void **state)
{
	struct path *p = &path;

	(void)state;
	path_init(p, LINK_BYTES_S, RTT_NS);
	p->queue_bytes = BDP_BYTES / 10;
	path_reach(p, BBR_DRAIN);
	assert_true(path_bbr(p)->undo);
	cc_of(&p->c)->on_spurious(&p->c);
	assert_int_equal(path_bbr(p)->state, BBR_STARTUP);
	assert_false(path_bbr(p)->full_reached);
}

static void a_timeout_leaves_a_segment_and_its_end_the_window(void **state)
{
	struct path *p = path_in(BBR_CRUISE);
	struct cc_sample s = sample_of(p);
	uint32_t cwnd_bytes = p->c.cc.cwnd_bytes;

	(void)state;
	cc_of(&p->c)->on_rto(&p->c, &s);
	assert_int_equal(p->c.cc.cwnd_bytes, MSS);
	conn_set(&p->c, CONN_AFTER_RTO);
	path_step(p);
	path_step(p);
	assert_true(p->c.cc.cwnd_bytes < cwnd_bytes / 4);
	conn_unset(&p->c, CONN_AFTER_RTO);
	path_run(p, 3 * RTT_NS);
	assert_true(p->c.cc.cwnd_bytes > BDP_BYTES / 2);
}

// As losses are.
static void a_mark_ends_startup_and_a_probe(void **state)
{
	struct path *p = &path;
	struct cc_sample s;

	(void)state;
	path_init(p, LINK_BYTES_S, RTT_NS);
	path_run(p, 4 * RTT_NS);
	s = sample_of(p);
	assert_int_equal(path_bbr(p)->state, BBR_STARTUP);
	cc_of(&p->c)->on_mark(&p->c, &s);
	assert_true(cc_window_was_marked(&p->c, p->c.snd.nxt)); // once for a window
	assert_false(cc_window_was_marked(&p->c, p->c.snd.nxt + 1));
	path_run(p, RTT_NS);
	assert_int_not_equal(path_bbr(p)->state, BBR_STARTUP);
	path_reach(p, BBR_UP);
	s = sample_of(p);
	cc_of(&p->c)->on_mark(&p->c, &s);
	assert_int_equal(path_bbr(p)->state, BBR_DOWN);
	assert_true(path_bbr(p)->probe_was_too_high);
}

static void a_mark_while_cruising_is_a_round_with_a_loss(void **state)
{
	struct path *p = path_in(BBR_CRUISE);
	struct cc_sample s;

	(void)state;
	path_run(p, 10 * RTT_NS);
	s = sample_of(p);
	cc_of(&p->c)->on_mark(&p->c, &s);
	path_run(p, 2 * RTT_NS);
	assert_true(path_bbr(p)->short_bytes < BDP_BYTES * 3 / 2); // of twice
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_while_cruising_brings_it_to_what_is_delivered),
		cmocka_unit_test(a_round_takes_three_tenths_at_most),
		cmocka_unit_test(too_much_lost_while_it_probes_is_remembered),
		cmocka_unit_test(two_of_a_hundred_while_it_probes_are_not_too_much),
		cmocka_unit_test(after_a_probe_that_was_too_much_one_is_careful),
		cmocka_unit_test(what_was_safe_while_it_probes_grows_by_doubling_steps),
		cmocka_unit_test(what_was_no_loss_is_taken_back),
		cmocka_unit_test(startup_that_ended_for_no_loss_begins_again),
		cmocka_unit_test(a_timeout_leaves_a_segment_and_its_end_the_window),
		cmocka_unit_test(a_mark_ends_startup_and_a_probe),
		cmocka_unit_test(a_mark_while_cruising_is_a_round_with_a_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
