// SPDX-License-Identifier: BSD-3-Clause
// A worker that gets no turns stops nobody else; what is his is refused by name.
#include "port/mesh.h"
#include "town.h"

#define STOPPED 2u
#define DATAGRAMS (MESH_RING_PKTS + 1000u)

static void stop(struct town *t, uint32_t worker, uint64_t ns)
{
	t->world->node[1].stalled_until_ns[worker] = t->world->now_ns + ns;
}

static void flood(struct town *t, prism_udp udp)
{
	struct prism_endpoint to = world_endpoint(1, 53);
	struct prism_worker *worker = town_worker(t, 0, 0);

	for (uint32_t i = 0; i < DATAGRAMS; i++) {
		struct prism_buf *buf = prism_buf_alloc(worker);

		assert_non_null(buf);
		assert_int_equal(prism_buf_append(worker, buf, "flood", 5), 0);
		assert_int_equal(prism_udp_send(worker, udp, NULL, &to, buf), 0);
		if (i % 64 == 63)
			town_run(t, 10 * NS_PER_US, UINT32_MAX);
	}
}

static struct town *town_of_services(void)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[1] = 4;
	config.few_queues[1] = true;
	config.pool_pkts[POOL_RX] = 2 * MESH_RING_PKTS;
	config.frames_max = 2 * MESH_RING_PKTS;
	struct town *t = town_create(&config);

	for (uint32_t i = 0; i < 4; i++) {
		town_listen(t, i, (uint16_t)(1000 + i));
		assert_int_equal(town_call(t, 0, (uint16_t)(1000 + i), 0), 0);
	}
	town_run(t, NS_PER_S, UINT32_MAX);
	assert_int_equal(t->answered, 4);
	return t;
}

static void connections_of_the_others_go_on(void **state)
{
	struct town *t = town_of_services();
	struct prism_endpoint any = {0}, dns = {.port = 53};
	prism_udp from, to;

	assert_int_equal(prism_udp_open(town_worker(t, 0, 0), &any, 0, &from), 0);
	assert_int_equal(prism_udp_open(town_worker(t, 1, STOPPED), &dns, STOPPED, &to), 0);
	stop(t, STOPPED, 4 * NS_PER_S);
	flood(t, from);
	for (uint32_t round = 1; round <= 10; round++) {
		for (uint32_t i = 0; i < 4; i++)
			town_say(t, &t->call[i]);
		town_run(t, 100 * NS_PER_MS, UINT32_MAX);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(t->call[i].answers, i == STOPPED ? 1 : 1 + round);
	}
	assert_int_equal(t->datagrams[STOPPED], 0);
	assert_true(t->world->node[1].counters.drop[DROP_WORKER_RING_FULL] >=
		    DATAGRAMS - MESH_RING_PKTS);
	// In his other rings there may be news of a neighbour.
	assert_in_range(town_sum(t, 1, COUNTER_handed_out_pkts) -
				town_sum(t, 1, COUNTER_handed_in_pkts),
			MESH_RING_PKTS, MESH_RING_PKTS + 3);
	town_run(t, 10 * NS_PER_S, UINT32_MAX);
	assert_in_range(t->datagrams[STOPPED], MESH_RING_PKTS - 100, MESH_RING_PKTS);
	town_destroy(t);
}

// Who has the only queue is on everybody's way; what could not leave meanwhile leaves afterwards.
static void what_goes_by_way_of_a_stopped_worker_waits_for_him(void **state)
{
	struct town *t = town_of_services();

	stop(t, 0, 2 * NS_PER_S);
	for (uint32_t i = 0; i < 4; i++)
		town_say(t, &t->call[i]);
	town_run(t, NS_PER_S, UINT32_MAX);
	assert_int_equal(t->answered, 4);
	for (uint32_t i = 1; i < 4; i++) { // who is not stopped has turns
		const struct counters *c = &t->world->node[1].more_counters[i];

		assert_true(c->value[COUNTER_turns] >
			    t->world->node[1].counters.value[COUNTER_turns]);
	}
	town_run(t, 5 * NS_PER_S, UINT32_MAX);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(t->call[i].answers, 2);
	town_destroy(t);
}

// An owner who cannot be told keeps what he has: his peers send again until he takes it.
static void the_connections_of_who_was_stopped_recover(void **state)
{
	struct town *t = town_of_services();

	stop(t, STOPPED, 20 * NS_PER_S);
	for (uint32_t round = 0; round < 100; round++) {
		town_say(t, &t->call[STOPPED]);
		town_run(t, 100 * NS_PER_MS, UINT32_MAX);
	}
	assert_int_equal(t->call[STOPPED].answers, 1);
	town_run(t, 70 * NS_PER_S, UINT32_MAX);
	assert_int_equal(t->call[STOPPED].answers, 101);
	assert_false(t->call[STOPPED].closed);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(prism_tcp_close(town_worker(t, 0, 0), t->call[i].conn), 0);
	town_run(t, 10 * NS_PER_S, 4);
	town_all_done(t);
	town_rests(t);
	town_destroy(t);
}

// Longer than anybody believes a neighbour without hearing of him.
static void the_others_reach_their_neighbour_however_long_one_is_stopped(void **state)
{
	struct town *t = town_of_services();

	stop(t, 1, 600 * NS_PER_S);
	for (uint32_t round = 1; round <= 300; round++) {
		town_say(t, &t->call[0]);
		town_say(t, &t->call[3]);
		town_run(t, NS_PER_S, UINT32_MAX);
		assert_true(t->call[3].answers + 4 > round);
	}
	town_run(t, 5 * NS_PER_S, UINT32_MAX);
	assert_int_equal(t->call[0].answers, 301);
	assert_int_equal(t->call[3].answers, 301);
	town_destroy(t);
}

static struct town *town_of_two(void)
{
	struct world_config config;

	world_config_init(&config);
	config.workers[1] = 2;
	config.few_queues[1] = true;
	config.options.connections_max = 256;
	config.options.half_open_max = 256;
	config.options.time_wait_max = 256;
	config.options.time_wait_ns = NS_PER_MS;
	struct town *t = town_create(&config);

	town_listen(t, 0, TOWN_PORT);
	assert_int_equal(town_call(t, 0, TOWN_PORT, 0), 0);
	town_run(t, NS_PER_S, UINT32_MAX);
	assert_int_equal(t->answered, 1);
	return t;
}

static struct table_stats stats_of(const struct town *t)
{
	struct table_stats stats;

	table_stats(team_tcp(t->world->node[1].team)->table, &stats);
	return stats;
}

// Sixteen calls that each come to their end, or do not within 200 ms.
static uint32_t some_calls(struct town *t)
{
	uint32_t before = t->closed, first = t->call_count;

	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(town_call(t, 0, TOWN_PORT, 1), 0);
	town_run(t, 200 * NS_PER_MS, before + 16);
	for (uint32_t i = first; i < t->call_count; i++)
		if (!t->call[i].closed)
			assert_int_equal(prism_tcp_abort(town_worker(t, 0, 0), t->call[i].conn), 0);
	return t->closed - before;
}

// What was taken out of the table counts until every worker has had a turn. While one has none,
// connections open and close until the slots are used up; then each SYN is refused by name, and
// no turn waits.
static void a_grace_period_that_does_not_end_costs_slots_and_nothing_else(void **state)
{
	struct town *t = town_of_two();
	struct table *table = team_tcp(t->world->node[1].team)->table;
	uint32_t done = 0;

	stop(t, 1, 3600 * NS_PER_S);
	while (town_drops(t, 1, DROP_TCP_CONNECTIONS_FULL) == 0)
		done += some_calls(t);
	assert_true(done > 256);
	assert_true(stats_of(t).dead > stats_of(t).slots / 2);
	town_say(t, &t->call[0]); // who is connected goes on
	town_run(t, 100 * NS_PER_MS, UINT32_MAX);
	assert_int_equal(t->call[0].answers, 2);
	t->world->node[1].stalled_until_ns[1] = 0;
	town_run(t, 100 * NS_PER_MS, UINT32_MAX);
	for (int round = 0; some_calls(t) < 16; round++) // slots come back few at a time
		assert_true(round < 16);
	for (int round = 0; round < 100; round++)
		assert_int_equal(some_calls(t), 16);
	table_check(table);
	town_destroy(t);
}

// Worker 0 of node 1 connects and gives up until that is refused, while worker 1 gets no turn.
static uint32_t use_up_slots(struct town *t)
{
	struct prism_endpoint remote = world_endpoint(0, 9);
	struct prism_worker *worker = town_worker(t, 1, 0);
	uint32_t opened = 0;
	prism_conn conn;

	stop(t, 1, 3600 * NS_PER_S);
	for (; !prism_tcp_connect(worker, &remote, NULL, 0, &conn); opened++) {
		assert_int_equal(prism_tcp_abort(worker, conn), 0);
		town_run(t, NS_PER_US, UINT32_MAX);
	}
	assert_int_equal(err_last()->id, ERR_CONNECTIONS_FULL);
	return opened;
}

static void a_connect_without_a_slot_is_refused_at_once(void **state)
{
	struct town *t = town_of_two();

	assert_true(use_up_slots(t) > 256);
	assert_true(stats_of(t).dead > stats_of(t).slots / 2);
	town_destroy(t);
}

// The table is everybody's: what one took out must not stay his because he has nothing else to do.
static void an_idle_worker_gives_back_the_slots_it_held(void **state)
{
	struct town *t = town_of_two();
	struct prism_endpoint remote = world_endpoint(0, 9);
	prism_conn conn;

	use_up_slots(t);
	t->world->node[1].stalled_until_ns[1] = 0;
	for (int i = 0; i < 1000; i++)
		world_turn(t->world, town_event, t);
	assert_int_equal(stats_of(t).dead, 0);
	for (int i = 0; i < 128; i++)
		assert_int_equal(prism_tcp_connect(town_worker(t, 1, 1), &remote, NULL, 1, &conn),
				 0);
	town_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_of_the_others_go_on),
		cmocka_unit_test(what_goes_by_way_of_a_stopped_worker_waits_for_him),
		cmocka_unit_test(the_connections_of_who_was_stopped_recover),
		cmocka_unit_test(the_others_reach_their_neighbour_however_long_one_is_stopped),
		cmocka_unit_test(a_grace_period_that_does_not_end_costs_slots_and_nothing_else),
		cmocka_unit_test(a_connect_without_a_slot_is_refused_at_once),
		cmocka_unit_test(an_idle_worker_gives_back_the_slots_it_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
