// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

static void a_long_send_leaves_in_full_segments_and_a_rest(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 4000, 2000);
	expect(b, ACK, 1, 1, 1460);
	assert_false(b->out.flags & PSH);
	expect(b, ACK, 1461, 1, 1460);
	expect(b, ACK, 2921, 1, 1080);
	assert_true(b->out.flags & PSH); // RFC 9293 MUST-61
	expect_nothing(b);
	peer_destroy(b);
}

// RFC 9293 MUST-17: no Nagle delay; RFC 9293 MUST-60: nothing is buffered for ever.
static void a_small_send_does_not_wait_for_an_ack(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 11, 1, 10);
	peer_destroy(b);
}

static void the_first_window_is_ten_segments(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 40000, 1000);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1461}); // slow start: two for one
	expect(b, ACK, 14601, 1, 1460);
	expect(b, ACK, 16061, 1, 1460);
	expect_nothing(b);
	peer_destroy(b);
}

// RFC 9293 MUST-38: a small opening of the window is not used while more could come.
static void silly_windows_are_not_filled(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10000, 1000);
	for (uint32_t i = 0; i < 7; i++)
		assert_true(peer_read(b));
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 10001, .window = 2000});
	peer_host_sends(b, 5000, 1000);
	expect(b, ACK, 10001, 1, 1460);
	expect_nothing(b); // 540 bytes of window are left: not worth a segment
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 11461, .window = 2000});
	expect(b, ACK, 11461, 1, 1460);
	peer_destroy(b);
}

// RFC 9293 MUST-35, MUST-36, MUST-37: a closed window is probed, further and further apart, for
// ever.
static void a_closed_window_is_probed_for_ever(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .closed_window = true, .len = 1});
	expect(b, ACK, 1, 2, 0);
	peer_host_sends(b, 100, 100);
	expect_nothing(b);
	for (int i = 0; i < 40; i++) {
		while (!peer_read(b))
			peer_time(b, NS_PER_S);
		assert_int_equal(b->out.seq, 1);
		assert_int_equal(b->out.len, 1);
		peer_seg(b, (struct in){.flags = ACK, .seq = 2, .ack = 1, .closed_window = true});
	}
	assert_int_equal(b->closed, 0);
	assert_true(peer_count(b, COUNTER_tcp_zero_window_probes) >= 40);
	peer_seg(b, (struct in){.flags = ACK, .seq = 2, .ack = 1});
	uint32_t got = 0;

	while (peer_read(b)) {
		assert_in_range(b->out.seq, 1, 1 + got);
		got = MAX(got, b->out.seq - 1 + b->out.len);
	}
	assert_int_equal(got, 100);
	peer_destroy(b);
}

// RFC 9293 MUST-34: a window that shrinks is lived with. RFC 9293 MUST-1: 60000 is not negative.
static void a_shrinking_window_is_obeyed(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 3000, 1000);
	while (peer_read(b))
		;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .window = 100});
	peer_host_sends(b, 3000, 1000);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 3001, .window = 60000});
	expect(b, ACK, 3001, 1, 1460);
	peer_destroy(b);
}

// RFC 9293 MUST-39: the window opens by a segment at least, or not at all.
static void the_window_opens_in_large_steps(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.receive_bytes_max = 12000;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	b->hold = true;
	for (uint32_t i = 0; i < 6; i++) {
		peer_seg(b, (struct in){.flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .len = 1000});
		expect(b, ACK, 1, 1001 + 1000 * i, 0);
	}
	uint32_t edge = b->out.ack + b->out.window;

	assert_in_range(edge, 12001, 12200); // never moved back, and not forward by crumbs
	peer_release(b);
	peer_turn(b);
	expect(b, ACK, 1, 6001, 0); // all released: an update leaves by itself
	assert_int_equal(b->out.window, 12000);
	peer_destroy(b);
}

static void a_header_goes_in_front_of_a_received_payload(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->hold = true;
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	peer_deliver(b);
	uint32_t heads = pool_available(b->env.pool[POOL_HEAD]);
	struct pkt *p = b->held[--b->held_count];

	assert_int_equal(tcp_send_pkt(b->tcp, b->conn, p), 0);
	tcp_flush(b->tcp);
	port_tx_flush(&b->env, &b->port.port);
	assert_int_equal(pool_available(b->env.pool[POOL_HEAD]), heads);
	assert_ptr_equal(b->port.tx[b->port.tx_count - 1], p);
	expect(b, ACK, 1, 101, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(b->out.text[i], peer_byte(i));
	// Not acknowledged, and the port still holds it: a fresh header, the same payload.
	peer_time(b, 250 * NS_PER_MS);
	assert_int_equal(pool_available(b->env.pool[POOL_HEAD]), heads - 2);
	expect(b, ACK, 1, 101, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(b->out.text[i], peer_byte(i));
	assert_int_equal(peer_count(b, COUNTER_copied_bytes_api), 0);
	peer_destroy(b);
}

static void region_bytes_leave_by_reference_and_the_cookie_comes_back(void **state)
{
	struct peer *b = peer_create();
	uint8_t *region = pool_region_alloc(50000);
	uint64_t cookie = 4711;

	(void)state;
	for (uint32_t i = 0; i < 50000; i++)
		region[i] = peer_byte(i);
	peer_open(b);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 50000, &cookie), 0);
	uint32_t at = 0;

	while (at < 50000) {
		peer_turn(b);
		while (peer_read(b)) {
			assert_int_equal(b->out.seq, 1 + at);
			for (uint32_t i = 0; i < b->out.len; i++)
				assert_int_equal(b->out.text[i], peer_byte(at + i));
			at += b->out.len;
		}
		assert_int_equal(b->sent, 0);
		peer_clear(b);
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + at});
	}
	assert_int_equal(b->sent, 1);
	assert_int_equal(b->cookie, 4711);
	peer_destroy(b);
}

static void a_port_that_cuts_gets_large_packets(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	struct peer *b = peer_create_on(
		&config, PORT_TX_CHAINS | PORT_TX_TSO | PORT_TX_TCP_CHECKSUM | PORT_TX_IP_CHECKSUM);
	uint8_t *region = pool_region_alloc(30000);

	memset(region, 7, 30000);
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN, .options = SYN_OPTIONS_MSS, .options_len = 4});
	uint8_t frame[200];
	const struct tcp_header *h = (const void *)(frame + 34);

	capture_read(&b->port, 0, frame);
	b->host_iss = be32_get(h->seq);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 30000, NULL), 0);
	peer_turn(b);
	assert_int_equal(b->port.tx_count, 2);
	assert_int_equal(pkt_len(b->port.tx[1]), 54 + 14600); // cwnd: ten whole segments in one
	peer_destroy(b);
}

static void an_empty_header_pool_only_delays(void **state)
{
	struct peer *b = peer_create();
	uint8_t *region = pool_region_alloc(100);
	struct pkt *taken[PEER_POOL_PKTS];
	uint32_t n = pool_available(b->env.pool[POOL_HEAD]);

	(void)state;
	peer_open(b);
	assert_int_equal(pool_get(b->env.pool[POOL_HEAD], taken, n), 0);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 100, NULL), 0);
	peer_turn(b);
	expect_nothing(b);
	assert_true(tcp_busy(b->tcp));
	pool_put(taken, n);
	peer_turn(b);
	expect(b, ACK, 1, 1, 100);
	peer_destroy(b);
}

// A probe that found no buffer is not due any more once the window is open: what leaves then is
// text, and has its timer (RFC 6298 5.1).
static void a_probe_that_could_not_leave_is_forgotten_when_the_window_opens(void **state)
{
	struct peer *b = peer_create();
	uint8_t *region = pool_region_alloc(10);
	struct pkt *taken[PEER_POOL_PKTS];

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .closed_window = true});
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 10, NULL), 0);
	peer_turn(b);
	peer_time(b, 250 * NS_PER_MS);
	expect(b, ACK, 1, 1, 1);
	uint32_t n = pool_available(b->env.pool[POOL_HEAD]);

	assert_int_equal(pool_get(b->env.pool[POOL_HEAD], taken, n), 0);
	peer_time(b, 400 * NS_PER_MS);
	assert_int_equal(peer_count(b, COUNTER_tcp_zero_window_probes), 2);
	expect_nothing(b);
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 2});
	pool_put(taken, n);
	peer_turn(b);
	expect(b, ACK, 2, 1, 9);
	peer_time(b, 250 * NS_PER_MS); // it is lost
	expect(b, ACK, 2, 1, 9);
	peer_destroy(b);
}

// RFC 9293 MUST-48
static void the_application_chooses_the_service_class(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_DSCP, 46), 0);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	assert_int_equal(b->out.tos >> 2, 46);
	peer_destroy(b);
}

// RFC 9293 MUST-49: on text, on ACKs and on what ends the connection.
static void the_application_chooses_how_far_segments_go(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	assert_int_equal(b->out.ttl, 64);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_TTL, 1), 0);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 11, 1, 10);
	assert_int_equal(b->out.ttl, 1);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_TTL, 255), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 100, .ack = 21, .len = 10}); // early
	expect(b, ACK, 21, 1, 0);
	assert_int_equal(b->out.ttl, 255);
	tcp_abort(b->tcp, b->conn);
	peer_turn(b);
	expect(b, RST | ACK, 21, 1, 0);
	assert_int_equal(b->out.ttl, 255);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_send_leaves_in_full_segments_and_a_rest),
		cmocka_unit_test(a_small_send_does_not_wait_for_an_ack),
		cmocka_unit_test(the_first_window_is_ten_segments),
		cmocka_unit_test(silly_windows_are_not_filled),
		cmocka_unit_test(a_closed_window_is_probed_for_ever),
		cmocka_unit_test(a_shrinking_window_is_obeyed),
		cmocka_unit_test(the_window_opens_in_large_steps),
		cmocka_unit_test(a_header_goes_in_front_of_a_received_payload),
		cmocka_unit_test(region_bytes_leave_by_reference_and_the_cookie_comes_back),
		cmocka_unit_test(a_port_that_cuts_gets_large_packets),
		cmocka_unit_test(an_empty_header_pool_only_delays),
		cmocka_unit_test(a_probe_that_could_not_leave_is_forgotten_when_the_window_opens),
		cmocka_unit_test(the_application_chooses_the_service_class),
		cmocka_unit_test(the_application_chooses_how_far_segments_go),
	};

	return run_peer_tests(tests);
}
