// SPDX-License-Identifier: BSD-3-Clause
// Sealed bytes: the sum of any part is that of its bytes, and is had without looking at them.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/rand.h"
#include "pkt/seal.h"
#include "seed.h"
#include "wire/checksum.h"

#define BYTES 5000

static uint8_t *random_bytes(struct rng *r, size_t len)
{
	uint8_t *b = malloc(len);

	assert_non_null(b);
	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)rng_next(r);
	return b;
}

static void any_part_sums_as_its_bytes(void **state)
{
	struct seals seals = {0};
	struct rng r;

	rng_seed(&r, test_seed());
	uint8_t *b = random_bytes(&r, BYTES);

	assert_int_equal(seals_add(&seals, b, BYTES), 0);
	for (int round = 0; round < 50000; round++) {
		uint32_t offset = (uint32_t)rng_below(&r, BYTES), sum;
		uint32_t len = (uint32_t)rng_below(&r, BYTES - offset + 1);

		assert_true(seals_sum(&seals, b + offset, len, &sum));
		assert_int_equal(checksum_fold(sum) % 0xffff,
				 checksum_fold(checksum_add(0, b + offset, len)) % 0xffff);
	}
	seals_fini(&seals);
	free(b);
}

static void what_is_not_wholly_sealed_has_no_sum(void **state)
{
	struct seals seals = {0};
	struct rng r;
	uint32_t sum = 7;

	rng_seed(&r, test_seed());
	uint8_t *b = random_bytes(&r, BYTES);

	assert_false(seals_sum(NULL, b, 1, &sum));
	assert_int_equal(seals_add(&seals, b + 100, 1000), 0);
	assert_false(seals_sum(&seals, b + 99, 2, &sum));
	assert_false(seals_sum(&seals, b + 1000, 101, &sum));
	assert_false(seals_sum(&seals, b + 1100, 1, &sum));
	assert_int_equal(sum, 7);
	assert_true(seals_sum(&seals, b + 1000, 100, &sum));
	seals_fini(&seals);
	free(b);
}

static void sealed_bytes_are_not_looked_at(void **state)
{
	struct seals seals = {0};
	struct rng r;
	uint32_t before, after;

	rng_seed(&r, test_seed());
	uint8_t *b = random_bytes(&r, BYTES);

	assert_int_equal(seals_add(&seals, b, BYTES), 0);
	assert_true(seals_sum(&seals, b, BYTES - BYTES % SEAL_BLOCK_BYTES, &before));
	memset(b, 0, BYTES);
	assert_true(seals_sum(&seals, b, BYTES - BYTES % SEAL_BLOCK_BYTES, &after));
	assert_int_equal(before, after);
	seals_fini(&seals);
	free(b);
}

static void seals_run_out_by_name(void **state)
{
	struct seals seals = {0};
	uint8_t bytes[SEALS_MAX + 1] = {0};

	for (int i = 0; i < SEALS_MAX; i++)
		assert_int_equal(seals_add(&seals, bytes + i, 1), 0);
	assert_int_equal(seals_add(&seals, bytes + SEALS_MAX, 1), -ENOSPC);
	seals_fini(&seals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_part_sums_as_its_bytes),
		cmocka_unit_test(what_is_not_wholly_sealed_has_no_sum),
		cmocka_unit_test(sealed_bytes_are_not_looked_at),
		cmocka_unit_test(seals_run_out_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
