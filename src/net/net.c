// SPDX-License-Identifier: BSD-3-Clause
// The network of one worker: ports and their addresses, routes, and the life of everything below
// TCP. Called by core/worker.c at start and at the end; the small questions (is this address
// ours?) are asked by every input of this floor.
//
// The weak end system model (RFC 1122 3.3.4.2): a packet for any of our addresses is accepted on
// any port.
#include "net/net.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/arp.h"
#include "net/inside.h"
#include "net/udp.h"
#include "wire/eth.h"
#include "wire/toeplitz.h"

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static void set_limits(struct net *net, const struct net_config *c)
{
	net->config = (struct net_config){
		.neighbours_max = MAX(or_default(c->neighbours_max, 1024), 8u),
		.neighbour_pkts_max = or_default(c->neighbour_pkts_max, 256),
		.fragment_contexts = or_default(c->fragment_contexts, 64),
		.fragment_bytes_max = or_default(c->fragment_bytes_max, 1 << 20),
		.udp_max = MIN(or_default(c->udp_max, 64), 65535u),
		.udp_queue_pkts = or_default(c->udp_queue_pkts, 4096),
		.icmp_errors_per_s = or_default(c->icmp_errors_per_s, 1000),
		.udp_claims = c->udp_claims,
		.dad_probes = c->no_dad ? 0 : MAX(c->dad_probes, UINT8_C(1)),
	};
}

static void pmtu_timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	path_age_mtu(context);
}

struct net *net_create(const struct net_config *config, struct env *env, struct wheel *wheel)
{
	struct net *net = mem_map("the network of a worker", sizeof(*net));

	if (!net)
		return NULL;
	net->env = env;
	net->wheel = wheel;
	net->generation = 1; // a zeroed path is stale
	net->icmp_refilled_ns = env->now_ns;
	net->icmp_tokens = NS_PER_S; // full
	set_limits(net, config);
	for (uint32_t i = 0; i < IP_ID_SLOTS; i++)
		net->ip_id[i] = (uint16_t)rng_next(&env->rng);
	net->pmtu_timer.kind = TIMER_PMTU;
	wheel_set_kind(wheel, TIMER_PMTU, pmtu_timer_fires, net);
	groups_init(net);
	if (neighbours_init(net) && reassembly_init(net) && udp_init(net) &&
	    (!config->source_routes || source_routes_init(net)))
		return net;
	net_destroy(net);
	return NULL;
}

void net_destroy(struct net *net)
{
	if (!net)
		return;
	groups_fini(net);
	source_routes_fini(net);
	udp_fini(net);
	reassembly_fini(net);
	neighbours_fini(net);
	ip6_fini(net);
	dhcp_fini(net);
	wheel_stop(net->wheel, &net->pmtu_timer);
	wheel_stop(net->wheel, &net->announce_timer);
	mem_unmap(net, sizeof(*net));
}

static void mark_special(struct net *net, be32 a)
{
	uint32_t octet = a.raw >> 24;

	net->special[octet / 64] |= UINT64_C(1) << (octet % 64);
}

void net_put_address(struct net *net, struct net_port *np, be32 addr, uint8_t len)
{
	uint32_t mask = route_mask(len);
	be32 broadcast = len < 31 ? be32_of(be32_get(addr) | ~mask) : (be32){0};

	ASSERT(np->address_count < ARRAY_COUNT(np->address));
	mark_special(net, addr);
	if (broadcast.raw)
		mark_special(net, broadcast);
	np->address[np->address_count++] =
		(struct net_address){.addr = addr, .mask = mask, .broadcast = broadcast};
}

static int add_address(struct net *net, struct net_port *np, const struct addr *a, uint8_t len)
{
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_v4(a) && !addr_is_any(a))
		return ip6_add_address(net, (uint16_t)net->port_count, a, len);
	if (len > 32 || addr_is_any(a))
		return err_set(ERR_ADDRESS_NOT_HOST, "%s/%u on port %s", addr_format(a, text), len,
			       np->port->name);
	be32 v4 = addr_to_v4(a);
	struct route route = {
		.prefix = be32_get(v4), .port_index = (uint16_t)net->port_count, .len = len};

	if (!route_add(&net->routes, &route))
		return err_set(ERR_ROUTES_FULL, "%s/%u on port %s", addr_format(a, text), len,
			       np->port->name);
	net_put_address(net, np, v4, len);
	np->configured_count = np->address_count;
	return 0;
}

static int add_gateway(struct net *net, const struct addr *gateway)
{
	struct addr everything = addr_from_v4((be32){0});

	if (addr_is_any(gateway))
		return 0;
	if (!addr_is_v4(gateway))
		return path6_add_gateway(net, (uint16_t)(net->port_count - 1), gateway);
	return net_add_route(net, &everything, 0, gateway);
}

int net_add_port(struct net *net, struct port *port, const struct net_port_config *config)
{
	ASSERT(net->port_count < PORTS_MAX);
	struct net_port *np = &net->port[net->port_count];

	*np = (struct net_port){
		.port = port,
		.vlan_id = config->vlan_id & VLAN_ID_MASK,
		.tx_segs_max = port->flags & PORT_TX_CHAINS
				       ? (uint8_t)MIN(MAX(port->tx_segs_max, 1), UINT8_MAX)
				       : 1,
		.l2_len = sizeof(struct eth_header),
		.no_routers = config->no_routers,
	};
	if (np->vlan_id)
		np->l2_len += sizeof(struct vlan_tag);
	np->is_plain =
		!np->vlan_id && !(port->flags & (PORT_TX_IP_CHECKSUM | PORT_TX_UDP_CHECKSUM));
	int error = config->speaks_ip6 ? ip6_begin_port(net, (uint16_t)net->port_count) : 0;

	if (error)
		return error;
	for (uint32_t i = 0; i < MIN(config->address_count, (uint32_t)PORT_ADDRESSES_MAX); i++) {
		error = add_address(net, np, &config->addresses[i].addr,
				    config->addresses[i].prefix_len);
		if (error)
			return error;
	}
	neighbour_add_port(net, (uint16_t)net->port_count);
	net->port_count++;
	net->generation++;
	np->has_dhcp = config->dhcp;
	error = config->dhcp ? dhcp_begin(net, (uint16_t)(net->port_count - 1)) : 0;
	return error ? error : add_gateway(net, &config->gateway);
}

int net_add_route(struct net *net, const struct addr *prefix, uint8_t len, const struct addr *via)
{
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_v4(via))
		return path6_add_route(net, prefix, len, via);
	if (!addr_is_v4(prefix) || len > 32)
		return err_set(ERR_ADDRESS_NOT_HOST, "%s/%u, the route via IPv4",
			       addr_format(prefix, text), len);
	struct route route = {
		.prefix = be32_get(addr_to_v4(prefix)), .via = addr_to_v4(via), .len = len};
	const struct route *link = route_find(&net->routes, route.via);

	if (!link || link->via.raw != 0)
		return err_set(ERR_GATEWAY_OFF_LINK, "the gateway %s", addr_format(via, text));
	route.port_index = link->port_index;
	if (!route_add(&net->routes, &route))
		return err_set(ERR_ROUTES_FULL, "the route via %s", addr_format(via, text));
	net->generation++;
	return 0;
}

bool net_deals_out(const struct net *net, const struct arrival *arrival)
{
	return net->port[arrival->port_index].port->flags & PORT_FEW_QUEUES;
}

bool net_answers_come_here(const struct net *net, const struct net_path *path, uint16_t local_port,
			   uint16_t remote_port)
{
	const struct port *port = net->port[path->port_index].port;
	const struct port_rss *rss = port->rss;

	if (net_path_is_ip6(path)) // cards deal IPv6 out by a hash that nobody here makes
		return true;
	const struct {
		be32 src, dst;
		be16 src_port, dst_port;
	} answer = {addr_to_v4(&path->remote), addr_to_v4(&path->local), be16_of(remote_port),
		    be16_of(local_port)};

	static_assert(sizeof(answer) == TOEPLITZ_TCP4_BYTES, "as it stands in the headers");
	if (!rss)
		return true;
	uint32_t hash = toeplitz(rss->key, (const uint8_t *)&answer, sizeof(answer));

	return rss->queue[hash & (rss->entries - 1)] == port->queue_index;
}

void net_hand(struct net *net, struct pkt *p, const struct arrival *a, uint32_t to)
{
	hands_give(net->env, p, to, mesh_word(HANDED_INPUT, a->port_index, net->env->worker_index));
}

bool net_is_ours(const struct net *net, be32 a)
{
	for (uint32_t i = 0; i < net->port_count; i++)
		for (uint32_t k = 0; k < net->port[i].address_count; k++)
			if (net->port[i].address[k].addr.raw == a.raw)
				return true;
	return false;
}

bool net_is_local(const struct net *net, const struct addr *a)
{
	return addr_is_v4(a) ? net_is_ours(net, addr_to_v4(a)) : ip6_find(net, a) != NULL;
}

// Behind all of IPv4's. One that nobody configured is not told from any.
static uint32_t place_of_ip6(const struct net *net, const struct addr *a)
{
	const struct ip6_address *own = ip6_find(net, a);
	uint32_t before = 0;

	if (!own || own->place == 0)
		return 0;
	for (uint32_t i = 0; i < net->port_count; i++)
		before += net->port[i].configured_count;
	return before + own->place;
}

uint32_t net_place(const struct net *net, const struct addr *a)
{
	uint32_t place = 0;

	if (!addr_is_v4(a))
		return place_of_ip6(net, a);
	for (uint32_t i = 0; i < net->port_count; i++) {
		const struct net_port *np = &net->port[i];

		for (uint32_t k = 0; k < np->configured_count; k++, place++)
			if (np->address[k].addr.raw == addr_to_v4(a).raw)
				return place + 1;
	}
	return 0;
}

bool net_is_broadcast(const struct net *net, uint16_t port_index, be32 a)
{
	const struct net_port *np = &net->port[port_index];

	if (a.raw == 0xffffffff)
		return true;
	for (uint32_t k = 0; k < np->address_count; k++)
		if (np->address[k].broadcast.raw == a.raw && a.raw != 0)
			return true;
	return false;
}

bool net_is_broadcast_anywhere(const struct net *net, be32 a)
{
	for (uint16_t i = 0; i < net->port_count; i++)
		if (net_is_broadcast(net, i, a))
			return true;
	return false;
}

bool net_is_group(const struct net *net, const struct addr *a)
{
	if (!addr_is_v4(a))
		return a->byte[0] == 0xff;
	return a->byte[12] >= 224 || net_is_broadcast_anywhere(net, addr_to_v4(a));
}

const struct net_address *net_address_for(const struct net *net, uint16_t port_index, be32 a)
{
	const struct net_port *np = &net->port[port_index];

	for (uint32_t k = 0; k < np->address_count; k++)
		if (((be32_get(a) ^ be32_get(np->address[k].addr)) & np->address[k].mask) == 0)
			return &np->address[k];
	return np->address_count ? &np->address[0] : NULL;
}

bool net_on_link(const struct net *net, uint16_t port_index, be32 a)
{
	const struct net_address *own = net_address_for(net, port_index, a);

	return own && ((be32_get(a) ^ be32_get(own->addr)) & own->mask) == 0;
}

struct pkt *net_alloc(struct net *net, enum pool_kind kind)
{
	struct pkt *p = pkt_alloc(net->env->pool[kind]);

	if (UNLIKELY(!p))
		counter_add(net->env, COUNTER_unmade_pkts, 1);
	return p;
}
