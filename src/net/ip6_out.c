// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on the way out: from a transport segment to a frame staged on a port (RFC 8200 3, 8.1).
// Called by net_output once the path says that it is IPv6's; calls the neighbour table. Checksums
// and chains are as IPv4's; there is none of the header.
#include "net/inside.h"
#include "net/ip6.h"

static bool fits(const struct pkt *p, const struct net_out *out)
{
	const struct net_path *path = out->path;
	uint32_t bytes = pkt_len(p) + IPV6_HEADER_BYTES;

	if (LIKELY(bytes <= path->mtu_bytes))
		return true;
	return out->tso_segment_bytes && pkt_len(p) <= UINT16_MAX &&
	       pkt_len(p) - out->l4_header_len <= path->tso_bytes_max &&
	       (uint32_t)out->tso_segment_bytes + out->l4_header_len + IPV6_HEADER_BYTES <=
		       path->mtu_bytes;
}

void ip6_send(struct net *net, struct pkt *p, const struct net_out *out,
	      struct pkt_tx_offload *offload)
{
	const struct net_path *path = out->path;
	const struct net_port *np = &net->port[path->port_index];
	uint32_t class = (uint32_t)out->dscp << 2 | out->ecn;

	if (UNLIKELY(pkt_seg_count(p) > path->tx_segs_max)) {
		p = net_pack(net, p, path, out->protocol, path->tx_segs_max);
		if (!p)
			return;
	}
	const struct ipv6_header h = {
		.version_class_flow = be32_of(UINT32_C(6) << 28 | class << 20 | out->flow_label),
		.payload_len = be16_of((uint16_t)pkt_len(p)),
		.next_header = out->protocol,
		.hop_limit = out->ttl ? out->ttl : net->ip6->port[path->port_index].hop_limit,
	};

	ipv6_header_put(pkt_prepend(p, sizeof(h)), &path->local, &path->remote, h);
	if (offload->tcp_checksum || offload->udp_checksum) {
		offload->is_ip6 = true;
		offload->l2_len = np->l2_len;
		offload->l3_len = sizeof(h);
		pkt_set_tx_offload(p, offload);
	}
	neighbour_send(net, path->neighbour, p);
}

void ip6_output(struct net *net, struct pkt *p, const struct net_out *out)
{
	struct pkt_tx_offload offload = {.l4_len = (uint8_t)out->l4_header_len,
					 .tso_segment_bytes = out->tso_segment_bytes};

	if (UNLIKELY(!fits(p, out))) {
		ip6_send_fragments(net, p, out);
		return;
	}
	if (out->checksum_offset)
		net_fill_checksum(net, p, out, &offload);
	ip6_send(net, p, out, &offload);
}
