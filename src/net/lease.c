// SPDX-License-Identifier: BSD-3-Clause
// The address and the ways that a port has for a time (net/dhcp.h), of each worker. The first
// worker, who asked for it, takes it by a call and tells the others by a note that goes round
// (net/round.c). A full ring may drop it, so what the port has is told again and again (dhcp.c);
// and a worker who stands still is passed by and may find it when later ones have gone round, so
// notes have numbers, and an older one is not believed. Calls net.c's table of addresses and the
// routes.
//
// It stands behind the configured addresses of its port, and has no place among them (net_place):
// they stay where they are whatever comes and goes.
#include "net/dhcp.h"
#include "net/inside.h"

struct note {
	struct lease lease;
	uint32_t number;
};

// What leads to the lease's own network.
static struct route link_of(uint16_t port_index, const struct lease *l)
{
	return (struct route){.prefix = be32_get(l->addr),
			      .port_index = port_index,
			      .len = l->prefix_len,
			      .is_leased = true};
}

// And to all others.
static struct route elsewhere_of(uint16_t port_index, const struct lease *l)
{
	return (struct route){.via = l->router, .port_index = port_index, .is_leased = true};
}

enum drop lease_refusal(const struct net *net, uint16_t port_index, const struct lease *l)
{
	const struct route link = link_of(port_index, l);
	bool is_held = net->port[port_index].lease.addr.raw == l->addr.raw;

	if ((net_is_ours(net, l->addr) && !is_held) || route_has_hop(&net->routes, l->addr))
		return DROP_DHCP_TAKEN;
	if (l->router.raw &&
	    (net_is_ours(net, l->router) || net_is_broadcast_anywhere(net, l->router)))
		return DROP_DHCP_ROUTER;
	return route_in_the_way(&net->routes, &link) ? DROP_DHCP_OVERLAP : DROP_OK;
}

static void add_routes(struct net *net, uint16_t port_index, const struct lease *l)
{
	const struct route link = link_of(port_index, l), elsewhere = elsewhere_of(port_index, l);

	(void)route_add(&net->routes, &link); // there is room for one address more of each port
	if (l->router.raw)
		(void)route_add(&net->routes, &elsewhere); // behind a configured one
}

static void remove_routes(struct net *net, uint16_t port_index, const struct lease *l)
{
	const struct route link = link_of(port_index, l), elsewhere = elsewhere_of(port_index, l);

	route_remove(&net->routes, &link);
	if (l->router.raw)
		route_remove(&net->routes, &elsewhere);
}

static void drop_lease(struct net *net, uint16_t port_index)
{
	struct net_port *np = &net->port[port_index];

	if (np->lease.addr.raw == 0)
		return;
	remove_routes(net, port_index, &np->lease);
	np->address[--np->address_count] = (struct net_address){0};
	np->lease = (struct lease){0};
}

// This worker's port has it.
static void take(struct net *net, uint16_t port_index, const struct lease *l)
{
	struct net_port *np = &net->port[port_index];

	if (np->lease.addr.raw == l->addr.raw && np->lease.router.raw == l->router.raw &&
	    np->lease.prefix_len == l->prefix_len)
		return;
	if (np->lease.addr.raw && np->lease.addr.raw != l->addr.raw)
		net->env->addresses_lost++;
	drop_lease(net, port_index);
	net->generation++; // paths are found anew
	if (l->addr.raw == 0)
		return;
	np->lease = *l;
	net_put_address(net, np, l->addr, l->prefix_len);
	add_routes(net, port_index, l);
}

const struct lease *lease_of(const struct net *net, uint16_t port_index)
{
	return &net->port[port_index].lease;
}

static void send(struct net *net, struct pkt *p, uint16_t port_index, uint32_t from)
{
	round_send(net, p, mesh_word(HANDED_LEASE, port_index, from), DROP_OK);
}

void lease_tell(struct net *net, uint16_t port_index)
{
	struct pkt *p = net->env->hands ? net_alloc(net, POOL_CTRL) : NULL;

	if (!p)
		return;
	*(struct note *)pkt_append(p, sizeof(struct note)) =
		(struct note){net->port[port_index].lease, net->port[port_index].lease_number};
	counter_add(net->env, COUNTER_originated_pkts, 1);
	send(net, p, port_index, net->env->worker_index);
}

void lease_change(struct net *net, uint16_t port_index, const struct lease *l)
{
	take(net, port_index, l);
	net->port[port_index].lease_number++;
	lease_tell(net, port_index);
}

void lease_hear(struct net *net, struct pkt *p, uint16_t word)
{
	const struct note *note = pkt_at(p, 0);
	struct net_port *np = &net->port[mesh_port(word)];

	if ((int32_t)(note->number - np->lease_number) >= 0) {
		np->lease_number = note->number;
		take(net, mesh_port(word), &note->lease);
	}
	send(net, p, mesh_port(word), mesh_from(word));
}
