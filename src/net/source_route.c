// SPDX-License-Identifier: BSD-3-Clause
// Source routes (RFC 791 3.1, RFC 1122 3.2.1.8): the option on the way in and on the way out, and
// the table of the routes that connections use. Called by ip4.c, which lets no such packet in
// unless the configuration says so (RFC 7126 4.3), by path.c, ip4_out.c, icmp.c, and by tcp/ with
// the packet that came or the application's wish (RFC 9293 3.9.2.1).
//
//	to us:    | dst: we        | option: R1 R2 R3 >  |   the route has been gone
//	back:     | dst: R3        | option: > R2 R1 src |   reversed, the sender at its end
//
// A path has a route's number, so that it costs no room where there is none. Equal routes are one.
#include "net/source_route.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/inside.h"

// Of the option: kind, length, pointer, then addresses.
#define FIXED_BYTES 3u
#define POINTER_FIRST 4u // RFC 791: counted from 1

bool source_routes_init(struct net *net)
{
	net->source_routes = mem_map("source routes", sizeof(*net->source_routes));
	return net->source_routes != NULL;
}

void source_routes_fini(struct net *net)
{
	if (net->source_routes)
		mem_unmap(net->source_routes, sizeof(*net->source_routes));
}

static const struct source_route *route_of(const struct net *net, const struct net_path *path)
{
	return &net->source_routes->place[path->source_route].route;
}

// With a NOP in front, which puts the addresses at a multiple of four.
static uint32_t bytes_of(const struct source_route *route)
{
	return (route->count + 1u) * (uint32_t)sizeof(be32);
}

COLD uint32_t net_source_route_bytes(const struct net *net, const struct net_path *path)
{
	return bytes_of(route_of(net, path));
}

COLD void net_source_route_use(struct net *net, uint8_t number, int32_t more)
{
	struct source_routes *routes = net->source_routes;
	uint32_t *users = &routes->place[number].users;

	ASSERT(number != SOURCE_ROUTE_PASSING && (int64_t)*users + more >= 0);
	routes->in_use -= *users != 0;
	*users += (uint32_t)more;
	routes->in_use += *users != 0;
}

COLD bool net_source_route_has_place(const struct net *net, const struct net_path *path,
				     uint32_t share)
{
	const struct source_routes *routes = net->source_routes;

	return path->source_route != SOURCE_ROUTE_PASSING &&
	       (routes->place[path->source_route].users ||
		routes->in_use < SOURCE_ROUTES_MAX / share);
}

static bool is_equal(const struct source_route *a, const struct source_route *b)
{
	return a->count == b->count && a->is_strict == b->is_strict &&
	       memcmp(a->hop, b->hop, a->count * sizeof(a->hop[0])) == 0;
}

// Its number. Where all places have users, that of the place for what is passing.
static uint8_t number_of(struct net *net, const struct source_route *route)
{
	struct source_routes *routes = net->source_routes;
	uint8_t free = SOURCE_ROUTE_PASSING;

	for (uint8_t i = 1; i <= SOURCE_ROUTES_MAX; i++) {
		if (is_equal(&routes->place[i].route, route))
			return i;
		if (routes->place[i].users == 0)
			free = MIN(free, i);
	}
	routes->place[free].route = *route;
	return free;
}

// A host that may be spoken to, or a gateway.
static bool is_host(const struct net *net, be32 a)
{
	return path_may_be_remote(net, a) && !net_is_broadcast_anywhere(net, a);
}

// All addresses of the option are hosts', so that no way back begins with a broadcast address.
static bool leads_by_hosts(const struct net *net, const uint8_t *option, uint32_t len)
{
	for (uint32_t at = FIXED_BYTES; at < len; at += (uint32_t)sizeof(be32)) {
		be32 hop;

		memcpy(&hop, option + at, sizeof(hop));
		if (!is_host(net, hop))
			return false;
	}
	return true;
}

COLD enum drop source_route_check(const struct net *net, const uint8_t *option, uint32_t len)
{
	if (!net->source_routes)
		return DROP_IP4_SOURCE_ROUTE;
	if (len < FIXED_BYTES || (len - FIXED_BYTES) % sizeof(be32) || option[2] < POINTER_FIRST ||
	    option[2] % sizeof(be32))
		return DROP_IP4_OPTIONS;
	if (option[2] <= len) // it is to go on: not by us
		return DROP_IP4_SOURCE_ROUTE;
	return leads_by_hosts(net, option, len) ? DROP_OK : DROP_IP4_OPTIONS;
}

// The option of a header that was checked, or that is quoted; NULL without. *count: its addresses.
static const uint8_t *find_option(const struct ipv4_header *h, uint32_t *count)
{
	const uint8_t *byte = (const uint8_t *)h;
	uint32_t end = ipv4_header_len(h), len;

	for (uint32_t at = sizeof(*h); at < end && byte[at] != IPV4_OPTION_END; at += len) {
		bool is_route = byte[at] == IPV4_OPTION_LSRR || byte[at] == IPV4_OPTION_SSRR;

		len = byte[at] == IPV4_OPTION_NOP ? 1 : at + 1 < end ? byte[at + 1] : 0;
		if (len == 0 || at + len > end || (is_route && len < FIXED_BYTES))
			return NULL;
		*count = (len - FIXED_BYTES) / (uint32_t)sizeof(be32);
		if (is_route)
			return byte + at;
	}
	return NULL;
}

COLD be32 source_route_last(const struct ipv4_header *h)
{
	uint32_t count;
	const uint8_t *option = find_option(h, &count);
	be32 last = h->dst;

	if (option && count && option[2] < option[1])
		memcpy(&last, option + FIXED_BYTES + (count - 1) * sizeof(last), sizeof(last));
	return last;
}

// The way back by the option that the packet came with. False when that has no gateway: who wrote
// it may have put himself at its head (RFC 1122 3.2.1.8 (c), case B).
static bool reverse(const struct ipv4_header *h, struct source_route *back)
{
	uint32_t count;
	const uint8_t *option = find_option(h, &count);

	*back = (struct source_route){0};
	if (!option)
		return false;
	back->is_strict = option[0] == IPV4_OPTION_SSRR;
	for (; count && back->count < SOURCE_ROUTE_HOPS_MAX; count--, back->count++)
		memcpy(&back->hop[back->count], option + FIXED_BYTES + (count - 1) * sizeof(be32),
		       sizeof(be32));
	if (back->count && back->hop[back->count - 1].raw == h->src.raw)
		back->hop[--back->count].raw = 0;
	return back->count != 0;
}

// The first hop decides where it leaves; a strict route's is on the link.
COLD int source_route_path(struct net *net, const struct addr *local, const struct addr *remote,
			   uint8_t number, struct net_path *path)
{
	const struct source_route *route = &net->source_routes->place[number].route;
	const struct addr first = addr_from_v4(route->hop[0]);
	struct net_path found;
	int error = path_find(net, local, &first, &found);

	if (!error && route->is_strict && !net_on_link(net, found.port_index, route->hop[0]))
		error = -ENETUNREACH;
	if (error)
		return error;
	found.remote = *remote;
	found.source_route = number;
	found.mtu_bytes =
		(uint16_t)(path_mtu_to(net, addr_to_v4(remote), found.mtu_bytes) - bytes_of(route));
	found.tso_bytes_max = 0;
	found.plain_segs_max = 0;
	*path = found;
	return 0;
}

// The first of the route's addresses, remote at its end, that is no host's; NULL: all are.
static const be32 *no_host(const struct net *net, const struct source_route *route,
			   const be32 *remote)
{
	for (uint32_t i = 0; i < route->count; i++)
		if (!is_host(net, route->hop[i]))
			return &route->hop[i];
	return is_host(net, *remote) ? NULL : remote;
}

COLD int net_path_find_by(struct net *net, const struct addr *local, const struct addr *remote,
			  const struct source_route *route, struct net_path *path)
{
	char text[ADDR_TEXT_BYTES];
	struct addr gateway = *remote;
	be32 last = addr_is_v4(remote) ? addr_to_v4(remote) : be32_of(0);

	if (!net->source_routes)
		return err_set(ERR_SOURCE_ROUTES_OFF, "to %s", addr_format(remote, text));
	const be32 *bad = &last;

	if (route->count > 0 && route->count <= SOURCE_ROUTE_HOPS_MAX)
		bad = no_host(net, route, &last);
	if (bad && bad != &last)
		gateway = addr_from_v4(*bad);
	if (bad)
		return err_set(ERR_INVALID_ARGUMENT, "a source route of %u gateways, with %s",
			       route->count, addr_format(&gateway, text));
	uint8_t number = number_of(net, route);

	if (number == SOURCE_ROUTE_PASSING)
		return err_set(ERR_SOURCE_ROUTES_FULL, "%u are in use", SOURCE_ROUTES_MAX);
	gateway = addr_from_v4(route->hop[0]);
	if (source_route_path(net, local, remote, number, path))
		return err_set(ERR_NO_ROUTE, "the gateway %s", addr_format(&gateway, text));
	return 0;
}

// RFC 1122 3.2.1.8 (c)
COLD enum drop net_path_back_by(struct net *net, const struct pkt *p, const struct arrival *a,
				struct net_path *path)
{
	struct source_route back;

	if (!reverse(pkt_at(p, a->l3_offset), &back))
		return net_path_find(net, &a->dst, &a->src, path) ? DROP_NO_ROUTE : DROP_OK;
	return source_route_path(net, &a->dst, &a->src, number_of(net, &back), path) ? DROP_NO_ROUTE
										     : DROP_OK;
}

COLD uint8_t source_route_put(const struct net *net, const struct net_path *path, struct pkt *p,
			      struct ipv4_header h)
{
	const struct source_route *route = route_of(net, path);
	uint8_t header_len = (uint8_t)(sizeof(h) + bytes_of(route));
	uint8_t option_len = (uint8_t)(bytes_of(route) - 1);
	const uint8_t head[] = {IPV4_OPTION_NOP,
				route->is_strict ? IPV4_OPTION_SSRR : IPV4_OPTION_LSRR, option_len,
				POINTER_FIRST};
	uint8_t *at = pkt_prepend(p, header_len), *hops = at + sizeof(h) + sizeof(head);

	h.version_ihl = (uint8_t)(4 << 4 | header_len / 4);
	h.total_len = be16_of((uint16_t)pkt_len(p));
	h.dst = route->hop[0];
	h.checksum = be16_of(0);
	memcpy(at + sizeof(h), head, sizeof(head));
	memcpy(hops, route->hop + 1, (route->count - 1u) * sizeof(be32));
	memcpy(hops + (route->count - 1u) * sizeof(be32), path->remote.byte + 12, sizeof(be32));
	memcpy(at, &h, sizeof(h));
	h.checksum = checksum_finish(checksum_add(0, at, header_len));
	memcpy(at, &h, sizeof(h));
	return header_len;
}
