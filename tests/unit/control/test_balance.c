// SPDX-License-Identifier: BSD-3-Clause
// When connections go from one worker to another, by what the workers were seen to do.

#include "control/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LOOK_NS 1000

struct bed {
	struct balance balance;
	struct balance_look look;
};

static void bed_init(struct bed *b, uint32_t workers, uint64_t conns)
{
	*b = (struct bed){.look.worker_count = workers};
	for (uint32_t i = 0; i < workers; i++)
		b->look.worker[i].conns = conns;
	balance_init(&b->balance);
	assert_int_equal(balance_decide(&b->balance, &b->look, false).count, 0);
}

// A look at which the workers were so busy since the last.
static struct balance_order decide(struct bed *b, const uint32_t *pct, bool force)
{
	for (uint32_t i = 0; i < b->look.worker_count; i++) {
		b->look.worker[i].busy_ns += LOOK_NS * pct[i] / 100;
		b->look.worker[i].idle_ns += LOOK_NS * (100 - pct[i]) / 100;
	}
	return balance_decide(&b->balance, &b->look, force);
}

// Looks until there is an order, at most so many; returns how many it took, 0: none came.
static uint32_t looks(struct bed *b, const uint32_t *pct, uint32_t most,
		      struct balance_order *order)
{
	for (uint32_t i = 1; i <= most; i++) {
		*order = decide(b, pct, false);
		if (order->count)
			return i;
	}
	return 0;
}

static void a_saturated_worker_gives_to_an_idle_one(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 3, 100);
	assert_int_equal(looks(&b, (const uint32_t[]){60, 100, 10}, 10, &order), 3);
	assert_int_equal(order.from, 1);
	assert_int_equal(order.to, 2);
	assert_in_range(order.count, 1, 100 / 4);
}

static void one_look_decides_nothing(void **state)
{
	struct bed b;

	bed_init(&b, 2, 100);
	for (uint32_t i = 0; i < 100; i++) { // now this one, now the other
		const uint32_t pct[] = {i / 2 % 2 ? 100 : 0, i / 2 % 2 ? 0 : 100};

		assert_int_equal(decide(&b, pct, false).count, 0);
	}
}

static void nothing_goes_where_both_have_much_to_do_or_neither(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 2, 100);
	assert_int_equal(looks(&b, (const uint32_t[]){100, 75}, 50, &order), 0);
	assert_int_equal(looks(&b, (const uint32_t[]){80, 5}, 50, &order), 0);
	assert_int_equal(looks(&b, (const uint32_t[]){0, 0}, 50, &order), 0);
}

static void the_only_connection_stays(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 2, 1);
	assert_int_equal(looks(&b, (const uint32_t[]){100, 0}, 50, &order), 0);
	assert_int_equal(decide(&b, (const uint32_t[]){100, 0}, true).count, 0);
}

static void after_an_order_its_effect_is_awaited(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 2, 100);
	assert_int_equal(looks(&b, (const uint32_t[]){100, 0}, 50, &order), 3);
	assert_in_range(looks(&b, (const uint32_t[]){100, 0}, 50, &order), 3, 10);
}

static void an_order_is_bounded_however_many_there_are(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 2, 1000000);
	assert_int_equal(looks(&b, (const uint32_t[]){100, 0}, 50, &order), 3);
	assert_in_range(order.count, 1, 64);
}

// Wherever the one heavy connection goes, there is the load: each order turns the workers around.
static void what_only_turns_them_around_is_tried_less_and_less(void **state)
{
	struct balance_order order = {0};
	uint32_t orders[2] = {0}, heavy = 0;
	struct bed b;

	bed_init(&b, 2, 2);
	for (uint32_t i = 0; i < 2000; i++) {
		const uint32_t pct[] = {heavy ? 1 : 100, heavy ? 100 : 1};

		order = decide(&b, pct, false);
		if (!order.count)
			continue;
		assert_int_equal(order.from, heavy);
		heavy = order.to;
		orders[i / 1000]++;
	}
	assert_in_range(orders[0], 2, 12);
	assert_in_range(orders[1], 0, 2);
}

#define LOOKS_AN_HOUR (4 * 3600)

// Orders of an hour in which each heavy connection saturates whoever has it, and the others have
// now a little to do, now nothing.
static uint32_t orders_an_hour(uint32_t workers, uint32_t heavy_count)
{
	bool heavy[WORKERS_MAX] = {false};
	uint32_t pct[WORKERS_MAX], orders = 0, random = 1;
	struct bed b;

	bed_init(&b, workers, 2);
	memset(heavy, true, heavy_count);
	for (uint32_t i = 0; i < LOOKS_AN_HOUR; i++) {
		for (uint32_t w = 0; w < workers; w++) {
			random = random * 1664525 + 1013904223;
			pct[w] = heavy[w] ? 95 + (random >> 16) % 6 : (random >> 16) % 5;
		}
		struct balance_order order = decide(&b, pct, false);

		if (!order.count)
			continue;
		assert_true(heavy[order.from] && !heavy[order.to]);
		heavy[order.from] = false;
		heavy[order.to] = true;
		orders++;
	}
	return orders;
}

static void a_heavy_connection_is_not_passed_around_among_many(void **state)
{
	for (uint32_t workers = 2; workers <= 8; workers++)
		for (uint32_t heavy = 1; heavy < workers; heavy++)
			assert_in_range(orders_an_hour(workers, heavy), 1, 30);
}

static void who_is_relieved_bit_by_bit_does_not_wait_longer(void **state)
{
	uint32_t orders = 0, pct[] = {100, 5, 5};
	struct bed b;

	bed_init(&b, 3, 1000);
	for (uint32_t i = 0; i < 60; i++) { // each order takes a point from what was too much
		struct balance_order order = decide(&b, pct, false);

		if (!order.count)
			continue;
		assert_int_equal(order.from, 0);
		pct[order.to]++;
		orders++;
	}
	assert_in_range(orders, 60 / 4, 60 / 3);
}

static void who_asks_gets_an_order_at_once(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 2, 100);
	order = decide(&b, (const uint32_t[]){20, 10}, true);
	assert_int_equal(order.from, 0);
	assert_int_equal(order.to, 1);
	assert_true(order.count > 0);
	assert_int_equal(decide(&b, (const uint32_t[]){0, 0}, true).count, 0); // both have 100
}

static void of_saturated_workers_who_has_more_connections_gives_when_asked(void **state)
{
	const uint32_t pct[] = {100, 100, 100};
	struct balance_order order;
	struct bed b;

	bed_init(&b, 3, 8);
	b.look.worker[1].conns = 7;
	b.look.worker[2].conns = 9;
	assert_int_equal(looks(&b, pct, 50, &order), 0); // by itself nothing goes
	order = decide(&b, pct, true);
	assert_int_equal(order.from, 2);
	assert_int_equal(order.to, 1);
	assert_int_equal(order.count, 1);
	b.look.worker[2].conns = 8; // one more or less would only turn them around
	assert_int_equal(decide(&b, pct, true).count, 0);
	b.look.worker[1].conns = 8;
	assert_int_equal(decide(&b, pct, true).count, 0);
	b.look.worker[2].conns = 88;
	assert_int_equal(decide(&b, pct, true).count, 80 / 2 / 4);
}

static void who_asks_of_saturated_workers_keeps_nobody_waiting(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 3, 100);
	b.look.worker[1].conns = 200;
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(decide(&b, (const uint32_t[]){100, 100, 100}, true).from, 1);
	assert_int_equal(looks(&b, (const uint32_t[]){100, 100, 0}, 10, &order), 3);
}

// Connections that come and go between two who are saturated do not hold up what the idle one gets.
static void which_of_two_saturated_ones_has_more_decides_nothing_by_itself(void **state)
{
	uint32_t orders = 0;
	struct bed b;

	bed_init(&b, 3, 100);
	for (uint32_t i = 0; i < 9; i++) {
		b.look.worker[i % 2].conns = 90;
		b.look.worker[!(i % 2)].conns = 110;
		orders += decide(&b, (const uint32_t[]){100, 100, 0}, false).count > 0;
	}
	assert_int_equal(orders, 3);
}

static void a_worker_without_a_turn_is_left_out(void **state)
{
	struct balance_order order;
	struct bed b;

	bed_init(&b, 3, 100);
	for (uint32_t i = 0; i < 10; i++) {
		b.look.worker[0].busy_ns += LOOK_NS;
		b.look.worker[1].idle_ns += LOOK_NS;
		order = balance_decide(&b.balance, &b.look, false);
		if (order.count)
			assert_int_equal(order.to, 1);
	}
	assert_int_equal(b.balance.done.to, 1);
	assert_true(b.balance.done.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_saturated_worker_gives_to_an_idle_one),
		cmocka_unit_test(one_look_decides_nothing),
		cmocka_unit_test(nothing_goes_where_both_have_much_to_do_or_neither),
		cmocka_unit_test(the_only_connection_stays),
		cmocka_unit_test(after_an_order_its_effect_is_awaited),
		cmocka_unit_test(an_order_is_bounded_however_many_there_are),
		cmocka_unit_test(what_only_turns_them_around_is_tried_less_and_less),
		cmocka_unit_test(a_heavy_connection_is_not_passed_around_among_many),
		cmocka_unit_test(who_is_relieved_bit_by_bit_does_not_wait_longer),
		cmocka_unit_test(who_asks_gets_an_order_at_once),
		cmocka_unit_test(of_saturated_workers_who_has_more_connections_gives_when_asked),
		cmocka_unit_test(who_asks_of_saturated_workers_keeps_nobody_waiting),
		cmocka_unit_test(which_of_two_saturated_ones_has_more_decides_nothing_by_itself),
		cmocka_unit_test(a_worker_without_a_turn_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
