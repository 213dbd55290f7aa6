// SPDX-License-Identifier: BSD-3-Clause
// open.c, segment by segment.
#include "peer.h"

// RFC 9293 MUST-14: both directions of the handshake carry an MSS.
static void the_syn_ack_says_what_we_take(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN,
				.options = SYN_OPTIONS_TS,
				.options_len = sizeof(SYN_OPTIONS_TS)});
	expect(b, SYN | ACK, 0, 1, 0);
	assert_true(b->out.o.has_mss && b->out.o.has_ts && !b->out.o.has_scale);
	assert_int_equal(b->out.o.mss, 1460); // RFC 9293 MUST-67
	assert_int_equal(b->out.o.ts_echo, 1000);
	assert_int_equal(b->out.window, 60000);
	peer_destroy(b);
}

// RFC 9293 MUST-65: the MSS option is on SYNs alone.
static void no_other_segment_carries_an_mss(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 100, 100);
	expect(b, ACK, 1, 1, 100);
	assert_false(b->out.o.has_mss);
	peer_destroy(b);
}

// RFC 9293 MUST-15: without the option 536 bytes are assumed. MUST-16: the smaller one counts.
static void without_an_mss_segments_stay_small(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	peer_host_sends(b, 1000, 1000);
	expect(b, ACK, 1, 1, 536);
	expect(b, ACK, 537, 1, 464);
	peer_destroy(b);
}

static void a_syn_again_gets_the_same_answer(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	uint32_t iss = b->host_iss;

	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	assert_int_equal(b->host_iss, iss);
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_AGAIN), 1);
	peer_destroy(b);
}

static void the_syn_ack_is_sent_again_until_it_is_given_up(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_time(b, 1100 * NS_PER_MS);
	expect(b, SYN | ACK, 0, 1, 0);
	expect_nothing(b);
	peer_time(b, 2 * NS_PER_S);
	expect(b, SYN | ACK, 0, 1, 0);
	peer_time(b, 179 * NS_PER_S); // RFC 9293 MUST-23
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 1);
	peer_time(b, 60 * NS_PER_S);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_attempt_fails), 1);
	peer_destroy(b);
}

static void a_full_connection_table_refuses_by_name(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 1;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 6000});
	expect(b, SYN | ACK, 0, 1, 0);
	uint32_t first = b->host_iss;

	peer_seg(b, (struct in){.flags = SYN, .src_port = 6001});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6001, .seq = 1, .ack = 1});
	assert_int_equal(b->accepted, 1);
	b->host_iss = first;
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6000, .seq = 1, .ack = 1});
	peer_seg(b, (struct in){.flags = SYN, .src_port = 6002});
	assert_int_equal(b->accepted, 1);
	assert_int_equal(peer_drops(b, DROP_TCP_CONNECTIONS_FULL), 2);
	peer_destroy(b);
}

static void an_ack_of_something_else_is_answered_with_a_reset(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 7});
	expect(b, RST, 7, 0, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_ACK_UNACCEPTABLE), 1);
	assert_int_equal(b->accepted, 0);
	peer_destroy(b);
}

// RFC 9293 MUST-11: a passive SYN-RECEIVED that is reset is forgotten, and the listener goes on.
static void a_reset_ends_a_half_open_connection_quietly(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = RST, .seq = 2});
	expect(b, ACK, 1, 1, 0); // RFC 5961: not exact, so it is asked about
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	expect_nothing(b);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_HALF_OPEN_RESET), 1);
	assert_int_equal(b->accepted + b->closed, 0);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_destroy(b);
}

static void text_with_the_last_ack_is_delivered(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK | FIN, .seq = 1, .ack = 1, .len = 10});
	assert_int_equal(b->accepted, 1);
	assert_int_equal(b->received, 10);
	assert_int_equal(b->eof, 1);
	expect(b, ACK, 1, 12, 0);
	assert_int_equal(peer_state(b), CLOSE_WAIT);
	peer_destroy(b);
}

static void stray_segments_to_a_listener_are_reset(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 5, .ack = 9});
	expect(b, RST, 9, 0, 0);
	peer_seg(b, (struct in){.flags = RST, .seq = 5});
	peer_seg(b, (struct in){.flags = 0, .seq = 5, .len = 3});
	expect_nothing(b);
	assert_int_equal(peer_drops(b, DROP_TCP_NO_CONNECTION), 3);
	peer_seg(b, (struct in){.flags = PSH, .seq = 5, .len = 3, .dst_port = 81});
	expect(b, RST | ACK, 0u - b->host_iss, 8, 0);
	peer_destroy(b);
}

static void an_unlistened_port_refuses_what_was_half_open(void **state)
{
	struct peer *b = peer_create();
	prism_listener listener;

	(void)state;
	listener = peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	assert_int_equal(tcp_unlisten(b->tcp, listener), 0);
	assert_int_equal(tcp_unlisten(b->tcp, listener), -ESTALE);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	expect(b, RST, 1, 0, 0);
	assert_int_equal(b->accepted, 0);
	peer_destroy(b);
}

static void peer_connect(struct peer *b)
{
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1),
			      .remote_port = 5000,
			      .local_port = 80};

	assert_int_equal(tcp_connect(b->tcp, &t, 900, &b->conn), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
}

// A peer that echoes a timestamp we never sent must not set our timeout for minutes.
static void an_echo_of_nothing_measures_nothing(void **state)
{
	const uint32_t echoes[] = {0, 1, 0x12345678, 0x80000000, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(echoes); i++) {
		struct peer *b = peer_create();
		uint8_t options[TCP_TS_BYTES];

		peer_connect(b);
		peer_time(b, 30 * NS_PER_MS);
		options_write_ts(options, 1000, echoes[i]);
		peer_seg(b, (struct in){.flags = SYN | ACK,
					.ack = 1,
					.options = options,
					.options_len = sizeof(options)});
		assert_int_equal(b->connected, 1);
		assert_in_range(peer_conn(b)->rtt.srtt_us, 28000, 32000);
		peer_destroy(b);
	}
}

static void in_syn_sent_a_bad_ack_is_reset_and_a_good_one_connects(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_connect(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 0, .ack = 5});
	expect(b, RST, 5, 0, 0);
	expect(b, SYN, 0, 0, 0);                          // the reset has ended what answered
	peer_seg(b, (struct in){.flags = RST, .seq = 0}); // without ACK: ignored
	peer_seg(b, (struct in){.flags = ACK, .seq = 0, .ack = 1});
	assert_int_equal(peer_drops(b, DROP_TCP_NO_SYN), 1);
	assert_int_equal(peer_drops(b, DROP_TCP_RST_OUTSIDE_WINDOW), 1);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = SYN | ACK, .seq = 0, .ack = 1});
	expect(b, ACK, 1, 1, 0);
	assert_int_equal(b->connected, 1);
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_destroy(b);
}

// A forger sets no pace: after the first wrong answer the SYN waits for its timer.
static void a_syn_is_repeated_once_for_wrong_answers(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_connect(b);
	peer_seg(b, (struct in){.flags = RST | ACK, .seq = 0, .ack = 5});
	expect_nothing(b); // a reset is no older connection's answer
	peer_seg(b, (struct in){.flags = ACK, .seq = 0, .ack = 5});
	expect(b, RST, 5, 0, 0);
	expect(b, SYN, 0, 0, 0);
	for (uint32_t i = 0; i < 3; i++) {
		peer_seg(b, (struct in){.flags = ACK, .seq = 0, .ack = 6 + i});
		expect(b, RST, 6 + i, 0, 0);
		expect_nothing(b);
	}
	peer_time(b, NS_PER_S + NS_PER_S / 2);
	expect(b, SYN, 0, 0, 0);
	peer_destroy(b);
}

// RFC 6298 3: whose SYN the answer is for cannot be told.
static void a_repeated_syn_measures_no_round_trip(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_connect(b);
	peer_time(b, 299 * NS_PER_MS);
	peer_seg(b, (struct in){.flags = ACK, .seq = 0, .ack = 5});
	peer_time(b, NS_PER_MS);
	peer_seg(b, (struct in){.flags = SYN | ACK, .seq = 0, .ack = 1});
	assert_int_equal(b->connected, 1);
	assert_int_equal(peer_conn(b)->rtt.srtt_us, 0);
	peer_destroy(b);
}

static void sending_before_the_connection_is_there_is_refused(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_connect(b);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, "x", 1, NULL), -ENOTCONN);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	peer_turn(b);
	assert_int_equal(b->closed, 1);
	assert_int_equal(tcp_close(b->tcp, b->conn), -ESTALE);
	peer_destroy(b);
}

static void a_connection_closed_in_syn_received_ends_in_order(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_connect(b);
	peer_seg(b, (struct in){.flags = SYN}); // simultaneous
	expect(b, SYN | ACK, 0, 1, 0);
	assert_int_equal(peer_state(b), SYN_RECEIVED);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	expect(b, FIN | ACK, 1, 1, 0);
	assert_int_equal(peer_state(b), FIN_WAIT_1);
	peer_destroy(b);
}

static struct arrival arrival_of(struct pkt *p, uint8_t last_octet, bool to_group)
{
	struct tcp_header *h = pkt_append(p, TCP_HEADER_BYTES);

	*h = (struct tcp_header){.src_port = be16_of(5000),
				 .dst_port = be16_of(80),
				 .data_offset = 5 << 4,
				 .flags = SYN};
	return (struct arrival){
		.src = addr_from_v4_octets(203, 0, 113, last_octet),
		.dst = addr_from_v4_octets(198, 18, 0, 2),
		.l4_len = TCP_HEADER_BYTES,
		.protocol = 6,
		.l4_checksum = CHECKSUM_GOOD,
		.to_group = to_group,
	};
}

// RFC 9293 MUST-57: to a group, silence. And whom no route leads to gets no answer either.
static void syns_that_cannot_be_answered_have_names(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	for (int group = 0; group < 2; group++) {
		struct pkt *p = pkt_alloc(b->env.pool[POOL_CTRL]);
		struct arrival a = arrival_of(p, 1, group);

		counter_add(&b->env, COUNTER_originated_pkts, 1);
		tcp_input(b->tcp, p, &a);
	}
	peer_turn(b);
	expect_nothing(b);
	assert_int_equal(peer_drops(b, DROP_TCP_TO_GROUP), 1);
	assert_int_equal(peer_drops(b, DROP_TCP_NO_PATH), 1);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_syn_ack_says_what_we_take),
		cmocka_unit_test(no_other_segment_carries_an_mss),
		cmocka_unit_test(without_an_mss_segments_stay_small),
		cmocka_unit_test(a_syn_again_gets_the_same_answer),
		cmocka_unit_test(the_syn_ack_is_sent_again_until_it_is_given_up),
		cmocka_unit_test(a_full_connection_table_refuses_by_name),
		cmocka_unit_test(an_ack_of_something_else_is_answered_with_a_reset),
		cmocka_unit_test(a_reset_ends_a_half_open_connection_quietly),
		cmocka_unit_test(text_with_the_last_ack_is_delivered),
		cmocka_unit_test(stray_segments_to_a_listener_are_reset),
		cmocka_unit_test(an_unlistened_port_refuses_what_was_half_open),
		cmocka_unit_test(an_echo_of_nothing_measures_nothing),
		cmocka_unit_test(in_syn_sent_a_bad_ack_is_reset_and_a_good_one_connects),
		cmocka_unit_test(a_syn_is_repeated_once_for_wrong_answers),
		cmocka_unit_test(a_repeated_syn_measures_no_round_trip),
		cmocka_unit_test(sending_before_the_connection_is_there_is_refused),
		cmocka_unit_test(a_connection_closed_in_syn_received_ends_in_order),
		cmocka_unit_test(syns_that_cannot_be_answered_have_names),
	};

	return run_peer_tests(tests);
}
