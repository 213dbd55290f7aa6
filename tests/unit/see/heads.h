// SPDX-License-Identifier: BSD-3-Clause
// Heads of packets for tests of what reads them.
#pragma once

#include <string.h>

#include "observe/verdict.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

struct heads_flow {
	struct addr src, dst;
	uint8_t protocol;
	uint16_t src_port, dst_port;
};

static inline uint32_t heads_put(uint8_t *to, uint32_t at, const void *bytes, size_t len)
{
	memcpy(to + at, bytes, len);
	return at + (uint32_t)len;
}

// An IP packet's headers, and the ports of its transport. Returns their length.
static inline uint32_t heads_ip(uint8_t *to, const struct heads_flow *f)
{
	be16 ports[2] = {be16_of(f->src_port), be16_of(f->dst_port)};
	uint32_t at;

	if (addr_is_v4(&f->src)) {
		struct ipv4_header h = {.version_ihl = IPV4_VERSION_IHL,
					.total_len = be16_of(IPV4_HEADER_BYTES + 8),
					.ttl = 64,
					.protocol = f->protocol,
					.src = addr_to_v4(&f->src),
					.dst = addr_to_v4(&f->dst)};

		at = heads_put(to, 0, &h, sizeof(h));
	} else {
		struct ipv6_header h = {.version_class_flow = be32_of(UINT32_C(6) << 28),
					.payload_len = be16_of(8),
					.next_header = f->protocol,
					.hop_limit = 64};

		memcpy(h.src, f->src.byte, sizeof(h.src));
		memcpy(h.dst, f->dst.byte, sizeof(h.dst));
		at = heads_put(to, 0, &h, sizeof(h));
	}
	return heads_put(to, at, ports, sizeof(ports));
}

// The same behind ethernet, with a tag unless vlan_id is 0.
static inline uint32_t heads_frame(uint8_t *to, uint16_t vlan_id, const struct heads_flow *f)
{
	be16 type = be16_of(addr_is_v4(&f->src) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	struct vlan_tag tag = {be16_of(vlan_id), type};
	struct eth_header eth = {.dst = {2}, .src = {2, 1}, .type = type};
	uint32_t at;

	if (vlan_id)
		eth.type = be16_of(ETH_TYPE_VLAN);
	at = heads_put(to, 0, &eth, sizeof(eth));
	if (vlan_id)
		at = heads_put(to, at, &tag, sizeof(tag));
	return at + heads_ip(to + at, f);
}

static inline struct verdict heads_verdict(uint16_t reason, const struct heads_flow *f)
{
	struct verdict v = {.reason = reason, .len = 60, .head_kind = VERDICT_HEAD_FRAME};

	v.head_bytes = (uint8_t)heads_frame(v.head, 0, f);
	return v;
}
