// SPDX-License-Identifier: BSD-3-Clause
// A path that loses what is larger than it takes, and tells nobody: all arrives, in packets that
// are as large as they can be, and what was lost for its size slows nobody down.
#include "duo.h"
#include "tcp/trouble.h"

#define DELAY_NS (5 * NS_PER_MS)

static struct duo *open_with(const struct tcp_config *config)
{
	struct duo *d = duo_create_with(config, &(struct pair_faults){.delay_ns = DELAY_NS});

	duo_open(d);
	assert_int_equal(duo_conn(d, 0)->full_bytes, 1500);
	return d;
}

static struct duo *open_usual(void)
{
	struct tcp_config config = duo_config();

	return open_with(&config);
}

static void path_takes(struct duo *d, uint16_t mtu_bytes)
{
	duo_set_faults(d, &(struct pair_faults){.delay_ns = DELAY_NS, .mtu_bytes = mtu_bytes});
}

static void send(struct duo *d, uint64_t bytes, uint64_t ns)
{
	d->host[0].app.to_send += bytes;
	duo_run(d, ns);
}

static void expect_all(const struct duo *d)
{
	assert_int_equal(d->host[1].app.received, d->host[0].app.to_send);
	assert_true(d->host[1].app.in_order);
}

// RFC 8899 R1, R2, R4, R5, R7, R8, R9, R10; RFC 4821 7.6.2
static void packets_become_as_large_as_the_path_takes(void **state)
{
	for (uint16_t mtu_bytes = 1290; mtu_bytes < 1500; mtu_bytes = (uint16_t)(mtu_bytes + 37)) {
		struct duo *d = open_usual();

		path_takes(d, mtu_bytes);
		send(d, 4000000, 60 * NS_PER_S);
		expect_all(d);
		assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_doubts), 1);
		assert_in_range(duo_conn(d, 0)->full_bytes, mtu_bytes - 16, mtu_bytes);
		// Probes were lost, and nobody took that for congestion.
		assert_true(duo_count(d, 0, COUNTER_tcp_mtu_probes_lost) >= 3);
		assert_int_equal(duo_count(d, 0, COUNTER_tcp_fast_retransmits), 0);
		assert_int_equal(duo_count(d, 0, COUNTER_tcp_rtos), 2);
		assert_false(conn_is(duo_conn(d, 0), CONN_TROUBLE)); // the search is over
		duo_destroy(d);
	}
}

static void after_an_outage_packets_are_as_large_as_before(void **state)
{
	struct duo *d = open_usual();

	duo_set_faults(d, &(struct pair_faults){.delay_ns = DELAY_NS, .down = true});
	send(d, 1000000, 2 * NS_PER_S);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_doubts), 1);
	assert_true(duo_conn(d, 0)->full_bytes < 1500);
	path_takes(d, 0);
	duo_run(d, 20 * NS_PER_S);
	expect_all(d);
	assert_int_equal(duo_conn(d, 0)->full_bytes, 1500);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_probes_passed), 1);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_probes_lost), 0);
	duo_destroy(d);
}

// RFC 8899 R6
static void what_every_host_takes_is_tried_last(void **state)
{
	struct duo *d = open_usual();

	path_takes(d, 600);
	send(d, 500000, 60 * NS_PER_S);
	expect_all(d);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_doubts), 2);
	assert_in_range(duo_conn(d, 0)->full_bytes, 576, 600);
	duo_destroy(d);
}

static void who_is_told_not_to_probe_does_not(void **state)
{
	struct tcp_config config = duo_config();

	config.pmtu_off = true;
	struct duo *d = open_with(&config);

	path_takes(d, 1400);
	send(d, 100000, 20 * NS_PER_S);
	assert_int_equal(d->host[1].app.received, 0);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_doubts), 0);
	duo_destroy(d);
}

static void without_sack_packets_stay_small(void **state)
{
	struct tcp_config config = duo_config();

	config.sack_off = true;
	struct duo *d = open_with(&config);

	path_takes(d, 1400);
	send(d, 1000000, 60 * NS_PER_S);
	expect_all(d);
	assert_in_range(duo_conn(d, 0)->full_bytes, 1200, 1280);
	assert_int_equal(duo_count(d, 0, COUNTER_tcp_mtu_probes_lost), 0);
	duo_destroy(d);
}

// RFC 8899 R13, R14: one probe at a time, and all its bytes are the application's.
static void a_probe_is_followed_by_none_until_it_is_heard_of(void **state)
{
	struct duo *d = open_usual();
	uint64_t probes = 0;

	path_takes(d, 1400);
	d->host[0].app.to_send = 1000000;
	for (int i = 0; i < 20000; i++) {
		uint64_t start = 0;

		if (conn_is(duo_conn(d, 0), CONN_TROUBLE))
			start = trouble_of(d->host[0].tcp, duo_conn(d, 0))->pmtu.start;
		duo_run(d, 250 * NS_PER_US);
		struct conn *c = duo_conn(d, 0);

		if (!conn_is(c, CONN_TROUBLE) || trouble_of(d->host[0].tcp, c)->pmtu.start == start)
			continue;
		probes++;
		assert_true(start == 0 || c->snd.una > start);
	}
	assert_true(probes >= 6);
	expect_all(d);
	duo_destroy(d);
}

static void other_losses_do_not_confuse_the_search(void **state)
{
	struct duo *d = open_usual();

	duo_set_faults(d, &(struct pair_faults){
				  .delay_ns = DELAY_NS, .mtu_bytes = 1400, .loss_ppm = 20000});
	send(d, 8000000, 200 * NS_PER_S);
	expect_all(d);
	assert_in_range(duo_conn(d, 0)->full_bytes, 1200, 1400);
	duo_destroy(d);
}

// A record is for who has something to say.
static void a_search_without_text_holds_no_record_that_others_need(void **state)
{
	struct duo *d = open_usual();
	struct tcp *tcp = d->host[0].tcp;

	path_takes(d, 1400);
	send(d, 3000, 30 * NS_PER_S); // too little for a probe
	expect_all(d);
	assert_true(conn_is(duo_conn(d, 0), CONN_TROUBLE));
	tcp->trouble_count += trouble_records(&tcp->config) / 2;
	send(d, 3000, NS_PER_S);
	tcp->trouble_count -= trouble_records(&tcp->config) / 2;
	expect_all(d);
	assert_false(conn_is(duo_conn(d, 0), CONN_TROUBLE));
	duo_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_become_as_large_as_the_path_takes),
		DUO_TEST_IP6(packets_become_as_large_as_the_path_takes),
		cmocka_unit_test(after_an_outage_packets_are_as_large_as_before),
		DUO_TEST_IP6(after_an_outage_packets_are_as_large_as_before),
		cmocka_unit_test(what_every_host_takes_is_tried_last),
		cmocka_unit_test(who_is_told_not_to_probe_does_not),
		DUO_TEST_IP6(who_is_told_not_to_probe_does_not),
		cmocka_unit_test(without_sack_packets_stay_small),
		DUO_TEST_IP6(without_sack_packets_stay_small),
		cmocka_unit_test(a_probe_is_followed_by_none_until_it_is_heard_of),
		cmocka_unit_test(other_losses_do_not_confuse_the_search),
		DUO_TEST_IP6(other_losses_do_not_confuse_the_search),
		cmocka_unit_test(a_search_without_text_holds_no_record_that_others_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
