// SPDX-License-Identifier: BSD-3-Clause
// Orders to give connections away: how they end, and what was given when all end. The test is the
// monitor and both workers.
#include "../service/movers.h"
#include "cli/run.h"
#include "sync/cell.h"

static struct run run;

static void start_run(const char *type)
{
	start(type, (struct service_config){0});
	run = (struct run){.prism = server, .worker_count = WORKERS};
	for (uint32_t i = 0; i < WORKERS; i++)
		run.workers[i] = (struct run_worker){.run = &run,
						     .worker = server_worker[i],
						     .services = {services[i]},
						     .service_count = 1};
}

// The first worker takes up an order for so many.
static struct run_worker *order(uint32_t count)
{
	struct run_worker *w = &run.workers[0];

	turn_server(0);
	cell_set(&w->order, rebalance_order(1, 1, count));
	rebalance_give(w, NULL, 0);
	assert_int_equal(w->order_left, count);
	return w;
}

static uint64_t orders(const struct run_worker *w)
{
	return w->worker->env.counters->value[COUNTER_rebalance_orders];
}

static void off_ends_what_was_ordered(void **state)
{
	start_run("echo");
	struct run_worker *w = order(5);

	assert_int_equal(rebalance_request(&run, "off"), 0);
	rebalance_give(w, NULL, 0);
	assert_int_equal(w->order_left, 0);
	assert_int_equal(orders(w), 1); // an end is no order
	stop();
}

static void off_forgets_what_was_asked_for(void **state)
{
	start_run("echo");
	assert_int_equal(rebalance_request(&run, "now"), 0);
	assert_int_equal(rebalance_request(&run, "off"), 0);
	assert_true(rebalance_look(&run, NS_PER_S) == TIME_NEVER_NS);
	stop();
}

// There may be nobody left who says something, and later there is.
static void an_order_ends_when_the_next_could_come(void **state)
{
	start_run("echo");
	struct run_worker *w = order(5);
	uint64_t now_ns = w->worker->env.now_ns;

	w->worker->env.now_ns += 200 * NS_PER_MS;
	rebalance_give(w, NULL, 0);
	assert_int_equal(w->order_left, 5);
	w->worker->env.now_ns += 50 * NS_PER_MS;
	rebalance_give(w, NULL, 0);
	assert_int_equal(w->order_left, 0);
	w->worker->env.now_ns = now_ns; // the clock goes on
	stop();
}

// The first of a connection's workers gives it away just before all are told to stop.
static uint32_t give_away(void)
{
	UNTIL(open_at(0) + open_at(1) == 1);
	uint32_t first = open_at(0) ? 0 : 1;

	giving = true;
	say(&peers[0], "GET /ten HTTP/1.1\r\nHo");
	for (uint32_t n = 0; n < 1000 && !given; n++) {
		turn_client();
		if (first != 0)
			turn_server(0); // who receives
		turn_server(first);
	}
	giving = false;
	assert_int_equal(given, 1);
	cell_set(&run.stop, RUN_DRAIN);
	return first;
}

static void who_gets_a_connection_at_the_end_has_not_ended(void **state)
{
	start_run("http");
	struct peer *p = call(0);
	uint32_t first = give_away(), other = 1 - first;

	p->skip = sizeof(head) - 1;
	workers_drain_turn(&run.workers[other]);
	assert_int_equal(cell_get(&run.drained), 1); // it is not there yet
	workers_drain_turn(&run.workers[first]);
	assert_int_equal(cell_get(&run.drained), 1); // on its way
	workers_drain_turn(&run.workers[other]);
	workers_drain_turn(&run.workers[first]);
	assert_int_equal(cell_get(&run.drained), 1); // the other way round
	assert_false(run.workers[other].drained);
	say(p, "st: x\r\n\r\n");
	for (uint32_t n = 0; n < 100000 && cell_get(&run.drained) < WORKERS; n++) {
		turn_client();
		workers_drain_turn(&run.workers[0]);
		workers_drain_turn(&run.workers[1]);
	}
	assert_int_equal(cell_get(&run.drained), WORKERS);
	assert_memory_equal(head, "HTTP/1.1 200 ", 13);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_ends_what_was_ordered),
		cmocka_unit_test(off_forgets_what_was_asked_for),
		cmocka_unit_test(an_order_ends_when_the_next_could_come),
		cmocka_unit_test(who_gets_a_connection_at_the_end_has_not_ended),
	};
	int failed;

	site_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	site_remove();
	return failed;
}
