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
