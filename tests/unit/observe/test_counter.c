// SPDX-License-Identifier: BSD-3-Clause
// The lists of counters, reasons and events are whole, and the conservation law counts every term.
#include "observe/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/trace.h"

static void every_counter_has_a_name_a_kind_a_unit_and_a_sentence(void **state)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_info *info = &counter_infos[i];

		assert_true(!strcmp(info->kind, "counter") || !strcmp(info->kind, "gauge"));
		assert_true(strlen(info->unit) > 0);
		assert_true(strlen(info->sentence) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(info->name, counter_infos[k].name);
	}
}

static void every_drop_reason_has_words(void **state)
{
	for (int i = 1; i < DROP_COUNT; i++) {
		const struct drop_info *info = &drop_infos[i];

		assert_true(strlen(info->sentence) > 0);
		assert_true(strlen(info->cause) > 0);
		assert_true(strlen(info->remedy) > 0);
		assert_non_null(info->source);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(info->name, drop_infos[k].name);
	}
}

static void every_event_has_words(void **state)
{
	for (int i = 1; i < EVENT_COUNT; i++) {
		assert_true(strlen(event_infos[i].name) > 0);
		assert_true(strlen(event_infos[i].sentence) > 0);
		assert_non_null(event_infos[i].a);
		assert_non_null(event_infos[i].b);
	}
}

static void what_came_in_and_went_nowhere_is_unaccounted(void **state)
{
	struct counters c = {0};
	struct env env = {.counters = &c};

	counter_add(&env, COUNTER_rx_pkts, 10);
	counter_add(&env, COUNTER_originated_pkts, 5);
	assert_int_equal(counters_unaccounted(&c), 15);
	counter_add(&env, COUNTER_tx_pkts, 4);
	counter_add(&env, COUNTER_consumed_pkts, 3);
	counter_add(&env, COUNTER_queued_pkts, 6);
	drop_count(&env, DROP_ETH_TRUNCATED);
	assert_int_equal(counters_unaccounted(&c), 1);
	drop_count(&env, DROP_COUNT - 1);
	assert_int_equal(counters_unaccounted(&c), 0);
	counter_sub(&env, COUNTER_queued_pkts, 1);
	assert_int_equal(counters_unaccounted(&c), 1);
	counter_add(&env, COUNTER_tx_pkts, 3);
	assert_int_equal(counters_unaccounted(&c), -2);
}

static void trace_keeps_the_last_records(void **state)
{
	static struct trace t;
	struct env env = {.trace = &t};

	for (uint64_t i = 0; i < TRACE_RECORDS + 10; i++) {
		env.now_ns = i;
		trace_add(&env, EVENT_TCP_STATE, 3, i, 2 * i);
	}
	assert_int_equal(t.written, TRACE_RECORDS + 10);
	assert_int_equal(t.record[9].time_ns, TRACE_RECORDS + 9);
	assert_int_equal(t.record[9].b, 2 * (TRACE_RECORDS + 9));
	assert_int_equal(t.record[10].time_ns, 10);
	assert_int_equal(t.record[10].subject, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_name_a_kind_a_unit_and_a_sentence),
		cmocka_unit_test(every_drop_reason_has_words),
		cmocka_unit_test(every_event_has_words),
		cmocka_unit_test(what_came_in_and_went_nowhere_is_unaccounted),
		cmocka_unit_test(trace_keeps_the_last_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
