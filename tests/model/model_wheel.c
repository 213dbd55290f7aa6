// SPDX-License-Identifier: BSD-3-Clause
// The wheel beside a plain array of deadlines: random arming, moving, stopping and running, also
// from inside callbacks. After every step both agree on what is armed and what has fired when.
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../seed.h"
#include "base/bits.h"
#include "base/rand.h"
#include "base/time.h"

#define TIMERS_MAX 200
#define STEPS 20000
#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)

struct world {
	struct wheel *wheel;
	struct rng rng;
	uint64_t now_ns;
	struct timer timer[TIMERS_MAX];
	uint64_t deadline_ns[TIMERS_MAX]; // the model: TIME_NEVER_NS when not armed
	uint32_t armed_in_run[TIMERS_MAX];
	uint32_t timers; // how many take part
	uint32_t run;
};

// Delays of all sizes, so that all levels are used; now and then one in the past.
static uint64_t random_deadline(struct world *w)
{
	uint64_t delay_ns = rng_next(&w->rng) >> (8 + rng_below(&w->rng, 56));

	if (rng_below(&w->rng, 20) == 0)
		return w->now_ns - MIN(w->now_ns, delay_ns);
	return w->now_ns + delay_ns;
}

static void arm(struct world *w, uint32_t i)
{
	w->deadline_ns[i] = random_deadline(w);
	w->armed_in_run[i] = w->run;
	wheel_arm(w->wheel, &w->timer[i], w->deadline_ns[i]);
}

static void stop(struct world *w, uint32_t i)
{
	w->deadline_ns[i] = TIME_NEVER_NS;
	wheel_stop(w->wheel, &w->timer[i]);
}

static void fired(void *context, struct timer *timer, uint64_t now_ns)
{
	struct world *w = context;
	uint32_t i = (uint32_t)(timer - w->timer);

	assert_true(w->deadline_ns[i] != TIME_NEVER_NS);
	assert_true(w->deadline_ns[i] <= now_ns);
	assert_int_equal(now_ns, w->now_ns);
	assert_false(timer_armed(timer));
	w->deadline_ns[i] = TIME_NEVER_NS;
	if (rng_below(&w->rng, 4) == 0)
		arm(w, (uint32_t)rng_below(&w->rng, w->timers));
	if (rng_below(&w->rng, 4) == 0)
		stop(w, (uint32_t)rng_below(&w->rng, w->timers));
}

static uint64_t first_deadline(const struct world *w)
{
	uint64_t first_ns = TIME_NEVER_NS;

	for (uint32_t i = 0; i < w->timers; i++)
		first_ns = MIN(first_ns, w->deadline_ns[i]);
	return first_ns;
}

// Time goes by in steps of all sizes, often exactly to a deadline's edge.
static uint64_t next_time(struct world *w)
{
	uint64_t first_ns = first_deadline(w);
	uint64_t to_ns;

	switch (rng_below(&w->rng, 4)) {
	case 0:
		to_ns = first_ns == TIME_NEVER_NS ? w->now_ns : first_ns - (first_ns > 0);
		break;
	case 1:
		to_ns = wheel_next_ns(w->wheel);
		break;
	case 2:
		to_ns = w->now_ns + rng_below(&w->rng, 4 * TICK_NS);
		break;
	default:
		to_ns = w->now_ns + (rng_next(&w->rng) >> (16 + rng_below(&w->rng, 48)));
	}
	return to_ns == TIME_NEVER_NS ? w->now_ns : MAX(w->now_ns, to_ns);
}

static void check(const struct world *w)
{
	uint64_t armed = 0;

	for (uint32_t i = 0; i < w->timers; i++) {
		bool model = w->deadline_ns[i] != TIME_NEVER_NS;

		assert_int_equal(timer_armed(&w->timer[i]), model);
		armed += model;
	}
	assert_int_equal(wheel_count(w->wheel), armed);
	uint64_t first_ns = first_deadline(w);

	if (first_ns != TIME_NEVER_NS)
		assert_true(wheel_next_ns(w->wheel) < first_ns + TICK_NS);
	wheel_check(w->wheel);
}

static void run(struct world *w)
{
	uint32_t max_fired = rng_below(&w->rng, 3) ? 1000000 : (uint32_t)rng_below(&w->rng, 10);

	w->run++;
	w->now_ns = next_time(w);
	if (wheel_run(w->wheel, w->now_ns, max_fired) == max_fired)
		return;
	// All whole ticks are served; a past deadline armed by a callback waits for the next run.
	for (uint32_t i = 0; i < w->timers; i++) {
		bool due = w->deadline_ns[i] <= w->now_ns >> WHEEL_TICK_SHIFT << WHEEL_TICK_SHIFT;

		assert_false(due && w->armed_in_run[i] != w->run);
	}
}

static void walk_with(uint32_t timers, uint64_t seed, uint64_t start_ns)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	rng_seed(&w->rng, seed);
	w->timers = timers;
	w->now_ns = start_ns;
	w->wheel = wheel_create(start_ns);
	wheel_set_kind(w->wheel, TIMER_TCP, fired, w);
	for (uint32_t i = 0; i < w->timers; i++) {
		w->timer[i].kind = TIMER_TCP;
		w->deadline_ns[i] = TIME_NEVER_NS;
	}
	for (int step = 0; step < STEPS; step++) {
		uint32_t i = (uint32_t)rng_below(&w->rng, w->timers);

		switch (rng_below(&w->rng, 8)) {
		case 0:
			stop(w, i);
			break;
		case 1:
		case 2:
			run(w);
			break;
		default:
			arm(w, i);
		}
		check(w);
	}
	wheel_destroy(w->wheel);
	free(w);
}

// A crowd keeps most slots in use, a few leave gaps all round the wheel.
static void walk(uint64_t seed, uint64_t start_ns)
{
	walk_with(TIMERS_MAX, seed, start_ns);
	walk_with(12, seed, start_ns);
	walk_with(2, seed, start_ns);
}

static void wheel_agrees_with_a_list_from_zero(void **state)
{
	walk(test_seed(), 0);
}

static void wheel_agrees_with_a_list_around_half_of_all_time(void **state)
{
	walk(test_seed(), (UINT64_C(1) << 63) - NS_PER_S);
}

static void wheel_agrees_with_a_list_from_an_odd_moment(void **state)
{
	walk(test_seed(), 1234567890123456789);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_agrees_with_a_list_from_zero),
		cmocka_unit_test(wheel_agrees_with_a_list_around_half_of_all_time),
		cmocka_unit_test(wheel_agrees_with_a_list_from_an_odd_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
