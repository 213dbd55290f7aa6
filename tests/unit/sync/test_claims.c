// SPDX-License-Identifier: BSD-3-Clause
// Who has somebody on a port: single steps, then threads that all write one word.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rand.h"
#include "sync/claims.h"

#define ADDRESSES 3
#define ANY CLAIMS_ANY

static struct claims *claims;

static int make(void **state)
{
	claims = claims_create("claims of a test", ADDRESSES);
	return claims ? 0 : -1;
}

static int unmake(void **state)
{
	claims_destroy(claims);
	return 0;
}

static void a_claim_is_of_one_port_and_one_worker(void **state)
{
	claims_take(claims, 80, ANY, 3);
	claims_take(claims, 80, ANY, 63);
	claims_take(claims, 65535, ANY, 0);
	assert_true(claims_of(claims, 80, ANY) == (UINT64_C(1) << 63 | 1u << 3));
	assert_true(claims_of(claims, 65535, ANY) == 1);
	assert_true(claims_of(claims, 79, ANY) == 0);
	assert_true(claims_of(claims, 81, ANY) == 0);
	claims_leave(claims, 80, ANY, 3);
	assert_true(claims_of(claims, 80, ANY) == UINT64_C(1) << 63);
	claims_leave(claims, 80, ANY, 63);
	assert_true(claims_of(claims, 80, ANY) == 0);
}

static void taking_and_leaving_twice_changes_nothing(void **state)
{
	claims_take(claims, 53, ANY, 5);
	claims_take(claims, 53, ANY, 6);
	claims_take(claims, 53, ANY, 5);
	assert_true(claims_of(claims, 53, ANY) == 3u << 5);
	claims_leave(claims, 53, ANY, 5);
	claims_leave(claims, 53, ANY, 5);
	assert_true(claims_of(claims, 53, ANY) == 1u << 6);
	claims_leave(claims, 53, ANY, 7);
	assert_true(claims_of(claims, 53, ANY) == 1u << 6);
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

static void a_claim_to_an_address_goes_before_one_to_any(void **state)
{
	claims_take(claims, 80, ANY, 1);
	claims_take(claims, 80, 2, 4);
	assert_true(claims_for(claims, 80, ANY) == 1u << 1);
	assert_true(claims_for(claims, 80, 1) == 1u << 1);
	assert_true(claims_for(claims, 80, 2) == 1u << 4);
	assert_true(claims_for(claims, 80, ADDRESSES) == 1u << 1);
	assert_true(claims_on(claims, 80) == (1u << 1 | 1u << 4));
	claims_leave(claims, 80, 2, 4);
	assert_true(claims_for(claims, 80, 2) == 1u << 1);
}

static void the_last_address_of_the_last_port_has_a_word_of_its_own(void **state)
{
	claims_take(claims, 65535, ADDRESSES, 63);
	claims_take(claims, 65534, ADDRESSES, 62);
	for (uint32_t place = ANY; place <= ADDRESSES; place++)
		for (uint32_t port = 0; port < CLAIMS_PORTS; port++)
			assert_true(!claims_of(claims, (uint16_t)port, place) ==
				    !(port >= 65534 && place == ADDRESSES));
	assert_true(claims_on(claims, 65535) == UINT64_C(1) << 63);
}

// What lies behind the last place is the next port's.
static void a_place_that_there_is_not_is_a_bug_that_is_seen(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGABRT, SIG_DFL); // cmocka's handler is not what is tested
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		(void)claims_of(claims, 7, ADDRESSES + 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_name_is_of_one_address_and_port_and_freed_with_the_last(void **state)
{
	uint64_t one = claims_name(UINT64_C(0x123456789abcdef0), 53);
	uint64_t other = claims_name(UINT64_C(0x123456789abcdef0), 54);

	assert_true(claims_take_name(claims, one, 3));
	assert_true(claims_take_name(claims, one, 63));
	assert_false(claims_take_name(claims, one, 3)); // or it would be worker 4's too
	assert_true(claims_take_name(claims, other, 5));
	assert_true(claims_of_name(claims, one) == (UINT64_C(1) << 63 | 1u << 3));
	assert_true(claims_of_name(claims, other) == 1u << 5);
	assert_true(claims_of_name(claims, claims_name(0, 53)) == 0);
	claims_take(claims, 53, ANY, 1);
	assert_true(claims_on(claims, 53) == (UINT64_C(1) << 63 | 1u << 3 | 1u << 1));
	claims_leave_name(claims, one, 3);
	claims_leave_name(claims, one, 3);
	assert_true(claims_of_name(claims, one) == UINT64_C(1) << 63);
	claims_leave_name(claims, one, 63);
	assert_true(claims_on(claims, 53) == 1u << 1);
	claims_leave_name(claims, other, 5);
	for (uint32_t i = 0; i < CLAIMS_NAMES; i++)
		assert_true(claims->name[i] == 0 && claims->taken_by[i] == 0);
}

// The names on a port that begin in one place, in turn.
static uint64_t name_in_row(uint16_t port, uint32_t turn)
{
	uint64_t hash = 0;

	for (uint32_t found = 0;; hash += UINT64_C(1) << 24)
		if (claims_row(claims_name(hash, port)) == 7 && found++ == turn)
			return claims_name(hash, port);
}

static void names_that_begin_in_one_place_are_told_apart_until_the_row_is_full(void **state)
{
	uint64_t name[CLAIMS_ROW + 1];

	for (uint32_t i = 0; i <= CLAIMS_ROW; i++) {
		name[i] = name_in_row(53, i);
		assert_int_equal(claims_take_name(claims, name[i], i), i < CLAIMS_ROW);
	}
	claims_leave_name(claims, name[2], 2);
	assert_true(claims_take_name(claims, name[CLAIMS_ROW], 8));
	for (uint32_t i = 0; i <= CLAIMS_ROW; i++)
		assert_true(claims_of_name(claims, name[i]) == (i == 2 ? 0 : UINT64_C(1) << i));
}

#define THREADS 4
#define ROUNDS 200000

// A worker sees his own bit as he left it, whatever the others do to the word meanwhile.
static void *come_and_go(void *context)
{
	uint32_t worker = (uint32_t)(uintptr_t)context;
	uintptr_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		claims_take(claims, 7, ANY, worker);
		wrong += !(claims_of(claims, 7, ANY) >> worker & 1);
		claims_leave(claims, 7, ANY, worker);
		wrong += claims_of(claims, 7, ANY) >> worker & 1;
	}
	return (void *)wrong;
}

// All of one name, each of one of his own beside it; three rows meet in the same places.
static void *come_and_go_by_name(void *context)
{
	uint32_t worker = (uint32_t)(uintptr_t)context;
	uint64_t ours = name_in_row(7, 0), own = name_in_row(7, worker + 1);
	uintptr_t wrong = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		wrong += !claims_take_name(claims, ours, worker);
		wrong += !claims_take_name(claims, own, worker);
		wrong += !(claims_of_name(claims, ours) >> worker & 1);
		wrong += claims_of_name(claims, own) != UINT64_C(1) << worker;
		claims_leave_name(claims, ours, worker);
		wrong += claims_of_name(claims, ours) >> worker & 1;
		claims_leave_name(claims, own, worker);
	}
	return (void *)wrong;
}

static void workers_who_come_and_go_by_name_leave_nothing(void **state)
{
	pthread_t thread[THREADS];
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, come_and_go_by_name, (void *)(i * 21)), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
	for (uint32_t i = 0; i < CLAIMS_NAMES; i++)
		assert_true(claims->name[i] == 0 && claims->taken_by[i] == 0);
	assert_int_equal(claims->names_in, 0);
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
	assert_true(claims_of(claims, 7, ANY) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_claim_is_of_one_port_and_one_worker, make,
						unmake),
		cmocka_unit_test_setup_teardown(taking_and_leaving_twice_changes_nothing, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_claim_to_an_address_goes_before_one_to_any, make,
						unmake),
		cmocka_unit_test_setup_teardown(
			the_last_address_of_the_last_port_has_a_word_of_its_own, make, unmake),
		cmocka_unit_test_setup_teardown(a_place_that_there_is_not_is_a_bug_that_is_seen,
						make, unmake),
		cmocka_unit_test(who_is_chosen_has_a_claim_and_is_the_same_for_the_same_hash),
		cmocka_unit_test(all_with_a_claim_are_chosen_evenly),
		cmocka_unit_test_setup_teardown(
			a_name_is_of_one_address_and_port_and_freed_with_the_last, make, unmake),
		cmocka_unit_test_setup_teardown(
			names_that_begin_in_one_place_are_told_apart_until_the_row_is_full, make,
			unmake),
		cmocka_unit_test_setup_teardown(workers_who_come_and_go_by_name_leave_nothing, make,
						unmake),
		cmocka_unit_test_setup_teardown(
			workers_who_write_one_word_at_once_keep_their_own_bits, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
