// SPDX-License-Identifier: BSD-3-Clause
// The wheel by example: never early, at most a tick late, stopping and moving from callbacks.
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/time.h"

#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)

struct shot {
	struct timer timer;
	struct wheel *wheel;
	struct timer *stops; // stopped by the callback
	uint64_t again_ns;   // armed anew for this time by the callback
	uint64_t fired_ns;
	uint32_t fired_count;
};

static void shoot(void *context, struct timer *timer, uint64_t now_ns)
{
	struct shot *s = CONTAINER_OF(timer, struct shot, timer);

	assert_ptr_equal(context, s->wheel);
	assert_false(timer_armed(timer));
	assert_true(now_ns >= timer->deadline_ns);
	s->fired_ns = now_ns;
	s->fired_count++;
	if (s->stops)
		wheel_stop(s->wheel, s->stops);
	if (s->again_ns)
		wheel_arm(s->wheel, timer, s->again_ns);
}

static struct wheel *wheel_at(uint64_t now_ns)
{
	struct wheel *w = wheel_create(now_ns);

	assert_non_null(w);
	wheel_set_kind(w, TIMER_APP, shoot, w);
	return w;
}

static struct shot shot_of(struct wheel *w)
{
	return (struct shot){.timer = {.kind = TIMER_APP}, .wheel = w};
}

static void timer_fires_at_the_first_tick_not_before_its_deadline(void **state)
{
	static const uint64_t starts_ns[] = {0, 12345, UINT64_C(1) << 62, (UINT64_C(1) << 63) - 3,
					     (UINT64_C(1) << 63) + TICK_NS};
	static const uint64_t delays_ns[] = {1,
					     TICK_NS - 1,
					     TICK_NS,
					     TICK_NS + 1,
					     63 * TICK_NS,
					     64 * TICK_NS,
					     65 * TICK_NS,
					     NS_PER_MS,
					     200 * NS_PER_MS,
					     60 * NS_PER_S,
					     7200 * NS_PER_S,
					     86400 * 365 * NS_PER_S};

	for (size_t i = 0; i < ARRAY_COUNT(starts_ns) * ARRAY_COUNT(delays_ns); i++) {
		uint64_t start_ns = starts_ns[i / ARRAY_COUNT(delays_ns)];
		uint64_t deadline_ns = start_ns + delays_ns[i % ARRAY_COUNT(delays_ns)];
		struct wheel *w = wheel_at(start_ns);
		struct shot s = shot_of(w);

		wheel_arm(w, &s.timer, deadline_ns);
		assert_true(timer_armed(&s.timer));
		assert_int_equal(wheel_run(w, deadline_ns - 1, 10), 0);
		assert_int_equal(wheel_run(w, deadline_ns + TICK_NS - 1, 10), 1);
		assert_int_equal(s.fired_ns, deadline_ns + TICK_NS - 1);
		assert_int_equal(wheel_count(w), 0);
		assert_int_equal(wheel_next_ns(w), TIME_NEVER_NS);
		wheel_destroy(w);
	}
}

static void past_deadline_fires_at_the_next_run_even_without_time_passing(void **state)
{
	struct wheel *w = wheel_at(NS_PER_S);
	struct shot s = shot_of(w);

	wheel_arm(w, &s.timer, 5);
	assert_int_equal(wheel_next_ns(w), 0);
	assert_int_equal(wheel_run(w, NS_PER_S, 10), 1);
	assert_int_equal(s.fired_count, 1);
	wheel_destroy(w);
}

static void callback_that_arms_in_the_past_does_not_hold_the_run(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot s = shot_of(w);

	s.again_ns = 1;
	wheel_arm(w, &s.timer, 1);
	assert_int_equal(wheel_run(w, NS_PER_S, 100), 1);
	assert_int_equal(wheel_run(w, NS_PER_S, 100), 1);
	assert_true(timer_armed(&s.timer));
	wheel_destroy(w);
}

static void stopped_timer_does_not_fire_and_may_be_stopped_again(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot s = shot_of(w);

	wheel_stop(w, &s.timer);
	wheel_arm(w, &s.timer, NS_PER_MS);
	wheel_stop(w, &s.timer);
	wheel_stop(w, &s.timer);
	assert_false(timer_armed(&s.timer));
	assert_int_equal(wheel_count(w), 0);
	assert_int_equal(wheel_next_ns(w) == TIME_NEVER_NS ? 0 : wheel_run(w, NS_PER_S, 10), 0);
	assert_int_equal(s.fired_count, 0);
	wheel_destroy(w);
}

static void arming_again_moves_the_timer(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot s = shot_of(w);

	wheel_arm(w, &s.timer, NS_PER_MS);
	wheel_arm(w, &s.timer, NS_PER_S);
	assert_int_equal(wheel_count(w), 1);
	assert_int_equal(wheel_run(w, NS_PER_S - 1, 10), 0);
	wheel_arm(w, &s.timer, NS_PER_S + NS_PER_MS);
	wheel_arm(w, &s.timer, NS_PER_S + 1);
	assert_int_equal(wheel_run(w, NS_PER_S + TICK_NS, 10), 1);
	wheel_destroy(w);
}

static void callback_may_stop_a_timer_of_the_same_tick(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot a = shot_of(w), b = shot_of(w);

	a.stops = &b.timer;
	b.stops = &a.timer;
	wheel_arm(w, &a.timer, NS_PER_MS);
	wheel_arm(w, &b.timer, NS_PER_MS);
	assert_int_equal(wheel_run(w, NS_PER_S, 10), 1);
	assert_int_equal(a.fired_count + b.fired_count, 1);
	assert_int_equal(wheel_count(w), 0);
	wheel_destroy(w);
}

static void what_exceeds_the_limit_fires_in_the_next_runs(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot s[100];

	for (int i = 0; i < 100; i++) {
		s[i] = shot_of(w);
		wheel_arm(w, &s[i].timer, NS_PER_MS + (uint64_t)(i / 50) * NS_PER_MS);
	}
	assert_int_equal(wheel_run(w, NS_PER_S, 0), 0);
	assert_int_equal(wheel_run(w, NS_PER_S, 30), 30);
	assert_int_equal(wheel_next_ns(w), 0);
	wheel_stop(w, &s[0].timer); // perhaps fired, perhaps waiting
	uint32_t left = (uint32_t)wheel_count(w);

	assert_int_equal(wheel_run(w, NS_PER_S, 1000), left);
	assert_int_equal(wheel_count(w), 0);
	wheel_destroy(w);
}

static void time_that_goes_back_fires_nothing(void **state)
{
	struct wheel *w = wheel_at(NS_PER_S);
	struct shot s = shot_of(w);

	wheel_arm(w, &s.timer, NS_PER_S + NS_PER_MS);
	assert_int_equal(wheel_run(w, 0, 10), 0);
	assert_int_equal(wheel_run(w, NS_PER_S, 10), 0);
	assert_int_equal(wheel_run(w, NS_PER_S + 2 * NS_PER_MS, 10), 1);
	wheel_destroy(w);
}

static void jumping_to_next_ns_reaches_every_deadline(void **state)
{
	struct wheel *w = wheel_at(777);
	struct shot s = shot_of(w);
	uint64_t now_ns = 777;
	int jumps = 0;

	wheel_arm(w, &s.timer, 777 + 3600 * NS_PER_S);
	for (; s.fired_count == 0; jumps++) {
		uint64_t next_ns = wheel_next_ns(w);

		assert_true(next_ns > now_ns);
		assert_true(next_ns < s.timer.deadline_ns + TICK_NS);
		now_ns = next_ns;
		wheel_run(w, now_ns, 10);
	}
	assert_in_range(jumps, 1, 20);
	wheel_destroy(w);
}

static void timer_for_never_does_not_fire(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot s = shot_of(w);

	wheel_arm(w, &s.timer, TIME_NEVER_NS);
	while (wheel_next_ns(w) != TIME_NEVER_NS)
		assert_int_equal(wheel_run(w, wheel_next_ns(w), 10), 0);
	assert_int_equal(wheel_run(w, TIME_NEVER_NS, 10), 0);
	assert_true(timer_armed(&s.timer));
	wheel_destroy(w);
}

// Each tick may move a bounded number of timers, so none may be found unmoved when its slot begins.
static void a_level_that_is_empty_hides_none_of_the_others(void **state)
{
	struct wheel *w = wheel_at(0);
	struct shot far = {.wheel = w}, farther = {.wheel = w};

	(void)state;
	far.timer.kind = farther.timer.kind = TIMER_APP;
	wheel_arm(w, &far.timer, 10 * NS_PER_S);
	wheel_arm(w, &farther.timer, 3600 * NS_PER_S);
	wheel_check(w);
	wheel_stop(w, &far.timer);
	wheel_run(w, NS_PER_MS, UINT32_MAX);
	wheel_check(w);
	wheel_stop(w, &farther.timer);
	wheel_run(w, 2 * NS_PER_MS, UINT32_MAX);
	wheel_check(w);
	wheel_destroy(w);
}

static void crowd_in_one_slot_fires_in_time_tick_by_tick(void **state)
{
	enum { CROWD = 20000 };
	struct wheel *w = wheel_at(0);
	struct shot *crowd = calloc(CROWD, sizeof(*crowd));
	uint64_t base_ns = 2 * NS_PER_S;
	uint32_t fired = 0;

	assert_non_null(crowd);
	for (uint32_t i = 0; i < CROWD; i++) {
		crowd[i] = shot_of(w);
		wheel_arm(w, &crowd[i].timer, base_ns + i * 1000);
	}
	for (uint64_t now_ns = 0; fired < CROWD; now_ns += TICK_NS)
		fired += wheel_run(w, now_ns, 1000);
	for (uint32_t i = 0; i < CROWD; i++) {
		assert_int_equal(crowd[i].fired_count, 1);
		assert_true(crowd[i].fired_ns - crowd[i].timer.deadline_ns < TICK_NS);
	}
	free(crowd);
	wheel_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_fires_at_the_first_tick_not_before_its_deadline),
		cmocka_unit_test(past_deadline_fires_at_the_next_run_even_without_time_passing),
		cmocka_unit_test(callback_that_arms_in_the_past_does_not_hold_the_run),
		cmocka_unit_test(stopped_timer_does_not_fire_and_may_be_stopped_again),
		cmocka_unit_test(arming_again_moves_the_timer),
		cmocka_unit_test(callback_may_stop_a_timer_of_the_same_tick),
		cmocka_unit_test(what_exceeds_the_limit_fires_in_the_next_runs),
		cmocka_unit_test(time_that_goes_back_fires_nothing),
		cmocka_unit_test(jumping_to_next_ns_reaches_every_deadline),
		cmocka_unit_test(timer_for_never_does_not_fire),
		cmocka_unit_test(a_level_that_is_empty_hides_none_of_the_others),
		cmocka_unit_test(crowd_in_one_slot_fires_in_time_tick_by_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
