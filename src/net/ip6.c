// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on the way in (RFC 8200): the checks, whether the addresses may be believed and are for us,
// the extension headers. Called by core/stack.c after eth_input; what it answers names the
// transport that comes next.
//
// Deliberately not here: forwarding, and any check of the hop limit, which is for routers
// (RFC 8200 3); nd.c has its own.
#include "net/ip6.h"

#include "net/icmp6.h"
#include "net/inside.h"
#include "wire/icmp6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static enum drop check_header(const struct pkt *p, const struct arrival *a,
			      const struct ipv6_header *h)
{
	uint32_t contiguous = pkt_seg_len(p) - a->l3_offset;

	if (UNLIKELY(contiguous < sizeof(*h)))
		return DROP_IP6_TRUNCATED;
	if (UNLIKELY(be32_get(h->version_class_flow) >> 28 != 6))
		return DROP_IP6_VERSION;
	uint32_t end = a->l3_offset + IPV6_HEADER_BYTES + (uint32_t)be16_get(h->payload_len);

	return UNLIKELY(end > pkt_len(p)) ? DROP_IP6_PAYLOAD_LEN : DROP_OK;
}

// Where such a packet may not come from. The unspecified address says something in neighbour
// discovery only (icmp6.c).
static enum drop check_source(const struct net *net, const struct arrival *a)
{
	if (UNLIKELY(!ipv6_is_host(&a->src)))
		return ipv6_is_unspecified(&a->src) && ipv6_is_multicast(&a->dst)
			       ? DROP_OK
			       : DROP_IP6_MARTIAN;
	uint8_t octet = a->src.byte[15];

	// One load for nearly every source there is, as net_may_be_special.
	if (LIKELY(!(net->ip6->special[octet / 64] >> (octet % 64) & 1)))
		return DROP_OK;
	return ip6_is_ours(net, &a->src) ? DROP_IP6_SRC_OURS : DROP_OK;
}

static enum drop check_destination(const struct net *net, struct arrival *a)
{
	if (UNLIKELY(ipv6_is_multicast(&a->dst))) {
		a->to_group = true;
		return ip6_is_joined(net, a->port_index, &a->dst) ||
				       group_is_heard(net, a->port_index, &a->dst)
			       ? DROP_OK
			       : DROP_IP6_MULTICAST;
	}
	const struct ip6_address *own = ip6_find_on(net, a->port_index, &a->dst);

	// The weak end system model, as IPv4's; but a link-local address means nothing on another
	// link (RFC 4007 6).
	if (UNLIKELY(!own) && !ipv6_is_link_local(&a->dst))
		own = ip6_find(net, &a->dst);
	if (UNLIKELY(!own || own->state != IP6_ASSIGNED))
		return DROP_IP6_NOT_OURS;
	return UNLIKELY(a->to_group) ? DROP_IP6_LINK_GROUP : DROP_OK;
}

static COLD enum next refuse(struct net *net, struct pkt *p, enum drop reason)
{
	pkt_drop(net->env, p, reason);
	return NEXT_DONE;
}

static COLD void tell(struct net *net, struct pkt *p, const struct arrival *a,
		      const struct ip6_walk *w)
{
	icmp6_send_error(net, p, a,
			 &(struct icmp6_error){
				 .type = ICMP6_PARAMETER_PROBLEM,
				 .code = w->error_code,
				 .rest = be32_of(w->error_at),
				 .to_groups_too = w->error_to_groups,
			 });
}

// Reasons of which the sender is told where in the packet they lie.
static bool has_pointer(enum drop reason)
{
	return reason == DROP_IP6_EXTENSION || reason == DROP_IP6_ROUTING ||
	       reason == DROP_IP6_OPTION;
}

static COLD bool extensions_pass(struct net *net, struct pkt *p, const struct arrival *a,
				 struct ip6_walk *w)
{
	enum drop reason = ip6_walk_extensions(p, a, w);

	if (reason == DROP_OK)
		return true;
	if (has_pointer(reason))
		tell(net, p, a, w);
	pkt_drop(net->env, p, reason);
	return false;
}

// To the transport; past one fragment header at most, behind which the whole packet goes on.
static struct pkt *pass_extensions(struct net *net, struct pkt *p, struct arrival *a,
				   struct ip6_walk *w)
{
	if (!extensions_pass(net, p, a, w))
		return NULL;
	if (w->next != IPV6_FRAGMENT)
		return p;
	p = reassembly6_add(net, p, a, w);
	a->was_fragment = true;
	return p && extensions_pass(net, p, a, w) ? p : NULL;
}

static COLD enum next other_protocol(struct net *net, struct pkt *p, const struct arrival *a,
				     struct ip6_walk *w)
{
	if (w->next == IPV6_NO_NEXT) // RFC 8200 4.7
		return refuse(net, p, DROP_IP6_NO_NEXT);
	w->error_code = ICMP6_UNKNOWN_NEXT_HEADER; // RFC 8200 4
	w->error_at = w->named_at - a->l3_offset;
	tell(net, p, a, w);
	return refuse(net, p, DROP_IP6_PROTOCOL);
}

static enum next transport(struct net *net, struct pkt *p, struct arrival *a, struct ip6_walk *w)
{
	switch (a->protocol) {
	case IP_TCP:
		return NEXT_TCP6;
	case IP_UDP:
		return NEXT_UDP6;
	case IP_ICMP6:
		return NEXT_ICMP6;
	default:
		return other_protocol(net, p, a, w);
	}
}

enum next ip6_input(struct net *net, struct pkt **pp, struct arrival *a)
{
	struct pkt *p = *pp;
	const struct ipv6_header *h = pkt_at(p, a->l3_offset);
	enum drop reason = check_header(p, a, h);

	if (UNLIKELY(reason != DROP_OK))
		return refuse(net, p, reason);
	a->src = addr_from_bytes(h->src);
	a->dst = addr_from_bytes(h->dst);
	reason = check_source(net, a);
	if (LIKELY(reason == DROP_OK))
		reason = check_destination(net, a);
	if (UNLIKELY(reason != DROP_OK))
		return refuse(net, p, reason);
	struct ip6_walk w = ip6_walk_begin(p, a);

	pkt_truncate(p, w.end); // ethernet's padding
	a->tos = ipv6_class(h);
	if (UNLIKELY(w.next != IP_TCP && w.next != IP_UDP)) {
		p = *pp = pass_extensions(net, p, a, &w);
		if (!p)
			return NEXT_DONE;
	}
	a->l4_offset = (uint16_t)w.at;
	a->l4_len = (uint16_t)(w.end - w.at);
	a->protocol = w.next;
	if (UNLIKELY(a->src.half[0] == 0 && a->protocol != IP_ICMP6))
		return refuse(net, p, DROP_IP6_MARTIAN);
	if (UNLIKELY(pkt_seg_count(p) > 1) && !net_transport_is_whole(p, a))
		return refuse(net, p, DROP_IP6_HEADER_SPLIT);
	return transport(net, p, a, &w);
}
