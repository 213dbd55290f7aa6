// SPDX-License-Identifier: BSD-3-Clause
#include "duo.h"
#include "tcp/open.h"

static void two_hosts_connect(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_open(d);
	assert_int_equal(duo_state(d, 0), ESTABLISHED);
	assert_int_equal(duo_state(d, 1), ESTABLISHED);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_active_opens), 1);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_passive_opens), 1);
	duo_destroy(d);
}

static void bytes_arrive_in_order_and_once(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_open(d);
	d->host[0].app.to_send = 3000000;
	d->host[0].app.close_when_sent = true;
	d->host[1].app.to_send = 1000000;
	duo_run(d, 20 * NS_PER_S);
	assert_int_equal(d->host[1].app.received, 3000000);
	assert_int_equal(d->host[0].app.received, 1000000);
	assert_true(d->host[0].app.in_order && d->host[1].app.in_order);
	assert_int_equal(d->host[1].app.eof, 1);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_retrans_segs), 0);
	duo_destroy(d);
}

// RFC 9293 MUST-10: SYNs that cross make one connection.
static void syns_that_cross_make_one_connection(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_connect(d, 0, 4000, 5000);
	duo_connect(d, 1, 5000, 4000);
	duo_run(d, NS_PER_S);
	assert_int_equal(d->host[0].app.connected, 1);
	assert_int_equal(d->host[1].app.connected, 1);
	assert_int_equal(duo_state(d, 0), ESTABLISHED);
	assert_int_equal(duo_state(d, 1), ESTABLISHED);
	d->host[0].app.to_send = d->host[1].app.to_send = 100000;
	duo_run(d, 5 * NS_PER_S);
	assert_int_equal(d->host[0].app.received, 100000);
	assert_int_equal(d->host[1].app.received, 100000);
	duo_destroy(d);
}

// RFC 9293 MUST-11: an active SYN-RECEIVED that is reset ends; it does not go back to LISTEN.
static void a_port_nobody_listens_on_refuses(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_connect(d, 0, 0, 81);
	duo_run(d, NS_PER_S);
	assert_int_equal(d->host[0].app.closed, 1);
	assert_int_equal(d->host[0].app.reason, PRISM_CLOSE_REFUSED);
	assert_int_equal(duo_drops(d, 1, DROP_TCP_NO_LISTENER), 1);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_out_rsts), 1);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_attempt_fails), 1);
	duo_destroy(d);
}

// RFC 9293 MUST-23: a SYN without an answer is given up after three minutes at the earliest.
static void a_silent_peer_ends_the_attempt_after_three_minutes(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_listen(d, 1, 80);
	duo_connect(d, 0, 0, 80);
	duo_run(d, NS_PER_US);
	duo_set_faults(d, &(struct pair_faults){.loss_ppm = 1000000});
	duo_run(d, 179 * NS_PER_S);
	assert_int_equal(d->host[0].app.closed, 0);
	duo_run(d, 120 * NS_PER_S);
	assert_int_equal(d->host[0].app.closed, 1);
	assert_int_equal(d->host[0].app.reason, PRISM_CLOSE_CONNECT_TIMEOUT);
	duo_destroy(d);
}

// RFC 9293 MUST-22: as text is.
static void a_lost_syn_is_sent_again(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_listen(d, 1, 80);
	duo_set_faults(d, &(struct pair_faults){.loss_ppm = 1000000});
	duo_connect(d, 0, 0, 80);
	duo_run(d, 500 * NS_PER_MS);
	duo_set_faults(d, &(struct pair_faults){.delay_ns = NS_PER_MS});
	duo_run(d, 3 * NS_PER_S);
	assert_int_equal(d->host[0].app.connected, 1);
	assert_int_equal(d->host[1].app.accepted, 1);
	duo_destroy(d);
}

static void many_connections_at_once_get_their_own_ports(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_listen(d, 1, 80);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 6; i++)
			duo_connect(d, 0, 0, 80);
		duo_run(d, 10 * NS_PER_MS);
	}
	assert_int_equal(d->host[0].app.connected, 60);
	assert_int_equal(d->host[1].app.accepted, 60);
	duo_destroy(d);
}

// RFC 9293 MUST-15: 576 or 1280 octets less the fixed headers of each family.
static void who_says_no_mss_is_sent_what_every_host_takes(void **state)
{
	const struct addr v4 = addr_from_v4_octets(198, 18, 0, 1);
	const struct addr v6 = {.byte = {0x20, 1, 0xd, 0xb8, [15] = 1}};

	assert_int_equal(open_mss_default(&(struct net_path){.remote = v4}), 536);
	assert_int_equal(open_mss_default(&(struct net_path){.remote = v6}), 1220);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hosts_connect),
		cmocka_unit_test(bytes_arrive_in_order_and_once),
		cmocka_unit_test(syns_that_cross_make_one_connection),
		cmocka_unit_test(a_port_nobody_listens_on_refuses),
		cmocka_unit_test(a_silent_peer_ends_the_attempt_after_three_minutes),
		cmocka_unit_test(a_lost_syn_is_sent_again),
		cmocka_unit_test(many_connections_at_once_get_their_own_ports),
		DUO_TEST_IP6(two_hosts_connect),
		DUO_TEST_IP6(bytes_arrive_in_order_and_once),
		DUO_TEST_IP6(syns_that_cross_make_one_connection),
		DUO_TEST_IP6(a_port_nobody_listens_on_refuses),
		DUO_TEST_IP6(a_silent_peer_ends_the_attempt_after_three_minutes),
		DUO_TEST_IP6(a_lost_syn_is_sent_again),
		DUO_TEST_IP6(many_connections_at_once_get_their_own_ports),
		cmocka_unit_test(who_says_no_mss_is_sent_what_every_host_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
