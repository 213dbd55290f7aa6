// SPDX-License-Identifier: BSD-3-Clause
// claims: which workers have somebody on a port (a listener, a socket), for those who receive what
// is for another. A word of bits a port; a bit is one worker's.
//
// Who writes: each worker its own bits, with a read-modify-write, since the word is shared. Who
// reads: any worker, relaxed: a claim publishes nothing but itself. Who reads an old value hands a
// packet to a worker who has nobody there any more, or not yet, and who then refuses it by name; or
// refuses it himself, as he would have had it come a moment sooner. No ABA: nothing is concluded
// from a value but where to hand on to. Progress: wait-free.
#pragma once

#include <stdint.h>

#include "base/bits.h"
#include "base/limits.h"
#include "sync/atomic.h"

struct claims {
	uint64_t workers[65536]; // by port, host order; a bit each of WORKERS_MAX
};

static inline uint64_t claims_of(const struct claims *c, uint16_t port)
{
	return atomic_get(&c->workers[port], RELAXED);
}

// worker has the first on this port, or had the last. Its own thread; taking twice is fine.
static inline void claims_take(struct claims *c, uint16_t port, uint32_t worker)
{
	if (!(claims_of(c, port) >> worker & 1))
		atomic_add(&c->workers[port], UINT64_C(1) << worker, RELAXED);
}

static inline void claims_leave(struct claims *c, uint16_t port, uint32_t worker)
{
	if (claims_of(c, port) >> worker & 1)
		atomic_add(&c->workers[port], -(UINT64_C(1) << worker), RELAXED);
}

// One of the workers in mask (not 0), the same for the same hash: its bits choose evenly.
static inline uint32_t claims_choose(uint64_t mask, uint32_t hash)
{
	uint32_t count = (uint32_t)__builtin_popcountll(mask);

	for (uint32_t skip = (uint32_t)((uint64_t)hash * count >> 32); skip > 0; skip--)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctzll(mask);
}
