// SPDX-License-Identifier: BSD-3-Clause
// A packet that does not leave after all: no route, too large, no buffers. Called by ip4_out.c,
// ip6_out.c and the two fragment files, before IP's header is written, which comes last on the way
// out. The flight recorder needs one to say where the packet was to go, so it gets the header here,
// as far as the path knows it. The packet is left as it is: others may hold its bytes, too.
#include "net/inside.h"
#include "wire/ipv6.h"

// Returns its length.
static uint16_t put_header(uint8_t *to, const struct pkt *p, const struct net_path *path,
			   uint8_t protocol)
{
	uint16_t len = (uint16_t)MIN(pkt_len(p), (uint32_t)UINT16_MAX);

	if (net_path_is_ip6(path)) {
		const struct ipv6_header h = {.version_class_flow = be32_of(UINT32_C(6) << 28),
					      .payload_len = be16_of(len),
					      .next_header = protocol};

		ipv6_header_put(to, &path->local, &path->remote, h);
		return sizeof(h);
	}
	const struct ipv4_header h = {
		.version_ihl = IPV4_VERSION_IHL,
		.total_len = be16_of((uint16_t)MIN(len + sizeof(h), (size_t)UINT16_MAX)),
		.protocol = protocol,
		.src = addr_to_v4(&path->local),
		.dst = addr_to_v4(&path->remote),
	};

	ipv4_header_put(to, h, true);
	return sizeof(h);
}

COLD void net_drop_unsent(struct net *net, struct pkt *p, const struct net_path *path,
			  uint8_t protocol, enum drop reason)
{
	uint8_t header[IPV6_HEADER_BYTES];
	uint16_t len = put_header(header, p, path, protocol);

	pkt_drop_unsent(net->env, p, reason, header, len);
}
