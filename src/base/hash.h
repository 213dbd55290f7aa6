// SPDX-License-Identifier: BSD-3-Clause
// Keyed hashes. hash_siphash (SipHash-2-4, Aumasson and Bernstein 2012) where an attacker chooses
// the input and a guess must not pay; hash_flow for connection lookups, keyed too, several times
// faster.
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t hash_siphash(const uint8_t key[16], const void *bytes, size_t len);

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

// Two words (a flow key: addresses, ports) under a 128-bit key, by folded 64x64->128
// multiplications (the construction of wyhash, Wang Yi).
static inline uint64_t hash_flow(const uint64_t key[2], const uint64_t w[2])
{
	uint64_t h = hash_fold(w[0] ^ key[0], w[1] ^ key[1]);

	return hash_fold(h ^ key[0] ^ 0xa0761d6478bd642fu, w[1] ^ key[1] ^ 0x9e3779b97f4a7c15u);
}
