// SPDX-License-Identifier: BSD-3-Clause
// Multicast listener discovery, the listener's side of version 2 (RFC 3810): says to which groups
// we listen, so that switches that look at it let neighbour discovery through to us. Groups are
// those of our own addresses; nobody else can join one. Called by ip6_address.c for an address that
// is to be ours and when an answer is due, by nd.c with questions.
//
// Deliberately not here: reports of version 1 to a router that speaks only that (RFC 3810 8.2.1),
// and saying that we leave: an address ends with its life or with the process.
#include "base/time.h"
#include "net/inside.h"
#include "net/nd.h"
#include "wire/icmp6.h"

#define HOP_LIMIT 1
#define DELAY_MS_MAX 10000u // RFC 3810 9.3: the default; a longer one is answered sooner

static void add_record(struct pkt *p, uint8_t type, const struct addr *addr)
{
	struct mld2_record *r = pkt_append(p, sizeof(*r));
	struct addr group = ipv6_solicited_node(addr);

	*r = (struct mld2_record){.type = type};
	memcpy(r->group, &group, 16);
}

static struct pkt *begin(struct net *net, uint32_t record_count)
{
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (p)
		*(struct mld2_report *)pkt_append(p, sizeof(struct mld2_report)) =
			(struct mld2_report){.type = ICMP6_MLD2_REPORT,
					     .record_count = be16_of((uint16_t)record_count)};
	return p;
}

// RFC 3810 5.2.13: from the link-local address, or nobody's while that is not ours.
static void send(struct net *net, uint16_t port_index, struct pkt *p)
{
	const struct addr nobody = {0}, all = IPV6_ALL_MLD2_ROUTERS;
	const struct ip6_address *own = &net->ip6->port[port_index].address[0];

	nd_send(net, p,
		&(struct nd_frame){port_index, HOP_LIMIT, true,
				   own->state == IP6_ASSIGNED ? &own->addr : &nobody, &all, NULL});
}

// RFC 3810 6.1: a change of state, which is what begins to listen.
void mld_join(struct net *net, uint16_t port_index, const struct addr *addr)
{
	struct pkt *p = begin(net, 1);

	if (!p)
		return;
	add_record(p, MLD2_CHANGE_TO_EXCLUDE, addr);
	send(net, port_index, p);
}

// RFC 3810 6.2: from a router of this link, who says that other routers should look at it.
static enum drop check(const struct pkt *p, const struct arrival *a)
{
	const struct ipv6_header *ip = pkt_at(p, a->l3_offset);

	if (ip->hop_limit != HOP_LIMIT || !ipv6_is_link_local(&a->src) ||
	    ip->next_header != IPV6_HOP_BY_HOP || a->l4_len < sizeof(struct mld_query) ||
	    pkt_seg_len(p) < a->l4_offset + sizeof(struct mld_query))
		return DROP_MLD_MALFORMED;
	return DROP_OK;
}

enum drop mld_query(struct net *net, const struct pkt *p, const struct arrival *a)
{
	const struct mld_query *q = pkt_at(p, a->l4_offset);
	struct ip6_port *port = &net->ip6->port[a->port_index];
	enum drop reason = check(p, a);

	if (reason != DROP_OK || net->env->worker_index != 0)
		return reason;
	uint32_t delay_ms = MIN((uint32_t)be16_get(q->response_delay), DELAY_MS_MAX);
	uint64_t due_ns = net->env->now_ns + rng_below(&net->env->rng, delay_ms + 1) * NS_PER_MS;

	port->report_ns = MIN(port->report_ns, due_ns);
	ip6_schedule(net);
	return DROP_OK;
}

// RFC 3810 5.2.12: the current state of all groups in one report.
void mld_tick(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = &net->ip6->port[port_index];

	if (port->report_ns > net->env->now_ns)
		return;
	port->report_ns = TIME_NEVER_NS;
	struct pkt *p = begin(net, port->address_count);

	if (!p)
		return;
	for (uint32_t k = 0; k < port->address_count; k++)
		add_record(p, MLD2_MODE_IS_EXCLUDE, &port->address[k].addr);
	send(net, port_index, p);
}
