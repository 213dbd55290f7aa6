// SPDX-License-Identifier: BSD-3-Clause
#include "duo.h"

// Nobody releases what comes, so both windows are closed and both sides probe.
static struct duo *both_closed(void)
{
	struct tcp_config config = duo_config();

	config.receive_bytes_max = 8192;
	struct duo *d = duo_create_with(&config, &(struct pair_faults){.delay_ns = NS_PER_MS});

	duo_open(d);
	for (int i = 0; i < 2; i++) {
		d->host[i].app.hold = true;
		d->host[i].app.to_send = 100000;
	}
	duo_run(d, 10 * NS_PER_S);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(duo_conn(d, i)->snd.wnd, 0);
		assert_true(duo_count(d, i, COUNTER_tcp_zero_window_probes) > 0);
	}
	return d;
}

static void two_closed_windows_are_probed_and_quiet(void **state)
{
	struct duo *d = both_closed();
	uint64_t before[2], probes = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		before[i] = duo_count(d, i, COUNTER_tcp_segs_out);
		probes -= duo_count(d, i, COUNTER_tcp_zero_window_probes);
	}
	duo_run(d, 100 * NS_PER_S);
	for (int i = 0; i < 2; i++)
		probes += duo_count(d, i, COUNTER_tcp_zero_window_probes);
	for (int i = 0; i < 2; i++) // a probe each, or the answer to it
		assert_in_range(duo_count(d, i, COUNTER_tcp_segs_out) - before[i], 1, probes);
	duo_destroy(d);
}

static void text_flows_against_a_closed_window(void **state)
{
	struct duo *d = both_closed();
	struct host *h = &d->host[0];

	(void)state;
	h->app.hold = false;
	app_release(h);
	duo_run(d, NS_PER_S);
	assert_int_equal(h->app.received, 100000);
	assert_true(h->app.in_order);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_rtos), 0);
	assert_int_equal(duo_conn(d, 0)->snd.wnd, 0);
	duo_destroy(d);
}

static void an_abort_reaches_whoever_closed_his_window(void **state)
{
	struct duo *d = both_closed();

	(void)state;
	assert_int_equal(tcp_abort(d->host[0].tcp, d->host[0].app.conn), 0);
	d->host[0].app.to_send = 0;
	duo_run(d, NS_PER_S);
	assert_int_equal(d->host[1].app.closed, 1);
	assert_int_equal(d->host[1].app.reason, PRISM_CLOSE_RESET);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_out_rsts), 1); // that one was heard
	duo_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_closed_windows_are_probed_and_quiet),
		cmocka_unit_test(text_flows_against_a_closed_window),
		cmocka_unit_test(an_abort_reaches_whoever_closed_his_window),
		DUO_TEST_IP6(two_closed_windows_are_probed_and_quiet),
		DUO_TEST_IP6(text_flows_against_a_closed_window),
		DUO_TEST_IP6(an_abort_reaches_whoever_closed_his_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
