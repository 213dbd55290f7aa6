// SPDX-License-Identifier: BSD-3-Clause
#include "duo.h"

static void two_hosts_connect(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_open(d);
	assert_int_equal(duo_state(d, 0), ESTABLISHED);
	assert_int_equal(duo_state(d, 1), ESTABLISHED);
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

static void both_sides_close_in_order(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_open(d);
	d->host[1].app.close_at_eof = true;
	assert_int_equal(tcp_close(d->host[0].tcp, d->host[0].app.conn), 0);
	duo_run(d, NS_PER_S);
	assert_int_equal(d->host[0].app.closed, 1);
	assert_int_equal(d->host[1].app.closed, 1);
	assert_int_equal(d->host[0].app.reason, PRISM_CLOSE_DONE);
	duo_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hosts_connect),
		cmocka_unit_test(bytes_arrive_in_order_and_once),
		cmocka_unit_test(both_sides_close_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
