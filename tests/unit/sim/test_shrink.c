// SPDX-License-Identifier: BSD-3-Clause
// Shrinking: what is left still fails the same way, and what has nothing to do with it is gone.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "sim/shrink.h"

static struct plan plan;

// A drawn plan with a dozen applications, whatever its seed brings; 20 seconds without a word of
// the peer's are more than it expects.
static uint64_t failing_plan(struct run_result *result)
{
	for (uint64_t seed = 1; seed < 50; seed++) {
		plan_draw(&plan, seed);
		plan.event[0] = (struct plan_event){.until_ns = 30 * NS_PER_S, .deed = DO_DOWN};
		plan.event_count = 1;
		plan.heal_ns = 60 * NS_PER_S;
		plan.expect.stall_ns_max = 20 * NS_PER_S;
		if (plan.app_count > 12 && !batch_run_one(&plan, seed, NULL, result))
			return seed;
	}
	fail_msg("no seed fails");
	return 0;
}

static void what_has_nothing_to_do_with_it_goes(void **state)
{
	struct run_result result;
	struct shrink s = {.seed = failing_plan(&result), .trials_max = 600};

	assert_string_equal(result.failure, "a connection stalled longer than expect.stall_max");
	s.failure = result.failure;
	shrink_plan(&s, &plan);
	assert_true(s.trials < s.trials_max);
	assert_int_equal(plan.app_count, 1);
	assert_int_equal(plan.app[0].connections, 1);
	assert_int_equal(plan.event_count, 1); // without the outage nothing stalls
	assert_int_equal(plan.event[0].deed, DO_DOWN);
	assert_int_equal(plan.link[0].faults[0].loss_ppm, 0);
	assert_int_equal(plan.link[0].faults[1].duplicate_ppm, 0);
	assert_int_equal(plan.stall_ppm + plan.fail_ppm + plan.move_ppm, 0);
	assert_int_equal(plan.host[0].workers, 1);
	assert_false(batch_run_one(&plan, s.seed, NULL, &result));
	assert_string_equal(result.failure, s.failure);
}

static void hosts_that_do_nothing_go_with_their_links(void **state)
{
	struct run_result result;
	struct shrink s = {.seed = 1, .trials_max = 600};

	plan_init(&plan);
	plan.host_count = plan.link_count = 5;
	plan.switch_count = 1;
	strcpy(plan.switches[0], "s");
	for (uint32_t i = 0; i < 5; i++) {
		plan.host[i] = (struct plan_host){.name = {(char)('a' + i)}, .workers = 1};
		plan_link_init(&plan.link[i]);
		plan.link[i].end[0] = i;
		plan.link[i].end[1] = WORLD_SWITCH;
	}
	plan_app_init(&plan.app[0], APP_SHORT);
	plan.app[0].from = 4;
	plan.app[0].to = 2;
	plan.app[0].connections = 9;
	plan.app_count = 1;
	plan.expect.goodput_bits_s_min = UINT64_C(1) << 39;
	assert_false(batch_run_one(&plan, 1, NULL, &result));
	s.failure = result.failure;
	shrink_plan(&s, &plan);
	assert_int_equal(plan.host_count, 2);
	assert_int_equal(plan.link_count, 2);
	assert_string_equal(plan.host[plan.app[0].from].name, "e");
	assert_string_equal(plan.host[plan.app[0].to].name, "c");
	assert_int_equal(plan.app[0].connections, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_nothing_to_do_with_it_goes),
		cmocka_unit_test(hosts_that_do_nothing_go_with_their_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
