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

// RFC 7323 R19; RFC 6191 R7: it knows of no connection.
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

// RFC 6056 R1, R4: which port comes first is known to who has the secret, and another for each
// destination and each address of ours.
static void the_search_for_a_port_begins_at_a_hash(void **state)
{
	struct env a = {.secret = "0123456789abcde"}, b = {.secret = "0123456789abcdf"};
	struct addr here = addr_from_v4_octets(198, 18, 0, 2),
		    there = addr_from_v4_octets(198, 18, 0, 1);
	uint32_t first = isn_port_offset(&a, &here, &there, 80);

	(void)state;
	assert_int_equal(isn_port_offset(&a, &here, &there, 80), first);
	assert_int_not_equal(isn_port_offset(&b, &here, &there, 80), first);
	assert_int_not_equal(isn_port_offset(&a, &here, &there, 81), first);
	assert_int_not_equal(isn_port_offset(&a, &there, &there, 80), first);
	assert_int_not_equal(isn_port_offset(&a, &here, &here, 80), first);
	assert_int_equal(PORT_EPHEMERAL_MIN + PORT_EPHEMERAL_COUNT, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_numbers_follow_the_clock_and_the_secret),
		cmocka_unit_test(the_timestamp_clock_ticks_every_millisecond_or_so),
		cmocka_unit_test(the_timestamp_clock_begins_at_a_hash),
		cmocka_unit_test(the_search_for_a_port_begins_at_a_hash),
	};

	return run_peer_tests(tests);
}
