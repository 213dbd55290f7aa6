// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 on the way in (RFC 4443): echo requests turn round in their own buffer, errors about what
// we sent become a report for TCP or an event for UDP, neighbour discovery goes on to nd.c. Called
// by core/stack.c.
//
// Not believed here: redirects (RFC 4861 8.3: a host SHOULD update its cache, and whoever is on the
// link could make it send anywhere).
#include "net/icmp6.h"

#include "net/inside.h"
#include "net/ip6.h"
#include "net/nd.h"
#include "wire/icmp.h"
#include "wire/icmp6.h"
#include "wire/tcp.h"

// Of the quoted packet: both ports, and TCP's sequence number.
#define QUOTED_TRANSPORT_BYTES 8

static void echo(struct net *net, struct pkt *p, const struct arrival *a)
{
	// RFC 4443 4.2: what came to a group is answered from an address of our own.
	const struct addr any = {0};
	struct net_path *path = path_get(net, a->to_group ? &any : &a->dst, &a->src);

	if (!path) {
		pkt_drop(net->env, p, DROP_NO_ROUTE);
		return;
	}
	counter_add(net->env, COUNTER_consumed_pkts, 1);
	pkt_strip(p, a->l4_offset);
	struct icmp6_header *h = pkt_at(p, 0);

	h->type = ICMP6_ECHO_REPLY;
	h->checksum = (be16){0};
	net_output(net, p,
		   &(struct net_out){.path = path,
				     .protocol = IP_ICMP6,
				     .dscp = a->tos >> 2,
				     .checksum_offset = ICMP6_CHECKSUM_OFFSET});
}

// What ICMP for IPv4 would have said. False: nothing that a host is told so.
static bool translate(const struct icmp6_header *h, struct icmp_report *r)
{
	static const uint8_t unreachable[] = {
		[ICMP6_NO_ROUTE] = ICMP_UNREACHABLE_NET,
		[ICMP6_PROHIBITED] = ICMP_UNREACHABLE_HOST,
		[2] = ICMP_UNREACHABLE_HOST, // beyond the scope of the source address
		[ICMP6_ADDRESS] = ICMP_UNREACHABLE_HOST,
		[ICMP6_PORT] = ICMP_UNREACHABLE_PORT,
	};

	r->type = ICMP_UNREACHABLE;
	switch (h->type) {
	case ICMP6_UNREACHABLE:
		r->code = h->code < ARRAY_COUNT(unreachable) ? unreachable[h->code]
							     : ICMP_UNREACHABLE_HOST;
		return true;
	case ICMP6_TOO_BIG:
		r->code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED;
		r->mtu_bytes = be32_get(h->rest);
		// RFC 8201 4: what is below every link's least is no report.
		return r->mtu_bytes >= IPV6_MTU_BYTES_MIN;
	case ICMP6_TIME_EXCEEDED:
		r->type = ICMP_TIME_EXCEEDED;
		return true;
	case ICMP6_PARAMETER_PROBLEM:
		// RFC 4443 3.4, code 1: the peer does not speak this transport.
		r->code = ICMP_UNREACHABLE_PROTOCOL;
		if (h->code != ICMP6_UNKNOWN_NEXT_HEADER)
			*r = (struct icmp_report){.type = ICMP_PARAMETER_PROBLEM};
		return true;
	default:
		return false;
	}
}

// Where the transport's header begins in a quoted packet of ours; 0: none of TCP or UDP is there.
// We send no extension header but a fragment's, and of fragments only the first has it.
static uint32_t quoted_transport(const struct ipv6_header *q, uint32_t len, uint8_t *protocol)
{
	const struct ipv6_fragment *f = (const void *)(q + 1);
	uint32_t at = sizeof(*q);

	*protocol = q->next_header;
	if (*protocol == IPV6_FRAGMENT && len >= at + sizeof(*f) &&
	    !(be16_get(f->offset) & IPV6_FRAGMENT_OFFSET_MASK)) {
		*protocol = f->next_header;
		at += sizeof(*f);
	}
	if ((*protocol != IP_TCP && *protocol != IP_UDP) || len < at + QUOTED_TRANSPORT_BYTES)
		return 0;
	return at;
}

// Reads what the error quotes into the report. DROP_OK when it is a packet of ours.
static enum drop read_quote(struct net *net, const struct pkt *p, const struct arrival *a,
			    struct icmp_report *report)
{
	const struct icmp6_header *h = pkt_at(p, a->l4_offset);
	const struct ipv6_header *q = (const void *)(h + 1);
	uint32_t here =
		MIN((uint32_t)pkt_seg_len(p) - a->l4_offset, (uint32_t)a->l4_len) - sizeof(*h);
	uint8_t protocol;
	uint32_t at;

	*report = (struct icmp_report){0};
	if (!translate(h, report) || here < sizeof(*q) ||
	    be32_get(q->version_class_flow) >> 28 != 6)
		return DROP_ICMP6_QUOTE;
	at = quoted_transport(q, here, &protocol);
	report->local = addr_from_bytes(q->src);
	report->remote = addr_from_bytes(q->dst);
	if (at == 0 || !ip6_is_ours(net, &report->local) || !ipv6_is_host(&report->remote))
		return DROP_ICMP6_QUOTE;
	const struct tcp_header *t = (const void *)((const uint8_t *)q + at);

	// RFC 8201 4: a link that could have carried what it refused says something else than that.
	if (report->mtu_bytes &&
	    report->mtu_bytes >= (uint32_t)be16_get(q->payload_len) + IPV6_HEADER_BYTES)
		return DROP_ICMP6_QUOTE;
	report->protocol = protocol;
	report->local_port = be16_get(t->src_port); // UDP's are at the same place
	report->remote_port = be16_get(t->dst_port);
	report->seq = protocol == IP_TCP ? be32_get(t->seq) : 0;
	report->worker = be32_get(q->version_class_flow) & IP6_LABEL_WORKER_MASK;
	return DROP_OK;
}

static enum drop check(const struct pkt *p, const struct arrival *a)
{
	const struct icmp6_header *h = pkt_at(p, a->l4_offset);

	if (a->l4_len < sizeof(*h) || pkt_seg_len(p) < a->l4_offset + sizeof(*h))
		return DROP_ICMP6_TRUNCATED;
	if (!checksum_is_good(checksum_pseudo(&a->src, &a->dst, IP_ICMP6, a->l4_len) +
			      net_sum(NULL, p, a->l4_offset, a->l4_len)))
		return DROP_ICMP6_CHECKSUM;
	// RFC 4861 7.1.1: nothing but a solicitation comes from nobody.
	if (ipv6_is_unspecified(&a->src) && h->type != ICMP6_NEIGHBOUR_SOLICITATION)
		return DROP_IP6_MARTIAN;
	return DROP_OK;
}

static bool is_error(uint8_t type)
{
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER_PROBLEM;
}

static bool is_discovery(uint8_t type)
{
	return type == ICMP6_MLD_QUERY ||
	       (type >= ICMP6_ROUTER_SOLICITATION && type <= ICMP6_NEIGHBOUR_ADVERTISEMENT);
}

bool icmp6_input(struct net *net, struct pkt *p, struct arrival *a, struct icmp_report *report)
{
	const struct icmp6_header *h = pkt_at(p, a->l4_offset);
	enum drop reason = check(p, a);

	if (reason == DROP_OK && h->type == ICMP6_ECHO) {
		echo(net, p, a);
		return false;
	}
	if (reason == DROP_OK && is_discovery(h->type)) {
		nd_input(net, p, a);
		return false;
	}
	if (reason == DROP_OK)
		reason = is_error(h->type) ? read_quote(net, p, a, report) : DROP_ICMP6_IGNORED;
	if (reason != DROP_OK) {
		pkt_drop(net->env, p, reason);
		return false;
	}
	return true;
}
