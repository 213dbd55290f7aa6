// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/tune.h"

static struct peer *waits_for(uint64_t user_timeout_ms)
{
	struct peer *b = peer_create();

	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_USER_TIMEOUT_MS, user_timeout_ms),
			 0);
	return b;
}

static void a_peer_that_takes_nothing_is_left_in_time(void **state)
{
	struct peer *b = waits_for(5000);

	(void)state;
	peer_host_sends(b, 10, 10);
	peer_time(b, 4990 * NS_PER_MS);
	assert_int_equal(b->closed, 0);
	peer_time(b, 20 * NS_PER_MS);
	assert_int_equal(b->reason, PRISM_CLOSE_USER_TIMEOUT);
	assert_int_equal(peer_count(b, COUNTER_tcp_user_timeouts), 1);
	peer_destroy(b);
}

static void whoever_acknowledges_now_and_then_is_not(void **state)
{
	struct peer *b = waits_for(1000);

	(void)state;
	peer_host_sends(b, 100, 10);
	for (uint32_t i = 1; i < 10; i++) {
		peer_time(b, 800 * NS_PER_MS);
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * i});
	}
	assert_int_equal(b->closed, 0);
	peer_time(b, 1010 * NS_PER_MS);
	assert_int_equal(b->reason, PRISM_CLOSE_USER_TIMEOUT);
	peer_destroy(b);
}

// Duplicates, window updates and text of the peer's own acknowledge nothing.
static void what_acknowledges_nothing_is_no_progress(void **state)
{
	struct peer *b = waits_for(1000);

	(void)state;
	peer_host_sends(b, 10, 10);
	peer_time(b, 600 * NS_PER_MS);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10, .window = 50000});
	peer_time(b, 390 * NS_PER_MS);
	assert_int_equal(b->closed, 0);
	peer_time(b, 20 * NS_PER_MS);
	assert_int_equal(b->reason, PRISM_CLOSE_USER_TIMEOUT);
	peer_destroy(b);
}

static void it_can_be_given_while_something_waits_and_be_taken_back(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	peer_time(b, 10 * NS_PER_S);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_USER_TIMEOUT_MS, 5000), 0);
	peer_time(b, 4900 * NS_PER_MS);
	assert_int_equal(b->closed, 0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_USER_TIMEOUT_MS, 0), 0);
	peer_time(b, 60 * NS_PER_S);
	assert_int_equal(b->closed, 0);
	peer_time(b, 60 * NS_PER_S); // RFC 9293 MUST-20: R2 is asked again
	assert_int_equal(b->reason, PRISM_CLOSE_TIMEOUT);
	peer_destroy(b);
}

// A FIN waits for its ACK as text does.
static void a_fin_that_is_not_acknowledged_waits_no_longer(void **state)
{
	struct peer *b = waits_for(2000);

	(void)state;
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	peer_turn(b);
	peer_time(b, 1990 * NS_PER_MS);
	assert_int_equal(peer_state(b), FIN_WAIT_1);
	peer_time(b, 20 * NS_PER_MS);
	assert_int_equal(b->reason, PRISM_CLOSE_USER_TIMEOUT);
	peer_destroy(b);
}

static void a_slot_that_is_used_again_has_forgotten_it(void **state)
{
	struct peer *b = waits_for(1000);
	struct conn *c = peer_conn(b);

	(void)state;
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(b->closed, 1);
	peer_seg(b, (struct in){.flags = SYN, .src_port = 5001});
	assert_true(peer_read(b));
	peer_seg(b, (struct in){.flags = ACK, .src_port = 5001, .seq = 1, .ack = 1});
	assert_ptr_equal(peer_conn(b), c);
	assert_false(conn_is(c, CONN_TUNED));
	peer_host_sends(b, 10, 10);
	peer_time(b, 50 * NS_PER_S);
	assert_int_equal(b->closed, 1);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_USER_TIMEOUT_MS, 0), 0);
	assert_int_equal(tuning_of(b->tcp, c)->waits_since_ms, 0);
	peer_destroy(b);
}

// It ended, and the application has not heard of it yet.
static void who_is_closed_waits_for_nothing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	peer_in(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(peer_state(b), CLOSED);
	for (int option = 0; option < TCP_SET_COUNT; option++)
		assert_int_equal(tcp_set_option(b->tcp, b->conn, (enum tcp_option)option,
						option == TCP_SET_USER_TIMEOUT_MS ? 1000 : 0),
				 0);
	peer_turn(b);
	assert_int_equal(b->closed, 1);
	peer_time(b, 2 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_user_timeouts), 0);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_that_takes_nothing_is_left_in_time),
		cmocka_unit_test(whoever_acknowledges_now_and_then_is_not),
		cmocka_unit_test(what_acknowledges_nothing_is_no_progress),
		cmocka_unit_test(it_can_be_given_while_something_waits_and_be_taken_back),
		cmocka_unit_test(a_fin_that_is_not_acknowledged_waits_no_longer),
		cmocka_unit_test(who_is_closed_waits_for_nothing),
		cmocka_unit_test(a_slot_that_is_used_again_has_forgotten_it),
	};

	return run_peer_tests(tests);
}
