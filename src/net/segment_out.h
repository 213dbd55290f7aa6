// SPDX-License-Identifier: BSD-3-Clause
// net_output once more, inline, for who sends so much that the call and its record would count:
// tcp/output.c, whose segments are plain where neither card, VLAN nor IPv6 ask for more; what they
// ask for costs some instructions more so. The one header with net/'s insides for a floor above.
#pragma once

#include "net/inside.h"
#include "observe/counter.h"
#include "wire/checksum.h"

// A segment whose header's sum is known, on its way without tag or offload. Takes p.
HOT_INLINE void net_output_plain(struct net *net, struct pkt *p, const struct net_out *out)
{
	struct ipv4_header ip = net_plain_header(out->path, out->protocol);
	uint32_t len = pkt_len(p);
	uint64_t sum = (uint64_t)ip.src.raw + ip.dst.raw + be16_of(out->protocol).raw +
		       be16_of((uint16_t)len).raw + out->l4_header_sum;

	ip.tos = (uint8_t)(out->dscp << 2 | out->ecn);
	ip.ttl = out->ttl ? out->ttl : IPV4_TTL_DEFAULT;
	if (len > out->l4_header_len)
		sum += net_sum(net->env->seals, p, out->l4_header_len, len - out->l4_header_len);
	be16 field = checksum_finish(checksum_from_words(sum));

	memcpy(pkt_at(p, out->checksum_offset), &field, sizeof(field));
	pkt_prepend(p, PLAIN_HEADERS_BYTES);
	net_send_plain(net, out->path, p, ip);
}

// net_output for a segment that is not to be fragmented and whose header's sum is known. Takes p.
HOT_INLINE void net_output_segment(struct net *net, struct pkt *p, struct net_out out)
{
	DCHECK(out.l4_header_sum && out.dont_fragment);
	if (UNLIKELY(!net_path_is_fresh(net, out.path) || net_path_is_ip6(out.path) ||
		     pkt_len(p) + IPV4_HEADER_BYTES > out.path->mtu_bytes ||
		     !net_is_plain(net, out.path, p))) {
		struct net_out other = out; // a copy, so that none is made where it is not needed

		net_output(net, p, &other);
		return;
	}
	counter_add(net->env, COUNTER_originated_pkts, 1);
	net_output_plain(net, p, &out);
}
