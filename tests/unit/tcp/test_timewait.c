// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

// Leaves a record; the peer's next is 2, ours too.
static void wait_state(struct peer *b)
{
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
}

static uint32_t waiting(struct peer *b)
{
	struct tcp_counts counts;

	tcp_count(b->tcp, &counts);
	return counts.time_wait;
}

// RFC 9293 MUST-13: 2 MSL, and a FIN that comes again starts them anew.
static void it_lasts_two_msl_from_the_last_fin(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	peer_time(b, 40 * NS_PER_S);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
	peer_time(b, 40 * NS_PER_S);
	assert_int_equal(waiting(b), 1);
	peer_time(b, 21 * NS_PER_S);
	assert_int_equal(waiting(b), 0);
	peer_destroy(b);
}

static void old_segments_are_answered_and_a_reset_ends_it(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 2, .ack = 2}); // nothing new
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2, .len = 1});
	expect(b, ACK, 2, 2, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_TIME_WAIT), 1);
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(waiting(b), 1);
	peer_seg(b, (struct in){.flags = RST, .seq = 2});
	assert_int_equal(waiting(b), 0);
	peer_destroy(b);
}

// RFC 9293 MUST-13: where nobody listens no SYN is the beginning of something.
static void a_newer_syn_is_none_when_nobody_listens(void **state)
{
	struct peer *b = peer_create();
	struct addr any = {0};
	prism_listener listener;

	(void)state;
	assert_int_equal(tcp_listen(b->tcp, &any, 80, 700, &listener), 0);
	peer_seg(b, (struct in){.flags = SYN, .options = SYN_OPTIONS_TS, .options_len = 16});
	assert_true(peer_read(b));
	b->ts = true;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(tcp_unlisten(b->tcp, listener), 0);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
	b->ts_value += 1000;
	peer_seg(b, (struct in){.flags = SYN, .seq = 5000});
	expect(b, ACK, 2, 2, 0);
	assert_int_equal(waiting(b), 1);
	assert_int_equal(peer_drops(b, DROP_TCP_TIME_WAIT), 1);
	peer_destroy(b);
}

static void what_a_record_does_not_know_is_answered_once_in_a_while(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	for (int i = 0; i < 4; i++) {
		peer_seg(b, (struct in){.flags = SYN, .seq = 0});
		expect(b, ACK, 2, 2, 0);
		peer_seg(b, (struct in){.flags = SYN, .seq = 0});
		expect_nothing(b);
		peer_time(b, NS_PER_S);
	}
	assert_int_equal(peer_drops(b, DROP_TCP_TIME_WAIT), 8);
	peer_destroy(b);
}

// Each of them ends with a reset, however many they are in a second (RFC 9293 3.5.1).
static void each_record_answers_a_client_that_comes_back(void **state)
{
	enum { CLIENTS = 2000 };
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 16;
	config.time_wait_max = CLIENTS;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_listen(b);
	for (uint16_t i = 0; i < CLIENTS; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		expect(b, SYN | ACK, 0, 1, 0);
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		tcp_close(b->tcp, b->conn);
		peer_turn(b);
		expect(b, FIN | ACK, 1, 1, 0);
		peer_seg(b, (struct in){.flags = FIN | ACK, .src_port = port, .seq = 1, .ack = 2});
		expect(b, ACK, 2, 2, 0);
		peer_clear(b);
	}
	assert_int_equal(waiting(b), CLIENTS);
	for (uint16_t i = 0; i < CLIENTS; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port, .seq = 0u - 5000});
		assert_true(peer_read(b));
		assert_int_equal(b->out.flags, ACK);
		peer_seg(b, (struct in){.flags = RST, .src_port = port, .seq = 2});
		peer_clear(b);
	}
	assert_int_equal(waiting(b), 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_time_wait_answers), CLIENTS);
	peer_destroy(b);
}

// RFC 1122 4.2.2.13, RFC 6191 2; RFC 6528 R5
static void a_newer_syn_begins_a_new_connection(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	uint32_t before = b->host_iss;

	peer_seg(b, (struct in){.flags = SYN, .seq = 0}); // the old one: no
	expect(b, ACK, 2, 2, 0);
	peer_seg(b, (struct in){.flags = SYN, .seq = 5000});
	assert_true(peer_read(b));
	assert_int_equal(b->out.flags, SYN | ACK);
	assert_int_equal(b->out.ack, 5001);
	assert_true((int32_t)(b->host_iss - before) > 65536);
	assert_int_equal(waiting(b), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 5001, .ack = 1});
	assert_int_equal(b->accepted, 2);
	peer_destroy(b);
}

// What is dropped comes again: then the record must still know the old connection's numbers.
static void a_syn_that_finds_no_connection_left_does_not_end_the_wait(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 1;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	wait_state(b);
	uint32_t before = b->host_iss;

	peer_seg(b, (struct in){.flags = SYN, .src_port = 6000});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6000, .seq = 1, .ack = 1});
	assert_int_equal(b->accepted, 2);
	peer_seg(b, (struct in){.flags = SYN, .seq = 5000});
	expect_nothing(b);
	assert_int_equal(peer_drops(b, DROP_TCP_CONNECTIONS_FULL), 1);
	assert_int_equal(waiting(b), 1);
	peer_seg(b, (struct in){.flags = RST, .src_port = 6000, .seq = 1});
	peer_seg(b, (struct in){.flags = SYN, .seq = 5000});
	assert_true(peer_read(b));
	assert_int_equal(b->out.flags, SYN | ACK);
	assert_true((int32_t)(b->host_iss - before) > 65536);
	assert_int_equal(waiting(b), 0);
	peer_destroy(b);
}

// RFC 6191 R1
static void with_timestamps_the_clock_tells_new_from_old(void **state)
{
	static const uint8_t later[] = {8, 10, 0, 0, 4, 0, 0, 0, 0, 0, 1, 1};
	struct peer *b = peer_create();

	(void)state;
	b->ts = true;
	wait_state(b);
	peer_seg(b, (struct in){.flags = SYN, .seq = 0, .options = later, .options_len = 12});
	assert_true(peer_read(b));
	assert_int_equal(b->out.flags, SYN | ACK);
	peer_destroy(b);
}

static void a_full_ring_gives_up_its_oldest(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	for (uint16_t i = 0; i < 20; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		expect(b, SYN | ACK, 0, 1, 0);
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		tcp_close(b->tcp, b->conn);
		peer_turn(b);
		expect(b, FIN | ACK, 1, 1, 0);
		peer_seg(b, (struct in){.flags = FIN | ACK, .src_port = port, .seq = 1, .ack = 2});
		expect(b, ACK, 2, 2, 0);
	}
	assert_int_equal(waiting(b), 16);
	assert_int_equal(peer_count(b, COUNTER_tcp_time_wait_evicted), 5);
	peer_time(b, 61 * NS_PER_S);
	assert_int_equal(waiting(b), 0);
	peer_destroy(b);
}

// A place in the ring is a place of somebody else's record.
static void a_fin_without_end_does_not_drive_out_the_others(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	wait_state(b);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 6000});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6000, .seq = 1, .ack = 1});
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .src_port = 6000, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
	for (int i = 0; i < 100; i++) {
		peer_seg(b, (struct in){.flags = FIN | ACK, .src_port = 6000, .seq = 1, .ack = 2});
		expect(b, ACK, 2, 2, 0);
	}
	assert_int_equal(waiting(b), 2);
	assert_int_equal(peer_count(b, COUNTER_tcp_time_wait_evicted), 0);
	peer_time(b, 30 * NS_PER_S); // a forged one, far from the number, starts nothing anew
	peer_seg(b, (struct in){.flags = FIN | ACK, .src_port = 6000, .seq = 90000, .ack = 2});
	peer_time(b, 31 * NS_PER_S);
	assert_int_equal(waiting(b), 0);
	peer_destroy(b);
}

// All ends of one burst: what each takes out of the flow table has no place again before the turn
// ends, and the table is small.
static void a_burst_of_ends_finds_room_in_a_small_table(void **state)
{
	enum { CONNS = 64 };
	struct tcp_config config = peer_config();
	prism_conn conn[CONNS];
	uint32_t iss[CONNS];

	(void)state;
	config.connections_max = CONNS;
	config.half_open_max = config.time_wait_max = 1;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_listen(b);
	for (uint16_t i = 0; i < CONNS; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		while (peer_read(b)) // the last is the answer to the SYN
			;
		iss[i] = b->host_iss;
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		conn[i] = b->conn;
	}
	assert_int_equal(b->accepted, CONNS);
	for (int i = 0; i < CONNS; i++)
		assert_int_equal(tcp_close(b->tcp, conn[i]), 0);
	peer_turn(b);
	for (uint16_t i = 0; i < CONNS; i++) {
		b->host_iss = iss[i];
		peer_in(b, (struct in){.flags = FIN | ACK,
				       .src_port = (uint16_t)(6000 + i),
				       .seq = 1,
				       .ack = 2});
	}
	peer_turn(b);
	assert_int_equal(waiting(b), 1);
	assert_int_equal(peer_count(b, COUNTER_tcp_time_wait_evicted), CONNS - 1);
	table_check(b->tcp->table);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_of_ends_finds_room_in_a_small_table),
		cmocka_unit_test(it_lasts_two_msl_from_the_last_fin),
		cmocka_unit_test(old_segments_are_answered_and_a_reset_ends_it),
		cmocka_unit_test(a_newer_syn_is_none_when_nobody_listens),
		cmocka_unit_test(what_a_record_does_not_know_is_answered_once_in_a_while),
		cmocka_unit_test(each_record_answers_a_client_that_comes_back),
		cmocka_unit_test(a_newer_syn_begins_a_new_connection),
		cmocka_unit_test(a_syn_that_finds_no_connection_left_does_not_end_the_wait),
		cmocka_unit_test(with_timestamps_the_clock_tells_new_from_old),
		cmocka_unit_test(a_full_ring_gives_up_its_oldest),
		cmocka_unit_test(a_fin_without_end_does_not_drive_out_the_others),
	};

	return run_peer_tests(tests);
}
