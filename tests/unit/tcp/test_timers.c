// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/rtt.h"

// RFC 9293 MUST-20: past R1 the path is asked for again, past R2 the connection ends.
static void without_answers_a_connection_ends_after_r2(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	peer_time(b, 95 * NS_PER_S);
	assert_int_equal(b->closed, 0);
	peer_time(b, 70 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_TIMEOUT);
	peer_destroy(b);
}

// RFC 9293 MUST-21
static void r2_is_the_applications_to_choose(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_GIVE_UP_S, 5), 0);
	peer_host_sends(b, 10, 10);
	peer_time(b, 15 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_TIMEOUT);
	peer_destroy(b);
}

// RFC 9293 MUST-24, MUST-25: off until somebody asks, connection by connection.
static void keep_alive_is_off_by_default(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_time(b, 10000 * NS_PER_S);
	expect_nothing(b);
	assert_int_equal(b->closed, 0);
	peer_destroy(b);
}

// RFC 9293 MUST-26, MUST-27, MUST-28: after an idle interval of the application's choice.
static void probes_leave_after_an_idle_interval(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 7200), 0);
	peer_time(b, 7000 * NS_PER_S);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}); // not idle
	peer_time(b, 7100 * NS_PER_S);
	expect_nothing(b);
	peer_time(b, 101 * NS_PER_S);
	expect(b, ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	peer_time(b, 7100 * NS_PER_S);
	expect_nothing(b);
	peer_destroy(b);
}

// RFC 9293 MUST-29: one probe without an answer proves nothing; nine do.
static void nine_unanswered_probes_end_it(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 10), 0);
	peer_time(b, (10 + 8 * 75 + 1) * NS_PER_S);
	assert_int_equal(b->closed, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 9);
	peer_time(b, 75 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_KEEPALIVE);
	peer_destroy(b);
}

// RFC 9293 MUST-26: what is outstanding is given up after R2, and not sooner for want of an answer
// to probes.
static void keep_alive_does_not_end_what_waits_for_r2(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 1), 0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_GIVE_UP_S, 1000), 0);
	peer_host_sends(b, 10, 10);
	peer_time(b, 990 * NS_PER_S);
	assert_int_equal(b->closed, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 0);
	peer_time(b, 70 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_TIMEOUT);
	peer_destroy(b);
}

static void one_connection_can_differ_from_the_configured_keep_alive(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.keepalive_ns = 1500 * NS_PER_MS;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	peer_time(b, 2 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 1);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 0), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	peer_time(b, 100 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 1);
	assert_int_equal(b->closed, 0);
	peer_destroy(b);
}

static void keep_alive_can_be_switched_off_in_any_state(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 10), 0);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 0), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10});
	assert_int_equal(peer_state(b), FIN_WAIT_1);
	assert_int_equal(peer_conn(b)->idle_ns, TIME_NEVER_NS);
	peer_time(b, 20 * NS_PER_S);
	assert_int_equal(peer_count(b, COUNTER_tcp_keepalive_probes), 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 2});
	assert_int_equal(peer_state(b), FIN_WAIT_2);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_KEEPALIVE_S, 0), 0);
	peer_time(b, 61 * NS_PER_S); // the deadline is another one's here
	assert_int_equal(b->reason, PRISM_CLOSE_LINGER);
	peer_destroy(b);
}

static void a_busy_connection_touches_the_wheel_rarely(void **state)
{
	struct peer *b = peer_create();
	uint64_t armed_at;

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	armed_at = peer_conn(b)->timer.deadline_ns;
	for (uint32_t i = 1; i < 100; i++) {
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * i});
		b->env.now_ns += NS_PER_MS;
		peer_host_sends(b, 10, 10);
		assert_int_equal(peer_conn(b)->timer.deadline_ns, armed_at);
	}
	peer_destroy(b);
}

// RFC 9293 MUST-18: RFC 6298's estimate, and Karn's rule. RFC 6298 R1, R2, R3, R5.
static void the_timeout_follows_the_round_trip(void **state)
{
	struct peer *b = peer_create();
	struct conn *c;

	(void)state;
	peer_open(b);
	c = peer_conn(b);
	c->rtt.srtt_us = 0;
	assert_int_equal(rtt_rto_ns(b->tcp, c), NS_PER_S);
	rtt_sample(c, 100 * NS_PER_MS);
	assert_int_equal(c->rtt.srtt_us, 100000);
	assert_int_equal(c->rtt.rttvar_us, 50000);
	assert_int_equal(rtt_rto_ns(b->tcp, c), 300 * NS_PER_MS);
	rtt_sample(c, 180 * NS_PER_MS);
	assert_int_equal(c->rtt.srtt_us, 110000);
	assert_int_equal(c->rtt.rttvar_us, 57500);
	c->backoff = 2;
	assert_int_equal(rtt_rto_ns(b->tcp, c), 4 * 340 * NS_PER_MS);
	c->backoff = 20;
	assert_int_equal(rtt_rto_ns(b->tcp, c), RTO_NS_MAX);
	c->backoff = 0;
	c->rtt.srtt_us = 70000000; // RFC 6298 2.5 without doublings, too
	assert_int_equal(rtt_rto_ns(b->tcp, c), RTO_NS_MAX);
	peer_destroy(b);
}

static void an_answer_in_the_turn_it_asks_in_measures_nothing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_conn(b)->rtt.srtt_us = 100000;
	peer_conn(b)->rtt.rttvar_us = 50000;
	struct conn before = *peer_conn(b);

	peer_host_sends(b, 10, 10); // and its ACK comes at the same time
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 11});
	assert_int_equal(peer_conn(b)->snd.una, before.snd.una + 10);
	assert_int_equal(peer_conn(b)->rtt.srtt_us, before.rtt.srtt_us);
	assert_int_equal(peer_conn(b)->rtt.rttvar_us, before.rtt.rttvar_us);
	peer_destroy(b);
}

static void what_was_sent_twice_measures_nothing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 10, 10);
	uint32_t srtt_us = peer_conn(b)->rtt.srtt_us;

	peer_time(b, 2 * NS_PER_S);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 11});
	assert_int_equal(peer_conn(b)->rtt.srtt_us, srtt_us);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_answers_a_connection_ends_after_r2),
		cmocka_unit_test(r2_is_the_applications_to_choose),
		cmocka_unit_test(keep_alive_is_off_by_default),
		cmocka_unit_test(probes_leave_after_an_idle_interval),
		cmocka_unit_test(nine_unanswered_probes_end_it),
		cmocka_unit_test(keep_alive_does_not_end_what_waits_for_r2),
		cmocka_unit_test(one_connection_can_differ_from_the_configured_keep_alive),
		cmocka_unit_test(keep_alive_can_be_switched_off_in_any_state),
		cmocka_unit_test(a_busy_connection_touches_the_wheel_rarely),
		cmocka_unit_test(the_timeout_follows_the_round_trip),
		cmocka_unit_test(an_answer_in_the_turn_it_asks_in_measures_nothing),
		cmocka_unit_test(what_was_sent_twice_measures_nothing),
	};

	return run_peer_tests(tests);
}
