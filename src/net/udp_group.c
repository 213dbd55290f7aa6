// SPDX-License-Identifier: BSD-3-Clause
// Requests about multicast groups, of UDP sockets: what may be joined, and on which port (RFC 3376
// 2, RFC 3810 3: a socket, an interface, a group, a sender). The groups themselves are group.c's.
// Called by api/ through udp.h.
#include "base/err.h"
#include "net/inside.h"
#include "net/udp.h"

// RFC 3376 R13: all systems listen to 224.0.0.1, and as RFC 3810 6 says to ff02::1, always, and
// nothing is said of them; neighbour discovery has the groups of our addresses, which nobody else
// is to leave; what has a scope of less than the link is on no wire.
static bool may_join(const struct addr *group)
{
	if (addr_is_v4(group))
		return ipv4_is_multicast(addr_to_v4(group)) &&
		       be32_get(addr_to_v4(group)) != IGMP_ALL_SYSTEMS;
	const struct addr all_nodes = IPV6_ALL_NODES;

	return ipv6_is_multicast(group) && !ipv6_is_nowhere(group) &&
	       !addr_equal(group, &all_nodes) && !ipv6_is_solicited_node(group);
}

static bool may_send(const struct addr *source, const struct addr *group)
{
	if (addr_is_any(source))
		return true;
	return addr_is_v4(source) == addr_is_v4(group) && !net_is_multicast(source);
}

static bool is_of_family(const struct udp_group *g)
{
	return addr_is_any(&g->on) || addr_is_v4(&g->on) == addr_is_v4(&g->group);
}

static bool port_has(const struct net *net, uint16_t port_index, const struct addr *own)
{
	const struct net_port *np = &net->port[port_index];

	if (!addr_is_v4(own))
		return net->ip6 && ip6_find_on(net, port_index, own);
	for (uint32_t k = 0; k < np->address_count; k++)
		if (np->address[k].addr.raw == addr_to_v4(own).raw)
			return true;
	return false;
}

static int port_of(struct net *net, const struct udp_group *g, uint16_t *port_index)
{
	struct net_path path = {0};
	char text[ADDR_TEXT_BYTES];

	for (uint16_t i = 0; !addr_is_any(&g->on) && i < net->port_count; i++) {
		*port_index = i;
		if (port_has(net, i, &g->on))
			return 0;
	}
	if (!addr_is_any(&g->on))
		return err_set(ERR_ADDRESS_NOT_OURS, "the group's port is to have %s",
			       addr_format(&g->on, text));
	int error = net_path_find(net, &g->on, &g->group, &path);

	*port_index = path.port_index;
	return error;
}

// What the request means; its socket.
static int read_request(struct net *net, prism_udp udp, const struct udp_group *g,
			struct udp_socket **s, struct group_wish *wish)
{
	char text[ADDR_TEXT_BYTES];

	*s = udp_socket_of(net, udp);
	if (!*s)
		return udp_refuse(net, udp);
	if (!addr_is_any(&(*s)->local))
		return err_set(ERR_NOT_A_GROUP, "a socket at %s hears no group",
			       addr_format(&(*s)->local, text));
	if (!may_join(&g->group) || !may_send(&g->source, &g->group) || !is_of_family(g))
		return err_set(ERR_NOT_A_GROUP, "%s", addr_format(&g->group, text));
	*wish = (struct group_wish){.group = g->group, .source = g->source, .on = g->on};
	return 0;
}

int udp_join(struct net *net, prism_udp udp, const struct udp_group *g)
{
	struct udp_socket *s;
	struct group_wish wish;
	int error = read_request(net, udp, g, &s, &wish);

	if (!error)
		error = port_of(net, g, &wish.port_index);
	return error ? error : group_join(net, s, &wish);
}

int udp_leave(struct net *net, prism_udp udp, const struct udp_group *g)
{
	struct udp_socket *s;
	struct group_wish wish;
	int error = read_request(net, udp, g, &s, &wish);

	return error ? error : group_leave(net, s, &wish);
}

int udp_group_ttl(struct net *net, prism_udp udp, uint32_t ttl)
{
	struct udp_socket *s = udp_socket_of(net, udp);

	if (!s)
		return udp_refuse(net, udp);
	if (ttl == 0 || ttl > UINT8_MAX)
		return err_set(ERR_INVALID_ARGUMENT, "a TTL of %u: 1 to 255", ttl);
	s->group_ttl = (uint8_t)ttl;
	return 0;
}
