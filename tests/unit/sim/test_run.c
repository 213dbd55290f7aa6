// SPDX-License-Identifier: BSD-3-Clause
// Single runs: the same plan and seed are the same run; faults, events and expectations do what
// they say. Failures run in a process of their own, since what is broken is not torn down.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "sim/batch.h"

static struct plan plan;
static struct run_result result;

static void bulk(uint64_t send_bytes)
{
	plan_init(&plan);
	plan_app_init(&plan.app[0], APP_BULK);
	plan.app[0].side[0].send_bytes = send_bytes;
	plan.app_count = 1;
}

// Three hosts around a switch, the first sends to the second.
static void star(uint64_t send_bytes)
{
	bulk(send_bytes);
	plan.host_count = plan.link_count = 3;
	plan.switch_count = 1;
	strcpy(plan.switches[0], "s");
	for (uint32_t i = 0; i < 3; i++) {
		plan.host[i] = (struct plan_host){.name = {(char)('a' + i)}, .workers = 1};
		plan_link_init(&plan.link[i]);
		plan.link[i].end[0] = i;
		plan.link[i].end[1] = WORLD_SWITCH;
		plan.link[i].name[0] = (char)('a' + i);
	}
}

static void event(uint32_t deed, uint64_t at_ns, uint64_t until_ns)
{
	plan_event_init(&plan.event[plan.event_count]);
	plan.event[plan.event_count].deed = deed;
	plan.event[plan.event_count].at_ns = at_ns;
	plan.event[plan.event_count++].until_ns = until_ns;
}

static void expect_good(void)
{
	if (!batch_run_one(&plan, 7, NULL, &result))
		fail_msg("%s\n%s", result.failure, result.detail);
}

static void expect_failure(const char *what)
{
	assert_false(batch_run_one(&plan, 7, NULL, &result));
	if (!strstr(result.failure, what))
		fail_msg("%s\n%s", result.failure, result.detail);
}

static void same_seed_is_the_same_run_and_another_is_another(void **state)
{
	struct run_result again, other;

	plan_draw(&plan, 4);
	assert_true(batch_run_one(&plan, 4, NULL, &result));
	assert_true(batch_run_one(&plan, 4, NULL, &again));
	assert_true(batch_run_one(&plan, 5, NULL, &other));
	assert_true(result.hash == again.hash);
	assert_true(result.hash != other.hash);
}

static void rate_and_delay_make_the_time_it_takes(void **state)
{
	bulk(1 << 20);
	plan.link[0].faults[0].rate_bits_s = plan.link[0].faults[1].rate_bits_s = 10000000;
	expect_good();
	// A MiB and its headers over 10 Mbit/s: 0.88 s, and a few round trips of 2 ms.
	assert_in_range(result.virtual_ns, 870 * NS_PER_MS, 1000 * NS_PER_MS);
	assert_int_equal(result.received_bytes, 1 << 20);
	assert_int_equal(result.connections, 1);
}

static void hosts_around_a_switch_reach_each_other(void **state)
{
	star(200000);
	plan.app[0].family = FAMILY_BOTH;
	plan.app[0].connections = 4;
	plan.app[1] = plan.app[0];
	plan.app[1].from = 2;
	plan.app[1].to = 0;
	plan.app_count = 2;
	expect_good();
	assert_int_equal(result.received_bytes, 8 * 200000);
}

static void outage_delays_and_is_counted(void **state)
{
	bulk(1 << 20);
	event(DO_DOWN, 10 * NS_PER_MS, 3 * NS_PER_S);
	expect_good();
	assert_in_range(result.virtual_ns, 3 * NS_PER_S, 10 * NS_PER_S);
	assert_true(result.lost > 0);
	assert_in_range(result.stall_ns, 2 * NS_PER_S, 10 * NS_PER_S);
}

static void two_idle_hours_are_no_failure(void **state)
{
	bulk(0);
	plan_app_init(&plan.app[0], APP_IDLE);
	plan.app[0].idle_ns = 7200 * NS_PER_S;
	expect_good();
	assert_in_range(result.virtual_ns, 7200 * NS_PER_S, 7201 * NS_PER_S);
	assert_true(result.steps < 1000);
}

static void one_deaf_direction_is_enough(void **state)
{
	bulk(1 << 20);
	event(DO_ONE_WAY, 0, 2 * NS_PER_S);
	plan.event[0].from = 1; // its answers are lost
	expect_good();
	assert_in_range(result.virtual_ns, 2 * NS_PER_S, 10 * NS_PER_S);
}

static void partition_keeps_apart_whom_it_names_and_nobody_else(void **state)
{
	star(200000);
	event(DO_PARTITION, 0, 4 * NS_PER_S);
	plan.event[0].hosts = 1 << 2;
	expect_good();
	assert_true(result.virtual_ns < NS_PER_S);
	plan.event[0].hosts = 1 << 1;
	expect_good();
	assert_in_range(result.virtual_ns, 4 * NS_PER_S, 20 * NS_PER_S);
}

// RFC 1191, RFC 8201: who is told sends less; who is not sends into a hole.
static void lowered_mtu_is_learned_from_icmp_or_found_out(void **state)
{
	static const uint32_t families[] = {FAMILY_IP4, FAMILY_IP6};

	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		bulk(4 << 20);
		plan.app[0].family = families[i];
		plan.link[0].faults[0].rate_bits_s = 20000000;
		event(DO_MTU, 500 * NS_PER_MS, 0);
		plan.expect.orderly = ORDERLY_YES;
		expect_good();
		assert_true(result.virtual_ns < 5 * NS_PER_S);
		plan.icmp = false;
		plan.expect.stall_ns_max = 5 * NS_PER_S;
		expect_good();
		assert_true(result.virtual_ns < 5 * NS_PER_S);
		plan.options.pmtu_probing_off = 1;
		expect_failure("expect.stall_max");
	}
}

static void expectations_fail_when_they_are_not_met(void **state)
{
	bulk(100000);
	plan.link[0].faults[0].rate_bits_s = 1000000;
	plan.expect.goodput_bits_s_min = 2000000;
	expect_failure("expect.goodput_min");
	plan.expect = (struct plan_expect){.finish_ns_max = 100 * NS_PER_MS};
	expect_failure("expect.finish");
	plan.expect = (struct plan_expect){.retransmits_max = 1};
	plan.link[0].faults[0].loss_ppm = 100000;
	expect_failure("expect.retransmits_max");
	plan.expect = (struct plan_expect){.orderly = ORDERLY_YES};
	plan.link[0].faults[0].down = true;
	expect_failure("did not end in order");
	plan.expect.orderly = ORDERLY_NO;
	expect_good();
}

struct tally {
	uint64_t seeds, failed;
};

static void count(void *context, const struct run_result *r)
{
	struct tally *t = context;

	t->seeds += r->seed;
	t->failed += r->failed;
}

static void failed_run_does_not_cost_the_others(void **state)
{
	struct tally t = {0};
	struct batch batch = {.plan = &plan, .first = 1, .last = 6, .report = count, .context = &t};
	struct batch_totals totals;

	bulk(1000);
	plan.expect.goodput_bits_s_min = UINT64_C(1) << 40;
	assert_int_equal(batch_run(&batch, &totals), 0);
	assert_int_equal(t.seeds, 1 + 2 + 3 + 4 + 5 + 6);
	assert_int_equal(t.failed, 6);
	assert_int_equal(totals.failed, 6);
	assert_int_equal(totals.runs, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_is_the_same_run_and_another_is_another),
		cmocka_unit_test(rate_and_delay_make_the_time_it_takes),
		cmocka_unit_test(hosts_around_a_switch_reach_each_other),
		cmocka_unit_test(outage_delays_and_is_counted),
		cmocka_unit_test(two_idle_hours_are_no_failure),
		cmocka_unit_test(one_deaf_direction_is_enough),
		cmocka_unit_test(partition_keeps_apart_whom_it_names_and_nobody_else),
		cmocka_unit_test(lowered_mtu_is_learned_from_icmp_or_found_out),
		cmocka_unit_test(expectations_fail_when_they_are_not_met),
		cmocka_unit_test(failed_run_does_not_cost_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
