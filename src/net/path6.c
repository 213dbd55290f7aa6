// SPDX-License-Identifier: BSD-3-Clause
// From an IPv6 address to a path: route, next hop, source address, MTU (RFC 4861 5.2). Called by
// path.c for what is not IPv4's; paths are kept, refreshed and cached there, for both families.
// Calls the neighbour table for the next hop and ip6_address.c for the address to speak from.
#include <errno.h>

#include "base/err.h"
#include "base/time.h"
#include "net/inside.h"
#include "net/ip6.h"
#include "net/nd.h"

// Longest prefix first; of equal ones the one added first. False when full.
static bool route_insert(struct ip6 *ip6, const struct ip6_route *r)
{
	uint32_t at = 0;

	if (ip6->route_count == IP6_ROUTES_MAX)
		return false;
	while (at < ip6->route_count && ip6->route[at].len >= r->len)
		at++;
	memmove(&ip6->route[at + 1], &ip6->route[at], (ip6->route_count - at) * sizeof(*r));
	ip6->route[at] = *r;
	ip6->route_count++;
	return true;
}

static int add_route(struct net *net, const struct ip6_route *r)
{
	char text[ADDR_TEXT_BYTES];

	if (!route_insert(net->ip6, r))
		return err_set(ERR_ROUTES_FULL, "%s/%u", addr_format(&r->prefix, text), r->len);
	net->generation++;
	return 0;
}

int path6_add_link(struct net *net, uint16_t port_index, const struct addr *prefix, uint8_t len)
{
	struct ip6_route r = {.prefix = *prefix, .port_index = port_index, .len = len};

	return add_route(net, &r);
}

// A link-local destination has no route: each link has such addresses.
static const struct ip6_route *look_up(const struct ip6 *ip6, const struct addr *to)
{
	for (uint32_t i = 0; i < ip6->route_count; i++)
		if (ipv6_in_prefix(to, &ip6->route[i].prefix, ip6->route[i].len))
			return &ip6->route[i];
	return NULL;
}

bool path6_on_link(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct ip6 *ip6 = net->ip6;

	if (ipv6_is_link_local(addr) || nd_prefix_len(net, port_index, addr))
		return true;
	for (uint32_t i = 0; i < ip6->route_count; i++) {
		const struct ip6_route *r = &ip6->route[i];

		if (r->port_index == port_index && addr_is_any(&r->via) &&
		    ipv6_in_prefix(addr, &r->prefix, r->len))
			return true;
	}
	return false;
}

bool path6_is_hop(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct ip6 *ip6 = net->ip6;

	for (uint32_t i = 0; i < ip6->route_count; i++)
		if (ip6->route[i].port_index == port_index && addr_equal(&ip6->route[i].via, addr))
			return true;
	return nd_router_knows(net, port_index, addr);
}

int path6_add_gateway(struct net *net, uint16_t port_index, const struct addr *via)
{
	struct ip6_route r = {.via = *via, .port_index = port_index};
	char text[ADDR_TEXT_BYTES];

	if (!net->ip6 || !net->ip6->port[port_index].address_count || !ipv6_is_host(via) ||
	    !path6_on_link(net, port_index, via))
		return err_set(ERR_GATEWAY_OFF_LINK, "the gateway %s", addr_format(via, text));
	return add_route(net, &r);
}

int path6_add_route(struct net *net, const struct addr *prefix, uint8_t len, const struct addr *via)
{
	struct ip6_route r = {.prefix = *prefix, .via = *via, .len = len};
	char text[ADDR_TEXT_BYTES];

	if (len > 128)
		return err_set(ERR_ADDRESS_NOT_HOST, "%s/%u", addr_format(prefix, text), len);
	for (uint16_t i = 0; net->ip6 && ipv6_is_host(via) && i < net->port_count; i++) {
		if (ipv6_is_link_local(via) || !path6_on_link(net, i, via))
			continue;
		r.port_index = i;
		return add_route(net, &r);
	}
	return err_set(ERR_GATEWAY_OFF_LINK, "the route via %s", addr_format(via, text));
}

// RFC 4007 6: by the port of the source address; without one, the first that speaks IPv6.
static bool link_of(const struct net *net, const struct addr *local, uint16_t *port_index)
{
	for (uint16_t i = 0; i < net->port_count; i++) {
		if (net->ip6->port[i].address_count == 0)
			continue;
		*port_index = i;
		if (addr_is_any(local) || ip6_find_on(net, i, local))
			return true;
	}
	return false;
}

// What routers said, where no route of the configuration has the destination: whoever is on one
// link has no say about another. A prefix that is on the link, or a default router. The first port
// that has one.
static bool by_router(const struct net *net, const struct addr *remote, struct ip6_route *hop)
{
	for (uint16_t i = 0; i < net->port_count; i++) {
		if (nd_prefix_len(net, i, remote) == 0)
			continue;
		hop->port_index = i;
		return true;
	}
	for (uint16_t i = 0; i < net->port_count; i++) {
		const struct addr *router = nd_router_of(net, i);

		if (!router)
			continue;
		hop->port_index = i;
		hop->via = *router;
		return true;
	}
	return false;
}

// The next hop and the port to it. False: there is no way.
static bool find_hop(const struct net *net, const struct addr *local, const struct addr *remote,
		     struct ip6_route *hop)
{
	const struct ip6_route *r;

	*hop = (struct ip6_route){.via = *remote};
	if (ipv6_is_link_local(remote))
		return link_of(net, local, &hop->port_index);
	r = look_up(net->ip6, remote);
	if (ipv6_is_multicast(remote)) { // has no next hop; a route only says which port
		hop->port_index = r ? r->port_index : 0;
		return (r && addr_is_any(local)) || link_of(net, local, &hop->port_index);
	}
	if (!r)
		return by_router(net, remote, hop);
	hop->port_index = r->port_index;
	if (!addr_is_any(&r->via))
		hop->via = r->via;
	return true;
}

// The address to speak from; a given one must be ours.
static struct ip6_address *source(const struct net *net, const struct addr *local,
				  const struct addr *remote, uint16_t port_index)
{
	struct ip6_address *a =
		addr_is_any(local) ? ip6_source(net, port_index, remote) : ip6_find(net, local);

	return a && a->state != IP6_DUPLICATE ? a : NULL;
}

static struct ip6_pmtu *pmtu_of(const struct net *net, const struct addr *remote)
{
	return &net->ip6->pmtu[net_addr_slot(net, remote, 0, PMTU_SLOTS)];
}

static uint16_t mtu_to(const struct net *net, const struct addr *remote, uint16_t link_mtu_bytes)
{
	const struct ip6_pmtu *m = pmtu_of(net, remote);

	return m->mtu_bytes && addr_equal(&m->remote, remote) ? MIN(m->mtu_bytes, link_mtu_bytes)
							      : link_mtu_bytes;
}

void path6_lower_mtu(struct net *net, const struct addr *remote, uint32_t mtu_bytes)
{
	if (!net->ip6)
		return;
	struct ip6_pmtu *m = pmtu_of(net, remote);
	// RFC 8201 4: never below what every link carries.
	uint16_t mtu = (uint16_t)MIN(MAX(mtu_bytes, (uint32_t)IPV6_MTU_BYTES_MIN), 65535u);

	// The same place: no report raises it. One that says nothing new costs nobody his path.
	if (m->mtu_bytes && addr_equal(&m->remote, remote) && m->mtu_bytes <= mtu)
		return;
	*m = (struct ip6_pmtu){*remote, net->env->now_ns + PMTU_NS, mtu};
	path_mtu_lowered(net);
}

uint64_t path6_age_mtu(struct net *net)
{
	uint64_t next_ns = TIME_NEVER_NS;

	for (uint32_t i = 0; i < PMTU_SLOTS; i++) {
		struct ip6_pmtu *m = &net->ip6->pmtu[i];

		if (m->mtu_bytes && m->expires_ns <= net->env->now_ns)
			*m = (struct ip6_pmtu){0};
		else if (m->mtu_bytes)
			next_ns = MIN(next_ns, m->expires_ns);
	}
	return next_ns;
}

static struct ip6_large_sent *large_of(const struct net *net, const struct addr *remote)
{
	return &net->ip6->large_sent[net_addr_slot(net, remote, 0, IP6_LARGE_SENT_SLOTS)];
}

void path6_large_sent(struct net *net, const struct addr *remote, uint32_t bytes)
{
	struct ip6_large_sent *l = large_of(net, remote);

	if (!addr_equal(&l->remote, remote))
		*l = (struct ip6_large_sent){.remote = *remote};
	l->bytes = MAX(l->bytes, bytes);
}

bool path6_was_sent(const struct net *net, const struct addr *remote, uint32_t bytes)
{
	const struct ip6_large_sent *l = net->ip6 ? large_of(net, remote) : NULL;

	return l && addr_equal(&l->remote, remote) && l->bytes > bytes;
}

int path6_find(struct net *net, const struct addr *local, const struct addr *remote,
	       struct net_path *path)
{
	struct addr from = *local; // which may lie in path
	struct addr to = *remote;
	struct ip6_route hop;

	if (!addr_is_any(&from) && !ip6_find(net, &from))
		return -EADDRNOTAVAIL;
	if (!net->ip6 || to.half[0] == 0 || ipv6_is_nowhere(&to) || ip6_find(net, &to) ||
	    !find_hop(net, &from, &to, &hop))
		return -ENETUNREACH;
	struct ip6_address *own = source(net, &from, &to, hop.port_index);
	const struct net_port *np = &net->port[hop.port_index];

	if (!own)
		return -ENETUNREACH;
	ip6_speaks(net, hop.port_index, own);
	*path = (struct net_path){
		.local = own->addr,
		.remote = to,
		.port_index = hop.port_index,
		.mtu_bytes = mtu_to(net, &to, net->ip6->port[hop.port_index].mtu_bytes),
		.tso_bytes_max = np->port->flags & PORT_TX_TSO ? np->port->tso_bytes_max : 0,
		.tx_segs_max = np->tx_segs_max,
		// RFC 4862 5.4: what is tentative speaks to nobody. It has no neighbour, so what is
		// sent from it waits at an entry of its own, which nobody will ever answer for.
		.neighbour = neighbour_get(net, hop.port_index,
					   own->state == IP6_ASSIGNED ? &hop.via : &own->addr),
	};
	path->generation = net->generation + net->neighbours.slot[path->neighbour].generation;
	return 0;
}
