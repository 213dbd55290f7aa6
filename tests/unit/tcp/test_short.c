// SPDX-License-Identifier: BSD-3-Clause
// Received buffers that the application holds may not empty the receive pool.
#include "peer.h"

static void text(struct peer *b, uint32_t seq)
{
	peer_seg(b, (struct in){.flags = ACK, .seq = seq, .ack = 1, .len = 10});
}

// An echo request comes in and its answer leaves.
static void peer_ping(struct peer *b)
{
	uint8_t frame[42] = {2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0, 0x20, 1, 8, 0};
	struct ipv4_header *ip = (void *)(frame + 14);
	struct icmp_header *icmp = (void *)(ip + 1);
	uint32_t before = b->port.tx_count;

	*ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.total_len = be16_of(28),
		.ttl = 64,
		.protocol = 1,
		.src = be32_of(0xc6120001),
		.dst = be32_of(0xc6120002),
	};
	ip->checksum = checksum_finish(checksum_add(0, ip, 20));
	icmp->type = ICMP_ECHO;
	icmp->checksum = checksum_finish(checksum_add(0, icmp, 8));
	assert_true(capture_put(&b->port, b->env.pool[POOL_RX], frame, sizeof(frame)));
	peer_walk(b);
	assert_int_equal(b->port.tx_count, before + 1);
	assert_int_equal(pkt_data(b->port.tx[before])[34], ICMP_ECHO_REPLY);
	b->tx_read = b->port.tx_count;
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

// Copies of what is sent on may not take the transmit pool from everybody else.
static void copies_leave_an_eighth_of_the_transmit_pool(void **state)
{
	struct peer *b = peer_create();
	static struct pkt *others[PEER_POOL_PKTS];
	struct pool *pool = b->env.pool[POOL_TX];
	uint32_t count = 0;

	(void)state;
	peer_open(b);
	b->hold = true;
	text(b, 1);
	b->env.kept_pkts_max = 1;
	while (pool_available(pool) > PEER_POOL_PKTS / 8)
		others[count++] = pkt_alloc(pool);
	assert_int_equal(tcp_send_pkt(b->tcp, b->conn, b->held[0]), 0);
	b->held_count = 0;
	assert_int_equal(pool_available(pool), PEER_POOL_PKTS / 8);
	assert_int_equal(peer_count(b, COUNTER_copied_bytes_pack), 0);
	assert_int_equal(b->env.kept_pkts, 1); // until it is acknowledged
	peer_turn(b);
	while (peer_read(b))
		;
	assert_int_equal(b->out.len, 10);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 11});
	assert_int_equal(b->env.kept_pkts, 0);
	while (count)
		pkt_free(others[--count]);
	peer_destroy(b);
}

// A thousand connections hold what they got and the buffers are short: ping is answered, a SYN is
// refused by name, nothing leaks, and when they let go everything is as before.
static void a_thousand_holders_stop_nobody_else(void **state)
{
	struct tcp_config config = peer_config();
	enum { HOLDERS = 1000 };

	(void)state;
	config.connections_max = HOLDERS + 1;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_listen(b);
	b->env.kept_pkts_max = HOLDERS;
	b->hold = true;
	for (uint16_t i = 0; i < HOLDERS; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		while (peer_read(b))
			;
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		b->received = 0; // the pattern begins anew on each
		peer_seg(b, (struct in){
				    .flags = ACK, .src_port = port, .seq = 1, .ack = 1, .len = 10});
		while (peer_read(b))
			;
		peer_clear(b);
	}
	assert_int_equal(b->env.kept_pkts, HOLDERS);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 5000});
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_SHORT), 1);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6999, .seq = 11, .ack = 1, .len = 10});
	assert_int_equal(peer_drops(b, DROP_TCP_TEXT_SHORT), 1);
	peer_ping(b);
	peer_release(b);
	assert_int_equal(b->env.kept_pkts, 0);
	b->hold = false;
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6999, .seq = 11, .ack = 1, .len = 10});
	assert_int_equal(b->received, 20);
	assert_true(b->in_order);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 5000});
	assert_int_equal(peer_drops(b, DROP_TCP_SYN_SHORT), 1);
	peer_destroy(b);
}

enum { HOLES = 14, HOLES_EARLY_MAX = 51 };

static void open_from(struct peer *b, uint16_t port)
{
	peer_seg(b, (struct in){.flags = SYN, .src_port = port});
	while (peer_read(b))
		;
	peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
	peer_clear(b);
}

static void early_from(struct peer *b, uint16_t port, uint32_t seq, uint32_t len)
{
	peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = seq, .ack = 1, .len = len});
	peer_clear(b);
}

// Connections that leave a hole open and send one byte at every second offset above it hold all
// that may be held of what comes early.
static struct peer *peer_create_with_holes(void)
{
	struct tcp_config config = peer_config();
	struct peer *b;

	config.connections_max = HOLES + 2;
	b = peer_create_on(&config, PORT_TX_CHAINS);
	peer_listen(b);
	b->env.kept_pkts_max = 64;
	for (uint16_t i = 0; i < HOLES; i++) {
		open_from(b, (uint16_t)(6000 + i));
		for (uint32_t k = 0; k < 20; k++)
			early_from(b, (uint16_t)(6000 + i), 3 + 2 * k, 1);
	}
	assert_int_equal(b->env.kept_pkts, HOLES_EARLY_MAX);
	return b;
}

static void holes_that_stay_open_give_way_to_early_text_of_others(void **state)
{
	struct peer *b = peer_create_with_holes();

	(void)state;
	open_from(b, 5000);
	for (uint32_t i = 0; i < 3; i++)
		early_from(b, 5000, 101 + 100 * i, 100);
	assert_int_equal(b->env.kept_pkts, HOLES_EARLY_MAX);
	assert_int_equal(b->received, 0);
	early_from(b, 5000, 1, 100);
	assert_int_equal(b->received, 400); // nothing of it had to be sent again
	assert_true(b->in_order);
	peer_destroy(b);
}

// Nobody takes from one who would then hold less than he does himself.
static void early_text_is_shared_evenly(void **state)
{
	struct peer *b = peer_create_with_holes();
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	for (uint32_t k = 0; k < 20; k++) {
		for (uint16_t i = 0; i < HOLES; i++)
			early_from(b, (uint16_t)(6000 + i), 3 + 2 * k, 1);
	}
	for (uint32_t i = 0; i < HOLES; i++) {
		least = MIN(least, b->tcp->conn[i].early_bytes);
		most = MAX(most, b->tcp->conn[i].early_bytes);
	}
	assert_true(least > 0);
	assert_true(most <= 2 * least);
	peer_destroy(b);
}

static void holes_that_stay_open_give_way_to_text_in_order_and_to_syns(void **state)
{
	struct peer *b = peer_create_with_holes();

	(void)state;
	open_from(b, 5000);
	b->hold = true;
	for (uint32_t i = 0; i < 20; i++)
		early_from(b, 5000, 1 + 10 * i, 10);
	assert_int_equal(b->received, 200);
	assert_int_equal(peer_drops(b, DROP_TCP_TEXT_SHORT), 0);
	b->env.kept_pkts_max = b->env.kept_pkts;
	open_from(b, 5001);
	assert_int_equal(b->accepted, HOLES + 2);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_releases_nothing_gets_no_more_until_he_does),
		cmocka_unit_test(whoever_releases_goes_on_while_others_hold_all),
		cmocka_unit_test(what_is_sent_on_goes_home_while_buffers_are_short),
		cmocka_unit_test(copies_leave_an_eighth_of_the_transmit_pool),
		cmocka_unit_test(a_thousand_holders_stop_nobody_else),
		cmocka_unit_test(holes_that_stay_open_give_way_to_early_text_of_others),
		cmocka_unit_test(early_text_is_shared_evenly),
		cmocka_unit_test(holes_that_stay_open_give_way_to_text_in_order_and_to_syns),
	};

	return run_peer_tests(tests);
}
