// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/tune.h"

#include "base/err.h"
#include "peer.h"

static int set(struct peer *b, enum tcp_option option, uint64_t value)
{
	return tcp_set_option(b->tcp, b->conn, option, value);
}

static void a_setting_out_of_bounds_is_refused_by_name(void **state)
{
	static const struct {
		enum tcp_option option;
		uint64_t value;
		const char *words;
	} wrong[] = {
		{TCP_SET_DSCP, 64, "dscp 64; it takes 0 (best effort), or 1 to 63"},
		{TCP_SET_TTL, 256, "ttl 256; it takes 0 (64), or 1 to 255"},
		{TCP_SET_KEEPALIVE_S, 65536, "keep-alive seconds 65536"},
		{TCP_SET_KEEPALIVE_INTERVAL_S, 65536, "0 (75), or 1 to 65535"},
		{TCP_SET_KEEPALIVE_PROBES, 16, "0 (9), or 1 to 15"},
		{TCP_SET_GIVE_UP_S, UINT64_MAX, "give-up seconds 18446744073709551615"},
		{TCP_SET_CONGESTION, 4, "0 (cubic), 1 (newreno), 2 (none), 3 (bbr)"},
		{TCP_SET_ECN, 3, "ecn 3"},
		{TCP_SET_PACING, 2, "0 (off), 1 (on)"},
		{TCP_SET_NO_DELAY, 2, "0 (Nagle), 1 (at once)"},
		{TCP_SET_CORK, 2, "cork 2"},
		{TCP_SET_USER_TIMEOUT_MS, 99, "0 (none), or 100 to 86400000"},
		{TCP_SET_SEND_BYTES, 32767, "0 (as configured), or 32768 to 262144"},
		{TCP_SET_SEND_BYTES, (1 << 18) + 1, "send bytes 262145"},
		{TCP_SET_RECEIVE_BYTES, 60001, "0 (as configured), or 4096 to 60000"},
		{TCP_SET_COUNT, 0, "option"},
	};
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		assert_int_equal(set(b, wrong[i].option, wrong[i].value), -EINVAL);
		assert_non_null(strstr(err_last()->message, wrong[i].words));
	}
	assert_false(conn_is(peer_conn(b), CONN_TUNED));
	assert_int_equal(peer_conn(b)->dscp, 0);
	peer_destroy(b);
}

// RFC 9293 MUST-27, MUST-29
static void probes_come_as_often_and_as_many_as_was_said(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(set(b, TCP_SET_KEEPALIVE_S, 10), 0);
	assert_int_equal(set(b, TCP_SET_KEEPALIVE_INTERVAL_S, 2), 0);
	assert_int_equal(set(b, TCP_SET_KEEPALIVE_PROBES, 3), 0);
	peer_time(b, 15 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 3);
	assert_int_equal(b->closed, 0);
	peer_time(b, 2 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_KEEPALIVE);
	peer_destroy(b);
}

static void a_smaller_send_limit_refuses_sooner_and_a_larger_one_is_told(void **state)
{
	struct peer *b = peer_create();
	static uint8_t bytes[40000];

	(void)state;
	peer_open(b);
	assert_int_equal(set(b, TCP_SET_SEND_BYTES, 32768), 0);
	assert_int_equal(tcp_credit(b->tcp, b->conn), 32768);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, bytes, 32769, NULL), -EINVAL);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, bytes, 30000, NULL), 0);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, bytes, 3000, NULL), -EAGAIN);
	assert_int_equal(b->writable, 0);
	assert_int_equal(set(b, TCP_SET_SEND_BYTES, 0), 0);
	peer_turn(b);
	assert_int_equal(b->writable, 1);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, bytes, 3000, NULL), 0);
	peer_destroy(b);
}

// RFC 9293 SHLD-14: what was offered stays offered.
static void a_smaller_receive_limit_closes_the_window_as_text_comes(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->hold = true;
	assert_int_equal(set(b, TCP_SET_RECEIVE_BYTES, 4096), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 1000});
	expect(b, ACK, 1, 1001, 0);
	assert_int_equal(b->out.window, 59000);
	assert_int_equal(set(b, TCP_SET_RECEIVE_BYTES, 0), 0);
	peer_release(b);
	peer_turn(b);
	assert_int_equal(b->received, 1000);
	peer_destroy(b);
}

static void who_connects_offers_no_more_than_it_takes(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple to = {.local = addr_from_v4_octets(198, 18, 0, 2),
			       .remote = addr_from_v4_octets(198, 18, 0, 1),
			       .local_port = 80,
			       .remote_port = 5000};

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &to, 0, &b->conn), 0);
	assert_int_equal(set(b, TCP_SET_RECEIVE_BYTES, 5000), 0);
	assert_int_equal(set(b, TCP_SET_TTL, 7), 0);
	assert_int_equal(set(b, TCP_SET_DSCP, 46), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	assert_int_equal(b->out.window, 5000);
	assert_int_equal(b->out.ttl, 7);
	assert_int_equal(b->out.tos >> 2, 46);
	peer_destroy(b);
}

// One that connects from this port, with nothing but an MSS.
static void knock(struct peer *b, uint16_t src_port)
{
	peer_seg(b, (struct in){.flags = SYN,
				.src_port = src_port,
				.options = SYN_OPTIONS_MSS,
				.options_len = sizeof(SYN_OPTIONS_MSS)});
	expect(b, SYN | ACK, 0, 1, 0);
}

static void connections_begin_as_their_listener_says(void **state)
{
	struct peer *b = peer_create();
	prism_listener l = peer_listen(b);

	(void)state;
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_DSCP, 46), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_TTL, 7), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_RECEIVE_BYTES, 5000), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_NO_DELAY, 0), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_KEEPALIVE_S, 10), 0);
	assert_int_equal(
		tcp_set_listener_option(b->tcp, l, TCP_SET_CONGESTION, PRISM_CONGESTION_CUBIC), 0);
	knock(b, 5000);
	assert_int_equal(b->out.tos >> 2, 46);
	assert_int_equal(b->out.ttl, 7);
	assert_int_equal(b->out.window, 5000);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(peer_conn(b)->cc_kind, PRISM_CONGESTION_CUBIC);
	peer_host_sends(b, 20, 10);
	expect(b, ACK, 1, 1, 20);
	assert_int_equal(b->out.tos >> 2, 46);
	assert_int_equal(b->out.ttl, 7);
	assert_int_equal(b->out.window, 5000);
	peer_host_sends(b, 10, 10);
	expect_nothing(b); // Nagle
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 21});
	expect(b, ACK, 21, 1, 10);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 31});
	peer_time(b, 11 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 1);
	peer_destroy(b);
}

// Of the array's four half-open connections none is left, so that the next has a cookie.
static void by_a_cookie_too(void **state)
{
	struct peer *b = peer_create();
	prism_listener l = peer_listen(b);

	(void)state;
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_RECEIVE_BYTES, 5000), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_TTL, 7), 0);
	for (uint16_t port = 5000; port < 5005; port++) {
		knock(b, port);
		assert_int_equal(b->out.ttl, 7);
		assert_int_equal(b->out.window, 5000);
	}
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 1);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 5004, .seq = 1, .ack = 1});
	assert_int_equal(b->accepted, 1);
	assert_int_equal(peer_conn(b)->ttl, 7);
	assert_int_equal(tuned_receive_max(b->tcp, peer_conn(b)), 5000);
	peer_destroy(b);
}

static void a_listener_that_is_opened_again_says_nothing(void **state)
{
	struct peer *b = peer_create();
	prism_listener l = peer_listen(b), again;

	(void)state;
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_TTL, 256), -EINVAL);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_TTL, 7), 0);
	assert_int_equal(tcp_unlisten(b->tcp, l), 0);
	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_TTL, 7), -ESTALE);
	again = peer_listen(b);
	assert_int_not_equal(again.id, l.id);
	knock(b, 5000);
	assert_int_equal(b->out.ttl, 64);
	assert_int_equal(b->out.window, 60000);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setting_out_of_bounds_is_refused_by_name),
		cmocka_unit_test(probes_come_as_often_and_as_many_as_was_said),
		cmocka_unit_test(a_smaller_send_limit_refuses_sooner_and_a_larger_one_is_told),
		cmocka_unit_test(a_smaller_receive_limit_closes_the_window_as_text_comes),
		cmocka_unit_test(who_connects_offers_no_more_than_it_takes),
		cmocka_unit_test(connections_begin_as_their_listener_says),
		cmocka_unit_test(by_a_cookie_too),
		cmocka_unit_test(a_listener_that_is_opened_again_says_nothing),
	};

	return run_peer_tests(tests);
}
