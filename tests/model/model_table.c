// SPDX-License-Identifier: BSD-3-Clause
// The flow table beside an array indexed by key number: random find, insert and remove from few
// keys, near full and at capacity.
#include "sync/table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../seed.h"
#include "base/rand.h"

#define KEYS_MAX 4096
#define STEPS 400000
#define ABSENT UINT32_MAX

struct world {
	struct table *table;
	struct rng rng;
	uint32_t keys, capacity, count;
	uint32_t value[KEYS_MAX]; // the model
};

static struct flow_key16 key_of(uint32_t number)
{
	return (struct flow_key16){{number % 7, number}};
}

static void find(struct world *w, uint32_t number)
{
	struct flow_key16 key = key_of(number);
	uint32_t value = 12345;
	bool found = table16_find(w->table, &key, table16_hash(w->table, &key), &value);

	assert_int_equal(found, w->value[number] != ABSENT);
	assert_int_equal(value, found ? w->value[number] : 12345);
}

static void insert(struct world *w, uint32_t number)
{
	struct flow_key16 key = key_of(number);
	uint32_t mine = (uint32_t)rng_below(&w->rng, TABLE_VALUE_MAX), value = mine;
	int result = table16_insert(w->table, 0, &key, table16_hash(w->table, &key), &value);

	if (w->value[number] != ABSENT) {
		assert_int_equal(result, -EEXIST);
		assert_int_equal(value, w->value[number]);
		return;
	}
	assert_int_equal(value, mine);
	if (result == -ENOSPC)
		assert_true(w->count >= w->capacity);
	else
		assert_int_equal(result, 0);
	if (result == 0) {
		w->value[number] = value;
		w->count++;
	}
}

static void take_out(struct world *w, uint32_t number)
{
	struct flow_key16 key = key_of(number);
	int result = table16_remove(w->table, 0, &key, table16_hash(w->table, &key), NULL);

	assert_int_equal(result, w->value[number] == ABSENT ? -ENOENT : 0);
	if (result == 0)
		w->count--;
	w->value[number] = ABSENT;
}

// The table fills and drains in turn: in_pct is how often inserting is chosen over removing.
static void walk(uint32_t capacity, uint32_t keys)
{
	static struct world w;
	static struct epoch epoch;
	struct table_config config = {.capacity = capacity,
				      .key_bytes = 16,
				      .writers = 1,
				      .secret = {1, 2, 3},
				      .epoch = &epoch};

	epoch_init(&epoch);
	assert_int_equal(epoch_join(&epoch), 0);
	epoch_online(&epoch, 0);
	w = (struct world){.keys = keys, .capacity = capacity};
	rng_seed(&w.rng, test_seed());
	w.table = table_create(&config);
	assert_non_null(w.table);
	for (uint32_t i = 0; i < KEYS_MAX; i++)
		w.value[i] = ABSENT;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t in_pct = step / (STEPS / 8) % 2 ? 20 : 80;
		uint32_t number = (uint32_t)rng_below(&w.rng, keys);

		find(&w, (uint32_t)rng_below(&w.rng, keys));
		if (rng_below(&w.rng, 100) < in_pct)
			insert(&w, number);
		else
			take_out(&w, number);
		epoch_quiescent(&epoch, 0);
		assert_int_equal(table_count(w.table), w.count);
		if (step % (STEPS / 64) == 0)
			table_check(w.table);
	}
	for (uint32_t number = 0; number < keys; number++)
		take_out(&w, number);
	table_check(w.table);
	table_destroy(w.table);
}

static void table_agrees_with_an_array_when_it_never_fills(void **state)
{
	walk(KEYS_MAX, KEYS_MAX);
}

static void table_agrees_with_an_array_at_capacity(void **state)
{
	walk(1000, 1100);
}

static void table_agrees_with_an_array_in_one_bucket_and_a_few(void **state)
{
	walk(1, 3);
	walk(10, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_agrees_with_an_array_when_it_never_fills),
		cmocka_unit_test(table_agrees_with_an_array_at_capacity),
		cmocka_unit_test(table_agrees_with_an_array_in_one_bucket_and_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
