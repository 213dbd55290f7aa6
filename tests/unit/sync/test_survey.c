// SPDX-License-Identifier: BSD-3-Clause
// What a survey finds slice by slice is what table_stats finds at once, for both kinds of keys.
#include "sync/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CAPACITY 1000u
#define WHOLE UINT32_C(2000) // buckets, more than there are

static struct epoch epoch;

static struct table *create(uint32_t key_bytes, uint32_t writers)
{
	struct table_config config = {
		.capacity = CAPACITY, .key_bytes = key_bytes, .writers = writers, .epoch = &epoch};

	epoch_init(&epoch);
	epoch_online(&epoch, epoch_join(&epoch));
	return table_create(&config);
}

static void insert(struct table *t, uint32_t key_bytes, uint64_t number)
{
	struct flow_key16 of16 = {{number, number}};
	struct flow_key40 of40 = {{number, 1, 2, 3, number}};
	uint32_t value = 1;

	if (key_bytes == 16)
		assert_int_equal(table16_insert(t, 0, &of16, table16_hash(t, &of16), &value), 0);
	else
		assert_int_equal(table40_insert(t, 0, &of40, table40_hash(t, &of40), &value), 0);
}

static void take(struct table *t, uint32_t key_bytes, uint64_t number)
{
	struct flow_key16 of16 = {{number, number}};
	struct flow_key40 of40 = {{number, 1, 2, 3, number}};

	if (key_bytes == 16)
		assert_int_equal(table16_remove(t, 0, &of16, table16_hash(t, &of16), NULL), 0);
	else
		assert_int_equal(table40_remove(t, 0, &of40, table40_hash(t, &of40), NULL), 0);
}

static void expect_stats(struct table *t, const struct survey_result *r)
{
	struct table_stats stats;
	uint64_t longest = 0;

	table_stats(t, &stats);
	for (uint32_t i = 0; i < TABLE_DEPTHS; i++)
		longest = stats.depth[i] ? i + 1 : longest;
	assert_int_equal(r->keys, stats.keys);
	assert_int_equal(r->slots, stats.slots);
	assert_int_equal(r->waiting, stats.dead);
	assert_int_equal(r->retries, stats.retries);
	if (longest < TABLE_DEPTHS)
		assert_int_equal(r->longest, longest);
	else
		assert_true(r->longest >= longest);
}

static void fill(uint32_t key_bytes, uint32_t writers)
{
	struct table *t = create(key_bytes, writers);
	struct survey survey = {0};
	struct survey_result r;

	assert_non_null(t);
	survey_go_on(&survey, t, WHOLE, &r);
	assert_int_equal(r.keys, 0);
	assert_int_equal(r.longest, 0);
	for (uint64_t i = 0; i < CAPACITY; i++)
		insert(t, key_bytes, i);
	for (uint64_t i = 0; i < 40; i++)
		take(t, key_bytes, i);
	survey_go_on(&survey, t, 1, &r);
	assert_int_equal(r.longest, 0); // not yet known
	survey = (struct survey){0};
	for (uint32_t i = 0; i < WHOLE / 7; i++)
		survey_go_on(&survey, t, 7, &r);
	expect_stats(t, &r);
	assert_true(r.longest > 1 && r.waiting > 0);
	table_destroy(t);
}

static void slices_come_to_what_a_look_at_the_whole_finds(void **state)
{
	(void)state;
	fill(16, 1);
	fill(16, 4);
	fill(40, 1);
	fill(40, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_come_to_what_a_look_at_the_whole_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
