// SPDX-License-Identifier: BSD-3-Clause
// Histograms against sorted arrays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"
#include "observe/histogram.h"

static struct histogram h, other;

static void buckets_follow_each_other_without_a_gap(void **state)
{
	for (uint32_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		uint64_t top = histogram_bucket_top(i);

		assert_int_equal(histogram_bucket_of(top), i);
		assert_int_equal(histogram_bucket_of(top + 1), i + 1);
	}
	assert_int_equal(histogram_bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	assert_true(histogram_bucket_top(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
	static uint64_t values[10000];
	struct rng rng;

	histogram_clear(&h);
	rng_seed(&rng, 7);
	for (int i = 0; i < 10000; i++) {
		values[i] = rng_next(&rng) >> (1 + rng_below(&rng, 60));
		histogram_add(&h, values[i]);
	}
	qsort(values, 10000, sizeof(values[0]), compare);
	for (int i = 1; i < 10000; i++) {
		uint64_t exact = values[i - 1], got = histogram_quantile(&h, (i - 0.5) / 10000);

		assert_true(got >= exact && got - exact <= exact / 128 + 1);
	}
	assert_true(histogram_quantile(&h, 1) == values[9999]);
	assert_true(histogram_min(&h) == values[0]);
}

static void an_empty_one_says_zero(void **state)
{
	histogram_clear(&h);
	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	assert_int_equal(histogram_quantile(&h, 1), 0);
	assert_int_equal(histogram_min(&h), 0);
}

static void merged_is_as_if_added_to_one(void **state)
{
	histogram_clear(&h);
	histogram_clear(&other);
	histogram_add(&h, 10);
	histogram_add(&other, 5);
	histogram_add(&other, 1000);
	histogram_merge(&h, &other);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.sum, 1015);
	assert_int_equal(histogram_min(&h), 5);
	assert_int_equal(histogram_quantile(&h, 0.5), 10);
	assert_int_equal(histogram_quantile(&h, 1), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_follow_each_other_without_a_gap),
		cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
		cmocka_unit_test(an_empty_one_says_zero),
		cmocka_unit_test(merged_is_as_if_added_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
