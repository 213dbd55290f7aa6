// SPDX-License-Identifier: BSD-3-Clause
// Application timers: they become events once, handles go stale, slots run out by name.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "core/timers.h"

#define SLOTS 4

struct fixture {
	struct env env;
	struct wheel *wheel;
	struct app_timers *timers;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){.env = {.now_ns = NS_PER_S, .worker_index = 3}};
	f.wheel = wheel_create(f.env.now_ns);
	f.timers = app_timers_create(SLOTS, &f.env, f.wheel);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	app_timers_destroy(f->timers);
	wheel_destroy(f->wheel);
	return 0;
}

static int advance(struct fixture *f, uint64_t by_ns, struct prism_event *events, int count)
{
	f->env.now_ns += by_ns;
	wheel_run(f->wheel, f->env.now_ns, 100);
	return app_timers_deliver(f->timers, events, count);
}

static void a_timer_fires_once_and_not_early(void **state)
{
	struct fixture *f = *state;
	struct prism_event e[4];
	prism_timer t;

	assert_int_equal(app_timer_start(f->timers, 5 * NS_PER_MS, 77, &t), 0);
	assert_int_equal(advance(f, 4 * NS_PER_MS, e, 4), 0);
	assert_int_equal(advance(f, 2 * NS_PER_MS, e, 4), 1);
	assert_int_equal(e[0].type, PRISM_EVENT_TIMER);
	assert_int_equal(e[0].user, 77);
	assert_true(e[0].timer.id == t.id);
	assert_int_equal(advance(f, NS_PER_S, e, 4), 0);
}

static void a_stopped_timer_is_silent_and_its_handle_stale(void **state)
{
	struct fixture *f = *state;
	struct prism_event e[4];
	prism_timer t;

	assert_int_equal(app_timer_start(f->timers, NS_PER_MS, 1, &t), 0);
	assert_int_equal(app_timer_stop(f->timers, t), 0);
	assert_int_equal(app_timer_stop(f->timers, t), -ESTALE);
	assert_int_equal(advance(f, NS_PER_S, e, 4), 0);
}

static void a_fired_timer_s_handle_is_stale_even_when_its_slot_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct prism_event e[4];
	prism_timer first, second;

	app_timer_start(f->timers, NS_PER_MS, 1, &first);
	assert_int_equal(advance(f, NS_PER_S, e, 4), 1);
	app_timer_start(f->timers, NS_PER_MS, 2, &second);
	assert_int_equal((uint32_t)first.id, (uint32_t)second.id);
	assert_int_equal(app_timer_stop(f->timers, first), -ESTALE);
	assert_int_equal(advance(f, NS_PER_S, e, 4), 1);
}

static void one_timer_too_many_is_refused_by_name(void **state)
{
	struct fixture *f = *state;
	prism_timer t;

	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(app_timer_start(f->timers, NS_PER_MS, 0, &t), 0);
	assert_int_equal(app_timer_start(f->timers, NS_PER_MS, 0, &t), -ENOSPC);
	assert_int_equal(err_last()->id, ERR_TIMERS_FULL);
}

static void events_that_do_not_fit_come_with_the_next_call(void **state)
{
	struct fixture *f = *state;
	struct prism_event e[4];
	prism_timer t;

	for (int i = 0; i < 3; i++)
		app_timer_start(f->timers, NS_PER_MS, (uint64_t)i, &t);
	assert_int_equal(advance(f, NS_PER_S, e, 2), 2);
	assert_true(app_timers_pending(f->timers));
	assert_int_equal(app_timers_deliver(f->timers, e, 2), 1);
	assert_false(app_timers_pending(f->timers));
}

static void a_handle_out_of_range_is_stale_not_a_crash(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(app_timer_stop(f->timers, (prism_timer){UINT64_MAX}), -ESTALE);
	assert_int_equal(app_timer_stop(f->timers, (prism_timer){0}), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_timer_fires_once_and_not_early),
		T(a_stopped_timer_is_silent_and_its_handle_stale),
		T(a_fired_timer_s_handle_is_stale_even_when_its_slot_is_used_again),
		T(one_timer_too_many_is_refused_by_name),
		T(events_that_do_not_fit_come_with_the_next_call),
		T(a_handle_out_of_range_is_stale_not_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
