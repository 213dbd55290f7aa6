// SPDX-License-Identifier: BSD-3-Clause
// The generator: published outputs, replay, bounds.
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// xoshiro256** from state {1, 2, 3, 4}; first outputs by hand from the published algorithm:
// rotl(2 * 5, 7) * 9 = 11520, then s1 = 0 after the first step gives 0, then 1509978240.
static void first_outputs_are_those_of_xoshiro(void **state)
{
	struct rng r = {{1, 2, 3, 4}};

	assert_int_equal(rng_next(&r), 11520);
	assert_int_equal(rng_next(&r), 0);
	assert_int_equal(rng_next(&r), 1509978240);
	assert_int_equal(rng_next(&r), 1215971899390074240);
}

static void seed_is_expanded_by_splitmix64(void **state)
{
	struct rng r;

	rng_seed(&r, 0);
	assert_int_equal(r.s[0], 0xe220a8397b1dcdafu); // splitmix64 from 0, Vigna's first output
	assert_int_equal(r.s[1], 0x6e789e6aa1b965f4u);
}

static void same_seed_replays_and_another_does_not(void **state)
{
	struct rng a, b, c;
	int equal = 0;

	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&c, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_next(&a);

		assert_int_equal(x, rng_next(&b));
		equal += x == rng_next(&c);
	}
	assert_int_equal(equal, 0);
}

static void below_stays_below_and_reaches_every_value(void **state)
{
	uint32_t seen[10] = {0};
	struct rng r;

	rng_seed(&r, 7);
	assert_int_equal(rng_below(&r, 0), 0);
	assert_int_equal(rng_below(&r, 1), 0);
	for (int i = 0; i < 10000; i++) {
		uint64_t x = rng_below(&r, 10);

		assert_true(x < 10);
		seen[x]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 800, 1200);
}

static void chance_is_never_at_zero_and_always_at_a_million(void **state)
{
	struct rng r;
	int hits = 0;

	rng_seed(&r, 7);
	for (int i = 0; i < 100000; i++) {
		assert_false(rng_chance_ppm(&r, 0));
		assert_true(rng_chance_ppm(&r, 1000000));
		hits += rng_chance_ppm(&r, 10000);
	}
	assert_in_range(hits, 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_outputs_are_those_of_xoshiro),
		cmocka_unit_test(seed_is_expanded_by_splitmix64),
		cmocka_unit_test(same_seed_replays_and_another_does_not),
		cmocka_unit_test(below_stays_below_and_reaches_every_value),
		cmocka_unit_test(chance_is_never_at_zero_and_always_at_a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
