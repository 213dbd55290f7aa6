// SPDX-License-Identifier: BSD-3-Clause
// ICMP on the way in (RFC 792, RFC 1122 3.2.2): echo requests turn round in their own buffer,
// errors about what we sent become a report for TCP or an event for UDP. Called by core/stack.c.
//
// Not believed here: redirects (RFC 6274 3.6: a host may ignore them) and source quench (RFC 6633).
#include "net/icmp.h"

#include "net/inside.h"
#include "wire/checksum.h"
#include "wire/tcp.h"
#include "wire/udp.h"

// The quoted header and eight bytes behind it (RFC 792); TCP's sequence number is within these.
#define QUOTED_TRANSPORT_BYTES 8

static void echo(struct net *net, struct pkt *p, const struct arrival *a)
{
	struct net_path by_route, *path = &by_route;
	enum drop reason = DROP_OK;

	if (UNLIKELY(a->has_route)) // RFC 1122 3.2.2.6: it goes back by the way it came
		reason = net_path_back_by(net, p, a, &by_route);
	else
		path = path_get(net, &a->dst, &a->src);
	if (!path || reason != DROP_OK) {
		pkt_drop(net->env, p, path ? reason : DROP_NO_ROUTE);
		return;
	}
	counter_add(net->env, COUNTER_consumed_pkts, 1);
	pkt_strip(p, a->l4_offset);
	struct icmp_header *h = pkt_at(p, 0);

	h->checksum = checksum_update16(h->checksum, be16_of(ICMP_ECHO << 8 | h->code),
					be16_of(ICMP_ECHO_REPLY << 8 | h->code));
	h->type = ICMP_ECHO_REPLY;
	// RFC 1122 3.2.2.6: data comes back as it was; addresses change places.
	net_output(net, p,
		   &(struct net_out){.path = path, .protocol = IP_ICMP, .dscp = a->tos >> 2});
}

// RFC 1191 7.1, table 7-1: MTUs that exist, for routers that do not say theirs.
static uint32_t plateau_below(uint32_t bytes)
{
	static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	for (size_t i = 0; i < ARRAY_COUNT(plateau); i++)
		if (plateau[i] < bytes)
			return plateau[i];
	return 68;
}

static uint32_t next_hop_mtu(const struct icmp_header *h, const struct ipv4_header *quoted)
{
	uint32_t mtu_bytes = be16_get(h->next_hop.mtu_bytes);
	uint32_t sent_bytes = be16_get(quoted->total_len);

	// RFC 5927 7.2: a next hop that could have carried what it refused is a lie.
	if (mtu_bytes == 0)
		return plateau_below(sent_bytes);
	return mtu_bytes < sent_bytes ? mtu_bytes : 0;
}

static bool is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETER_PROBLEM;
}

// Reads what the error quotes into the report. DROP_OK when it is a packet of ours.
static enum drop read_quote(struct net *net, const struct pkt *p, const struct arrival *a,
			    struct icmp_report *report)
{
	const struct icmp_header *h = pkt_at(p, a->l4_offset);
	const struct ipv4_header *quoted = (const void *)(h + 1);
	uint32_t here =
		MIN((uint32_t)pkt_seg_len(p) - a->l4_offset, (uint32_t)a->l4_len) - sizeof(*h);

	if (here < sizeof(*quoted) || quoted->version_ihl >> 4 != 4 ||
	    ipv4_header_len(quoted) < sizeof(*quoted) ||
	    here < ipv4_header_len(quoted) + (uint32_t)QUOTED_TRANSPORT_BYTES)
		return DROP_ICMP_QUOTE;
	if ((be16_get(quoted->fragment) & IPV4_OFFSET_MASK) || !net_is_ours(net, quoted->src) ||
	    (quoted->protocol != IP_TCP && quoted->protocol != IP_UDP))
		return DROP_ICMP_QUOTE;
	const struct tcp_header *t =
		(const void *)((const uint8_t *)quoted + ipv4_header_len(quoted));
	bool too_big =
		h->type == ICMP_UNREACHABLE && h->code == ICMP_UNREACHABLE_FRAGMENTATION_NEEDED;

	*report = (struct icmp_report){
		.local = addr_from_v4(quoted->src),
		.remote = addr_from_v4(source_route_last(quoted)),
		.protocol = quoted->protocol,
		.type = h->type,
		.code = h->code,
		.local_port = be16_get(t->src_port), // UDP's are at the same place
		.remote_port = be16_get(t->dst_port),
		.seq = quoted->protocol == IP_TCP ? be32_get(t->seq) : 0,
		.mtu_bytes = too_big ? next_hop_mtu(h, quoted) : 0,
		.worker = be16_get(quoted->id) & (ip4_id_step(net) - 1),
	};
	return too_big && report->mtu_bytes == 0 ? DROP_ICMP_QUOTE : DROP_OK;
}

static enum drop check(const struct pkt *p, const struct arrival *a)
{
	uint32_t contiguous = pkt_seg_len(p) - a->l4_offset;

	if (a->l4_len < sizeof(struct icmp_header) || contiguous < sizeof(struct icmp_header))
		return DROP_ICMP_TRUNCATED;
	if (!checksum_is_good(net_sum(NULL, p, a->l4_offset, a->l4_len)))
		return DROP_ICMP_CHECKSUM;
	// RFC 1122 3.2.2.6: an echo to a broadcast address MAY be discarded; errors never go there.
	return a->to_group ? DROP_ICMP_GROUP : DROP_OK;
}

bool icmp_input(struct net *net, struct pkt *p, struct arrival *a, struct icmp_report *report)
{
	const struct icmp_header *h = pkt_at(p, a->l4_offset);
	enum drop reason = check(p, a);

	if (reason == DROP_OK && h->type == ICMP_ECHO) {
		echo(net, p, a);
		return false;
	}
	if (reason == DROP_OK)
		reason = is_error(h->type) ? read_quote(net, p, a, report) : DROP_ICMP_IGNORED;
	if (reason != DROP_OK) {
		pkt_drop(net->env, p, reason);
		return false;
	}
	return true;
}
