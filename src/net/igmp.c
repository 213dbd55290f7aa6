// SPDX-License-Identifier: BSD-3-Clause
// The Internet group management protocol, a host's side: version 3 (RFC 3376), and what a router of
// version 2 or 1 understands while one was heard lately (ibid. 7.2). Called by ip4.c with what
// arrives, by group_say.c with what is to be said.
//
// Deliberately not here: keeping still because another host of the link reported the same group
// (version 2's; RFC 3376 7.2.2 leaves it to us), and an answer about single senders of a group: all
// that are wanted are named.
#include "net/igmp.h"

#include "base/time.h"
#include "net/group.h"
#include "net/inside.h"
#include "port/mesh.h"

#define TTL 1
#define ROUNDS_AT_ONCE 16u
#define ROUND_NS (NS_PER_S / 64)
#define TOS_INTERNETWORK_CONTROL 0xc0 // RFC 3376 4
#define TENTH_MS 100u
#define IGMP1_DELAY_MS (100 * TENTH_MS) // RFC 3376 7.2.1: a router of version 1 means ten seconds

// RFC 3376 R16: robustness times the interval of questions, and once the time for an answer.
#define QUERY_INTERVAL_NS (125 * NS_PER_S)
#define OLDER_ROUTER_NS (2 * QUERY_INTERVAL_NS + 10 * NS_PER_S)

static uint32_t version(const struct net *net, uint16_t port_index)
{
	const struct group_port *port = &net->groups.port[port_index];

	if (port->igmp1_until_ns > net->env->now_ns)
		return 1;
	return port->igmp2_until_ns > net->env->now_ns ? 2 : 3;
}

// RFC 3376 R2: what p holds is IGMP's; puts the IP header with its router alert in front and sends
// it.
static void send(struct net *net, uint16_t port_index, struct pkt *p, be32 to)
{
	const struct net_port *np = &net->port[port_index];
	const struct addr group = addr_from_v4(to);
	struct igmp_message *m = pkt_at(p, 0);
	struct ipv4_header h = {
		.version_ihl = IPV4_VERSION_IHL + IGMP_ALERT_BYTES / 4,
		.tos = TOS_INTERNETWORK_CONTROL,
		.total_len = be16_of((uint16_t)(pkt_len(p) + IPV4_HEADER_BYTES + IGMP_ALERT_BYTES)),
		.fragment = be16_of(IPV4_DF),
		.ttl = TTL,
		.protocol = IP_IGMP,
		.src = np->address_count ? np->address[0].addr : (be32){0},
		.dst = to,
	};

	m->checksum = checksum_finish(checksum_add(0, m, pkt_len(p)));
	memcpy(pkt_prepend(p, IGMP_ALERT_BYTES), IGMP_ALERT_OPTION, IGMP_ALERT_BYTES);
	memcpy(pkt_prepend(p, sizeof(h)), &h, sizeof(h));
	struct ipv4_header *placed = pkt_at(p, 0);

	placed->checksum =
		checksum_finish(checksum_add(0, placed, IPV4_HEADER_BYTES + IGMP_ALERT_BYTES));
	counter_add(net->env, COUNTER_originated_pkts, 1);
	neighbour_send(net, neighbour_get(net, port_index, &group), p);
}

static struct pkt *begin(struct net *net)
{
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (p)
		*(struct igmp3_report *)pkt_append(p, sizeof(struct igmp3_report)) =
			(struct igmp3_report){.type = IGMP3_REPORT};
	return p;
}

static bool add_record(struct pkt *p, const struct group *g, const struct group_record *r)
{
	uint16_t len = (uint16_t)(sizeof(struct igmp3_record) + r->source_count * sizeof(be32));
	struct igmp3_report *report = pkt_at(p, 0);

	if (pkt_tailroom(p) < len)
		return false;
	struct igmp3_record *record = pkt_append(p, len);

	*record = (struct igmp3_record){.type = r->type,
					.source_count = be16_of(r->source_count),
					.group = addr_to_v4(&g->addr)};
	for (uint32_t i = 0; i < r->source_count; i++) {
		be32 source = addr_to_v4(&r->source[i]);

		memcpy((uint8_t *)(record + 1) + i * sizeof(source), &source, sizeof(source));
	}
	report->record_count = be16_of((uint16_t)(be16_get(report->record_count) + 1));
	return true;
}

// RFC 3376 R15: a report of the version that the router knows, or that the group was left, which
// version 1 does not say.
static void tell_older(struct net *net, const struct group *g, uint32_t router, bool left)
{
	struct pkt *p = left && router == 1 ? NULL : net_alloc(net, POOL_CTRL);
	be32 group = addr_to_v4(&g->addr);

	if (!p)
		return;
	*(struct igmp_message *)pkt_append(p, sizeof(struct igmp_message)) = (struct igmp_message){
		.type = left          ? IGMP2_LEAVE
			: router == 1 ? IGMP1_REPORT
				      : IGMP2_REPORT,
		.group = group,
	};
	send(net, g->port_index, p, left ? be32_of(IGMP_ALL_ROUTERS) : group);
}

void igmp_tell(struct net *net, const struct group *g, const struct group_record *r)
{
	uint32_t router = version(net, g->port_index);
	struct pkt *p;

	if (router < 3) {
		tell_older(net, g, router, group_says_left(g, r));
		return;
	}
	p = begin(net);
	if (!p)
		return;
	(void)add_record(p, g, r);
	send(net, g->port_index, p, be32_of(IGMP_ALL_V3_ROUTERS)); // RFC 3376 R6
}

// Into as few reports as it takes.
static struct pkt *report(struct net *net, struct pkt *p, const struct group *g)
{
	struct group_record r;

	group_state(net, g, &r);
	if (p && add_record(p, g, &r))
		return p;
	if (p)
		send(net, g->port_index, p, be32_of(IGMP_ALL_V3_ROUTERS));
	p = begin(net);
	if (p)
		(void)add_record(p, g, &r);
	return p;
}

void igmp_tell_all(struct net *net, uint16_t port_index)
{
	uint32_t router = version(net, port_index);
	struct pkt *p = NULL;

	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = &net->groups.group[i];

		if (!g->member_first || g->port_index != port_index || !addr_is_v4(&g->addr))
			continue;
		if (router < 3)
			tell_older(net, g, router, false);
		else
			p = report(net, p, g);
	}
	if (p)
		send(net, port_index, p, be32_of(IGMP_ALL_V3_ROUTERS));
}

// RFC 3376 R17, 9.1: to all systems, which no router forwards; or about a group to the group, which
// only has it answered. A TTL of 1 says little, as who is far off chooses it to be that here, and
// the source nothing: a router of the link may have its address from another network, a switch
// none.
static bool is_of_link(const struct ipv4_header *ip, const struct igmp_message *m)
{
	return ip->ttl == TTL && (be32_get(ip->dst) == IGMP_ALL_SYSTEMS ||
				  (m->group.raw && ip->dst.raw == m->group.raw));
}

static enum drop check(const struct pkt *p, const struct arrival *a)
{
	const struct ipv4_header *ip = pkt_at(p, a->l3_offset);

	if (a->l4_len < sizeof(struct igmp_message) ||
	    pkt_seg_len(p) < (uint32_t)a->l4_offset + a->l4_len ||
	    !is_of_link(ip, pkt_at(p, a->l4_offset)))
		return DROP_IGMP_MALFORMED;
	if (!checksum_is_good(checksum_add(0, pkt_at(p, a->l4_offset), a->l4_len)))
		return DROP_IGMP_CHECKSUM;
	return DROP_OK;
}

// RFC 3376 R14: by length and code (7.1). What the router speaks is remembered.
static uint32_t delay_of(struct net *net, const struct pkt *p, const struct arrival *a)
{
	struct group_port *port = &net->groups.port[a->port_index];
	const struct igmp3_query *q = pkt_at(p, a->l4_offset);
	uint8_t code = q->message.response_code;
	uint64_t *until_ns = code == 0 ? &port->igmp1_until_ns : &port->igmp2_until_ns;

	if (a->l4_len >= sizeof(*q)) {
		port->robustness[0] = q->flags & IGMP_ROBUSTNESS_MASK; // RFC 3376 R4
		return igmp_code(code) * TENTH_MS;
	}
	if (q->message.group.raw == 0) // a general question
		*until_ns = net->env->now_ns + OLDER_ROUTER_NS;
	return code == 0 ? IGMP1_DELAY_MS : code * TENTH_MS;
}

static enum drop hear(struct net *net, const struct pkt *p, const struct arrival *a)
{
	enum drop reason = check(p, a);
	const struct igmp_message *m = pkt_at(p, a->l4_offset);

	if (reason != DROP_OK)
		return reason;
	if (m->type != IGMP_QUERY)
		return DROP_IGMP_IGNORED;
	if (a->l4_len > sizeof(*m) && a->l4_len < sizeof(struct igmp3_query)) // RFC 3376 7.1
		return DROP_IGMP_MALFORMED;
	const struct addr group = addr_from_v4(m->group);
	uint32_t delay_ms = delay_of(net, p, a);

	group_asked(net, a->port_index, false, m->group.raw ? &group : NULL, delay_ms);
	return DROP_OK;
}

// Each worker answers for his own groups. Questions are few; who forges many has some of them go to
// the others, who would answer no sooner for more.
static bool may_go_round(struct net *net, const struct arrival *a)
{
	struct group_port *port = &net->groups.port[a->port_index];
	uint64_t due_ns = MAX(port->round_due_ns, net->env->now_ns);

	if (due_ns - net->env->now_ns > (ROUNDS_AT_ONCE - 1) * ROUND_NS)
		return false;
	port->round_due_ns = due_ns + ROUND_NS;
	return true;
}

void igmp_input(struct net *net, struct pkt *p, struct arrival *a)
{
	enum drop reason = hear(net, p, a);

	if (reason != DROP_OK)
		pkt_drop(net->env, p, reason);
	else if (net->env->hands && may_go_round(net, a))
		round_send(net, p, mesh_word(HANDED_IGMP, a->port_index, net->env->worker_index),
			   DROP_OK);
	else
		pkt_consume(net->env, p);
}

void igmp_hear(struct net *net, struct pkt *p, struct arrival *a, uint16_t word)
{
	const struct ipv4_header *ip = pkt_at(p, a->l3_offset);

	a->l4_offset = (uint16_t)(a->l3_offset + ipv4_header_len(ip));
	a->l4_len = (uint16_t)(be16_get(ip->total_len) - ipv4_header_len(ip));
	(void)hear(net, p, a);
	round_send(net, p, word, DROP_OK);
}
