// SPDX-License-Identifier: BSD-3-Clause
// Source routes of those who are many, or forge.
#include "routed_peer.h"

// SHLD-24 is for this: our ACKs do not come through, so the peer says it again by another way.
static void text_again_by_another_route_is_answered_by_that(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10});
	expect(b, ACK, 1, 11, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 11, 0);
	expect_near(b);
	peer_destroy(b);
}

// RFC 5961, RFC 7323: what is challenged or too old is no reason to answer by another gateway.
static void who_only_guesses_changes_no_route(void **state)
{
	struct peer *b = start();

	(void)state;
	b->ts = true;
	peer_listen(b);
	seg_by(b, (struct in){.flags = SYN, .options = SYN_OPTIONS_TS, .options_len = 16}, GONE,
	       sizeof(GONE));
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	seg_by(b, (struct in){.flags = RST | ACK, .seq = 9, .ack = 1}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = SYN | ACK, .seq = 1, .ack = 1}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 9, .no_ts = true}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 9, .ts_back = 5000},
	       GONE_NEAR, sizeof(GONE_NEAR));
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	assert_int_equal(users(b), 1);
	peer_destroy(b);
}

// SYNs without end, each by another way: they take half of the places, and cookies answer the rest,
// so who is there finds one.
static void many_routes_do_not_lock_out_those_who_exist(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct tcp_config config = peer_config();
	uint8_t gone[] = {1, 131, 11, 12, 203, 0, 0, 0, NEAR};
	prism_conn conn;

	(void)state;
	config.half_open_max = 512;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	meet_near(b);
	peer_listen(b);
	for (uint16_t i = 0; i < 300; i++) {
		gone[6] = (uint8_t)(i / 256);
		gone[7] = (uint8_t)i;
		seg_by(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)}, gone,
		       sizeof(gone));
	}
	assert_int_equal(users(b), SOURCE_ROUTES_MAX / 2);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 300 - SOURCE_ROUTES_MAX / 2);
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &conn), 0);
	tcp_abort(b->tcp, conn);
	peer_turn(b);
	peer_clear(b);
	gone[4] = 192;
	seg_by(b, (struct in){.flags = SYN, .src_port = 5555}, gone, sizeof(gone));
	expect(b, SYN | ACK, 0, 1, 0);
	seg_by(b, (struct in){.flags = ACK, .src_port = 5555, .seq = 1, .ack = 1}, gone,
	       sizeof(gone));
	assert_int_equal(b->accepted, 1);
	assert_int_equal(users(b), SOURCE_ROUTES_MAX / 2 + 1);
	tcp_abort(b->tcp, b->conn);
	peer_turn(b);
	peer_clear(b);
	peer_seg(b, (struct in){.flags = SYN}); // who needs none is served
	expect(b, SYN | ACK, 0, 1, 0);
	peer_time(b, 400 * NS_PER_S); // nobody answers
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

static void a_connection_without_a_place_is_dropped_by_name(void **state)
{
	struct tcp_config config = peer_config();
	uint8_t gone[] = {1, 131, 11, 12, 203, 0, 1, 0, NEAR};

	(void)state;
	config.connections_max = 512;
	config.half_open_max = 512;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	meet_near(b);
	peer_listen(b);
	for (uint16_t i = 1; i <= SOURCE_ROUTES_MAX + 2; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		gone[6] = (uint8_t)(1 + i / 256);
		gone[7] = (uint8_t)i;
		peer_clear(b);
		seg_by(b, (struct in){.flags = SYN, .src_port = port}, gone, sizeof(gone));
		assert_true(peer_read(b));
		seg_by(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1}, gone,
		       sizeof(gone));
	}
	assert_int_equal(b->accepted, SOURCE_ROUTES_MAX);
	assert_int_equal(peer_drops(b, DROP_SOURCE_ROUTES_FULL), 2);
	peer_destroy(b);
}

// Whoever asks by a gateway of his, a TIME-WAIT tells nothing there.
static void time_wait_answers_by_its_own_way(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
	seg_by(b, (struct in){.flags = ACK, .seq = 77777, .ack = 2}, GONE, sizeof(GONE));
	expect(b, ACK, 2, 2, 0);
	expect_direct(b);
	peer_destroy(b);
}

static void a_connection_that_ends_gives_its_place_back(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct peer *b = start();
	prism_conn conn, again;

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(users(b), 0);
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &conn), 0);
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &again), -EADDRINUSE);
	assert_int_equal(users(b), 1);
	tcp_abort(b->tcp, conn);
	peer_turn(b);
	assert_int_equal(users(b), 0);
	assert_int_equal(b->net->source_routes->in_use, 0);
	peer_destroy(b);
}

static void cookies_go_by_the_way_their_syn_came(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		peer_seg(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)});
	while (peer_read(b))
		;
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_back(b);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 1);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
	assert_int_equal(b->accepted, 1);
	assert_int_equal(users(b), 1);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	expect_back(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_again_by_another_route_is_answered_by_that),
		cmocka_unit_test(who_only_guesses_changes_no_route),
		cmocka_unit_test(many_routes_do_not_lock_out_those_who_exist),
		cmocka_unit_test(a_connection_without_a_place_is_dropped_by_name),
		cmocka_unit_test(time_wait_answers_by_its_own_way),
		cmocka_unit_test(a_connection_that_ends_gives_its_place_back),
		cmocka_unit_test(cookies_go_by_the_way_their_syn_came),
	};

	return cmocka_run_group_tests(tests, take_routes, take_none);
}
