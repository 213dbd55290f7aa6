// SPDX-License-Identifier: BSD-3-Clause
// More SYNs than there are places: who gets in, and who makes room (RFC 4987).
#include "peer.h"

static void forged_syn(struct peer *b, uint16_t port)
{
	peer_seg(b, (struct in){.flags = SYN, .src_port = port});
	expect(b, SYN | ACK, 0, 1, 0);
}

static void a_flood_fills_the_half_open_array_and_nothing_else(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 10; i++)
		peer_seg(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)});
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 4);
	assert_int_equal(counts.open, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 6);
	peer_destroy(b);
}

// Four places: more than two are a crowd, and two may stay as long as they like.
static void those_that_stay_silent_make_room_in_a_crowd(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		forged_syn(b, (uint16_t)(6000 + i));
	peer_time(b, 6900 * NS_PER_MS);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 4);
	peer_time(b, 200 * NS_PER_MS);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 2);
	assert_int_equal(peer_count(b, COUNTER_tcp_attempt_fails), 2);
	peer_time(b, 170 * NS_PER_S);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.half_open, 2);
	peer_destroy(b);
}

static uint32_t cookie_of(struct peer *b, uint16_t port)
{
	uint32_t out = peer_count(b, COUNTER_tcp_cookies_out);

	forged_syn(b, port);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), out + 1);
	return b->host_iss;
}

static void answer(struct peer *b, uint16_t port, uint32_t iss, uint32_t len)
{
	b->host_iss = iss;
	peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1, .len = len});
}

// Who waits for us to begin says nothing again: it is told; text comes again by itself.
static void a_cookie_without_a_place_is_refused_and_with_text_is_not(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 1;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		forged_syn(b, (uint16_t)(6000 + i));
	uint32_t first = cookie_of(b, 5001), silent = cookie_of(b, 5002),
		 speaks = cookie_of(b, 5003);

	answer(b, 5001, first, 0);
	assert_int_equal(b->accepted, 1);
	expect_nothing(b);
	answer(b, 5003, speaks, 10);
	expect_nothing(b);
	answer(b, 5002, silent, 0);
	expect(b, RST, 1, 0, 0);
	assert_int_equal(b->accepted, 1);
	assert_int_equal(peer_drops(b, DROP_TCP_CONNECTIONS_FULL), 2);
	peer_destroy(b);
}

// Four fit, the rest have cookies: whoever answers is served, however many came since.
static void an_honest_client_gets_in_under_a_flood(void **state)
{
	struct peer *b = peer_create();
	uint16_t forged = 6000;

	(void)state;
	peer_listen(b);
	for (uint32_t round = 0; round < 8; round++) {
		uint16_t ours = (uint16_t)(5000 + round);

		forged_syn(b, forged++);
		peer_seg(b, (struct in){.flags = SYN, .src_port = ours});
		expect(b, SYN | ACK, 0, 1, 0);
		uint32_t iss = b->host_iss;

		for (int i = 0; i < 3; i++)
			forged_syn(b, forged++);
		b->host_iss = iss;
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .src_port = ours});
		assert_int_equal(b->accepted, round + 1);
		expect_nothing(b);
	}
	forged_syn(b, 5100);
	uint32_t iss = b->host_iss;

	for (int i = 0; i < 400; i++)
		forged_syn(b, forged++);
	b->host_iss = iss;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .src_port = 5100});
	expect_nothing(b);
	assert_int_equal(b->accepted, 9);
	assert_int_equal(peer_count(b, COUNTER_tcp_half_open_evicted), 0);
	peer_destroy(b);
}

// The SYN is answered by a cookie, which is late; the same SYN again finds a place.
static void a_cookie_is_good_though_its_syn_has_a_place_by_now(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		forged_syn(b, (uint16_t)(6000 + i));
	forged_syn(b, 5000);
	uint32_t cookie = b->host_iss;

	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 1);
	peer_seg(b, (struct in){.flags = RST, .seq = 1, .src_port = 6000});
	b->env.now_ns += NS_PER_S;
	forged_syn(b, 5000);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 1);
	assert_int_not_equal(b->host_iss, cookie);
	b->host_iss = cookie;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .src_port = 5000});
	expect_nothing(b);
	assert_int_equal(b->accepted, 1);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_fills_the_half_open_array_and_nothing_else),
		cmocka_unit_test(those_that_stay_silent_make_room_in_a_crowd),
		cmocka_unit_test(a_cookie_without_a_place_is_refused_and_with_text_is_not),
		cmocka_unit_test(an_honest_client_gets_in_under_a_flood),
		cmocka_unit_test(a_cookie_is_good_though_its_syn_has_a_place_by_now),
	};

	return run_peer_tests(tests);
}
