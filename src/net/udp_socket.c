// SPDX-License-Identifier: BSD-3-Clause
// UDP sockets: slots with generations, found by port. Requests of the floors above come here; the
// datagrams' way is udp.c.
//
// A socket is found by its port in an array of all 65,536, then among the few that share it with
// different addresses: no hash, nothing to attack.
#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/inside.h"
#include "net/udp.h"
#include "wire/icmp.h"

#define PORTS 65536
#define PORT_DYNAMIC_MIN 49152 // RFC 6335 6
#define GROUP_TTL_DEFAULT 1    // RFC 1112 6.1; RFC 3493 5.2

struct udp_socket *udp_lookup(struct net *net, const struct addr *local, uint16_t port)
{
	struct udp_socket *any = NULL;

	for (uint32_t i = net->udp.by_port[port]; i; i = net->udp.socket[i - 1].next) {
		struct udp_socket *s = &net->udp.socket[i - 1];

		if (addr_equal(&s->local, local))
			return s;
		if (addr_is_any(&s->local))
			any = s;
	}
	return any;
}

static bool taken(struct net *net, const struct addr *local, uint16_t port)
{
	for (uint32_t i = net->udp.by_port[port]; i; i = net->udp.socket[i - 1].next) {
		const struct addr *other = &net->udp.socket[i - 1].local;

		if (addr_equal(other, local) || (addr_is_any(other) && addr_is_any(local)))
			return true;
	}
	return false;
}

static bool others_have(const struct net *net, uint16_t port)
{
	return net->config.udp_claims && claims_on(net->config.udp_claims, port);
}

// RFC 6056 R9: from a random place on. 0 when all are taken. A port that another worker has is
// not chosen: what comes for it would be shared with him.
static uint16_t choose_port(struct net *net, const struct addr *local)
{
	uint32_t span = PORTS - PORT_DYNAMIC_MIN;
	uint32_t first = (uint32_t)rng_below(&net->env->rng, span);

	for (uint32_t i = 0; i < span; i++) {
		uint16_t port = (uint16_t)(PORT_DYNAMIC_MIN + (first + i) % span);

		if (!taken(net, local, port) && !others_have(net, port))
			return port;
	}
	return 0;
}

int udp_open(struct net *net, const struct addr *local, uint16_t port, uint64_t user,
	     prism_udp *udp)
{
	struct udp *u = &net->udp;
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_any(local) && !net_is_local(net, local))
		return err_set(ERR_ADDRESS_NOT_OURS, "udp %s", addr_format(local, text));
	if (u->free_first == 0)
		return err_set(ERR_SOCKETS_FULL, "%u UDP sockets are open", u->socket_count);
	if (port != 0 && taken(net, local, port))
		return err_set(ERR_ADDRESS_IN_USE, "udp %s:%u", addr_format(local, text), port);
	if (port == 0)
		port = choose_port(net, local);
	if (port == 0)
		return err_set(ERR_NO_LOCAL_PORT, "udp %s", addr_format(local, text));
	int error =
		net->config.udp_claims ? net_claim(net, net->config.udp_claims, local, port) : 0;
	struct udp_socket *s = &u->socket[u->free_first - 1];
	uint16_t index = u->free_first;

	if (error)
		return error;

	u->free_first = s->next;
	s->local = *local;
	s->user = user;
	s->port = port;
	s->clients_only = false;
	s->group_ttl = GROUP_TTL_DEFAULT;
	s->next = u->by_port[port];
	u->by_port[port] = index;
	udp->id = s->id;
	return 0;
}

int udp_refuse(const struct net *net, prism_udp udp)
{
	uint32_t worker = (uint32_t)(udp.id >> 56);

	if (worker != net->env->worker_index && worker < MAX(net->env->worker_count, 1u))
		return err_set(ERR_OTHER_WORKER, "udp %llx is worker %u's, not %u's",
			       (unsigned long long)udp.id, worker, net->env->worker_index);
	return err_set(ERR_STALE_HANDLE, "udp %llx", (unsigned long long)udp.id);
}

// The same slot's handle with the next generation.
static uint64_t next_id(uint64_t id)
{
	uint64_t generation = (id >> 32 & UDP_GENERATION_MAX) % UDP_GENERATION_MAX + 1;

	return (id & ~((uint64_t)UDP_GENERATION_MAX << 32)) | generation << 32;
}

// Nobody is to hear of it any more: its socket is gone.
static void forget(struct net *net, struct udp_news *n)
{
	n->socket = NULL;
	if (!n->pkt)
		return;
	pkt_unkeep(net->env, n->pkt);
	pkt_drop(net->env, n->pkt, DROP_UDP_CLOSED);
	counter_sub(net->env, COUNTER_queued_pkts, 1);
	n->pkt = NULL;
}

int udp_close(struct net *net, prism_udp udp)
{
	struct udp_socket *s = udp_socket_of(net, udp);

	if (!s)
		return udp_refuse(net, udp);
	struct udp *u = &net->udp;
	uint16_t index = (uint16_t)(s - u->socket + 1);
	uint16_t *link = &u->by_port[s->port];

	for (uint32_t i = 0; i < u->news_count; i++)
		if (u->news[u->news_first + i].socket == s)
			forget(net, &u->news[u->news_first + i]);

	group_leave_all(net, s);
	while (*link != index)
		link = &u->socket[*link - 1].next;
	*link = s->next;
	if (net->config.udp_claims)
		net_unclaim(net, net->config.udp_claims, &s->local, s->port);
	s->port = 0;
	s->id = next_id(s->id);
	s->next = u->free_first;
	u->free_first = index;
	return 0;
}

int udp_clients_only(struct net *net, prism_udp udp)
{
	struct udp_socket *s = udp_socket_of(net, udp);

	if (!s)
		return udp_refuse(net, udp);
	s->clients_only = true;
	return 0;
}

int udp_endpoint(struct net *net, prism_udp udp, struct addr *local, uint16_t *port)
{
	const struct udp_socket *s = udp_socket_of(net, udp);

	if (!s)
		return udp_refuse(net, udp);
	*local = s->local;
	*port = s->port;
	return 0;
}

// RFC 1122 4.2.3.9's classes, as errnos.
static uint16_t errno_of(const struct icmp_report *r)
{
	if (r->type == ICMP_PARAMETER_PROBLEM)
		return EPROTO;
	if (r->type == ICMP_TIME_EXCEEDED)
		return EHOSTUNREACH;
	switch (r->code) {
	case ICMP_UNREACHABLE_NET:
		return ENETUNREACH;
	case ICMP_UNREACHABLE_PROTOCOL:
	case ICMP_UNREACHABLE_PORT:
		return ECONNREFUSED;
	case ICMP_UNREACHABLE_FRAGMENTATION_NEEDED:
		return EMSGSIZE;
	default:
		return EHOSTUNREACH;
	}
}

// RFC 1122 4.1.3.3: UDP passes ICMP errors up. One that is about a port nobody has open is forged
// or too late, and changes nothing. UDP has no number that a forger would have to guess; but what
// was too big for a path was sent there (RFC 5927 7.2): who got no datagram above the MTU reported
// has no say. No report goes below 552 bytes or counts for longer than ten minutes (path.c).
static void report_error(struct net *net, const struct icmp_report *r)
{
	struct udp *u = &net->udp;
	struct udp_socket *s = udp_lookup(net, &r->local, r->local_port);

	if (!s || net_is_multicast(&r->remote)) // nobody says anything of a group (RFC 1122 3.2.2)
		return;
	if (r->mtu_bytes && !path_was_sent(net, &r->remote, r->mtu_bytes))
		return;
	if (r->mtu_bytes)
		net_lower_mtu(net, &r->remote, r->mtu_bytes); // later datagrams are cut to fit
	if (u->news_first + u->news_count == u->news_max)
		return;
	u->news[u->news_first + u->news_count++] = (struct udp_news){
		.peer = r->remote,
		.local = r->local,
		.socket = s,
		.peer_port = r->remote_port,
		.error = errno_of(r),
	};
}

uint64_t udp_claimants(const struct net *net, const struct addr *local, uint16_t port)
{
	return net_claimants(net, net->config.udp_claims, local, port);
}

uint32_t udp_worker_for(const struct net *net, uint64_t claimants, const struct icmp_report *flow,
			bool deal_out)
{
	uint32_t me = net->env->worker_index;

	if (claimants == 0 || (claimants >> me & 1 && !deal_out))
		return me;
	if (claims_are_one(claimants)) // no hash is needed to choose
		return claims_choose(claimants, 0);
	return claims_choose(claimants,
			     net_flow_hash(net, addr_to_v4(&flow->local), addr_to_v4(&flow->remote),
					   (uint32_t)flow->local_port << 16 | flow->remote_port));
}

// Several may have a socket there: who sent what it quotes; if that is told wrong, any.
static uint32_t worker_who_sent(const struct net *net, const struct icmp_report *r)
{
	const struct claims *claims = net->config.udp_claims;
	uint64_t mask = net_claimants(net, claims, &r->local, r->local_port) |
			claims_of(claims, r->local_port, CLAIMS_ANY);

	if (mask >> r->worker & 1)
		return r->worker;
	return udp_worker_for(net, udp_claimants(net, &r->local, r->local_port), r, true);
}

uint32_t udp_icmp_error(struct net *net, const struct icmp_report *r)
{
	uint32_t to = net->env->worker_index;

	if (net->config.udp_claims)
		to = worker_who_sent(net, r);
	if (to == net->env->worker_index)
		report_error(net, r);
	return to;
}

bool udp_init(struct net *net)
{
	struct udp *u = &net->udp;

	u->socket_count = net->config.udp_max;
	u->news_max = net->config.udp_queue_pkts;
	u->by_port = mem_map("UDP ports", PORTS * sizeof(*u->by_port));
	u->socket = mem_map("UDP sockets", u->socket_count * sizeof(*u->socket));
	u->news = mem_map("UDP's queue", u->news_max * sizeof(*u->news));
	if (!u->by_port || !u->socket || !u->news)
		return false;
	for (uint32_t i = u->socket_count; i > 0; i--) {
		u->socket[i - 1].id = next_id((uint64_t)net->env->worker_index << 56 | (i - 1));
		u->socket[i - 1].next = u->free_first;
		u->free_first = (uint16_t)i;
	}
	return true;
}

void udp_fini(struct net *net)
{
	struct udp *u = &net->udp;

	for (uint32_t i = 0; i < u->news_count; i++)
		forget(net, &u->news[u->news_first + i]);
	if (u->news)
		mem_unmap(u->news, u->news_max * sizeof(*u->news));
	if (u->socket)
		mem_unmap(u->socket, u->socket_count * sizeof(*u->socket));
	if (u->by_port)
		mem_unmap(u->by_port, PORTS * sizeof(*u->by_port));
}
