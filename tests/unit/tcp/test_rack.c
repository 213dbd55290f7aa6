// SPDX-License-Identifier: BSD-3-Clause
// What the time of a delivery says of others (RFC 8985 6.2); whole recoveries are in
// tests/script/recovery.
#include "peer.h"
#include "tcp/options.h"
#include "tcp/rtt.h"
#include "tcp/sendq.h"
#include "tcp/trouble.h"

#define MSS 1448u
#define SEG(n) (1 + MSS * (n)) // where segment n begins, relative
#define MS(n) ((n)*NS_PER_MS)

// Ten segments are out, read.
static struct peer *ten_out(bool ts, uint32_t rtt_us)
{
	struct peer *b = peer_create();

	b->ts = ts;
	peer_open(b);
	conn_set(peer_conn(b), CONN_SACK);
	peer_conn(b)->mss_bytes = MSS;
	peer_conn(b)->cc.cwnd_bytes = 10 * MSS;
	peer_conn(b)->rtt.srtt_us = rtt_us;
	peer_host_sends(b, 10 * MSS, MSS);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, SEG(i), 1, MSS);
	return b;
}

static uint16_t window; // that peers offer; 0: 60000

// An ACK that has segments from first to before end, in one block, with this echo; 0: it has none.
static void has(struct peer *b, uint32_t una, uint32_t first, uint32_t end, uint32_t echo)
{
	uint8_t options[40];
	uint32_t len = 0;

	if (echo) {
		options_write_ts(options, b->ts_value, echo);
		len = TCP_TS_BYTES;
	}
	if (first < end) {
		options_write_sack(options + len, 0, b->host_iss + SEG(first),
				   b->host_iss + SEG(end));
		len += options_begin_sack(options + len, 1);
	}
	peer_seg(b, (struct in){.flags = ACK,
				.seq = 1,
				.ack = SEG(una),
				.window = window,
				.options = options,
				.options_len = (uint8_t)len});
}

// The first and the third are lost, and left again.
static void copies_leave(struct peer *b, uint32_t echo)
{
	has(b, 0, 1, 2, echo);
	has(b, 0, 3, 10, echo);
	expect(b, ACK, SEG(0), 1, MSS);
	expect(b, ACK, SEG(2), 1, MSS);
	expect_nothing(b);
}

// Where the first hole is open the receiver echoes what came before it (RFC 7323 4.3).
static void a_copy_in_a_later_hole_counts_though_the_echo_is_old(void **state)
{
	struct peer *b = ten_out(true, 20000);
	uint32_t echo = b->ts_seen;

	(void)state;
	peer_time(b, MS(20));
	copies_leave(b, echo);
	peer_time(b, MS(20));
	has(b, 0, 1, 10, echo);
	expect(b, ACK, SEG(0), 1, MSS); // left before it, and lost again
	peer_destroy(b);
}

// RFC 8985 R6
static void an_original_that_was_late_says_nothing_of_copies(void **state)
{
	(void)state;
	for (int ts = 0; ts < 2; ts++) {
		struct peer *b = ten_out(ts, 20000);
		uint32_t echo = ts ? b->ts_seen : 0;

		peer_time(b, MS(20));
		copies_leave(b, echo);
		// Of what left before the copy of the third, that of the first is the only one.
		peer_time(b, MS(19));
		has(b, 0, 1, 10, echo);
		expect_nothing(b);
		peer_destroy(b);
	}
}

// RFC 8985 R6: by the echo, where una moves over it.
static void an_echo_tells_a_copy_from_the_original(void **state)
{
	(void)state;
	for (int copy = 0; copy < 2; copy++) {
		struct peer *b = ten_out(true, 20000);
		uint32_t echo = b->ts_seen;

		peer_time(b, MS(20));
		copies_leave(b, echo);
		peer_time(b, MS(40));
		trouble_of(b->tcp, peer_conn(b))->rack.min_rtt_ns = MS(100);
		has(b, 2, 3, 10, copy ? b->ts_seen : echo);
		assert_int_equal(trouble_of(b->tcp, peer_conn(b))->rack.rtt_ns,
				 copy ? MS(40) : MS(20));
		peer_destroy(b);
	}
}

// The shortest round trip is that of the connection, not of a queue that was there when trouble
// began. RFC 8985 R4.
static void a_copy_counts_that_went_faster_than_all_since_trouble_began(void **state)
{
	struct peer *b = ten_out(false, 60000);

	(void)state;
	peer_conn(b)->min_rtt_ticks = 20000 >> RTT_MIN_SHIFT;
	peer_time(b, MS(60));
	copies_leave(b, 0);
	peer_time(b, MS(20));
	has(b, 0, 1, 10, 0);
	assert_int_equal(trouble_of(b->tcp, peer_conn(b))->rack.rtt_ns, MS(20));
	peer_destroy(b);
}

// A run may leave in parts; the first of them is not as young as the last.
static void a_part_of_a_run_makes_nothing_lost_that_left_after_it(void **state)
{
	static const uint8_t region[8 * MSS];
	struct peer *b = ten_out(false, 20000);
	struct conn *c = peer_conn(b);

	(void)state;
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, sizeof(region), NULL), 0);
	window = 11 * MSS;
	c->cc.cwnd_bytes = 20 * MSS;
	c->snd.wnd = window;
	conn_mark(b->tcp, c);
	peer_turn(b);
	expect(b, ACK, SEG(10), 1, MSS);
	peer_time(b, MS(5));
	copies_leave(b, 0);
	peer_time(b, MS(5));
	window = 13 * MSS;
	has(b, 0, 3, 10, 0);
	expect(b, ACK, SEG(11), 1, MSS);
	expect(b, ACK, SEG(12), 1, MSS);
	expect_nothing(b);
	peer_time(b, MS(17)); // 27 ms since the first part left, 22 since the copies did
	has(b, 0, 3, 11, 0);
	assert_int_equal(trouble_of(b->tcp, c)->lost_bytes, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_retrans_segs), 2);
	window = 0;
	peer_destroy(b);
}

// Nor, where round trips are not what they were, as young as the smoothed one says.
static void a_part_of_a_run_is_no_younger_than_the_first_of_it_at_most(void **state)
{
	static const uint8_t region[4 * MSS];
	struct peer *b = peer_create();
	uint64_t began_ns;

	(void)state;
	peer_open(b);
	conn_set(peer_conn(b), CONN_SACK);
	peer_conn(b)->mss_bytes = MSS;
	peer_conn(b)->snd.wnd = 2 * MSS;
	peer_conn(b)->rtt.srtt_us = 500000;
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, sizeof(region), NULL), 0);
	began_ns = b->env.now_ns;
	peer_turn(b);
	peer_time(b, MS(30));
	window = 4 * MSS;
	has(b, 0, 0, 0, 0);
	peer_time(b, MS(10));
	has(b, 0, 1, 2, 0);
	uint64_t sent_ns = trouble_of(b->tcp, peer_conn(b))->rack.sent_ns;

	assert_in_range(sent_ns, began_ns - MS(1), began_ns); // ticks are rounded up
	window = 0;
	peer_destroy(b);
}

// The last segment goes again by itself; what stands before it in the same run is as old as it was.
static void a_probe_leaves_the_time_of_the_run_alone(void **state)
{
	static const uint8_t region[4 * MSS];
	struct peer *b = peer_create();
	const struct send_desc *d;
	uint64_t began_ns;

	(void)state;
	peer_open(b);
	conn_set(peer_conn(b), CONN_SACK);
	peer_conn(b)->mss_bytes = MSS;
	peer_conn(b)->rtt.srtt_us = 20000;
	began_ns = b->env.now_ns;
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, sizeof(region), NULL), 0);
	peer_turn(b);
	peer_time(b, MS(45));
	assert_int_equal(peer_count(b, COUNTER_tcp_tail_probes), 1);
	d = &b->tcp->desc[peer_conn(b)->sendq.head];
	assert_int_equal(d->sent_ns, began_ns);
	assert_int_equal(d->len, 3 * MSS);
	assert_in_range(b->tcp->desc[d->next].sent_ns, began_ns + MS(40), began_ns + MS(42));
	peer_destroy(b);
}

// An ACK that was lost told of the first of two runs: the next tells of both, the later one first,
// and neither came late.
static void blocks_that_are_news_together_are_no_reordering(void **state)
{
	struct peer *b = ten_out(false, 20000);
	uint8_t options[40];

	(void)state;
	peer_time(b, MS(20));
	options_write_sack(options, 0, b->host_iss + SEG(5), b->host_iss + SEG(6));
	options_write_sack(options, 1, b->host_iss + SEG(2), b->host_iss + SEG(3));
	peer_seg(b, (struct in){.flags = ACK,
				.seq = 1,
				.ack = 1,
				.options = options,
				.options_len = (uint8_t)options_begin_sack(options, 2)});
	assert_false(peer_conn(b)->reordered);
	has(b, 0, 1, 2, 0); // and this did
	assert_true(peer_conn(b)->reordered);
	peer_destroy(b);
}

// RFC 7323 4.1: what takes less than a tick is not measured by them, and the smoothed round trip
// stays.
static void timestamps_say_nothing_of_less_than_a_tick(void **state)
{
	struct peer *b = ten_out(true, 300);
	uint32_t echo = b->ts_seen;

	(void)state;
	peer_time(b, NS_PER_MS / 3);
	copies_leave(b, echo);
	peer_time(b, NS_PER_MS / 3);
	has(b, 10, 0, 0, b->ts_seen);
	assert_int_equal(peer_conn(b)->rtt.srtt_us, 300);
	peer_destroy(b);
}

// More text leaves behind one segment that was alone: the probe is due when that may be answered.
static void a_segment_that_gets_company_waits_for_no_delayed_ack(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	conn_set(peer_conn(b), CONN_SACK);
	peer_conn(b)->rtt.srtt_us = 20000;
	peer_host_sends(b, MSS, MSS);
	peer_time(b, MS(5));
	peer_host_sends(b, 3 * MSS, MSS);
	peer_time(b, MS(39));
	assert_int_equal(peer_count(b, COUNTER_tcp_tail_probes), 0);
	peer_time(b, MS(5));
	assert_int_equal(peer_count(b, COUNTER_tcp_tail_probes), 1);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_in_a_later_hole_counts_though_the_echo_is_old),
		cmocka_unit_test(an_original_that_was_late_says_nothing_of_copies),
		cmocka_unit_test(an_echo_tells_a_copy_from_the_original),
		cmocka_unit_test(a_copy_counts_that_went_faster_than_all_since_trouble_began),
		cmocka_unit_test(a_part_of_a_run_makes_nothing_lost_that_left_after_it),
		cmocka_unit_test(a_part_of_a_run_is_no_younger_than_the_first_of_it_at_most),
		cmocka_unit_test(a_probe_leaves_the_time_of_the_run_alone),
		cmocka_unit_test(blocks_that_are_news_together_are_no_reordering),
		cmocka_unit_test(timestamps_say_nothing_of_less_than_a_tick),
		cmocka_unit_test(a_segment_that_gets_company_waits_for_no_delayed_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
