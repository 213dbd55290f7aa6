// SPDX-License-Identifier: BSD-3-Clause
// IPv4 on the way in: RFC 1812 5.2.2's checks in order, then whether the addresses may be believed
// and are for us, then fragments. Called by core/stack.c after eth_input; what it answers names the
// transport that comes next.
//
// Deliberately not here: forwarding, and any check of TTL: "a host MUST NOT discard a datagram just
// because it was received with TTL less than 2" (RFC 1122 3.2.1.7).
#include "net/ip4.h"

#include "net/icmp.h"
#include "net/inside.h"
#include "wire/checksum.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static enum drop check_header(const struct pkt *p, const struct arrival *a,
			      const struct ipv4_header *h)
{
	uint32_t contiguous = pkt_seg_len(p) - a->l3_offset;

	if (UNLIKELY(contiguous < sizeof(*h)))
		return DROP_IP4_TRUNCATED;
	uint16_t header_len = ipv4_header_len(h), total_len = be16_get(h->total_len);

	if (UNLIKELY(h->version_ihl >> 4 != 4))
		return DROP_IP4_VERSION;
	if (UNLIKELY(header_len < sizeof(*h) || header_len > contiguous))
		return DROP_IP4_HEADER_LEN;
	if (UNLIKELY(total_len < header_len || a->l3_offset + (uint32_t)total_len > pkt_len(p)))
		return DROP_IP4_TOTAL_LEN;
	if (pkt_ip_checksum(p) == CHECKSUM_GOOD)
		return DROP_OK;
	uint32_t sum = LIKELY(header_len == sizeof(*h)) ? checksum_header20(h)
							: checksum_add(0, h, header_len);

	return LIKELY(checksum_is_good(sum)) ? DROP_OK : DROP_IP4_CHECKSUM;
}

// A source whose last octet one of our addresses or broadcast addresses has.
static COLD enum drop check_special(const struct net *net, const struct ipv4_header *h)
{
	if (net_is_broadcast_anywhere(net, h->src)) // RFC 9293 MUST-63
		return DROP_IP4_MARTIAN;
	return net_is_ours(net, h->src) ? DROP_IP4_SRC_OURS : DROP_OK;
}

// RFC 3376 R5: a group that sockets here listen to, or all systems, to whom questions about groups
// go.
static NOINLINE enum drop check_group(const struct net *net, struct arrival *a,
				      const struct ipv4_header *h)
{
	const struct addr group = addr_from_v4(h->dst);
	bool is_question = h->protocol == IP_IGMP && be32_get(h->dst) == IGMP_ALL_SYSTEMS;

	a->to_group = true;
	return is_question || group_is_heard(net, a->port_index, &group) ? DROP_OK
									 : DROP_IP4_MULTICAST;
}

// Who has no address yet may ask about groups: a switch does.
static COLD enum drop check_martian(const struct net *net, struct arrival *a,
				    const struct ipv4_header *h)
{
	bool asks = h->src.raw == 0 && h->protocol == IP_IGMP && ipv4_is_multicast(h->dst);

	return asks ? check_group(net, a, h) : DROP_IP4_MARTIAN;
}

// RFC 1122 3.2.1.3: where such a packet may not come from, and whether it is for us.
static enum drop check_addresses(const struct net *net, struct arrival *a,
				 const struct ipv4_header *h)
{
	uint32_t top = be32_get(h->src) >> 24;

	if (UNLIKELY(h->src.raw == h->dst.raw))
		return DROP_IP4_LAND;
	if (UNLIKELY(top == 0 || top == 127 || top >= 224))
		return check_martian(net, a, h);
	if (UNLIKELY(net_may_be_special(net, h->src))) {
		enum drop reason = check_special(net, h);

		if (reason != DROP_OK)
			return reason;
	}
	if (LIKELY((net->port[a->port_index].address[0].addr.raw == h->dst.raw && h->dst.raw) ||
		   net_is_ours(net, h->dst)))
		return a->to_group ? DROP_IP4_LINK_GROUP : DROP_OK;
	if (ipv4_is_multicast(h->dst))
		return check_group(net, a, h);
	if (net_is_broadcast(net, a->port_index, h->dst)) {
		a->to_group = true;
		return DROP_OK;
	}
	return DROP_IP4_NOT_OURS;
}

// Walks the options; *at is where the walk ended. A source route is dropped, whether or not it has
// been used up, unless the configuration says otherwise (RFC 7126 4.3.5, 4.4.5); two are too many
// (RFC 1122 3.2.1.8 (c)). RFC 9293 MUST-50: what is not known is passed over.
static COLD enum drop check_options(const struct net *net, const struct ipv4_header *h,
				    struct arrival *a, uint32_t *at)
{
	const uint8_t *byte = (const uint8_t *)h;
	uint32_t end = ipv4_header_len(h), len;
	bool has_route = false;

	for (*at = sizeof(*h); *at < end; *at += len) {
		uint8_t kind = byte[*at];

		len = 1;
		if (kind == IPV4_OPTION_END)
			break;
		if (kind == IPV4_OPTION_NOP)
			continue;
		len = *at + 1 < end ? byte[*at + 1] : 0;
		if (len < 2 || *at + len > end)
			return DROP_IP4_OPTIONS;
		if (kind != IPV4_OPTION_LSRR && kind != IPV4_OPTION_SSRR)
			continue;
		enum drop reason =
			has_route ? DROP_IP4_OPTIONS : source_route_check(net, byte + *at, len);

		if (reason != DROP_OK)
			return reason;
		has_route = true;
	}
	a->has_route = has_route;
	return DROP_OK;
}

static COLD bool options_pass(struct net *net, struct pkt *p, struct arrival *a)
{
	uint32_t at;
	enum drop reason = check_options(net, pkt_at(p, a->l3_offset), a, &at);
	struct icmp_error problem = {.type = ICMP_PARAMETER_PROBLEM, .rest = be32_of(at << 24)};

	if (reason == DROP_OK)
		return true;
	if (reason == DROP_IP4_OPTIONS) // RFC 1122 3.2.2.5
		icmp_send_error(net, p, a, &problem);
	else if (net->source_routes) // RFC 792: it is to go on, and does not by us
		icmp_send_unreachable(net, p, a, ICMP_UNREACHABLE_SOURCE_ROUTE_FAILED);
	pkt_drop(net->env, p, reason);
	return false;
}

static void fill_arrival(struct arrival *a, const struct ipv4_header *h)
{
	uint16_t header_len = ipv4_header_len(h);

	a->src = addr_from_v4(h->src);
	a->dst = addr_from_v4(h->dst);
	a->l4_offset = (uint16_t)(a->l3_offset + header_len);
	a->l4_len = (uint16_t)(be16_get(h->total_len) - header_len);
	a->protocol = h->protocol;
	a->tos = h->tos;
}

bool net_transport_is_whole(const struct pkt *p, const struct arrival *a)
{
	uint32_t here = MIN((uint32_t)pkt_seg_len(p) - a->l4_offset, (uint32_t)a->l4_len);

	if (a->protocol != IP_TCP)
		return here >= sizeof(struct udp_header); // ICMP's is as long
	const struct tcp_header *h = pkt_at(p, a->l4_offset);

	return here >= sizeof(*h) && here >= tcp_header_len(h);
}

static COLD enum next refuse(struct net *net, struct pkt *p, enum drop reason)
{
	pkt_drop(net->env, p, reason);
	return NEXT_DONE;
}

static enum next transport(struct net *net, struct pkt *p, const struct arrival *a)
{
	switch (a->protocol) {
	case IP_TCP:
		return NEXT_TCP;
	case IP_UDP:
		return NEXT_UDP;
	case IP_ICMP:
		return NEXT_ICMP;
	case IP_IGMP:
		return NEXT_IGMP;
	default:
		icmp_send_unreachable(net, p, a, ICMP_UNREACHABLE_PROTOCOL);
		return refuse(net, p, DROP_IP4_PROTOCOL);
	}
}

// All fragments of a datagram come together at one worker, whoever receives them. True: this one is
// on its way to him.
static bool hand_fragment(struct net *net, struct pkt *p, const struct arrival *a)
{
	const struct ipv4_header *h = pkt_at(p, a->l3_offset);
	uint32_t hash = net_flow_hash(net, h->src, h->dst, (uint32_t)h->id.raw << 8 | h->protocol);
	uint32_t to = (uint32_t)((uint64_t)hash * net->env->worker_count >> 32);

	if (to == net->env->worker_index)
		return false;
	net_hand(net, p, a, to);
	return true;
}

enum next ip4_input(struct net *net, struct pkt **pp, struct arrival *a)
{
	struct pkt *p = *pp;
	const struct ipv4_header *h = pkt_at(p, a->l3_offset);
	enum drop reason = check_header(p, a, h);

	if (LIKELY(reason == DROP_OK))
		reason = check_addresses(net, a, h);
	if (UNLIKELY(reason != DROP_OK))
		return refuse(net, p, reason);
	fill_arrival(a, h);
	if (a->l3_offset + (uint32_t)be16_get(h->total_len) < pkt_len(p)) // ethernet's padding
		pkt_truncate(p, a->l3_offset + (uint32_t)be16_get(h->total_len));
	if (UNLIKELY(a->l4_offset > a->l3_offset + sizeof(*h)) && !options_pass(net, p, a))
		return NEXT_DONE;
	if (UNLIKELY(be16_get(h->fragment) & (IPV4_MF | IPV4_OFFSET_MASK))) {
		if (net->env->hands && hand_fragment(net, p, a))
			return NEXT_DONE;
		p = *pp = reassembly4_add(net, p, a);
		if (!p)
			return NEXT_DONE;
	} else if (UNLIKELY(pkt_seg_count(p) > 1) && !net_transport_is_whole(p, a)) {
		return refuse(net, p, DROP_IP4_HEADER_SPLIT);
	}
	return transport(net, p, a);
}
