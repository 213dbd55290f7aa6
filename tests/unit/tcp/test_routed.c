// SPDX-License-Identifier: BSD-3-Clause
#include "routed_peer.h"

// RFC 9293 MUST-53
static void every_segment_goes_back_by_the_way_the_syn_came(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	expect_back(b);
	peer_host_sends(b, 100, 100);
	expect(b, ACK, 1, 1, 100);
	expect_back(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 101, .len = 50});
	expect(b, ACK, 101, 51, 0);
	expect_back(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 101, 51, 0);
	expect_back(b);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 51, .ack = 102});
	expect(b, ACK, 102, 52, 0);
	expect_back(b);
	assert_int_equal(users(b), 1); // TIME-WAIT
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 51, .ack = 102});
	expect(b, ACK, 102, 52, 0);
	expect_back(b);
	peer_time(b, 61 * NS_PER_S);
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

// RFC 9293 SHLD-24
static void a_later_route_takes_its_place_when_the_segment_is_in_the_window(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	seg_by(b, (struct in){.flags = ACK, .seq = 70000, .ack = 1, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 9, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR)); // of what was never sent
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 11, 0);
	expect_near(b);
	assert_int_equal(users(b), 1);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10});
	expect(b, ACK, 1, 21, 0); // without one: it stays
	expect_near(b);
	peer_destroy(b);
}

static void a_connection_that_had_none_takes_the_first(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_open(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 11, 0);
	expect_back(b);
	peer_destroy(b);
}

static void a_handshake_takes_the_last_route_it_sees(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_listen(b);
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = SYN}, GONE_NEAR, sizeof(GONE_NEAR));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 7}, GONE, sizeof(GONE)); // forged
	expect(b, RST, 7, 0, 0);
	expect_near(b); // its own way
	peer_time(b, 2 * NS_PER_S);
	expect(b, SYN | ACK, 0, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	expect_back(b);
	assert_int_equal(users(b), 1);
	peer_destroy(b);
}

// RFC 9293 MUST-51, MUST-52
static void the_applications_route_is_gone_whatever_comes(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct peer *b = start();

	(void)state;
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &b->conn), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = SYN | ACK, .ack = 1}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 11, 0);
	expect_near(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 11, 0);
	seg_by(b, (struct in){.flags = FIN | ACK, .seq = 11, .ack = 2}, GONE, sizeof(GONE));
	expect(b, ACK, 2, 12, 0);
	seg_by(b, (struct in){.flags = FIN | ACK, .seq = 11, .ack = 2}, GONE, sizeof(GONE));
	expect(b, ACK, 2, 12, 0); // TIME-WAIT
	expect_near(b);
	peer_destroy(b);
}

// RFC 1122 4.2.3.8 speaks of those that others open.
static void what_we_open_without_a_route_goes_without(void **state)
{
	const struct tcp_tuple tuple = to_sender();
	struct peer *b = start();

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &tuple, 1, &b->conn), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	seg_by(b, (struct in){.flags = ACK, .seq = 5, .ack = 9}, GONE, sizeof(GONE));
	expect(b, RST, 9, 0, 0);
	expect_direct(b);
	seg_by(b, (struct in){.flags = SYN | ACK, .ack = 1}, GONE, sizeof(GONE));
	expect(b, SYN, 0, 0, 0); // once more after the reset
	expect(b, ACK, 1, 1, 0);
	expect_direct(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 11, 0);
	expect_direct(b);
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

// With more room beside the route segments are larger, and the window no less than one.
static void a_shorter_route_makes_segments_larger(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	peer_host_sends(b, 1400, 1400);
	expect(b, ACK, 1, 1, 1400);
	peer_time(b, 1500 * NS_PER_MS); // a timeout: one segment is the window
	assert_true(peer_conn(b)->cc.cwnd_bytes == peer_conn(b)->mss_bytes);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE_NEAR, sizeof(GONE_NEAR));
	assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE_NEAR));
	assert_true(peer_conn(b)->cc.cwnd_bytes >= peer_conn(b)->mss_bytes);
	for (int i = 0; i < 50; i++) {
		seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
		assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE));
		seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE_NEAR,
		       sizeof(GONE_NEAR));
	}
	assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE_NEAR));
	peer_destroy(b);
}

static void a_longer_route_sends_nothing_again(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE_NEAR, sizeof(GONE_NEAR));
	peer_host_sends(b, 4000, 1400);
	while (peer_read(b))
		;
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
	expect_nothing(b);
	assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE));
	peer_destroy(b);
}

static void a_fast_open_waits_for_the_handshake(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct peer *b = start();

	(void)state;
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &b->conn), 0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_FAST_OPEN, 1), 0);
	peer_host_sends(b, 100, 100);
	expect(b, SYN, 0, 0, 0);
	assert_false(b->out.o.has_fast);
	peer_seg(b, (struct in){.flags = SYN | ACK, .ack = 1});
	expect(b, ACK, 1, 1, 100);
	expect_near(b);
	peer_destroy(b);
}

static void resets_go_by_the_way_of_what_they_answer(void **state)
{
	struct peer *b = start();

	(void)state;
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, RST | ACK, 0, 1, 0);
	expect_back(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, RST | ACK, 0, 1, 0);
	expect_direct(b);
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

// RFC 9293 MUST-16: less the options of both headers. MUST-67: what we take is not less for it.
static void segments_leave_room_for_the_option(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	assert_int_equal(b->out.o.mss, 1460);
	peer_host_sends(b, 4000, 2000);
	expect(b, ACK, 1, 1, 1460 - sizeof(GONE));
	expect(b, ACK, 1 + 1460 - sizeof(GONE), 1, 1460 - sizeof(GONE));
	assert_true(peer_read(b));
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 4001});
	peer_destroy(b);
}

// As the path's MTU is: of the whole packet.
static void a_smaller_path_leaves_room_for_the_option(void **state)
{
	struct icmp_report report = {.local = addr_from_v4_octets(198, 18, 0, 2),
				     .remote = addr_from_v4_octets(SENDER),
				     .protocol = 6,
				     .type = ICMP_UNREACHABLE,
				     .code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED,
				     .local_port = 80,
				     .remote_port = 5000,
				     .mtu_bytes = 1000};
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	peer_host_sends(b, 1400, 1400);
	expect(b, ACK, 1, 1, 1400);
	report.seq = b->host_iss + 1;
	tcp_icmp_error(b->tcp, &report);
	peer_turn(b);
	expect(b, ACK, 1, 1, 1000 - 40 - sizeof(GONE));
	expect_back(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_segment_goes_back_by_the_way_the_syn_came),
		cmocka_unit_test(a_later_route_takes_its_place_when_the_segment_is_in_the_window),
		cmocka_unit_test(a_connection_that_had_none_takes_the_first),
		cmocka_unit_test(a_handshake_takes_the_last_route_it_sees),
		cmocka_unit_test(the_applications_route_is_gone_whatever_comes),
		cmocka_unit_test(what_we_open_without_a_route_goes_without),
		cmocka_unit_test(a_shorter_route_makes_segments_larger),
		cmocka_unit_test(a_longer_route_sends_nothing_again),
		cmocka_unit_test(a_fast_open_waits_for_the_handshake),
		cmocka_unit_test(resets_go_by_the_way_of_what_they_answer),
		cmocka_unit_test(segments_leave_room_for_the_option),
		cmocka_unit_test(a_smaller_path_leaves_room_for_the_option),
	};

	return cmocka_run_group_tests(tests, take_routes, take_none);
}
