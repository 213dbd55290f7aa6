// SPDX-License-Identifier: BSD-3-Clause
// The routing table: a sorted array, longest prefix first (RFC 1812 5.2.4.3, rule 2). Written by
// net_add_port and net_add_route, and by lease.c, whose routes go again; read by path.c when a path
// is found anew.
//
// Deliberately not here: metrics, multipath.
#include "net/route.h"

#include <string.h>

#include "base/bits.h"

bool route_add(struct routes *t, const struct route *r)
{
	uint32_t at = 0;

	if (t->count == ROUTES_MAX)
		return false;
	while (at < t->count && t->route[at].len >= r->len)
		at++;
	memmove(&t->route[at + 1], &t->route[at], (t->count - at) * sizeof(*r));
	t->route[at] = *r;
	t->route[at].mask = route_mask(r->len);
	t->route[at].prefix &= t->route[at].mask;
	t->count++;
	return true;
}

void route_remove(struct routes *t, const struct route *r)
{
	uint32_t at = 0, prefix = r->prefix & route_mask(r->len);

	while (at < t->count &&
	       (t->route[at].prefix != prefix || t->route[at].len != r->len ||
		t->route[at].via.raw != r->via.raw || t->route[at].port_index != r->port_index ||
		t->route[at].is_leased != r->is_leased))
		at++;
	if (at == t->count)
		return;
	t->count--;
	memmove(&t->route[at], &t->route[at + 1], (t->count - at) * sizeof(*r));
}

static bool overlap(const struct route *a, const struct route *b)
{
	return ((a->prefix ^ b->prefix) & route_mask(MIN(a->len, b->len))) == 0;
}

const struct route *route_in_the_way(const struct routes *t, const struct route *link)
{
	for (uint32_t i = 0; i < t->count; i++) {
		const struct route *r = &t->route[i];
		bool is_own = r->port_index == link->port_index;
		bool is_same = r->len == link->len && r->via.raw == 0;

		if (r->len == 0 || !overlap(r, link) || (is_own && r->is_leased) ||
		    (is_same && (is_own || r->is_leased)))
			continue;
		return r;
	}
	return NULL;
}

bool route_has_hop(const struct routes *t, be32 a)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->route[i].via.raw == a.raw && a.raw && !t->route[i].is_leased)
			return true;
	return false;
}

const struct route *route_find(const struct routes *t, be32 a)
{
	uint32_t address = be32_get(a);

	for (uint32_t i = 0; i < t->count; i++)
		if ((address & t->route[i].mask) == t->route[i].prefix)
			return &t->route[i];
	return NULL;
}
