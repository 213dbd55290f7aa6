// SPDX-License-Identifier: BSD-3-Clause
// What the time of a delivery says of others (RFC 8985 6.2); whole recoveries are in
// tests/script/recovery.
#include "peer.h"
#include "tcp/options.h"
#include "tcp/rtt.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_in_a_later_hole_counts_though_the_echo_is_old),
		cmocka_unit_test(an_original_that_was_late_says_nothing_of_copies),
		cmocka_unit_test(an_echo_tells_a_copy_from_the_original),
		cmocka_unit_test(a_copy_counts_that_went_faster_than_all_since_trouble_began),
		cmocka_unit_test(a_part_of_a_run_makes_nothing_lost_that_left_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
