// SPDX-License-Identifier: BSD-3-Clause
// Keyed hashes. hash_siphash (SipHash-2-4, Aumasson and Bernstein 2012) where an attacker chooses
// the input and a guess must not pay; hash_words for flow lookups, keyed too, several times
// faster.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"

uint64_t hash_siphash(const uint8_t key[16], const void *bytes, size_t len);

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	uint64_t low = (uint64_t)m, high = (uint64_t)(m >> 64);

	__asm__("" : "+r"(low)); // in a register: gcc 12 puts the product on the stack otherwise
	return low ^ high;
}

// A 128-bit key as hash_words takes it, mixed once with what else goes into each multiplication.
struct hash_key {
	uint64_t first[2], next, last;
};

static inline struct hash_key hash_key_of(const uint64_t key[2])
{
	return (struct hash_key){{key[0] ^ 0x2d358dccaa6c78a5u, key[1] ^ 0x8bb84b93962eacc9u},
				 key[1] ^ 0x9e3779b97f4a7c15u,
				 key[0] ^ 0xa0761d6478bd642fu};
}

// Two words or more (a flow key: addresses, ports) under a 128-bit key, by folded 64x64->128
// multiplications (the construction of wyhash, Wang Yi). count is known where it is called.
HOT_INLINE uint64_t hash_words(const struct hash_key *key, const uint64_t *w, uint32_t count)
{
	uint64_t h = hash_fold(w[0] ^ key->first[0], w[1] ^ key->first[1]);

	for (uint32_t i = 2; i + 1 < count; i += 2)
		h = hash_fold(w[i] ^ h ^ key->first[0], w[i + 1] ^ key->next);
	return hash_fold(h ^ key->last, w[count % 2 ? count - 1 : 1] ^ key->next);
}
