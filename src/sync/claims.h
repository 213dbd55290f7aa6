// SPDX-License-Identifier: BSD-3-Clause
// claims: which workers have somebody at an address and port (a listener, a socket), for those who
// receive what is for another. A word of bits for each; a bit is one worker's.
//
//	port 0   any  address 1  address 2 ..     addresses are the instance's own, in the order in
//	port 1   any  address 1  address 2 ..     which all workers know them; any: all of these
//	..
//
// Addresses that nobody configured (link-local ones, those that routers let a host make) come and
// go, and each worker may know them in an order of his own. Who has somebody there stands under a
// name, made of address and port, in a small table:
//
//	name[i]     address (40 bits of a hash) | port (16) | how many workers have it (8); 0: free
//	taken_by[i] a bit each of these
//
// A worker counts himself into the name by a compare-and-swap before he sets his bit, and out of it
// after he has cleared it: so a name that is freed has no bits, and who takes a free place finds
// none. Two who come at once may take a place each for the same name; who reads takes all places of
// a name together. Who reads a name and then the bits of the next that stands there hands on
// wrongly, as below.
//
// Who writes: each worker its own bits, with a read-modify-write, since the word is shared. Who
// reads: any worker, relaxed: a claim publishes nothing but itself. Who reads an old value hands a
// packet to a worker who has nobody there any more, or not yet, and who then refuses it by name; or
// refuses it himself, as he would have had it come a moment sooner. The two words that claims_for
// reads need not be of one moment either: each packet is for one of those who were there. No ABA:
// nothing is concluded from a value but where to hand on to. Progress: wait-free; of names,
// lock-free.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/limits.h"
#include "sync/atomic.h"

#define CLAIMS_PORTS 65536u
#define CLAIMS_ANY 0u // the place of those who take what is for any address

// Names that there may be at once. A name is at one of so many places in a row, which its hash
// begins.
#define CLAIMS_NAMES 1024u
#define CLAIMS_ROW 8u

struct claims {
	uint32_t places;   // of a port: any, and one for each address
	uint32_t names_in; // how many of the names are not free; a hint
	uint64_t name[CLAIMS_NAMES];
	uint64_t taken_by[CLAIMS_NAMES];
	uint64_t workers[]; // a bit each of WORKERS_MAX
};

// NULL with err_set, which says what it is for.
struct claims *claims_create(const char *what, uint32_t address_count);
void claims_destroy(struct claims *c);

static inline size_t claims_index(const struct claims *c, uint16_t port, uint32_t place)
{
	DCHECK(place < c->places);
	return (size_t)port * c->places + place;
}

static inline uint64_t *claims_word(struct claims *c, uint16_t port, uint32_t place)
{
	return &c->workers[claims_index(c, port, place)];
}

// Who has somebody at this very place.
static inline uint64_t claims_of(const struct claims *c, uint16_t port, uint32_t place)
{
	return atomic_get(&c->workers[claims_index(c, port, place)], RELAXED);
}

// Whose a packet for this place is: who has somebody at this very address goes before who has for
// any (RFC 9293 MUST-41, MUST-42).
static inline uint64_t claims_for(const struct claims *c, uint16_t port, uint32_t place)
{
	uint64_t mask = claims_of(c, port, place);

	return mask ? mask : claims_of(c, port, CLAIMS_ANY);
}

// Of an address that nobody configured, by a hash of it.
static inline uint64_t claims_name(uint64_t hash, uint16_t port)
{
	return (hash & ~UINT64_C(0xffffff)) | (uint64_t)port << 8;
}

// The first of the places where a name may stand: of address and port, for one address may be
// claimed on many.
static inline uint32_t claims_row(uint64_t name)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); // 2^64 over the golden ratio

	return (uint32_t)((name >> 8) * odd >> 40) % CLAIMS_NAMES;
}

// False: nobody has somebody under any name, as is nearly always so.
static inline bool claims_have_names(const struct claims *c)
{
	return atomic_get(&c->names_in, RELAXED) != 0;
}

// Who has somebody under a name.
uint64_t claims_of_name(const struct claims *c, uint64_t name);

// worker has one under this name now; false: there is no place for the name, or he had it already
// (two of his that hash alike). Or he, who had, has it no more. Its own thread.
bool claims_take_name(struct claims *c, uint64_t name, uint32_t worker);
void claims_leave_name(struct claims *c, uint64_t name, uint32_t worker);

// Who has somebody on the port under any name.
uint64_t claims_of_names_on(const struct claims *c, uint16_t port);

// Who has somebody on the port, whatever the address.
static inline uint64_t claims_on(const struct claims *c, uint16_t port)
{
	uint64_t mask = 0;

	for (uint32_t place = 0; place < c->places; place++)
		mask |= claims_of(c, port, place);
	if (UNLIKELY(claims_have_names(c)))
		mask |= claims_of_names_on(c, port);
	return mask;
}

// worker has one here now, or has it no more. Its own thread; taking twice is fine.
static inline void claims_take(struct claims *c, uint16_t port, uint32_t place, uint32_t worker)
{
	if (!(claims_of(c, port, place) >> worker & 1))
		atomic_add(claims_word(c, port, place), UINT64_C(1) << worker, RELAXED);
}

static inline void claims_leave(struct claims *c, uint16_t port, uint32_t place, uint32_t worker)
{
	if (claims_of(c, port, place) >> worker & 1)
		atomic_add(claims_word(c, port, place), -(UINT64_C(1) << worker), RELAXED);
}

static inline bool claims_are_one(uint64_t mask)
{
	return (mask & (mask - 1)) == 0;
}

// One of the workers in mask (not 0), the same for the same hash: its bits choose evenly.
static inline uint32_t claims_choose(uint64_t mask, uint32_t hash)
{
	uint32_t count = (uint32_t)__builtin_popcountll(mask);

	for (uint32_t skip = (uint32_t)((uint64_t)hash * count >> 32); skip > 0; skip--)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctzll(mask);
}
