// SPDX-License-Identifier: BSD-3-Clause
// From an address to a path: route, next hop, source address, MTU. Asked by TCP when it connects,
// by replies through a small cache, and again by net_output when a path went stale.
//
// A path holds the sum of two numbers that only grow: the network's generation and that of its
// neighbour's slot. While the sum is what it was, neither changed: one compare a packet.
#include "net/path.h"

#include <errno.h>

#include "base/err.h"
#include "base/time.h"
#include "net/inside.h"

uint16_t path_mtu_to(struct net *net, be32 remote, uint16_t port_mtu_bytes)
{
	const struct net_pmtu *m = &net->pmtu[net_slot(net, remote, 0, PMTU_SLOTS)];

	return m->remote.raw == remote.raw && m->mtu_bytes ? MIN(m->mtu_bytes, port_mtu_bytes)
							   : port_mtu_bytes;
}

void net_lower_mtu(struct net *net, const struct addr *remote, uint32_t mtu_bytes)
{
	if (!addr_is_v4(remote)) {
		path6_lower_mtu(net, remote, mtu_bytes);
		return;
	}
	be32 to = addr_to_v4(remote);
	struct net_pmtu *m = &net->pmtu[net_slot(net, to, 0, PMTU_SLOTS)];
	uint16_t mtu = (uint16_t)MIN(MAX(mtu_bytes, (uint32_t)PMTU_BYTES_MIN), 65535u);

	// RFC 1191 3: no report raises it; and one that says nothing new costs nobody his path.
	if (m->remote.raw == to.raw && m->mtu_bytes && m->mtu_bytes <= mtu)
		return;
	*m = (struct net_pmtu){
		.remote = to, .mtu_bytes = mtu, .expires_ns = net->env->now_ns + PMTU_NS};
	path_mtu_lowered(net);
}

void path_mtu_lowered(struct net *net)
{
	net->generation++;
	if (!timer_armed(&net->pmtu_timer))
		wheel_arm(net->wheel, &net->pmtu_timer, net->env->now_ns + PMTU_NS);
}

void path_age_mtu(struct net *net)
{
	uint64_t next_ns = net->ip6 ? path6_age_mtu(net) : TIME_NEVER_NS;

	for (uint32_t i = 0; i < PMTU_SLOTS; i++) {
		struct net_pmtu *m = &net->pmtu[i];

		if (m->mtu_bytes && m->expires_ns <= net->env->now_ns)
			*m = (struct net_pmtu){0};
		else if (m->mtu_bytes)
			next_ns = MIN(next_ns, m->expires_ns);
	}
	net->generation++;
	if (next_ns != TIME_NEVER_NS)
		wheel_arm(net->wheel, &net->pmtu_timer, next_ns);
}

bool path_may_be_remote(const struct net *net, be32 a)
{
	uint32_t top = be32_get(a) >> 24;

	return top != 0 && top != 127 && top < 224 && !net_is_ours(net, a);
}

static uint16_t first_port(const struct net *net)
{
	for (uint16_t i = 0; i < net->port_count; i++)
		if (net->port[i].address_count)
			return i;
	return 0;
}

// 255.255.255.255 and groups have no next hop: they leave by the port of the source address; a
// group else by that of its route, if only to say which port; or by the first.
static const struct route *to_link(const struct net *net, be32 local, be32 to, struct route *room)
{
	const struct route *r = ipv4_is_multicast(to) ? route_find(&net->routes, to) : NULL;

	*room = (struct route){.len = 32, .port_index = r ? r->port_index : first_port(net)};
	for (uint16_t i = 0; i < net->port_count; i++)
		for (uint32_t k = 0; k < net->port[i].address_count; k++)
			if (net->port[i].address[k].addr.raw == local.raw)
				room->port_index = i;
	return net->port_count ? room : NULL;
}

static bool stands_for_local(const struct net *net, const struct addr *local)
{
	return addr_is_any(local) || (addr_is_v4(local) && net_is_local(net, local));
}

int path_find(struct net *net, const struct addr *local, const struct addr *remote,
	      struct net_path *path)
{
	struct route link;

	if (!addr_is_v4(remote))
		return path6_find(net, local, remote, path);
	if (!stands_for_local(net, local))
		return -EADDRNOTAVAIL;
	be32 to = addr_to_v4(remote);
	const struct route *r = NULL;

	if (to.raw == 0xffffffff || ipv4_is_multicast(to))
		r = to_link(net, addr_to_v4(local), to, &link);
	else if (path_may_be_remote(net, to))
		r = route_find(&net->routes, to);
	if (!r)
		return -ENETUNREACH;
	be32 hop = r->via.raw ? r->via : to;
	const struct addr next_hop = addr_from_v4(hop);
	const struct net_address *own = net_address_for(net, r->port_index, hop);
	const struct net_port *np = &net->port[r->port_index];

	if (!own)
		return -ENETUNREACH;
	*path = (struct net_path){
		.local = addr_is_any(local) ? addr_from_v4(own->addr) : *local,
		.remote = *remote,
		.port_index = (uint8_t)r->port_index,
		.mtu_bytes = path_mtu_to(net, to, np->port->mtu_bytes),
		.tso_bytes_max = np->port->flags & PORT_TX_TSO ? np->port->tso_bytes_max : 0,
		.tx_segs_max = np->tx_segs_max,
		.plain_segs_max = np->tx_segs_max,
	};
	path->neighbour = net_is_broadcast(net, r->port_index, hop)
				  ? r->port_index
				  : neighbour_get(net, r->port_index, &next_hop);
	path->generation = net->generation + net->neighbours.slot[path->neighbour].generation;
	return 0;
}

int net_path_find(struct net *net, const struct addr *local, const struct addr *remote,
		  struct net_path *path)
{
	char text[ADDR_TEXT_BYTES];

	switch (path_find(net, local, remote, path)) {
	case 0:
		return 0;
	case -EADDRNOTAVAIL:
		return err_set(ERR_ADDRESS_NOT_OURS, "%s", addr_format(local, text));
	default:
		return err_set(ERR_NO_ROUTE, "%s", addr_format(remote, text));
	}
}

bool net_path_refresh(struct net *net, struct net_path *path)
{
	struct addr local = path->local, remote = path->remote;

	if (net_path_is_fresh(net, path))
		return true;
	if (UNLIKELY(path->source_route))
		return source_route_path(net, &local, &remote, path->source_route, path) == 0;
	return path_find(net, &local, &remote, path) == 0;
}

void path_large_sent(struct net *net, const struct addr *remote, uint32_t bytes)
{
	be32 to = addr_to_v4(remote);

	if (ipv4_is_multicast(to)) // nobody reports anything of a group
		return;
	struct net_large_sent *l = &net->large_sent[net_slot(net, to, 0, LARGE_SENT_SLOTS)];

	if (l->remote.raw != to.raw)
		*l = (struct net_large_sent){.remote = to};
	l->bytes = (uint16_t)MAX((uint32_t)l->bytes, MIN(bytes, UINT32_C(65535)));
}

bool path_was_sent(const struct net *net, const struct addr *remote, uint32_t bytes)
{
	if (!addr_is_v4(remote))
		return path6_was_sent(net, remote, bytes);
	be32 to = addr_to_v4(remote);
	const struct net_large_sent *l = &net->large_sent[net_slot(net, to, 0, LARGE_SENT_SLOTS)];

	return l->remote.raw == to.raw && l->bytes > bytes;
}

struct net_path *path_get(struct net *net, const struct addr *local, const struct addr *remote)
{
	be32 to = addr_to_v4(remote);
	struct net_path_slot *slot = &net->path_cache[net_slot(net, to, 0, PATH_SLOTS)];
	struct net_path *path = &slot->path;

	if (LIKELY(addr_equal(&path->remote, remote) && addr_equal(&slot->asked, local) &&
		   net_path_is_fresh(net, path)))
		return path;
	addr_copy(&slot->asked, local);
	if (path_find(net, local, remote, path) == 0)
		return path;
	path->generation = 0; // never fresh
	return NULL;
}
