// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

static void text_in_order_is_delivered_and_acknowledged(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK | PSH, .seq = 1, .ack = 1, .len = 100});
	assert_int_equal(b->received, 100);
	assert_true(b->in_order);
	expect(b, ACK, 1, 101, 0);
	peer_destroy(b);
}

// RFC 9293 MUST-58, MUST-59: a burst is processed whole, then one ACK leaves.
static void a_burst_gets_one_ack(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	for (uint32_t i = 0; i < 10; i++)
		peer_in(b, (struct in){.flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .len = 1000});
	expect_nothing(b);
	peer_turn(b);
	expect(b, ACK, 1, 10001, 0);
	expect_nothing(b);
	assert_int_equal(b->received, 10000);
	assert_true(b->in_order);
	peer_destroy(b);
}

static void segment(struct peer *b, uint32_t index)
{
	peer_in(b, (struct in){.flags = ACK, .seq = 1 + 1000 * index, .ack = 1, .len = 1000});
}

// RFC 5681 4.2: a sender whose burst lost its first segment needs three duplicates. RFC 2018 R6.
static void a_burst_with_a_gap_gets_three_duplicates(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	segment(b, 0);
	peer_turn(b);
	expect(b, ACK, 1, 1001, 0);
	for (uint32_t i = 2; i < 20; i++)
		segment(b, i);
	peer_turn(b);
	for (int i = 0; i < 3; i++)
		expect(b, ACK, 1, 1001, 0);
	expect_nothing(b);
	segment(b, 20);
	segment(b, 21);
	peer_turn(b);
	for (int i = 0; i < 2; i++)
		expect(b, ACK, 1, 1001, 0);
	expect_nothing(b);
	segment(b, 1);
	peer_turn(b);
	expect(b, ACK, 1, 22001, 0);
	expect_nothing(b);
	peer_destroy(b);
}

// An ACK that says more than the last one is no duplicate.
static void what_came_before_the_gap_is_acknowledged_first(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	segment(b, 0);
	segment(b, 2);
	segment(b, 3);
	peer_turn(b);
	for (int i = 0; i < 3; i++)
		expect(b, ACK, 1, 1001, 0);
	expect_nothing(b);
	segment(b, 5);
	segment(b, 6);
	segment(b, 1); // a gap closes, the next one was known all along
	segment(b, 7);
	peer_turn(b);
	for (int i = 0; i < 2; i++)
		expect(b, ACK, 1, 4001, 0);
	expect_nothing(b);
	peer_destroy(b);
}

static void a_burst_out_of_order_without_a_gap_gets_one_ack(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	for (uint32_t i = 10; i > 0; i--)
		segment(b, i - 1);
	peer_turn(b);
	expect(b, ACK, 1, 10001, 0);
	expect_nothing(b);
	peer_destroy(b);
}

// A segment with text is no duplicate ACK (RFC 5681 2), so a reply does not stand for them.
static void duplicates_leave_beside_a_reply(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	for (uint32_t i = 1; i < 4; i++)
		segment(b, i);
	peer_host_sends(b, 10, 10);
	for (int i = 0; i < 3; i++)
		expect(b, ACK, 1, 1, 0);
	expect(b, ACK, 1, 1, 10);
	expect_nothing(b);
	peer_destroy(b);
}

// RFC 9293 MUST-40: the delay of an ACK stays below half a second.
static void a_lone_segment_is_acknowledged_a_little_later(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open_calm(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	expect_nothing(b);
	peer_time(b, 39 * NS_PER_MS);
	expect_nothing(b);
	peer_time(b, 2 * NS_PER_MS);
	expect(b, ACK, 1, 101, 0);
	peer_destroy(b);
}

static void every_second_full_segment_is_acknowledged_at_once(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open_calm(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 1460});
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1461, .ack = 1, .len = 1460});
	expect(b, ACK, 1, 2921, 0);
	peer_destroy(b);
}

static void a_reply_carries_the_ack(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	peer_deliver(b);
	peer_host_sends(b, 50, 50);
	expect(b, ACK | PSH, 1, 101, 50);
	peer_time(b, NS_PER_S / 10);
	expect_nothing(b);
	peer_destroy(b);
}

static void old_text_is_acknowledged_again_and_dropped(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	expect(b, ACK, 1, 101, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	expect(b, ACK, 1, 101, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_OLD_DATA), 1);
	peer_seg(b,
		 (struct in){.flags = ACK, .seq = 51, .ack = 1, .len = 100}); // half of it is new
	expect(b, ACK, 1, 151, 0);
	assert_int_equal(b->received, 150);
	assert_true(b->in_order);
	peer_destroy(b);
}

static void text_beyond_the_window_is_cut_off(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_conn(b)->rcv.wnd = 500;
	peer_seg(b, (struct in){.flags = ACK | FIN, .seq = 1, .ack = 1, .len = 1000});
	assert_int_equal(b->received, 500);
	assert_int_equal(b->eof, 0);
	expect(b, ACK, 1, 501, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 100000, .ack = 1, .len = 1000});
	expect(b, ACK, 1, 501, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_OUTSIDE_WINDOW), 1);
	peer_destroy(b);
}

// RFC 9293 MUST-66: with a closed window ACK and RST still count.
static void a_closed_window_takes_acks_and_resets(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 100, 100);
	expect(b, ACK, 1, 1, 100);
	b->hold = true;
	peer_conn(b)->rcv.wnd = 0;
	peer_conn(b)->rcv.charged = 60000;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 101, .len = 1});
	expect(b, ACK, 101, 1, 0);
	assert_int_equal(b->out.window, 0);
	assert_int_equal(peer_conn(b)->snd.una, peer_conn(b)->snd.nxt);
	assert_int_equal(peer_drops(b, DROP_TCP_OUTSIDE_WINDOW), 1);
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(b->reason, PRISM_CLOSE_RESET);
	peer_destroy(b);
}

// RFC 5961 4.2: a SYN is asked about, wherever its number lies. RFC 5961 R5.
static void a_syn_inside_a_connection_is_challenged(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = SYN, .seq = 5});
	expect(b, ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = SYN, .seq = 5000000});
	expect(b, ACK, 1, 1, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_CHALLENGED), 2);
	assert_int_equal(peer_count(b, COUNTER_tcp_challenge_acks), 2);
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_destroy(b);
}

// RFC 5961 R8
static void challenge_acks_are_limited(void **state)
{
	struct peer *b = peer_create();
	uint32_t acks = 0;

	(void)state;
	peer_open(b);
	for (int i = 0; i < 3000; i++) {
		peer_seg(b, (struct in){.flags = SYN, .seq = 5});
		acks += peer_read(b);
		peer_clear(b);
	}
	assert_in_range(acks, 500, 1500);
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_CHALLENGED), 3000);
	peer_destroy(b);
}

// RFC 5961 5.2; RFC 5961 R6, R7
static void acks_of_the_future_or_of_long_ago_are_challenged(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2, .len = 10});
	expect(b, ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1u - 70000, .len = 10});
	expect(b, ACK, 1, 1, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_ACK_UNACCEPTABLE), 2);
	assert_int_equal(b->received, 0);
	peer_seg(b,
		 (struct in){
			 .flags = ACK, .seq = 1, .ack = 0, .len = 10}); // a little old: text counts
	assert_int_equal(b->received, 10);
	peer_seg(b, (struct in){.flags = 0, .seq = 11, .len = 10});
	assert_int_equal(peer_drops(b, DROP_TCP_NO_ACK), 1);
	peer_destroy(b);
}

// RFC 7323 5.3
static void an_older_timestamp_is_a_duplicate_from_the_past(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	b->ts = true;
	peer_open(b);
	b->ts_value += 10;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10});
	expect(b, ACK, 1, 11, 0);
	assert_int_equal(b->out.o.ts_echo, 1010);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10, .ts_back = 5});
	expect(b, ACK, 1, 11, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_PAWS), 1);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10, .no_ts = true});
	expect_nothing(b);
	assert_int_equal(peer_drops(b, DROP_TCP_NO_TIMESTAMP), 1);
	peer_time(b, 25ull * 24 * 3600 * NS_PER_S); // RFC 7323 5.5: too old to compare with
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10, .ts_back = 5});
	assert_int_equal(b->received, 20);
	expect(b, ACK, 1, 21, 0);
	assert_int_equal(b->out.o.ts_echo, 1005); // R3: and is what later ones are compared with
	peer_seg(b, (struct in){.flags = ACK, .seq = 21, .ack = 1, .len = 10, .ts_back = 6});
	assert_int_equal(peer_drops(b, DROP_TCP_PAWS), 2);
	assert_int_equal(b->received, 20);
	peer_destroy(b);
}

// RFC 7323 4.3: a delayed ACK echoes the first segment it covers. RFC 7323 R17.
static void a_delayed_ack_echoes_the_earliest_timestamp(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	b->ts = true;
	peer_open_calm(b);
	b->ts_value = 1050;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 1448});
	b->ts_value = 1060;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1449, .ack = 1, .len = 1448});
	expect(b, ACK, 1, 2897, 0);
	assert_int_equal(b->out.o.ts_echo, 1050);
	peer_destroy(b);
}

static void urgent_text_is_ordinary_text(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK | URG, .seq = 1, .ack = 1, .len = 10});
	assert_int_equal(b->received, 10);
	peer_destroy(b);
}

static void padding_of_the_link_is_not_text(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 2, .pad_bytes = 20});
	assert_int_equal(b->received, 2);
	assert_true(b->in_order);
	peer_destroy(b);
}

// One octet in a buffer of its own pins thousands. What was offered is taken nevertheless, and the
// offer grows no more.
static void tiny_segments_close_the_window_and_none_is_lost(void **state)
{
	struct tcp_config config = peer_config();
	uint32_t window;

	(void)state;
	config.receive_bytes_max = window = 1500;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	b->hold = true;
	for (uint32_t i = 0; i < window; i++) {
		peer_seg(b, (struct in){.flags = ACK, .seq = 1 + i, .ack = 1, .len = 1});
		while (peer_read(b))
			assert_in_range(b->out.ack + b->out.window, 0, 1 + window);
		peer_clear(b);
	}
	peer_time(b, NS_PER_S);
	assert_int_equal(b->received, window);
	assert_int_equal(peer_conn(b)->rcv.wnd, 0);
	for (int reason = 0; reason < DROP_COUNT; reason++)
		assert_int_equal(peer_drops(b, (enum drop)reason), 0);
	peer_clear(b);
	peer_release(b);
	peer_turn(b);
	expect(b, ACK, 1, 1 + window, 0);
	assert_int_equal(b->out.window, window);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1 + window, .ack = 1, .len = 100});
	assert_int_equal(b->received, window + 100);
	assert_true(b->in_order);
	peer_destroy(b);
}

static void tiny_segments_of_a_burst_are_packed_once_they_pin_too_much(void **state)
{
	struct tcp_config config = peer_config();
	const uint32_t pkts = 3 * 1500 / 2304 + 2; // what it pins before

	(void)state;
	config.receive_bytes_max = 1500;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	b->hold = true;
	for (uint32_t i = 0; i < 100; i++)
		peer_in(b, (struct in){.flags = ACK, .seq = 1 + i, .ack = 1, .len = 1});
	peer_turn(b);
	assert_int_equal(b->received, 100);
	assert_true(b->in_order);
	assert_int_equal(b->held_count, pkts - 1);
	assert_int_equal(peer_count(b, COUNTER_copied_bytes_pack), 100 - (pkts - 1));
	peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 1, .len = 1}); // nothing to join
	assert_int_equal(b->held_count, pkts);
	peer_destroy(b);
}

static void who_pins_too_much_leaves_half_of_the_buffers_to_others(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.receive_bytes_max = 1500;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	b->hold = true;
	b->env.kept_pkts_max = 40;
	for (uint32_t i = 0; i < 30; i++)
		peer_seg(b, (struct in){.flags = ACK, .seq = 1 + i, .ack = 1, .len = 1});
	assert_int_equal(b->received, 20);
	assert_int_equal(peer_drops(b, DROP_TCP_RECEIVE_FULL),
			 10); // the first, and what is early then
	peer_release(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 21, .ack = 1, .len = 100});
	assert_int_equal(b->received, 120);
	assert_true(b->in_order);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_in_order_is_delivered_and_acknowledged),
		cmocka_unit_test(a_burst_gets_one_ack),
		cmocka_unit_test(a_burst_with_a_gap_gets_three_duplicates),
		cmocka_unit_test(what_came_before_the_gap_is_acknowledged_first),
		cmocka_unit_test(a_burst_out_of_order_without_a_gap_gets_one_ack),
		cmocka_unit_test(duplicates_leave_beside_a_reply),
		cmocka_unit_test(a_lone_segment_is_acknowledged_a_little_later),
		cmocka_unit_test(every_second_full_segment_is_acknowledged_at_once),
		cmocka_unit_test(a_reply_carries_the_ack),
		cmocka_unit_test(old_text_is_acknowledged_again_and_dropped),
		cmocka_unit_test(text_beyond_the_window_is_cut_off),
		cmocka_unit_test(a_closed_window_takes_acks_and_resets),
		cmocka_unit_test(a_syn_inside_a_connection_is_challenged),
		cmocka_unit_test(challenge_acks_are_limited),
		cmocka_unit_test(acks_of_the_future_or_of_long_ago_are_challenged),
		cmocka_unit_test(an_older_timestamp_is_a_duplicate_from_the_past),
		cmocka_unit_test(a_delayed_ack_echoes_the_earliest_timestamp),
		cmocka_unit_test(urgent_text_is_ordinary_text),
		cmocka_unit_test(padding_of_the_link_is_not_text),
		cmocka_unit_test(tiny_segments_close_the_window_and_none_is_lost),
		cmocka_unit_test(tiny_segments_of_a_burst_are_packed_once_they_pin_too_much),
		cmocka_unit_test(who_pins_too_much_leaves_half_of_the_buffers_to_others),
	};

	return run_peer_tests(tests);
}
