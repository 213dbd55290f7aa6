// SPDX-License-Identifier: BSD-3-Clause
#include "tcp/fast.h"

#include "peer.h"

static uint8_t cookie[8];

static uint32_t put_fast(uint8_t *at, const uint8_t *bytes, uint8_t len)
{
	const uint8_t mss[4] = {2, 4, 0x05, 0xb4};

	memcpy(at, mss, 4);
	at[4] = at[5] = 1;
	at[6] = 34;
	at[7] = (uint8_t)(2 + len);
	memcpy(at + 8, bytes, len);
	return 8u + len;
}

// A SYN with a cookie, or the wish for one, and with text.
static void knock(struct peer *b, uint16_t src_port, const uint8_t *bytes, uint8_t len,
		  uint32_t text_len)
{
	uint8_t options[24];
	uint8_t options_len = (uint8_t)put_fast(options, bytes, len);

	peer_seg(b, (struct in){.flags = SYN,
				.src_port = src_port,
				.len = text_len,
				.options = options,
				.options_len = options_len});
}

static struct peer *fast_peer_with(uint32_t pending_max, enum prism_congestion congestion)
{
	struct peer *b = peer_create();
	prism_listener l = peer_listen(b);

	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_CONGESTION, congestion), 0);

	assert_int_equal(tcp_set_listener_option(b->tcp, l, TCP_SET_FAST_OPEN, pending_max), 0);
	knock(b, 4999, cookie, 0, 0);
	expect(b, SYN | ACK, 0, 1, 0);
	assert_true(b->out.o.has_fast);
	assert_int_equal(b->out.o.fast_len, 8);
	memcpy(cookie, b->out.o.fast, 8);
	peer_seg(b, (struct in){.flags = RST, .src_port = 4999, .seq = 1});
	return b;
}

static struct peer *fast_peer(uint32_t pending_max)
{
	return fast_peer_with(pending_max, PRISM_CONGESTION_CUBIC);
}

// RFC 7413 R4, R8, R11
static void text_of_a_syn_is_answered_before_the_handshake_ends(void **state)
{
	struct peer *b = fast_peer(10);

	(void)state;
	b->in_order = true;
	knock(b, 5000, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 101, 0);
	assert_false(b->out.o.has_fast);
	assert_int_equal(b->accepted, 1);
	assert_int_equal(b->received, 100);
	assert_int_equal(peer_state(b), SYN_RECEIVED);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_opens_in), 1);
	peer_host_sends(b, 50, 50);
	expect(b, ACK, 1, 101, 50);
	peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 51});
	assert_int_equal(peer_state(b), ESTABLISHED);
	assert_int_equal(b->connected, 0);
	assert_int_equal(b->tcp->fast.pending, 0);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 51, .len = 10});
	assert_int_equal(b->received, 110);
	peer_destroy(b);
}

// RFC 9293 3.10.7.4: the SYN-ACK and what follows it may be lost.
static void what_was_lost_of_it_goes_again(void **state)
{
	struct peer *b = fast_peer(10);

	(void)state;
	knock(b, 5000, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 101, 0);
	peer_host_sends(b, 50, 50);
	expect(b, ACK, 1, 101, 50);
	peer_time(b, 1001 * NS_PER_MS);
	while (peer_read(b) && b->out.seq != 0)
		;
	assert_int_equal(b->out.flags & (SYN | ACK), SYN | ACK);
	assert_int_equal(b->out.ack, 101);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 5000, .seq = 101, .ack = 1});
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_time(b, 4 * NS_PER_S);
	assert_true(peer_read(b));
	assert_int_equal(b->out.seq, 1);
	assert_int_equal(b->out.len, 50);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 5000, .seq = 101, .ack = 51});
	assert_int_equal(conn_outstanding(peer_conn(b)), 0);
	peer_destroy(b);
}

static void a_syn_that_comes_again_has_the_same_answer(void **state)
{
	struct peer *b = fast_peer(10);

	(void)state;
	knock(b, 5000, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 101, 0);
	knock(b, 5000, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 101, 0);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 5000});
	expect(b, SYN | ACK, 0, 101, 0);
	assert_int_equal(b->received, 100);
	assert_int_equal(b->accepted, 1);
	peer_destroy(b);
}

// RFC 7413 R7, R9
static void a_bad_cookie_waits_for_the_handshake_and_is_replaced(void **state)
{
	struct peer *b = fast_peer(10);
	uint8_t bad[8];

	(void)state;
	memcpy(bad, cookie, 8);
	bad[3] ^= 1;
	knock(b, 5000, bad, 8, 100);
	expect(b, SYN | ACK, 0, 1, 0);
	assert_true(b->out.o.has_fast);
	assert_memory_equal(b->out.o.fast, cookie, 8);
	assert_int_equal(b->accepted, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_cookies_bad), 1);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	assert_int_equal(b->accepted, 1);
	assert_int_equal(b->received, 100);
	peer_destroy(b);
}

// RFC 7413 R5
static void a_cookie_is_of_one_address_of_one_instance(void **state)
{
	struct peer *b = peer_create();
	struct net_path path = {.local = addr_from_v4_octets(198, 18, 0, 2),
				.remote = addr_from_v4_octets(198, 18, 0, 1)};
	struct tcp_options first = {0}, again = {0}, other = {0};

	(void)state;
	fast_grant(b->tcp, &path, &first);
	fast_grant(b->tcp, &path, &again);
	assert_memory_equal(first.fast, again.fast, 8);
	path.remote = addr_from_v4_octets(198, 18, 0, 3);
	fast_grant(b->tcp, &path, &other);
	assert_memory_not_equal(first.fast, other.fast, 8);
	path.remote = addr_from_v4_octets(198, 18, 0, 1);
	b->env.secret[15] ^= 1;
	fast_grant(b->tcp, &path, &other);
	assert_memory_not_equal(first.fast, other.fast, 8);
	b->env.secret[15] ^= 1; // neighbours are found by it, too
	peer_destroy(b);
}

// RFC 7413 R6
static void a_cookie_ages_and_ends(void **state)
{
	struct peer *b = fast_peer(10);

	(void)state;
	b->env.now_ns += UINT64_C(1) << 44;
	peer_turn(b);
	while (peer_read(b))
		;
	knock(b, 5000, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 101, 0);
	assert_true(b->out.o.has_fast); // the new one
	assert_memory_not_equal(b->out.o.fast, cookie, 8);
	b->env.now_ns += UINT64_C(1) << 44;
	peer_turn(b);
	while (peer_read(b))
		;
	knock(b, 5001, cookie, 8, 100);
	expect(b, SYN | ACK, 0, 1, 0);
	peer_destroy(b);
}

// RFC 7413 R12, R13
static void so_many_are_pending_and_who_was_reset_counts_on(void **state)
{
	struct peer *b = fast_peer(2);

	(void)state;
	knock(b, 5000, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 11, 0);
	knock(b, 5001, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 11, 0);
	peer_seg(b, (struct in){.flags = RST, .src_port = 5001, .seq = 11});
	assert_int_equal(b->reason, PRISM_CLOSE_RESET);
	assert_int_equal(b->tcp->fast.pending, 1);
	knock(b, 5002, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 1, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_full), 1);
	b->env.now_ns += UINT64_C(2) << 36;
	peer_turn(b);
	while (peer_read(b))
		;
	knock(b, 5003, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 11, 0);
	peer_destroy(b);
}

// RFC 7413 R19
static void a_listener_that_was_not_asked_gives_no_cookie(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	knock(b, 5000, cookie, 0, 0);
	expect(b, SYN | ACK, 0, 1, 0);
	assert_false(b->out.o.has_fast);
	peer_destroy(b);
}

static void an_application_may_close_or_abort_before_it_is_complete(void **state)
{
	struct peer *b = fast_peer(10);

	(void)state;
	knock(b, 5000, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 11, 0);
	peer_host_sends(b, 5, 5);
	expect(b, ACK, 1, 11, 5);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	peer_turn(b);
	expect(b, FIN | ACK, 6, 11, 0);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 5000, .seq = 11, .ack = 7});
	assert_int_equal(peer_state(b), FIN_WAIT_2);
	knock(b, 5001, cookie, 8, 10);
	expect(b, SYN | ACK, 0, 11, 0);
	assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
	assert_int_equal(b->tcp->fast.pending, 0);
	peer_turn(b);
	assert_true(peer_read(b));
	assert_true(b->out.flags & RST);
	peer_destroy(b);
}

// ---- the side that connects

static void begin(struct peer *b, uint16_t local_port, uint32_t text_len)
{
	struct tcp_tuple to = {.local = addr_from_v4_octets(198, 18, 0, 2),
			       .remote = addr_from_v4_octets(198, 18, 0, 1),
			       .local_port = local_port,
			       .remote_port = 5000};

	assert_int_equal(tcp_connect(b->tcp, &to, 0, &b->conn), 0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_FAST_OPEN, 1), 0);
	if (text_len)
		peer_host_sends(b, text_len, text_len);
	peer_turn(b);
}

static void answer(struct peer *b, uint16_t local_port, uint32_t ack, uint8_t cookie_len)
{
	static const uint8_t given[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t options[24];
	uint8_t len = 4;

	put_fast(options, given, cookie_len);
	if (cookie_len)
		len = (uint8_t)(8 + cookie_len);
	peer_seg(b, (struct in){.flags = SYN | ACK,
				.dst_port = local_port,
				.ack = ack,
				.options = options,
				.options_len = len});
}

// RFC 7413 R3, R14: it asks first, and text waits.
static struct peer *with_cookie(void)
{
	struct peer *b = peer_create();

	begin(b, 80, 20);
	expect(b, SYN, 0, 0, 0);
	assert_true(b->out.o.has_fast);
	assert_int_equal(b->out.o.fast_len, 0);
	answer(b, 80, 1, 8);
	expect(b, ACK, 1, 1, 20);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 21});
	assert_int_equal(b->connected, 1);
	return b;
}

static void a_known_peer_is_sent_text_with_the_syn(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 100);
	expect(b, SYN, 0, 0, 100);
	assert_int_equal(b->out.o.fast_len, 8);
	assert_int_equal(b->out.o.fast[7], 8);
	answer(b, 81, 101, 0);
	expect(b, ACK, 101, 1, 0);
	assert_int_equal(b->connected, 2);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_opens_out), 1);
	assert_int_equal(conn_outstanding(peer_conn(b)), 0);
	assert_int_equal(peer_conn(b)->sendq.head, NO_INDEX);
	peer_destroy(b);
}

// RFC 7413 R16, R18
static void who_takes_the_syn_alone_is_sent_the_text_again(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 100);
	expect(b, SYN, 0, 0, 100);
	answer(b, 81, 1, 0);
	expect(b, ACK, 1, 1, 100);
	peer_seg(b, (struct in){.flags = ACK, .dst_port = 81, .seq = 1, .ack = 101});
	begin(b, 82, 100); // barred
	expect(b, SYN, 0, 0, 0);
	assert_false(b->out.o.has_fast);
	answer(b, 82, 1, 0);
	expect(b, ACK, 1, 1, 100);
	peer_destroy(b);
}

static void a_part_that_was_taken_is_not_sent_again(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 100);
	expect(b, SYN, 0, 0, 100);
	answer(b, 81, 41, 0);
	expect(b, ACK, 41, 1, 60);
	peer_destroy(b);
}

// RFC 7413 R17, R18: twice as long each time.
static void a_syn_that_is_lost_goes_again_without(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 100);
	expect(b, SYN, 0, 0, 100);
	peer_time(b, 1001 * NS_PER_MS);
	expect(b, SYN, 0, 0, 0);
	assert_false(b->out.o.has_fast);
	assert_int_equal(peer_count(b, COUNTER_tcp_fast_fallbacks), 1);
	answer(b, 81, 101, 0); // the first had arrived all the same
	expect(b, ACK, 101, 1, 0);
	begin(b, 82, 10);
	assert_true(peer_read(b));
	assert_int_equal(b->out.len, 10); // so it is not barred
	peer_destroy(b);
}

static void an_ack_of_more_than_the_syn_had_is_refused(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 100);
	expect(b, SYN, 0, 0, 100);
	answer(b, 81, 102, 0);
	assert_true(peer_read(b));
	assert_true(b->out.flags & RST);
	assert_int_equal(b->connected, 1);
	peer_destroy(b);
}

// RFC 7413 R15
static void a_syn_has_no_more_text_than_the_peer_takes(void **state)
{
	struct peer *b = with_cookie();

	(void)state;
	begin(b, 81, 0);
	expect(b, SYN, 0, 0, 0);
	answer(b, 81, 1, 0);
	begin(b, 82, 1460);
	while (peer_read(b) && !(b->out.flags & SYN))
		;
	assert_int_equal(b->out.len, 1420);
	answer(b, 82, 1421, 0);
	expect(b, ACK, 1421, 1, 40);
	peer_destroy(b);
}

static void without_asking_nothing_may_be_sent_yet(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple to = {.local = addr_from_v4_octets(198, 18, 0, 2),
			       .remote = addr_from_v4_octets(198, 18, 0, 1),
			       .local_port = 80,
			       .remote_port = 5000};

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &to, 0, &b->conn), 0);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, "x", 1, NULL), -ENOTCONN);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	assert_false(b->out.o.has_fast);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_FAST_OPEN, 1), 0); // too late
	assert_int_equal(tcp_send_region(b->tcp, b->conn, "x", 1, NULL), -ENOTCONN);
	peer_destroy(b);
}

// Congestion control begins with the text, and anew when the handshake is over.
static void a_fast_open_takes_one_record_for_bbr_and_gives_it_back(void **state)
{
	struct peer *b = fast_peer_with(10, PRISM_CONGESTION_BBR);
	uint32_t fresh;

	(void)state;
	for (int i = 0; i < 4; i++) {
		knock(b, 5000, cookie, 8, 100);
		expect(b, SYN | ACK, 0, 101, 0);
		peer_host_sends(b, 50, 50);
		expect(b, ACK, 1, 101, 50);
		peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 51});
		assert_int_equal(peer_state(b), ESTABLISHED);
		assert_true(conn_is(peer_conn(b), CONN_SAMPLED));
		fresh = i ? fresh : b->tcp->bbr_fresh;
		assert_int_equal(b->tcp->bbr_fresh, fresh);
		assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
		peer_time(b, NS_PER_MS);
		peer_clear(b);
		while (peer_read(b))
			;
	}
	peer_destroy(b);
}

static void congestion_control_may_change_while_a_fast_open_is_pending(void **state)
{
	for (int done = 0; done < 2; done++) {
		struct peer *b = fast_peer_with(10, PRISM_CONGESTION_BBR);

		knock(b, 5000, cookie, 8, 100);
		expect(b, SYN | ACK, 0, 101, 0);
		assert_int_equal(
			tcp_set_option(b->tcp, b->conn, TCP_SET_CONGESTION, PRISM_CONGESTION_CUBIC),
			0);
		if (done) {
			peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 1});
			assert_int_equal(peer_state(b), ESTABLISHED);
			assert_false(conn_is(peer_conn(b), CONN_SAMPLED));
			peer_host_sends(b, 50, 50);
			expect(b, ACK, 1, 101, 50);
			peer_seg(b, (struct in){.flags = ACK, .seq = 101, .ack = 51});
		}
		peer_seg(b, (struct in){.flags = RST, .seq = 101});
		assert_int_equal(peer_state(b), CLOSED);
		peer_destroy(b);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_a_syn_is_answered_before_the_handshake_ends),
		cmocka_unit_test(what_was_lost_of_it_goes_again),
		cmocka_unit_test(a_syn_that_comes_again_has_the_same_answer),
		cmocka_unit_test(a_bad_cookie_waits_for_the_handshake_and_is_replaced),
		cmocka_unit_test(a_cookie_is_of_one_address_of_one_instance),
		cmocka_unit_test(a_cookie_ages_and_ends),
		cmocka_unit_test(so_many_are_pending_and_who_was_reset_counts_on),
		cmocka_unit_test(a_listener_that_was_not_asked_gives_no_cookie),
		cmocka_unit_test(an_application_may_close_or_abort_before_it_is_complete),
		cmocka_unit_test(a_known_peer_is_sent_text_with_the_syn),
		cmocka_unit_test(who_takes_the_syn_alone_is_sent_the_text_again),
		cmocka_unit_test(a_part_that_was_taken_is_not_sent_again),
		cmocka_unit_test(a_syn_that_is_lost_goes_again_without),
		cmocka_unit_test(an_ack_of_more_than_the_syn_had_is_refused),
		cmocka_unit_test(a_syn_has_no_more_text_than_the_peer_takes),
		cmocka_unit_test(without_asking_nothing_may_be_sent_yet),
		cmocka_unit_test(a_fast_open_takes_one_record_for_bbr_and_gives_it_back),
		cmocka_unit_test(congestion_control_may_change_while_a_fast_open_is_pending),
	};

	return run_peer_tests(tests);
}
