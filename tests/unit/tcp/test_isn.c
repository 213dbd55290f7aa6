// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/isn.h"

// RFC 9293 MUST-8: the clock drives it. MUST-9: nobody without the secret can compute it.
// RFC 6528 R1, R2, R3
static void first_numbers_follow_the_clock_and_the_secret(void **state)
{
	struct env a = {.now_ns = NS_PER_S, .secret = "0123456789abcde"};
	struct env b = {.now_ns = NS_PER_S, .secret = "0123456789abcdf"};
	struct flow_key16 k = {{1, 2}}, l = {{1, 3}};
	uint32_t first = isn_of(&a, &k, sizeof(k));

	(void)state;
	assert_int_equal(isn_of(&a, &k, sizeof(k)), first);
	assert_int_not_equal(isn_of(&a, &l, sizeof(l)), first);
	assert_int_not_equal(isn_of(&b, &k, sizeof(k)), first);
	a.now_ns += 1000 * 4096;
	assert_int_equal(isn_of(&a, &k, sizeof(k)), first + 1000);
}

// RFC 7323 R19
static void the_timestamp_clock_ticks_every_millisecond_or_so(void **state)
{
	struct env a = {.now_ns = 0, .secret = "0123456789abcde"};
	uint32_t first;

	(void)state;
	isn_init(&a);
	first = isn_ts_now(&a);
	a.now_ns = 1000u << 20;
	assert_int_equal(isn_ts_now(&a), first + 1000);
}

// All of the secret goes into it. RFC 7323 R21.
static void the_timestamp_clock_begins_at_a_hash(void **state)
{
	struct env first = {.secret = "0123456789abcde"};

	(void)state;
	isn_init(&first);
	for (size_t i = 0; i < sizeof(first.secret); i++) {
		struct env other = first;

		other.secret[i] ^= 1;
		isn_init(&other);
		assert_int_not_equal(isn_ts_now(&other), isn_ts_now(&first));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_numbers_follow_the_clock_and_the_secret),
		cmocka_unit_test(the_timestamp_clock_ticks_every_millisecond_or_so),
		cmocka_unit_test(the_timestamp_clock_begins_at_a_hash),
	};

	return run_peer_tests(tests);
}
