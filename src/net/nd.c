// SPDX-License-Identifier: BSD-3-Clause
// Neighbour discovery's messages (RFC 4861 7): solicitations and advertisements, in and out, and
// what they say about addresses of our own (RFC 4862 5.4). Called by icmp6.c with what arrives;
// speaks to nd_cache.c, which keeps the neighbours' states.
//
// It learns only from stations that ask for us and from advertisements about neighbours it knows
// already (RFC 4861 7.2.5: others create nothing). What comes from more than one hop away says a
// hop limit below 255 and is not believed.
#include "net/nd.h"

#include "net/inside.h"
#include "observe/trace.h"
#include "wire/icmp6.h"

#define HOP_LIMIT 255

static void add_alert(struct pkt *p)
{
	uint8_t *at = pkt_prepend(p, MLD_ALERT_BYTES);

	at[0] = IP_ICMP6;
	at[1] = 0;
	memcpy(at + 2, MLD_ALERT_OPTION, 6);
}

void nd_send(struct net *net, struct pkt *p, const struct nd_frame *f)
{
	const struct net_port *np = &net->port[f->port_index];
	uint32_t sum = checksum_pseudo(f->src, f->dst, IP_ICMP6, pkt_len(p));
	struct icmp6_header *icmp = pkt_at(p, 0);

	icmp->checksum = (be16){0};
	icmp->checksum = checksum_finish(sum + net_sum(NULL, p, 0, pkt_len(p)));
	if (f->alert)
		add_alert(p);
	const struct ipv6_header ip = {
		.version_class_flow = be32_of(UINT32_C(6) << 28),
		.payload_len = be16_of((uint16_t)pkt_len(p)),
		.next_header = f->alert ? IPV6_HOP_BY_HOP : IP_ICMP6,
		.hop_limit = f->hop_limit,
	};

	ipv6_header_put(pkt_prepend(p, sizeof(ip)), f->src, f->dst, ip);
	struct eth_header *h = pkt_prepend(p, np->l2_len);

	if (f->mac)
		memcpy(h->dst, f->mac, 6);
	else
		ipv6_group_mac(f->dst, h->dst);
	memcpy(h->src, np->port->mac, 6);
	h->type = be16_of(np->vlan_id ? ETH_TYPE_VLAN : ETH_TYPE_IPV6);
	if (np->vlan_id) {
		struct vlan_tag *tag = (void *)(h + 1);

		*tag = (struct vlan_tag){be16_of(np->vlan_id), be16_of(ETH_TYPE_IPV6)};
	}
	counter_add(net->env, COUNTER_originated_pkts, 1);
	port_tx(net->env, np->port, p);
}

static struct nd_message *begin(struct pkt *p, uint8_t type, uint32_t flags,
				const struct addr *target)
{
	struct nd_message *m = pkt_append(p, sizeof(*m));

	*m = (struct nd_message){.type = type, .flags = be32_of(flags)};
	memcpy(m->target, target, 16);
	return m;
}

void nd_add_mac(const struct net *net, uint16_t port_index, struct pkt *p, uint8_t type)
{
	struct nd_option_mac *o = pkt_append(p, sizeof(*o));

	*o = (struct nd_option_mac){.type = type, .words = 1};
	memcpy(o->mac, net->port[port_index].port->mac, 6);
}

bool nd_solicit(struct net *net, uint16_t port_index, const struct addr *target,
		const uint8_t mac[6])
{
	const struct ip6_address *own = ip6_source(net, port_index, target);
	struct addr group = ipv6_solicited_node(target);
	struct pkt *p;

	if (!own || own->state != IP6_ASSIGNED || ip6_find_on(net, port_index, target))
		return false;
	p = net_alloc(net, POOL_CTRL);
	if (!p)
		return true;
	begin(p, ICMP6_NEIGHBOUR_SOLICITATION, 0, target);
	nd_add_mac(net, port_index, p, ND_OPTION_SOURCE); // RFC 4861 4.3: MUST on multicast ones
	nd_send(net, p,
		&(struct nd_frame){port_index, HOP_LIMIT, false, &own->addr, mac ? target : &group,
				   mac});
	return true;
}

// RFC 7527 4.1: by which our own question is known when it comes back. All workers would make the
// same, as any of them may hear it.
static void make_nonce(const struct net *net, const struct addr *target, uint8_t nonce[6])
{
	uint64_t hash = hash_siphash(net->env->secret, target, sizeof(*target));

	memcpy(nonce, &hash, 6);
}

void nd_probe(struct net *net, uint16_t port_index, const struct addr *target)
{
	const struct addr nobody = {0};
	struct addr group = ipv6_solicited_node(target);
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (!p)
		return;
	begin(p, ICMP6_NEIGHBOUR_SOLICITATION, 0, target);
	struct nd_option_nonce *o = pkt_append(p, sizeof(*o));

	*o = (struct nd_option_nonce){.type = ND_OPTION_NONCE, .words = 1};
	make_nonce(net, target, o->nonce);
	nd_send(net, p, &(struct nd_frame){port_index, HOP_LIMIT, false, &nobody, &group, NULL});
}

// RFC 4861 7.2.4. Who asked from no address of its own hears it with all others.
static void advertise(struct net *net, const struct arrival *a, const struct addr *target,
		      const uint8_t mac[6])
{
	const struct addr all = IPV6_ALL_NODES;
	bool nobody = ipv6_is_unspecified(&a->src);
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (!p)
		return;
	begin(p, ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_OVERRIDE | (nobody ? 0 : ND_SOLICITED), target);
	nd_add_mac(net, a->port_index, p, ND_OPTION_TARGET);
	nd_send(net, p,
		&(struct nd_frame){a->port_index, HOP_LIMIT, false, target, nobody ? &all : &a->src,
				   nobody ? NULL : mac});
}

const struct nd_option *nd_find_option(const struct pkt *p, const struct arrival *a, uint32_t skip,
				       uint8_t type, bool *whole)
{
	const struct nd_option *found = NULL;
	uint32_t end = (uint32_t)a->l4_offset + a->l4_len;

	*whole = end <= pkt_seg_len(p);
	for (uint32_t at = a->l4_offset + skip; *whole && at < end;) {
		const struct nd_option *o = pkt_at(p, at);

		*whole = at + sizeof(*o) <= end && o->words && at + o->words * 8u <= end;
		if (!*whole)
			return NULL;
		if (o->type == type && !found)
			found = o;
		at += o->words * 8u;
	}
	return found;
}

// A neighbour message, read.
struct heard {
	struct addr target;
	uint32_t flags;
	const uint8_t *mac;   // that its option tells, or NULL
	const uint8_t *nonce; // likewise
	bool asks;
};

// RFC 4861 7.1.1, 7.1.2.
static enum drop read_message(const struct pkt *p, const struct arrival *a, struct heard *h)
{
	const struct ipv6_header *ip = pkt_at(p, a->l3_offset);
	const struct nd_message *m = pkt_at(p, a->l4_offset);
	bool whole;

	if (ip->hop_limit != HOP_LIMIT)
		return DROP_ND_FAR;
	if (m->code != 0 || a->l4_len < sizeof(*m) || pkt_seg_len(p) < a->l4_offset + sizeof(*m))
		return DROP_ND_MALFORMED;
	h->asks = m->type == ICMP6_NEIGHBOUR_SOLICITATION;
	h->target = addr_from_bytes(m->target);
	h->flags = be32_get(m->flags);
	const struct nd_option_mac *o = (const void *)nd_find_option(
		p, a, sizeof(*m), h->asks ? ND_OPTION_SOURCE : ND_OPTION_TARGET, &whole);

	if (!whole || !ipv6_is_host(&h->target) || (o && (o->words != 1 || eth_is_group(o->mac))))
		return DROP_ND_MALFORMED;
	h->mac = o ? o->mac : NULL;
	const struct nd_option_nonce *n =
		(const void *)nd_find_option(p, a, sizeof(*m), ND_OPTION_NONCE, &whole);

	h->nonce = n ? n->nonce : NULL;
	// Who has no address has no station to be told, and asks a group.
	if (h->asks && ipv6_is_unspecified(&a->src) && (o || !a->to_group))
		return DROP_ND_MALFORMED;
	if (!h->asks && a->to_group && h->flags & ND_SOLICITED)
		return DROP_ND_MALFORMED;
	return DROP_OK;
}

// Its station says nothing about that: a tap's two ends have the same.
static bool is_our_question(const struct net *net, const struct heard *h)
{
	uint8_t ours[6];

	make_nonce(net, &h->target, ours);
	return h->nonce && memcmp(h->nonce, ours, sizeof(ours)) == 0;
}

// What is said of an address that is ours changes nothing here, but others may not be as far: they
// hear of it now and then.
static bool tell_now(const struct net *net, struct ip6_address *own)
{
	if (own->tell_ns > net->env->now_ns)
		return false;
	own->tell_ns = net->env->now_ns + ND_TELL_NS;
	return true;
}

// Somebody speaks of an address of ours as his, or asks whether he may have it, as we do.
static enum drop conflict(struct net *net, const struct arrival *a, struct ip6_address *own,
			  struct nd_round *round)
{
	if (own->state == IP6_TENTATIVE) {
		ip6_is_duplicate(net, a->port_index, own);
		return DROP_ND_CONFLICT;
	}
	round->is_news = tell_now(net, own);
	return DROP_ND_CONFLICT;
}

static enum drop solicitation(struct net *net, const struct pkt *p, const struct arrival *a,
			      const struct heard *h, struct nd_round *round)
{
	struct ip6_address *own = ip6_find_on(net, a->port_index, &h->target);
	bool probe = ipv6_is_unspecified(&a->src);

	if (!own || own->state == IP6_DUPLICATE)
		return DROP_ND_NOT_OURS;
	if (own->state == IP6_TENTATIVE) // RFC 4862 5.4.3
		return probe && !is_our_question(net, h) ? conflict(net, a, own, round)
							 : DROP_ND_NOT_OURS;
	// Who is of no prefix that is known to be on the link is answered, but is no neighbour:
	// what goes to him goes where a route says (RFC 5942 4).
	if (probe)
		round->is_news = tell_now(net, own);
	else
		round->is_news = h->mac && path6_on_link(net, a->port_index, &a->src) &&
				 nd_learn(net, a->port_index, &a->src, h->mac);
	if (round->is_first)
		advertise(net, a, &h->target,
			  h->mac ? h->mac : ((const struct eth_header *)pkt_at(p, 0))->src);
	return DROP_OK;
}

// What was asked for may be the answer to another worker's question. What comes unasked and says
// what is known says nothing to the others either.
static bool is_new_of(const struct neighbour *n, const struct heard *h)
{
	return h->flags & ND_SOLICITED || n->is_router != (bool)(h->flags & ND_ROUTER) ||
	       (h->mac && !eth_equal(n->header, h->mac));
}

static enum drop advertisement(struct net *net, const struct arrival *a, const struct heard *h,
			       struct nd_round *round)
{
	struct ip6_address *own = ip6_find_on(net, a->port_index, &h->target);
	struct neighbour *n;

	if (own && own->state != IP6_DUPLICATE)
		return conflict(net, a, own, round);
	n = neighbour_find(net, a->port_index, &h->target);
	if (!n || n->state == NEIGHBOUR_FAILED || n->state == NEIGHBOUR_NEW)
		return DROP_ND_UNASKED;
	round->is_news = n->state == NEIGHBOUR_PENDING || is_new_of(n, h);
	nd_answer(net, n,
		  &(struct nd_answer){
			  .mac = h->mac,
			  .solicited = h->flags & ND_SOLICITED,
			  .override = h->flags & ND_OVERRIDE,
			  .is_router = h->flags & ND_ROUTER,
		  });
	return DROP_OK;
}

static enum drop hear(struct net *net, const struct pkt *p, const struct arrival *a,
		      struct nd_round *round)
{
	const struct icmp6_header *icmp = pkt_at(p, a->l4_offset);
	struct heard h;
	enum drop reason;

	// RFC 6980 5: who filters for a link cannot look into pieces, and nothing here needs them.
	if (a->was_fragment)
		return DROP_ND_FRAGMENT;
	if (icmp->type == ICMP6_ROUTER_SOLICITATION) // RFC 4861 6.2.6: for routers
		return DROP_ICMP6_IGNORED;
	if (icmp->type == ICMP6_MLD_QUERY)
		return mld_query(net, p, a);
	if (icmp->type == ICMP6_ROUTER_ADVERTISEMENT)
		return nd_advertised(net, p, a, round);
	reason = read_message(p, a, &h);
	if (reason != DROP_OK)
		return reason;
	return h.asks ? solicitation(net, p, a, &h, round) : advertisement(net, a, &h, round);
}

// What is of use to all workers, each of whom has neighbours and addresses of his own.
static bool is_of_use(enum drop reason)
{
	return reason == DROP_OK || reason == DROP_ND_CONFLICT || reason == DROP_ND_UNASKED;
}

void nd_input(struct net *net, struct pkt *p, struct arrival *a)
{
	struct nd_round round = {.is_first = true, .is_news = true};
	enum drop reason = hear(net, p, a, &round);
	enum handed what = reason == DROP_OK ? HANDED_ND_USED : HANDED_ND;

	if (round.is_news && is_of_use(reason))
		round_send(net, p, mesh_word(what, a->port_index, net->env->worker_index), reason);
	else if (reason == DROP_OK)
		pkt_consume(net->env, p);
	else
		pkt_drop(net->env, p, reason);
}

void nd_hear(struct net *net, struct pkt *p, struct arrival *a, uint16_t word)
{
	struct nd_round round = {.is_first = false};
	enum drop reason = hear(net, p, a, &round);
	bool used = reason == DROP_OK || mesh_what(word) == HANDED_ND_USED;

	uint32_t from = round.begins_anew ? net->env->worker_index : mesh_from(word);

	round_send(net, p, mesh_word(used ? HANDED_ND_USED : HANDED_ND, a->port_index, from),
		   reason);
}
