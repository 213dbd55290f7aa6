// SPDX-License-Identifier: BSD-3-Clause
// The flow table by example; its behaviour under random use is in model/model_table.c.
#include "sync/table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static const uint8_t secret[16] = {1, 2, 3, 4};

static struct epoch epoch;

static struct table *create_with(uint32_t capacity, const uint8_t *of)
{
	struct table_config config = {
		.capacity = capacity, .key_bytes = 16, .writers = 1, .epoch = &epoch};

	memcpy(config.secret, of, sizeof(config.secret));
	epoch_init(&epoch);
	assert_int_equal(epoch_join(&epoch), 0);
	epoch_online(&epoch, 0);
	return table_create(&config);
}

static struct table *create(uint32_t capacity)
{
	return create_with(capacity, secret);
}

static struct flow_key16 key_of(uint64_t number)
{
	return (struct flow_key16){{number, number >> 3}};
}

static int insert(struct table *t, uint64_t number, uint32_t *value)
{
	struct flow_key16 key = key_of(number);

	return table16_insert(t, 0, &key, table16_hash(t, &key), value);
}

static bool find(const struct table *t, uint64_t number, uint32_t *value)
{
	struct flow_key16 key = key_of(number);

	return table16_find(t, &key, table16_hash(t, &key), value);
}

static void inserted_key_is_found_until_it_is_removed(void **state)
{
	struct table *t = create(100);
	struct flow_key16 key = key_of(7);
	uint32_t value = 42;

	assert_false(find(t, 7, &value));
	assert_int_equal(insert(t, 7, &value), 0);
	value = 0;
	assert_true(find(t, 7, &value));
	assert_int_equal(value, 42);
	assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), 0);
	assert_false(find(t, 7, &value));
	assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), -ENOENT);
	table_destroy(t);
}

static void second_insert_gives_the_value_that_is_there(void **state)
{
	struct table *t = create(100);
	uint32_t first = 1, second = 2;

	assert_int_equal(insert(t, 7, &first), 0);
	assert_int_equal(insert(t, 7, &second), -EEXIST);
	assert_int_equal(second, 1);
	assert_int_equal(table_count(t), 1);
	table_destroy(t);
}

static void keys_that_differ_in_any_word_are_different(void **state)
{
	struct table *t = create(100);
	struct flow_key16 key = {{1, 2}};
	uint32_t value = 9;

	assert_int_equal(table16_insert(t, 0, &key, table16_hash(t, &key), &value), 0);
	for (int word = 0; word < 2; word++) {
		struct flow_key16 other = key;

		// Looked up under the first key's hash, only the comparison tells them apart.
		other.word[word] ^= UINT64_C(1) << 63;
		assert_false(table16_find(t, &other, table16_hash(t, &key), &value));
	}
	table_destroy(t);
}

static void it_holds_as_many_keys_as_asked_for_and_refuses_when_it_is_full(void **state)
{
	static const uint32_t capacities[] = {1, 2, 3, 4, 5, 28, 1000, 4096, 100000};

	for (size_t i = 0; i < ARRAY_COUNT(capacities); i++) {
		struct table *t = create(capacities[i]);
		uint32_t value;

		uint32_t count = 0;
		struct table_stats stats;

		while (value = count, insert(t, count, &value) == 0)
			count++;
		table_stats(t, &stats);
		assert_in_range(count, capacities[i], stats.slots);
		for (uint32_t k = 0; k < count; k++) {
			assert_true(find(t, k, &value));
			assert_int_equal(value, k);
		}
		table_check(t);
		table_destroy(t);
	}
}

static void a_key_of_capacity_costs_at_most_54_bytes(void **state)
{
	struct table *t = create(1000000);

	assert_non_null(t);
	assert_true(table_bytes(t) <= 54 * 1000000u);
	table_destroy(t);
}

static void a_guess_names_a_key_that_is_there(void **state)
{
	struct table *t = create(100);
	struct flow_key16 key = key_of(7);
	uint64_t hash = table16_hash(t, &key);
	uint32_t value = 42;

	assert_int_equal(table16_guess(t, hash, 0, &value), GUESS_NONE);
	assert_int_equal(insert(t, 7, &value), 0);
	value = 0;
	assert_int_equal(table16_guess(t, hash, 0, &value), GUESS_VALUE);
	assert_int_equal(value, 42);
	assert_int_equal(table16_remove(t, 0, &key, hash, NULL), 0);
	assert_int_equal(table16_guess(t, hash, 0, &value), GUESS_NONE);
	table_destroy(t);
}

// Buckets a lookup of this hash goes through before it knows.
static uint32_t depth(const struct table *t, uint64_t hash)
{
	uint32_t round = 0, value;

	while (table16_guess(t, hash, round, &value) == GUESS_ON_NEXT)
		round++;
	return round + 1;
}

// Nothing moves, so keys that found their bucket full stay away when it has room again.
static void at_capacity_lookups_stay_short_when_every_key_was_replaced_often(void **state)
{
	enum { KEYS = 20000, TURNOVERS = 8, MISSES = 10000 };
	static uint64_t number[KEYS];
	struct table *t = create(KEYS);
	uint64_t next = 0, sum = 0;
	uint32_t most = 0;

	for (; next < KEYS; next++)
		assert_int_equal(insert(t, number[next] = next, &(uint32_t){0}), 0);
	for (; next < (uint64_t)KEYS * (1 + TURNOVERS); next++) {
		uint64_t *old = &number[next * 7919 % KEYS];
		struct flow_key16 key = key_of(*old);

		assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), 0);
		epoch_quiescent(&epoch, 0);
		assert_int_equal(insert(t, *old = next, &(uint32_t){0}), 0);
	}
	table_check(t);
	for (uint32_t i = 0; i < MISSES; i++) {
		struct flow_key16 key = key_of(next + i);
		uint32_t buckets = depth(t, table16_hash(t, &key));

		sum += buckets;
		most = MAX(most, buckets);
	}
	assert_in_range(sum * 10 / MISSES, 10, 30); // tenths: three buckets at most on average
	assert_in_range(most, 2, 40);
	table_destroy(t);
}

// More keys whose first bucket is the same than its counter can count.
static void a_bucket_that_was_passed_too_often_to_count_loses_no_key(void **state)
{
	enum { KEYS = 300 };
	static uint64_t number[KEYS];
	struct table *t = create(KEYS);
	uint64_t buckets = table_bytes(t) / CACHE_LINE_BYTES, candidate = 0;
	uint32_t value;

	for (uint32_t k = 0; k < KEYS; candidate++) {
		struct flow_key16 key = key_of(candidate);

		if ((table16_hash(t, &key) >> 32) * buckets >> 32 == buckets / 2)
			number[k++] = candidate;
	}
	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(insert(t, number[k], &(uint32_t){k}), 0);
	table_check(t);
	for (uint32_t k = 0; k < KEYS; k++) {
		struct flow_key16 key = key_of(number[k]);

		assert_true(find(t, number[k], &value));
		assert_int_equal(value, k);
		assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), 0);
		assert_false(find(t, number[k], &value));
	}
	table_check(t);
	table_destroy(t);
}

// Guesses go by eight bits: of keys that are in their first bucket a few are taken for others.
static void of_a_full_table_nearly_all_keys_are_guessed_in_a_few_rounds(void **state)
{
	enum { KEYS = 10000, ROUNDS = 4 };
	struct table *t = create(KEYS);
	uint32_t right = 0, late = 0;

	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(insert(t, k, &(uint32_t){k}), 0);
	for (uint32_t k = 0; k < KEYS; k++) {
		struct flow_key16 key = key_of(k);
		uint64_t hash = table16_hash(t, &key);
		uint32_t round = 0, value = KEYS;

		table16_prefetch(t, hash);
		while (table16_guess(t, hash, round, &value) == GUESS_ON_NEXT && round < ROUNDS)
			round++;
		right += value == k;
		late += round > 0;
	}
	assert_in_range(right, KEYS * 95 / 100, KEYS);
	assert_in_range(late, 1, KEYS / 3);
	table_destroy(t);
}

static void hash_depends_on_the_secret(void **state)
{
	const uint8_t other[16] = {1, 2, 3, 5};
	struct table *a = create(10), *b = create_with(10, other);
	struct flow_key16 key = key_of(1);

	assert_int_not_equal(table16_hash(a, &key), table16_hash(b, &key));
	table_destroy(a);
	table_destroy(b);
}

// What a removed key leaves is not used again under a thread that may still look at it.
static void a_slot_waits_for_whoever_may_see_it(void **state)
{
	struct table *t = create(1);
	struct table_stats stats;
	struct flow_key16 key = key_of(1);
	int reader = epoch_join(&epoch);

	epoch_online(&epoch, reader);
	assert_int_equal(insert(t, 1, &(uint32_t){1}), 0);
	assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), 0);
	for (int i = 0; i < 3; i++, epoch_quiescent(&epoch, 0))
		table_tend(t, 0);
	table_stats(t, &stats);
	assert_int_equal(stats.dead, 1);
	epoch_leave(&epoch, reader); // or epoch_bury, when it died
	table_tend(t, 0);
	table_stats(t, &stats);
	assert_int_equal(stats.dead, 0);
	table_destroy(t);
}

// Slots that waited are given back by turns; before a key is refused they are looked for.
static void a_full_table_looks_for_slots_before_it_refuses(void **state)
{
	struct table *t = create(1);
	struct flow_key16 key = key_of(1);
	uint32_t count = 1;

	while (insert(t, count, &(uint32_t){count}) == 0)
		count++;
	assert_int_equal(insert(t, count, &(uint32_t){count}), -ENOSPC);
	assert_int_equal(table16_remove(t, 0, &key, table16_hash(t, &key), NULL), 0);
	assert_int_equal(insert(t, count, &(uint32_t){count}), -ENOSPC); // its grace period begins
	epoch_quiescent(&epoch, 0);
	assert_int_equal(insert(t, count, &(uint32_t){count}), 0);
	table_check(t);
	table_destroy(t);
}

static void a_value_is_replaced_only_when_it_is_what_was_seen(void **state)
{
	struct table *t = create(10);
	struct flow_key16 key = key_of(1);
	uint64_t hash = table16_hash(t, &key);
	uint32_t value = 5;

	assert_int_equal(table16_replace(t, &key, hash, 5, 6), -ENOENT);
	assert_int_equal(insert(t, 1, &value), 0);
	assert_int_equal(table16_replace(t, &key, hash, 4, 6), -EAGAIN);
	assert_int_equal(table16_replace(t, &key, hash, 5, TABLE_VALUE_MAX), 0);
	assert_true(find(t, 1, &value));
	assert_int_equal(value, TABLE_VALUE_MAX);
	table_destroy(t);
}

static void see(void *context, const struct flow_key16 *key, uint32_t value)
{
	assert_int_equal(key->word[0], value);
	((uint8_t *)context)[value]++;
}

static void a_walk_shows_every_key_once_in_slices(void **state)
{
	static uint8_t seen[1000];
	struct table *t = create(1000);
	uint64_t at = 0;
	int slices = 1;

	for (uint32_t k = 0; k < 1000; k++)
		assert_int_equal(insert(t, k, &(uint32_t){k}), 0);
	while (!table16_walk(t, &at, 10, see, seen))
		slices++;
	assert_int_equal(at, 0);
	assert_in_range(slices, 84, 87); // 2500 slots, three in each of ten buckets
	for (int k = 0; k < 1000; k++)
		assert_int_equal(seen[k], 1);
	table_destroy(t);
}

static void a_burst_finds_what_single_lookups_find(void **state)
{
	enum { KEYS = 1000 };
	struct table *t = create(KEYS);
	struct flow_key16 keys[TABLE_BURST];
	const struct flow_key16 *burst[TABLE_BURST];
	uint32_t values[TABLE_BURST];

	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(insert(t, k, &(uint32_t){k}), 0);
	for (uint32_t first = 0; first < 2 * KEYS; first += TABLE_BURST) {
		for (uint32_t i = 0; i < TABLE_BURST; i++) {
			keys[i] = key_of(first + i);
			burst[i] = &keys[i];
		}
		uint64_t found = table16_find_burst(t, burst, TABLE_BURST, values);

		for (uint32_t i = 0; i < TABLE_BURST; i++) {
			assert_int_equal(found >> i & 1, first + i < KEYS);
			assert_true(first + i >= KEYS || values[i] == first + i);
		}
	}
	table_destroy(t);
}

static void keys_of_40_bytes_come_and_go_too(void **state)
{
	enum { KEYS = 1000 };
	struct table_config config = {
		.capacity = KEYS, .key_bytes = 40, .load_pct = 90, .writers = 1, .epoch = &epoch};
	uint32_t value;

	epoch_init(&epoch);
	assert_int_equal(epoch_join(&epoch), 0);
	epoch_online(&epoch, 0);
	struct table *t = table_create(&config);

	for (uint64_t k = 0; k < 3 * KEYS; k++) {
		struct flow_key40 key = {{0, k, 0, 7, 6}}, old = {{0, k - KEYS, 0, 7, 6}};

		if (k >= KEYS)
			assert_int_equal(table40_remove(t, 0, &old, table40_hash(t, &old), &value),
					 0);
		epoch_quiescent(&epoch, 0);
		value = (uint32_t)k;
		assert_int_equal(table40_insert(t, 0, &key, table40_hash(t, &key), &value), 0);
		assert_int_equal(table40_insert(t, 0, &key, table40_hash(t, &key), &value),
				 -EEXIST);
		assert_true(table40_find(t, &key, table40_hash(t, &key), &value));
		assert_int_equal(value, k);
	}
	assert_int_equal(table_count(t), KEYS);
	table_check(t);
	table_destroy(t);
}

static void table_without_room_is_refused_by_name(void **state)
{
	err_clear();
	assert_null(create(0));
	assert_int_equal(err_last()->id, ERR_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inserted_key_is_found_until_it_is_removed),
		cmocka_unit_test(second_insert_gives_the_value_that_is_there),
		cmocka_unit_test(keys_that_differ_in_any_word_are_different),
		cmocka_unit_test(it_holds_as_many_keys_as_asked_for_and_refuses_when_it_is_full),
		cmocka_unit_test(a_key_of_capacity_costs_at_most_54_bytes),
		cmocka_unit_test(a_guess_names_a_key_that_is_there),
		cmocka_unit_test(a_slot_waits_for_whoever_may_see_it),
		cmocka_unit_test(a_full_table_looks_for_slots_before_it_refuses),
		cmocka_unit_test(a_value_is_replaced_only_when_it_is_what_was_seen),
		cmocka_unit_test(a_walk_shows_every_key_once_in_slices),
		cmocka_unit_test(a_burst_finds_what_single_lookups_find),
		cmocka_unit_test(keys_of_40_bytes_come_and_go_too),
		cmocka_unit_test(at_capacity_lookups_stay_short_when_every_key_was_replaced_often),
		cmocka_unit_test(a_bucket_that_was_passed_too_often_to_count_loses_no_key),
		cmocka_unit_test(of_a_full_table_nearly_all_keys_are_guessed_in_a_few_rounds),
		cmocka_unit_test(hash_depends_on_the_secret),
		cmocka_unit_test(table_without_room_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
