// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

static void we_close_first(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	assert_int_equal(peer_state(b), FIN_WAIT_1);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2});
	assert_int_equal(peer_state(b), FIN_WAIT_2);
	peer_seg(b, (struct in){.flags = ACK,
				.seq = 1,
				.ack = 2,
				.len = 10}); // half-closed: text still comes
	assert_int_equal(b->received, 10);
	expect(b, ACK, 2, 11, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 11, .ack = 2});
	expect(b, ACK, 2, 12, 0);
	expect_nothing(b);
	assert_int_equal(b->eof, 1);
	assert_int_equal(b->reason, PRISM_CLOSE_DONE); // RFC 9293 MUST-12: normal, not aborted
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.open, 0);
	assert_int_equal(counts.time_wait, 1);
	peer_destroy(b);
}

static void the_peer_closes_first(void **state)
{
	struct peer *b = peer_create();
	struct tcp_counts counts;

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 1, .len = 5});
	assert_int_equal(b->received, 5);
	assert_int_equal(b->eof, 1);
	expect(b, ACK, 1, 7, 0);
	peer_host_sends(b, 20, 20); // we may still send
	expect(b, ACK, 1, 7, 20);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	assert_int_equal(peer_state(b), LAST_ACK);
	peer_turn(b);
	expect(b, FIN | ACK, 21, 7, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 7, .ack = 22});
	assert_int_equal(b->closed, 1);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.open + counts.time_wait, 0);
	peer_destroy(b);
}

static void both_close_at_once(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 1}); // crossed ours
	expect(b, ACK, 2, 2, 0);
	assert_int_equal(peer_state(b), CLOSING);
	peer_seg(b, (struct in){.flags = ACK, .seq = 2, .ack = 2});
	assert_int_equal(b->reason, PRISM_CLOSE_DONE);
	peer_destroy(b);
}

static void fin_with_the_ack_of_ours_goes_to_time_wait_at_once(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2});
	expect(b, ACK, 2, 2, 0);
	assert_int_equal(b->closed, 1);
	peer_destroy(b);
}

// RFC 9293 MUST-61: the last text carries PSH, and the FIN rides along.
static void the_fin_rides_on_the_last_text(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	static const char text[] = "hello";
	assert_int_equal(tcp_send_region(b->tcp, b->conn, text, 5, NULL), 0);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 5);
	assert_true(b->out.flags & PSH);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, text, 5, NULL), -EPIPE);
	peer_time(b, 250 * NS_PER_MS + NS_PER_S);
	expect(b, FIN | ACK, 1, 1, 5); // lost: all of it again
	peer_destroy(b);
}

static void a_lost_fin_is_sent_again(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 5, 5);
	expect(b, ACK, 1, 1, 5);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 6});
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 6, 1, 0);
	peer_time(b, 1100 * NS_PER_MS);
	expect(b, FIN | ACK, 6, 1, 0);
	peer_destroy(b);
}

// RFC 5961 R1, R2, R3
static void an_exact_reset_ends_it_and_others_are_asked_about(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = RST, .seq = 100});
	expect(b, ACK, 1, 1, 0);
	assert_int_equal(peer_drops(b, DROP_TCP_RST_CHALLENGED), 1);
	peer_seg(b, (struct in){.flags = RST, .seq = 100000});
	expect_nothing(b);
	assert_int_equal(peer_drops(b, DROP_TCP_RST_OUTSIDE_WINDOW), 1);
	assert_int_equal(b->closed, 0);
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(b->reason, PRISM_CLOSE_RESET); // RFC 9293 MUST-12: aborted, and it is said
	assert_int_equal(peer_count(b, COUNTER_tcp_estab_resets), 1);
	expect_nothing(b);
	peer_destroy(b);
}

static void an_abort_resets_the_peer(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 5000, 1000);
	while (peer_read(b))
		;
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}); // never delivered
	assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
	peer_turn(b);
	expect(b, RST | ACK, 5001, 11, 0);
	assert_int_equal(b->reason, PRISM_CLOSE_ABORTED);
	assert_int_equal(b->received, 0);
	assert_int_equal(tcp_abort(b->tcp, b->conn), -ESTALE);
	peer_destroy(b);
}

// Whoever aborts while text waits is not told of its end afterwards.
static void an_abort_forgets_the_end_of_the_stream(void **state)
{
	struct prism_event e;
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10});
	peer_in(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10});
	peer_in(b, (struct in){.flags = ACK | FIN, .seq = 21, .ack = 1});
	assert_int_equal(tcp_deliver(b->tcp, &e, 1), 1);
	assert_int_equal(e.type, PRISM_EVENT_DATA);
	peer_event(b, &e);
	assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
	peer_turn(b);
	assert_int_equal(b->eof, 0);
	assert_int_equal(b->closed, 1);
	assert_int_equal(b->reason, PRISM_CLOSE_ABORTED);
	peer_destroy(b);
}

static void early_text_of_a_reset_connection_has_a_name(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 100, .ack = 1, .len = 10});
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(peer_drops(b, DROP_TCP_CLOSED), 1);
	peer_destroy(b);
}

static void a_peer_that_never_finishes_is_not_waited_for_for_ever(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2});
	peer_time(b, 50 * NS_PER_S);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2, .len = 1}); // it still sends
	peer_time(b, 50 * NS_PER_S);
	assert_int_equal(b->closed, 0);
	peer_time(b, 11 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_LINGER);
	peer_destroy(b);
}

static void in_fin_wait_2_it_is_not_enough_to_be_there(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2});
	for (int i = 0; i < 5; i++) {
		assert_int_equal(b->closed, 0);
		peer_time(b, 11 * NS_PER_S);
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 2});
	}
	peer_time(b, 6 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_LINGER);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_close_first),
		cmocka_unit_test(the_peer_closes_first),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(fin_with_the_ack_of_ours_goes_to_time_wait_at_once),
		cmocka_unit_test(the_fin_rides_on_the_last_text),
		cmocka_unit_test(a_lost_fin_is_sent_again),
		cmocka_unit_test(an_exact_reset_ends_it_and_others_are_asked_about),
		cmocka_unit_test(an_abort_resets_the_peer),
		cmocka_unit_test(an_abort_forgets_the_end_of_the_stream),
		cmocka_unit_test(early_text_of_a_reset_connection_has_a_name),
		cmocka_unit_test(a_peer_that_never_finishes_is_not_waited_for_for_ever),
		cmocka_unit_test(in_fin_wait_2_it_is_not_enough_to_be_there),
	};

	return run_peer_tests(tests);
}
