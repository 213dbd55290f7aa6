// SPDX-License-Identifier: BSD-3-Clause
// Many connections at once, of several workers: they are dealt out, keep apart, and are refused by
// name where there is no room.
#include "town.h"

static void all_workers_get_some(bool few_queues)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[1] = 4;
	config.few_queues[1] = few_queues;
	config.options.half_open_max = 1024;
	struct town *t = town_create(&config);

	for (uint32_t i = 0; i < 4; i++)
		town_listen(t, i, TOWN_PORT);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(town_call(t, 0, TOWN_PORT, 1), 0);
	town_run(t, 30 * NS_PER_S, 200);
	town_all_done(t);
	assert_int_equal(t->answered, 200);
	for (uint32_t i = 0; i < 4; i++)
		assert_in_range(t->accepted[i], 25, 75);
	town_rests(t);
	town_destroy(t);
}

static void connections_are_dealt_out_by_the_only_queue(void **state)
{
	all_workers_get_some(true);
}

static void connections_come_to_all_where_packets_do(void **state)
{
	all_workers_get_some(false);
}

static void one_listens_alone(bool few_queues)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[1] = 4;
	config.few_queues[1] = few_queues;
	config.options.half_open_max = 1024;
	struct town *t = town_create(&config);

	town_listen(t, 2, TOWN_PORT);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(town_call(t, 0, TOWN_PORT, 1), 0);
	town_run(t, 30 * NS_PER_S, 200);
	town_all_done(t);
	assert_int_equal(t->accepted[2], 200);
	town_rests(t);
	town_destroy(t);
}

static void who_listens_alone_accepts_all_that_others_receive(void **state)
{
	one_listens_alone(true);
	one_listens_alone(false);
}

static void local_port(struct town *t, const struct call *c, uint8_t *taken)
{
	struct prism_endpoint local;

	assert_int_equal(prism_tcp_endpoints(town_worker(t, 0, c->worker), c->conn, &local, NULL),
			 0);
	assert_int_equal(taken[local.port]++, 0);
}

static void two_workers_call_one(bool few_queues)
{
	static uint8_t taken[65536];
	struct world_config config;
	const uint32_t calls = 4000;

	world_config_init(&config);
	config.workers[0] = 2;
	config.few_queues[0] = few_queues;
	config.options.connections_max = 2 * calls;
	config.options.half_open_max = calls;
	config.frames_max = 65536;
	for (int i = 0; i < POOL_KINDS; i++)
		config.pool_pkts[i] = 16384;
	struct town *t = town_create(&config);

	memset(taken, 0, sizeof(taken));
	town_listen(t, 0, TOWN_PORT);
	for (uint32_t i = 0; i < calls; i++) {
		assert_int_equal(town_call(t, i % 2, TOWN_PORT, 1), 0);
		local_port(t, &t->call[i], taken);
		if (i % 64 == 63)
			town_run(t, NS_PER_US, calls);
	}
	town_run(t, 60 * NS_PER_S, calls);
	town_all_done(t);
	assert_int_equal(t->accepted[0], calls);
	assert_int_equal(t->answered, calls);
	town_rests(t);
	town_destroy(t);
}

static void workers_that_connect_at_once_never_have_the_same_port(void **state)
{
	two_workers_call_one(false);
	two_workers_call_one(true);
}

// A port that is named is refused while another worker's connection has it.
static void a_tuple_of_another_workers_is_in_use(void **state)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[0] = 2;
	struct town *t = town_create(&config);
	struct prism_endpoint remote = world_endpoint(1, TOWN_PORT), local = {.port = 4000};
	prism_conn conn;

	town_listen(t, 0, TOWN_PORT);
	assert_int_equal(prism_tcp_connect(town_worker(t, 0, 0), &remote, &local, 0, &conn), 0);
	assert_int_equal(prism_tcp_connect(town_worker(t, 0, 1), &remote, &local, 1, &conn),
			 -EADDRINUSE);
	assert_int_equal(err_last()->id, ERR_ADDRESS_IN_USE);
	town_destroy(t);
}

static struct town *small_town(void)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[1] = 2;
	config.few_queues[1] = true;
	config.options.connections_max = 64;
	config.options.half_open_max = 256;
	config.options.time_wait_max = 64;
	return town_create(&config);
}

// Each worker has his share of the connections and a quarter more: 41.
#define SHARE 41

static void a_connect_beyond_a_workers_share_is_refused_by_name(void **state)
{
	struct town *t = small_town();
	struct prism_endpoint remote = world_endpoint(0, TOWN_PORT);
	prism_conn conn[SHARE], more;

	for (uint32_t i = 0; i < SHARE; i++)
		assert_int_equal(
			prism_tcp_connect(town_worker(t, 1, 0), &remote, NULL, 0, &conn[i]), 0);
	assert_true(prism_tcp_connect(town_worker(t, 1, 0), &remote, NULL, 0, &more) < 0);
	assert_int_equal(err_last()->id, ERR_CONNECTIONS_FULL);
	assert_int_equal(prism_tcp_connect(town_worker(t, 1, 1), &remote, NULL, 1, &more), 0);
	town_destroy(t);
}

// SYNs for whom no slot is left are dropped by name; they come again and find one.
static void calls_beyond_a_workers_share_wait_for_those_before(void **state)
{
	struct town *t = small_town();

	town_listen(t, 1, TOWN_PORT);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(town_call(t, 0, TOWN_PORT, 2), 0);
	town_run(t, 2 * NS_PER_S, 64);
	assert_int_equal(t->answered, SHARE);
	assert_true(town_drops(t, 1, DROP_TCP_CONNECTIONS_FULL) > 0);
	for (uint32_t i = 0; i < 64; i++)
		if (t->call[i].answers)
			town_say(t, &t->call[i]); // its second answer is its last
	town_run(t, 5 * NS_PER_S, SHARE);
	town_run(t, 20 * NS_PER_S, 64);
	assert_int_equal(t->closed, SHARE);
	assert_int_equal(t->answered, 2 * SHARE + (64 - SHARE));
	town_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_dealt_out_by_the_only_queue),
		cmocka_unit_test(connections_come_to_all_where_packets_do),
		cmocka_unit_test(who_listens_alone_accepts_all_that_others_receive),
		cmocka_unit_test(workers_that_connect_at_once_never_have_the_same_port),
		cmocka_unit_test(a_tuple_of_another_workers_is_in_use),
		cmocka_unit_test(a_connect_beyond_a_workers_share_is_refused_by_name),
		cmocka_unit_test(calls_beyond_a_workers_share_wait_for_those_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
