// SPDX-License-Identifier: BSD-3-Clause
// Seeding of the generator in rand.h: four outputs of splitmix64 (Vigna, 2015), as its authors
// recommend, so that near-by seeds give unrelated streams and the all-zero state cannot occur.
// Called once for each worker and test.
#include "base/rand.h"

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}
