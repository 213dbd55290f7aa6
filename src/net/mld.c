// SPDX-License-Identifier: BSD-3-Clause
// Multicast listener discovery, the listener's side: version 2 (RFC 3810), and what a router of
// version 1 understands while one was heard lately (ibid. 8.2.1). Says to which groups we listen,
// so that switches and routers that look at it let through what goes there: neighbour discovery for
// the groups of our own addresses, which the first worker speaks of, and what sockets wait for.
// Called by ip6_address.c for an address that is to be ours and when an answer is due, by
// group_say.c for the groups of sockets, by nd.c with questions.
//
// Deliberately not here: saying that we leave the group of an address: that ends with its life or
// with the process; and an answer about single senders: all that are wanted are named.
#include "base/time.h"
#include "net/group.h"
#include "net/inside.h"
#include "net/nd.h"
#include "wire/icmp6.h"

#define HOP_LIMIT 1
#define DELAY_MS_MAX 10000u // RFC 3810 9.3: the default; a longer one is answered sooner
#define MLD1_QUERY_BYTES 24 // RFC 3810 8.1
#define MLD2_QUERY_BYTES 28

// RFC 3810 9.12: robustness times the interval of questions, and once the time for an answer.
#define OLDER_ROUTER_NS (2 * 125 * NS_PER_S + 10 * NS_PER_S)

static bool add_record(struct pkt *p, const struct addr *group, const struct group_record *change)
{
	uint16_t sources_bytes = (uint16_t)(change->source_count * sizeof(struct addr));
	struct mld2_report *report = pkt_at(p, 0);

	if (pkt_tailroom(p) < sizeof(struct mld2_record) + sources_bytes)
		return false;
	struct mld2_record *r = pkt_append(p, (uint16_t)sizeof(*r));

	*r = (struct mld2_record){.type = change->type,
				  .source_count = be16_of(change->source_count)};
	memcpy(r->group, group, 16);
	memcpy(pkt_append(p, sources_bytes), change->source, sources_bytes);
	report->record_count = be16_of((uint16_t)(be16_get(report->record_count) + 1));
	return true;
}

static struct pkt *begin(struct net *net)
{
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (p)
		*(struct mld2_report *)pkt_append(p, sizeof(struct mld2_report)) =
			(struct mld2_report){.type = ICMP6_MLD2_REPORT};
	return p;
}

// RFC 3810 5.2.13: from the link-local address, or nobody's while that is not ours.
static void send_to(struct net *net, uint16_t port_index, struct pkt *p, const struct addr *to)
{
	const struct addr nobody = {0};
	const struct ip6_address *own = &net->ip6->port[port_index].address[0];

	nd_send(net, p,
		&(struct nd_frame){port_index, HOP_LIMIT, true,
				   own->state == IP6_ASSIGNED ? &own->addr : &nobody, to, NULL});
}

static void send(struct net *net, uint16_t port_index, struct pkt *p)
{
	const struct addr all = IPV6_ALL_MLD2_ROUTERS;

	send_to(net, port_index, p, &all);
}

// RFC 3810 8.2.1: a report of version 1, which goes to the group itself, or that it was left.
static void tell_older(struct net *net, uint16_t port_index, const struct addr *group, bool left)
{
	const struct addr routers = IPV6_ALL_ROUTERS;
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (!p)
		return;
	struct mld_query *m = pkt_append(p, (uint16_t)sizeof(*m));

	*m = (struct mld_query){.type = left ? ICMP6_MLD1_DONE : ICMP6_MLD1_REPORT};
	memcpy(m->group, group, 16);
	send_to(net, port_index, p, left ? &routers : group);
}

static bool router_is_older(const struct net *net, uint16_t port_index)
{
	return net->groups.port[port_index].mld1_until_ns > net->env->now_ns;
}

static void tell_one(struct net *net, uint16_t port_index, const struct addr *group,
		     const struct group_record *r)
{
	struct pkt *p = begin(net);

	if (!p)
		return;
	(void)add_record(p, group, r);
	send(net, port_index, p);
}

void mld_tell(struct net *net, const struct group *g, const struct group_record *r)
{
	if (!net->ip6)
		return;
	if (router_is_older(net, g->port_index))
		tell_older(net, g->port_index, &g->addr, group_says_left(g, r));
	else
		tell_one(net, g->port_index, &g->addr, r);
}

// Into as few reports as it takes.
static struct pkt *report(struct net *net, struct pkt *p, const struct group *g)
{
	struct group_record r;

	group_state(net, g, &r);
	if (p && add_record(p, &g->addr, &r))
		return p;
	if (p)
		send(net, g->port_index, p);
	p = begin(net);
	if (p)
		(void)add_record(p, &g->addr, &r);
	return p;
}

void mld_tell_all(struct net *net, uint16_t port_index)
{
	struct pkt *p = NULL;

	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = &net->groups.group[i];

		if (!g->member_first || g->port_index != port_index || addr_is_v4(&g->addr))
			continue;
		if (router_is_older(net, port_index))
			tell_older(net, port_index, &g->addr, false);
		else
			p = report(net, p, g);
	}
	if (p)
		send(net, port_index, p);
}

// RFC 3810 6.1: a change of state, which is what begins to listen.
void mld_join(struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct addr group = ipv6_solicited_node(addr);

	if (router_is_older(net, port_index))
		tell_older(net, port_index, &group, false);
	else
		tell_one(net, port_index, &group, &(struct group_record){.type = GROUP_TO_EXCLUDE});
}

// RFC 3810 6.2: from a router of this link, who says that other routers should look at it.
static enum drop check(const struct pkt *p, const struct arrival *a)
{
	const struct ipv6_header *ip = pkt_at(p, a->l3_offset);

	if (ip->hop_limit != HOP_LIMIT || !ipv6_is_link_local(&a->src) ||
	    ip->next_header != IPV6_HOP_BY_HOP || a->l4_len < sizeof(struct mld_query) ||
	    (a->l4_len > MLD1_QUERY_BYTES && a->l4_len < MLD2_QUERY_BYTES) ||
	    pkt_seg_len(p) < a->l4_offset + sizeof(struct mld_query))
		return DROP_MLD_MALFORMED;
	return DROP_OK;
}

// RFC 3810 8.1: by length. What the router speaks is remembered.
static void remember_router(struct net *net, const struct pkt *p, const struct arrival *a)
{
	struct group_port *port = &net->groups.port[a->port_index];
	const struct mld_query *q = pkt_at(p, a->l4_offset);
	const uint8_t *flags = (const uint8_t *)(q + 1);

	const struct addr group = addr_from_bytes(q->group);

	if (a->l4_len == MLD1_QUERY_BYTES && addr_is_any(&group)) // a general question
		port->mld1_until_ns = net->env->now_ns + OLDER_ROUTER_NS;
	else if (pkt_seg_len(p) > a->l4_offset + sizeof(*q))
		port->robustness[1] = *flags & IGMP_ROBUSTNESS_MASK; // RFC 3810 5.1.8
}

enum drop mld_query(struct net *net, const struct pkt *p, const struct arrival *a)
{
	const struct mld_query *q = pkt_at(p, a->l4_offset);
	struct ip6_port *port = &net->ip6->port[a->port_index];
	enum drop reason = check(p, a);

	if (reason != DROP_OK)
		return reason;
	const struct addr group = addr_from_bytes(q->group);
	uint32_t delay_ms = MIN((uint32_t)be16_get(q->response_delay), DELAY_MS_MAX);
	uint64_t due_ns = net->env->now_ns + rng_below(&net->env->rng, delay_ms + 1) * NS_PER_MS;

	remember_router(net, p, a);
	group_asked(net, a->port_index, true, addr_is_any(&group) ? NULL : &group, delay_ms);
	if (net->env->worker_index != 0)
		return DROP_OK;
	port->report_ns = MIN(port->report_ns, due_ns);
	ip6_schedule(net);
	return DROP_OK;
}

static void report_own(struct net *net, uint16_t port_index, struct pkt *p)
{
	const struct group_record r = {.type = GROUP_IS_EXCLUDE};
	const struct ip6_port *port = &net->ip6->port[port_index];

	for (uint32_t k = 0; k < port->address_count; k++) {
		const struct addr group = ipv6_solicited_node(&port->address[k].addr);

		if (p)
			(void)add_record(p, &group, &r);
		else
			tell_older(net, port_index, &group, false);
	}
}

// RFC 3810 5.2.12: the current state of all groups of our addresses in one report.
void mld_tick(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = &net->ip6->port[port_index];

	if (port->report_ns > net->env->now_ns)
		return;
	port->report_ns = TIME_NEVER_NS;
	if (router_is_older(net, port_index)) {
		report_own(net, port_index, NULL);
		return;
	}
	struct pkt *p = begin(net);

	if (!p)
		return;
	report_own(net, port_index, p);
	send(net, port_index, p);
}
