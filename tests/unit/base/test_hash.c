// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 against the vectors of its reference implementation; hash_words for what a table
// needs.
// needs.
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/rand.h"

static void siphash_gives_the_reference_vectors(void **state)
{
	// siphash24.c, vectors[]: key 00..0f, input 00..len-1. Length 15 is in the paper's appendix
	// A.
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31u},  {1, 0x74f839c593dc67fdu},  {2, 0x0d6c8009d9a94f5au},
		{3, 0x85676696d7fb7e2du},  {7, 0xab0200f58b01d137u},  {8, 0x93f5f5799a932462u},
		{9, 0x9e0082df0ba9e4b0u},  {15, 0xa129ca6149be45e5u}, {16, 0x3f2acc7f57c29bdbu},
		{63, 0x958a324ceb064572u},
	};
	uint8_t key[16], input[64];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 64; i++)
		input[i] = i;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++)
		assert_int_equal(hash_siphash(key, input, vectors[i].len), vectors[i].hash);
}

static void siphash_reads_unaligned_input(void **state)
{
	const uint8_t key[16] = {1};
	_Alignas(8) uint8_t input[32] = {0};
	uint64_t aligned = hash_siphash(key, input, 24);

	for (int shift = 1; shift < 8; shift++)
		assert_int_equal(hash_siphash(key, input + shift, 24), aligned);
}

// Each input bit flips each output bit in about half of the trials. A folded product is not a
// perfect avalanche (one multiplication follows the last word: the worst pair flips in 41 %); what
// a table needs is that no bit is stuck or follows another.
static void flow_hash_spreads_every_bit(void **state)
{
	enum { TRIALS = 2000 };
	static uint32_t flips[128][64];
	struct rng r;

	rng_seed(&r, 1);
	for (int trial = 0; trial < TRIALS; trial++) {
		struct hash_key key = hash_key_of((uint64_t[2]){rng_next(&r), rng_next(&r)});
		uint64_t w[2] = {rng_next(&r), rng_below(&r, UINT64_C(1) << 32)};
		uint64_t plain = hash_words(&key, w, 2);

		for (int bit = 0; bit < 128; bit++) {
			w[bit / 64] ^= UINT64_C(1) << bit % 64;
			uint64_t changed = plain ^ hash_words(&key, w, 2);

			w[bit / 64] ^= UINT64_C(1) << bit % 64;
			for (int out = 0; out < 64; out++)
				flips[bit][out] += changed >> out & 1;
		}
	}
	for (int bit = 0; bit < 128; bit++) {
		for (int out = 0; out < 64; out++)
			assert_in_range(flips[bit][out], TRIALS * 2 / 5 - 50, TRIALS * 3 / 5 + 50);
	}
}

static void flow_hash_depends_on_both_halves_of_the_key(void **state)
{
	const uint64_t w[2] = {1, 2};
	const struct hash_key key[3] = {hash_key_of((uint64_t[2]){10, 20}),
					hash_key_of((uint64_t[2]){11, 20}),
					hash_key_of((uint64_t[2]){10, 21})};
	uint64_t plain = hash_words(&key[0], w, 2);

	assert_int_not_equal(hash_words(&key[1], w, 2), plain);
	assert_int_not_equal(hash_words(&key[2], w, 2), plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_reference_vectors),
		cmocka_unit_test(siphash_reads_unaligned_input),
		cmocka_unit_test(flow_hash_spreads_every_bit),
		cmocka_unit_test(flow_hash_depends_on_both_halves_of_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
