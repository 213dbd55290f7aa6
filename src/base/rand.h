// SPDX-License-Identifier: BSD-3-Clause
// Random numbers from a seed: xoshiro256** (Blackman and Vigna, 2018). Fast and replayable, not
// for secrets; secrets are 16 bytes handed in at start.
#pragma once

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

// Expands the seed with splitmix64, so that any seed (zero too) is a good one.
void rng_seed(struct rng *r, uint64_t seed);

static inline uint64_t rng_rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t result = rng_rotate(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rng_rotate(r->s[3], 45);
	return result;
}

// Uniform in [0, bound) up to a bias of bound / 2^64 (Lemire's multiply); bound 0 gives 0.
static inline uint64_t rng_below(struct rng *r, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)rng_next(r) * bound) >> 64);
}

// True with the given probability in parts per million.
static inline int rng_chance_ppm(struct rng *r, uint32_t ppm)
{
	return rng_below(r, 1000000) < ppm;
}
