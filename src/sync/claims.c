// SPDX-License-Identifier: BSD-3-Clause
// Making and unmaking the claims that workers share. Called by core/team.c (UDP sockets) and
// tcp/shared.c (listeners), before there are workers and when there are none any more; everything
// that is done with claims in between, and why it needs no lock, is in the header.
#include "sync/claims.h"

#include "base/mem.h"

static size_t claims_bytes(uint32_t places)
{
	return sizeof(struct claims) + (size_t)CLAIMS_PORTS * places * sizeof(uint64_t);
}

struct claims *claims_create(const char *what, uint32_t address_count)
{
	uint32_t places = 1 + address_count;
	struct claims *c = mem_map(what, claims_bytes(places));

	if (c)
		c->places = places;
	return c;
}

void claims_destroy(struct claims *c)
{
	mem_unmap(c, claims_bytes(c->places));
}

#define COUNT_MASK UINT64_C(0xff)

static_assert(WORKERS_MAX < COUNT_MASK, "so many may have one name");

static uint64_t at_place(const struct claims *c, uint64_t name, uint32_t place)
{
	bool there = (atomic_get(&c->name[place], ACQUIRE) & ~COUNT_MASK) == name;

	return there ? atomic_get(&c->taken_by[place], RELAXED) : 0;
}

uint64_t claims_of_name(const struct claims *c, uint64_t name)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < CLAIMS_ROW; i++)
		mask |= at_place(c, name, (claims_row(name) + i) % CLAIMS_NAMES);
	return mask;
}

uint64_t claims_of_names_on(const struct claims *c, uint16_t port)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < CLAIMS_NAMES; i++)
		if ((uint16_t)(atomic_get(&c->name[i], ACQUIRE) >> 8) == port)
			mask |= atomic_get(&c->taken_by[i], RELAXED);
	return mask;
}

// Counts one more in where the name stands, or, when is_free, where none does. False: not here.
static bool count_in(struct claims *c, uint64_t name, uint32_t place, bool is_free)
{
	uint64_t old = atomic_get(&c->name[place], RELAXED);

	while (is_free ? old == 0 : (old & ~COUNT_MASK) == name)
		if (atomic_cas(&c->name[place], &old, (is_free ? name : old) + 1, ACQ_REL))
			return true;
	return false;
}

bool claims_take_name(struct claims *c, uint64_t name, uint32_t worker)
{
	if (claims_of_name(c, name) >> worker & 1) // a bit more would be another worker's
		return false;
	for (uint32_t i = 0; i < 2 * CLAIMS_ROW; i++) { // where it stands before where none does
		uint32_t place = (claims_row(name) + i % CLAIMS_ROW) % CLAIMS_NAMES;

		if (!count_in(c, name, place, i >= CLAIMS_ROW))
			continue;
		atomic_add(&c->names_in, 1, RELAXED);
		atomic_add(&c->taken_by[place], UINT64_C(1) << worker, RELAXED);
		return true;
	}
	return false;
}

static void count_out(struct claims *c, uint32_t place)
{
	uint64_t old = atomic_get(&c->name[place], RELAXED);

	ASSERT(old & COUNT_MASK);
	while (!atomic_cas(&c->name[place], &old, (old & COUNT_MASK) == 1 ? 0 : old - 1, ACQ_REL))
		continue;
}

void claims_leave_name(struct claims *c, uint64_t name, uint32_t worker)
{
	for (uint32_t i = 0; i < CLAIMS_ROW; i++) {
		uint32_t place = (claims_row(name) + i) % CLAIMS_NAMES;

		if (!(at_place(c, name, place) >> worker & 1))
			continue;
		atomic_add(&c->taken_by[place], -(UINT64_C(1) << worker), RELAXED);
		count_out(c, place);
		atomic_add(&c->names_in, -1, RELAXED);
		return;
	}
}
