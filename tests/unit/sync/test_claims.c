// SPDX-License-Identifier: BSD-3-Clause
// Who has somebody on a port: single steps, then threads that all write one word.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"
#include "sync/claims.h"

static struct claims claims;

static int empty(void **state)
{
	claims = (struct claims){0};
	return 0;
}

static void a_claim_is_of_one_port_and_one_worker(void **state)
{
	claims_take(&claims, 80, 3);
	claims_take(&claims, 80, 63);
	claims_take(&claims, 65535, 0);
	assert_true(claims_of(&claims, 80) == (UINT64_C(1) << 63 | 1u << 3));
	assert_true(claims_of(&claims, 65535) == 1);
	assert_true(claims_of(&claims, 79) == 0);
	assert_true(claims_of(&claims, 81) == 0);
	claims_leave(&claims, 80, 3);
	assert_true(claims_of(&claims, 80) == UINT64_C(1) << 63);
	claims_leave(&claims, 80, 63);
	assert_true(claims_of(&claims, 80) == 0);
}

static void taking_and_leaving_twice_changes_nothing(void **state)
{
	claims_take(&claims, 53, 5);
	claims_take(&claims, 53, 6);
	claims_take(&claims, 53, 5);
	assert_true(claims_of(&claims, 53) == 3u << 5);
	claims_leave(&claims, 53, 5);
	claims_leave(&claims, 53, 5);
	assert_true(claims_of(&claims, 53) == 1u << 6);
	claims_leave(&claims, 53, 7);
	assert_true(claims_of(&claims, 53) == 1u << 6);
}

static void who_is_chosen_has_a_claim_and_is_the_same_for_the_same_hash(void **state)
{
	struct rng rng;

	rng_seed(&rng, 1);
	for (int i = 0; i < 100000; i++) {
		uint64_t mask = rng_next(&rng) & rng_next(&rng);
		uint32_t hash = (uint32_t)rng_next(&rng);

		if (mask == 0)
			continue;
		uint32_t worker = claims_choose(mask, hash);

		assert_true(mask >> worker & 1);
		assert_int_equal(claims_choose(mask, hash), worker);
	}
	assert_int_equal(claims_choose(1, UINT32_MAX), 0);
	assert_int_equal(claims_choose(UINT64_C(1) << 63, 0), 63);
	assert_int_equal(claims_choose(UINT64_MAX, 0), 0);
	assert_int_equal(claims_choose(UINT64_MAX, UINT32_MAX), 63);
}

static void all_with_a_claim_are_chosen_evenly(void **state)
{
	const uint64_t mask = UINT64_C(1) << 60 | 1u << 17 | 1u << 2 | 1;
	uint32_t count[64] = {0};
	struct rng rng;

	rng_seed(&rng, 2);
	for (int i = 0; i < 40000; i++)
		count[claims_choose(mask, (uint32_t)rng_next(&rng))]++;
	for (uint32_t i = 0; i < 64; i++) {
		assert_true(!(mask >> i & 1) || (count[i] > 9500 && count[i] < 10500));
		assert_true(mask >> i & 1 || count[i] == 0);
	}
}

#define THREADS 4
#define ROUNDS 200000

// A worker sees his own bit as he left it, whatever the others do to the word meanwhile.
static void *come_and_go(void *context)
{
	uint32_t worker = (uint32_t)(uintptr_t)context;
	uintptr_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		claims_take(&claims, 7, worker);
		wrong += !(claims_of(&claims, 7) >> worker & 1);
		claims_leave(&claims, 7, worker);
		wrong += claims_of(&claims, 7) >> worker & 1;
	}
	return (void *)wrong;
}

static void workers_who_write_one_word_at_once_keep_their_own_bits(void **state)
{
	pthread_t thread[THREADS];
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, come_and_go, (void *)(i * 21)),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
	assert_true(claims_of(&claims, 7) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_claim_is_of_one_port_and_one_worker, empty),
		cmocka_unit_test_setup(taking_and_leaving_twice_changes_nothing, empty),
		cmocka_unit_test(who_is_chosen_has_a_claim_and_is_the_same_for_the_same_hash),
		cmocka_unit_test(all_with_a_claim_are_chosen_evenly),
		cmocka_unit_test_setup(workers_who_write_one_word_at_once_keep_their_own_bits,
				       empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
