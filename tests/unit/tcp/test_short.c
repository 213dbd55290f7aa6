// SPDX-License-Identifier: BSD-3-Clause
// Received buffers that the application holds may not empty the receive pool.
#include "peer.h"

static void text(struct peer *b, uint32_t seq)
{
	peer_seg(b, (struct in){.flags = ACK, .seq = seq, .ack = 1, .len = 10});
}

static void whoever_releases_nothing_gets_no_more_until_he_does(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->env.kept_pkts_max = 8;
	b->hold = true;
	for (uint32_t i = 0; i < 8; i++)
		text(b, 1 + 10 * i);
	assert_int_equal(b->env.kept_pkts, 8);
	text(b, 81);
	assert_int_equal(peer_drops(b, DROP_TCP_TEXT_SHORT), 1);
	assert_int_equal(b->received, 80);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 5001});
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_SHORT), 1);
	peer_release(b);
	assert_int_equal(b->env.kept_pkts, 0);
	text(b, 81);
	assert_int_equal(b->received, 90);
	assert_true(b->in_order);
	peer_destroy(b);
}

static void whoever_releases_goes_on_while_others_hold_all(void **state)
{
	struct peer *b = peer_create();
	uint32_t others;

	(void)state;
	peer_open(b);
	others = b->env.kept_pkts_max;
	b->env.kept_pkts = others;
	for (uint32_t i = 0; i < 20; i++)
		text(b, 1 + 10 * i);
	assert_int_equal(b->received, 200);
	b->env.kept_pkts = others + others / 16; // the last half of the reserve is for ACKs
	peer_host_sends(b, 10, 10);
	peer_seg(b, (struct in){.flags = ACK, .seq = 201, .ack = 11, .len = 10});
	assert_int_equal(b->received, 200);
	assert_int_equal(peer_conn(b)->snd.una, peer_conn(b)->snd.nxt);
	b->env.kept_pkts = 0;
	peer_destroy(b);
}

static void what_is_sent_on_goes_home_while_buffers_are_short(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->hold = true;
	text(b, 1);
	b->env.kept_pkts_max = 1;
	assert_int_equal(tcp_send_pkt(b->tcp, b->conn, b->held[0]), 0);
	b->held_count = 0;
	assert_int_equal(b->env.kept_pkts, 0);
	assert_int_equal(peer_count(b, COUNTER_copied_bytes_pack), 10);
	peer_turn(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_releases_nothing_gets_no_more_until_he_does),
		cmocka_unit_test(whoever_releases_goes_on_while_others_hold_all),
		cmocka_unit_test(what_is_sent_on_goes_home_while_buffers_are_short),
	};

	return run_peer_tests(tests);
}
