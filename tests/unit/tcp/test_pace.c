// SPDX-License-Identifier: BSD-3-Clause
// When text of a paced connection may leave; the exact times are tests/script/pace's.
#include "peer.h"
#include "tcp/pace.h"

// A paced connection with a round trip of 100 ms and much to say, past its first ten segments: cwnd
// is 15 segments, ten are in flight.
static struct peer *paced_peer(void)
{
	struct tcp_config config = peer_config();

	config.paces = true;
	config.send_descs_max = 2048;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	peer_conn(b)->rtt.srtt_us = 100000;
	peer_host_sends(b, 60 * 1460, 1460);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	b->env.now_ns += 100 * NS_PER_MS;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 5 * 1460});
	expect(b, ACK, 1 + 1460 * 10, 1, 1460);
	expect_nothing(b);
	return b;
}

static uint32_t segments_until(struct peer *b, uint64_t ns)
{
	uint32_t count = 0;

	peer_time(b, ns);
	while (peer_read(b))
		count += b->out.len > 0;
	return count;
}

static void a_window_takes_half_a_round_trip_in_slow_start(void **state)
{
	struct peer *b = paced_peer();

	(void)state;
	assert_in_range(segments_until(b, 15 * NS_PER_MS), 4, 5);
	assert_int_equal(segments_until(b, 18 * NS_PER_MS), 5);
	assert_int_equal(segments_until(b, 50 * NS_PER_MS), 0); // the window is full
	assert_true(peer_count(b, COUNTER_tcp_pace_waits) >= 9);
	peer_destroy(b);
}

static void who_is_not_paced_any_more_sends_at_once(void **state)
{
	struct peer *b = paced_peer();

	(void)state;
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_PACING, 0), 0);
	peer_turn(b);
	assert_int_equal(segments_until(b, NS_PER_US), 9);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_PACING, 2), -EINVAL);
	assert_string_equal(err_last()->message, "pacing 2; it takes 0 (off), 1 (on)");
	peer_destroy(b);
}

// What waits for its turn is no sign that the application has nothing to say.
static void a_window_that_leaves_over_time_grows(void **state)
{
	struct peer *b = paced_peer();
	uint32_t before = peer_conn(b)->cc.cwnd_bytes;

	(void)state;
	assert_false(conn_is(peer_conn(b), CONN_APP_LIMITED));
	peer_time(b, 10 * NS_PER_MS);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * 1460});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, before + 5 * 1460);
	peer_destroy(b);
}

// RFC 9406 4.3: L is infinite for who paces. RFC 9406 R3
static void an_ack_of_many_segments_counts_whole(void **state)
{
	struct peer *b = paced_peer();
	uint32_t before = peer_conn(b)->cc.cwnd_bytes;

	(void)state;
	assert_int_equal(segments_until(b, 50 * NS_PER_MS), 9);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 20 * 1460});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, before + 15 * 1460);
	peer_destroy(b);
}

// The clock of 32 bits goes round in 275 s.
static void what_was_written_down_long_ago_holds_nobody(void **state)
{
	struct peer *b = paced_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	for (uint32_t ahead = 1 << 22; ahead; ahead <<= 1) {
		c->pace_next = (uint32_t)(b->env.now_ns >> 6) + ahead;
		assert_false(pace_holds(b->tcp, c));
	}
	c->pace_next = (uint32_t)(b->env.now_ns >> 6) + (1 << 20); // 67 ms
	assert_true(pace_holds(b->tcp, c));
	peer_destroy(b);
}

// Retransmissions are not held, and are counted.
static void a_debt_is_a_round_trip_at_most_and_is_not_forgiven(void **state)
{
	struct peer *b = paced_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	for (int i = 0; i < 100; i++) {
		pace_sent(b->tcp, c, c->snd.una, c->cc.cwnd_bytes);
		assert_true(pace_holds(b->tcp, c));
	}
	uint64_t owed_ns = (uint64_t)(c->pace_next - (uint32_t)(b->env.now_ns >> 6)) << 6;

	assert_in_range(owed_ns, c->rtt.srtt_us * NS_PER_US - 64, c->rtt.srtt_us * NS_PER_US);
	peer_destroy(b);
}

// What is held back by the rate alone does not fill a window that is much larger.
static void a_paced_sender_of_little_is_limited_by_its_application(void **state)
{
	struct peer *b = paced_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	assert_true(c->pace_waits);
	c->cc.cwnd_bytes = 10000000;
	conn_mark(b->tcp, c);
	peer_time(b, 100);
	assert_true(c->pace_waits);
	assert_true(conn_is(c, CONN_APP_LIMITED));
	peer_destroy(b);
}

static void a_packet_that_the_port_cuts_is_a_burst_at_most(void **state)
{
	struct conn c = {.mss_bytes = 1000,
			 .cc.cwnd_bytes = 1000000,
			 .ssthresh_bytes = 500000,
			 .rtt.srtt_us = 10000,
			 .paced = true,
			 .cc_phase = CC_STEADY};

	(void)state;
	// 1.2 MB in 10 ms: 15,728 bytes in 131 us.
	assert_int_equal(pace_packet_bytes(&c, 64000), 15000);
	assert_int_equal(pace_packet_bytes(&c, 8000), 8000);
	c.cc.cwnd_bytes = 10000;
	assert_int_equal(pace_packet_bytes(&c, 64000), 1000);
	c.rtt.srtt_us = 0; // no rate yet
	assert_int_equal(pace_packet_bytes(&c, 64400), 64000);
}

static void a_closed_connection_waits_for_nothing(void **state)
{
	struct peer *b = paced_peer();

	(void)state;
	assert_true(peer_conn(b)->pace_waits);
	assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
	peer_time(b, 100 * NS_PER_MS);
	assert_int_equal(peer_state(b), CLOSED);
	peer_clear(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_takes_half_a_round_trip_in_slow_start),
		cmocka_unit_test(who_is_not_paced_any_more_sends_at_once),
		cmocka_unit_test(a_window_that_leaves_over_time_grows),
		cmocka_unit_test(an_ack_of_many_segments_counts_whole),
		cmocka_unit_test(what_was_written_down_long_ago_holds_nobody),
		cmocka_unit_test(a_debt_is_a_round_trip_at_most_and_is_not_forgiven),
		cmocka_unit_test(a_paced_sender_of_little_is_limited_by_its_application),
		cmocka_unit_test(a_packet_that_the_port_cuts_is_a_burst_at_most),
		cmocka_unit_test(a_closed_connection_waits_for_nothing),
	};

	return run_peer_tests(tests);
}
