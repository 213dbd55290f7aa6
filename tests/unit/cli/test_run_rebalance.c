// SPDX-License-Identifier: BSD-3-Clause
// Orders to give connections away: how they end. The test is the monitor and both workers.
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_ends_what_was_ordered),
		cmocka_unit_test(off_forgets_what_was_asked_for),
		cmocka_unit_test(an_order_ends_when_the_next_could_come),
	};
	int failed;

	site_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	site_remove();
	return failed;
}
