// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/trouble.h"

// Ten segments are out, unread.
static void send_ten(struct peer *b)
{
	peer_open(b);
	peer_host_sends(b, 14600, 1460);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
}

static void duplicate(struct peer *b, uint32_t ack)
{
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = ack});
}

// RFC 9293 MUST-19, RFC 5681 3.2
static void three_duplicates_resend_the_first(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	duplicate(b, 1);
	duplicate(b, 1);
	expect_nothing(b);
	duplicate(b, 1);
	expect(b, ACK, 1, 1, 1460);
	expect_nothing(b);
	assert_int_equal(peer_conn(b)->ssthresh_bytes, 7300);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 1);
	peer_destroy(b);
}

// Ten of twenty segments are out. Half of them is acknowledged, and three duplicates come in the
// same turn, before what that lets out can leave.
static void half_and_duplicates(struct peer *b, uint16_t window)
{
	uint32_t flight = 10;

	peer_open(b);
	if (window) {
		flight = window / 1460;
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .window = window});
	}
	peer_host_sends(b, 29200, 1460);
	for (uint32_t i = 0; i < flight; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	for (int i = 0; i < 4; i++)
		peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 7301, .window = window});
	peer_turn(b);
	expect(b, ACK, 7301, 1, 1460);
}

// RFC 5681 3.1, equation 4: slow start let out fifteen, so it is half of those.
static void acks_of_one_turn_do_not_make_the_flight_smaller(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	half_and_duplicates(b, 0);
	assert_int_equal(peer_conn(b)->ssthresh_bytes, 15 * 1460 / 2);
	for (uint32_t i = 10; i < 15; i++) // RFC 9937: up to there at once, six with the first
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	peer_destroy(b);
}

// And no more than the peer's window let out.
static void what_the_peers_window_kept_was_not_in_flight(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	half_and_duplicates(b, 8 * 1460);
	assert_int_equal(peer_conn(b)->ssthresh_bytes, 8 * 1460 / 2);
	peer_destroy(b);
}

// RFC 6582 3.2, step 3; RFC 6582 R5, R6
static void a_partial_ack_resends_the_next_hole(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	for (int i = 0; i < 3; i++)
		duplicate(b, 1);
	expect(b, ACK, 1, 1, 1460);
	duplicate(b, 4381); // two more arrived; the fourth is missing too
	expect(b, ACK, 4381, 1, 1460);
	duplicate(b, 14601);
	assert_false(conn_is(peer_conn(b), CONN_RECOVERY));
	assert_true(peer_conn(b)->cc.cwnd_bytes <= 7300);
	peer_destroy(b);
}

// RFC 5681 3.2, step 4, with its note on peers that acknowledge too often; RFC 9937 R9
static void duplicates_without_end_do_not_blow_the_window_up(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	for (int i = 0; i < 200; i++)
		duplicate(b, 1);
	assert_true(peer_conn(b)->cc.cwnd_bytes < 7300 + 14600 + 1460);
	peer_destroy(b);
}

// RFC 3042
static void the_first_two_duplicates_let_new_segments_out(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 20440, 1460);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	duplicate(b, 1);
	expect(b, ACK, 14601, 1, 1460);
	duplicate(b, 1);
	expect(b, ACK, 16061, 1, 1460);
	expect_nothing(b);
	duplicate(b, 1); // RFC 5681 3.2, step 2: half of the ten, not of the twelve
	assert_int_equal(peer_conn(b)->ssthresh_bytes, 7300);
	peer_destroy(b);
}

static void text_or_a_new_window_is_no_duplicate(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	for (uint32_t i = 0; i < 4; i++)
		peer_seg(b, (struct in){.flags = ACK, .seq = 1 + i, .ack = 1, .len = 1});
	for (uint16_t i = 0; i < 4; i++)
		peer_seg(b, (struct in){.flags = ACK,
					.seq = 5,
					.ack = 1,
					.window = (uint16_t)(50000 + i)});
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 0);
	peer_destroy(b);
}

// RFC 6298 5.4 to 5.6: one segment, then twice as long. RFC 9293 MUST-18, MUST-19.
static void a_timeout_resends_one_segment_and_backs_off(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	b->tcp->config.pmtu_off = true; // segments stay as large as they are
	send_ten(b);
	peer_time(b, 210 * NS_PER_MS);
	expect(b, ACK, 1, 1, 1460);
	expect_nothing(b);
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 1460);
	peer_time(b, 390 * NS_PER_MS);
	expect_nothing(b);
	peer_time(b, 20 * NS_PER_MS);
	expect(b, ACK, 1, 1, 1460);
	duplicate(b, 1461); // goes on where the hole is
	expect(b, ACK, 1461, 1, 1460);
	expect(b, ACK, 2921, 1, 1460);
	expect_nothing(b);
	duplicate(b, 14601); // the rest had arrived
	expect_nothing(b);
	assert_int_equal(peer_conn(b)->retransmit_ns, TIME_NEVER_NS);
	peer_destroy(b);
}

// RFC 3465 2.3: L is one segment until all that was lost is acknowledged, then two.
static void after_a_timeout_slow_start_takes_one_segment_an_ack(void **state)
{
	struct peer *b = peer_create();
	struct conn *c;

	(void)state;
	send_ten(b);
	c = peer_conn(b);
	peer_time(b, 210 * NS_PER_MS);
	duplicate(b, 2921);
	assert_int_equal(c->cc.cwnd_bytes, 2 * 1460);
	duplicate(b, 14601);
	assert_int_equal(c->cc.cwnd_bytes, 3 * 1460);
	peer_host_sends(b, 3 * 1460, 1460);
	duplicate(b, 17521);
	assert_int_equal(c->cc.cwnd_bytes, 5 * 1460);
	peer_destroy(b);
}

// RFC 6582 3.2, step 4; RFC 6582 R2, R8
static void after_a_timeout_old_duplicates_mean_nothing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	peer_time(b, 210 * NS_PER_MS);
	expect(b, ACK, 1, 1, 1460);
	for (int i = 0; i < 5; i++)
		duplicate(b, 1);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 0);
	peer_destroy(b);
}

// RFC 6582 3.2, step 2: nor after a recovery, until something newer is acknowledged.
// RFC 6582 R1, R2, R4
static void after_a_recovery_old_duplicates_mean_nothing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 20440, 1460);
	for (int i = 0; i < 3; i++)
		duplicate(b, 1); // the first two let one segment out each
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 1);
	duplicate(b, 17521);
	assert_false(conn_is(peer_conn(b), CONN_RECOVERY));
	assert_int_equal(peer_conn(b)->snd.una, trouble_of(b->tcp, peer_conn(b))->recover);
	for (int i = 0; i < 3; i++)
		duplicate(b, 17521);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 1);
	duplicate(b, 18981);
	for (int i = 0; i < 3; i++)
		duplicate(b, 18981);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_retransmits), 2);
	peer_destroy(b);
}

// With no record left what was lost goes again a segment an ACK, and the connection goes on.
static void without_a_record_a_timeout_is_repaired_segment_by_segment(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	b->tcp->trouble_free = NO_INDEX;
	peer_time(b, 210 * NS_PER_MS);
	for (uint32_t i = 0; i < 10; i++) {
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
		expect_nothing(b);
		duplicate(b, 1 + 1460 * (i + 1));
	}
	expect_nothing(b);
	assert_false(conn_is(peer_conn(b), CONN_AFTER_RTO));
	peer_host_sends(b, 2920, 1460);
	expect(b, ACK, 14601, 1, 1460);
	peer_destroy(b);
}

// A record that is free again takes the rest over.
static void a_record_that_comes_late_takes_over(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	send_ten(b);
	b->tcp->trouble_free = NO_INDEX;
	peer_time(b, 210 * NS_PER_MS);
	expect(b, ACK, 1, 1, 1460);
	b->tcp->trouble_free = 0;
	duplicate(b, 1461);
	expect(b, ACK, 1461, 1, 1460);
	expect(b, ACK, 2921, 1, 1460);
	duplicate(b, 14601);
	assert_false(conn_is(peer_conn(b), CONN_AFTER_RTO | CONN_TROUBLE));
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_duplicates_resend_the_first),
		cmocka_unit_test(acks_of_one_turn_do_not_make_the_flight_smaller),
		cmocka_unit_test(what_the_peers_window_kept_was_not_in_flight),
		cmocka_unit_test(a_partial_ack_resends_the_next_hole),
		cmocka_unit_test(duplicates_without_end_do_not_blow_the_window_up),
		cmocka_unit_test(the_first_two_duplicates_let_new_segments_out),
		cmocka_unit_test(text_or_a_new_window_is_no_duplicate),
		cmocka_unit_test(a_timeout_resends_one_segment_and_backs_off),
		cmocka_unit_test(after_a_timeout_slow_start_takes_one_segment_an_ack),
		cmocka_unit_test(after_a_timeout_old_duplicates_mean_nothing),
		cmocka_unit_test(after_a_recovery_old_duplicates_mean_nothing),
		cmocka_unit_test(without_a_record_a_timeout_is_repaired_segment_by_segment),
		cmocka_unit_test(a_record_that_comes_late_takes_over),
	};

	return run_peer_tests(tests);
}
