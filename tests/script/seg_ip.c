// SPDX-License-Identifier: BSD-3-Clause
// What is in front of a script's segment: ethernet and IP of either family, as seg.c writes and
// reads it. Over IPv6 an address is 2001:db8:18::N, where N is the last octet of IPv4's.
#include "seg_ip.h"

#include <string.h>

#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define L3_AT 14
#define V4_NET 0xc6120000u // 198.18.0.0

struct addr seg_addr(bool ip6, uint32_t v4)
{
	if (!ip6)
		return addr_from_v4(be32_of(v4));
	return (struct addr){.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = (uint8_t)v4}};
}

uint32_t seg_l4_at(bool ip6)
{
	return L3_AT + (ip6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
}

bool seg_is_ip6(const uint8_t *frame)
{
	return be16_get(((const struct eth_header *)frame)->type) == ETH_TYPE_IPV6;
}

uint8_t seg_protocol(const uint8_t *frame)
{
	return seg_is_ip6(frame) ? frame[L3_AT + 6] : frame[L3_AT + 9];
}

static void put_ip6(const struct seg *s, const struct seg_ends *ends, uint8_t *at, uint32_t len)
{
	struct addr src = seg_addr(true, ends->src), dst = seg_addr(true, ends->dst);
	uint32_t class = (uint32_t)s->tos << 20;

	ipv6_header_put(at, &src, &dst,
			(struct ipv6_header){
				.version_class_flow = be32_of(6u << 28 | class),
				.payload_len = be16_of((uint16_t)len),
				.next_header = SEG_TCP,
				.hop_limit = (uint8_t)s->ttl,
			});
}

static void put_ip4(const struct seg *s, const struct seg_ends *ends, struct ipv4_header *ip,
		    uint32_t len)
{
	*ip = (struct ipv4_header){
		.version_ihl = 0x45,
		.tos = (uint8_t)s->tos,
		.total_len = be16_of((uint16_t)(20 + len)),
		.fragment = be16_of(0x4000),
		.ttl = (uint8_t)s->ttl,
		.protocol = SEG_TCP,
		.src = be32_of(s->src_last ? (ends->src & 0xffffff00) | s->src_last : ends->src),
		.dst = be32_of(ends->dst),
	};
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
}

void seg_put_ip(const struct seg *s, const struct seg_ends *ends, uint8_t *frame, uint32_t len)
{
	struct eth_header *eth = (void *)frame;

	memcpy(eth->src, ends->src_mac, 6);
	memcpy(eth->dst, ends->dst_mac, 6);
	eth->type = be16_of(ends->ip6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	if (ends->ip6)
		put_ip6(s, ends, frame + L3_AT, len);
	else
		put_ip4(s, ends, (void *)(frame + L3_AT), len);
}

static const char *get_ip4(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
			   uint32_t *l4_len)
{
	const struct ipv4_header *ip = (const void *)(frame + L3_AT);
	uint32_t ip_len = be16_get(ip->total_len);

	if (ip->version_ihl != 0x45 || L3_AT + ip_len > len || ip_len < IPV4_HEADER_BYTES)
		return "it is too short, or has IP options";
	if (!checksum_is_good(checksum_add(0, ip, sizeof(*ip))))
		return "its IP checksum is wrong";
	ends->src = be32_get(ip->src);
	ends->dst = be32_get(ip->dst);
	s->ttl = ip->ttl;
	s->tos = ip->tos;
	*l4_len = ip_len - IPV4_HEADER_BYTES;
	return NULL;
}

static const char *get_ip6(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
			   uint32_t *l4_len)
{
	const struct ipv6_header *ip = (const void *)(frame + L3_AT);

	*l4_len = be16_get(ip->payload_len);
	if (ip->version_class_flow.raw == 0 || L3_AT + IPV6_HEADER_BYTES + *l4_len > len ||
	    ip->next_header != SEG_TCP)
		return "it is too short, or has extension headers";
	ends->src = V4_NET | ip->src[15];
	ends->dst = V4_NET | ip->dst[15];
	s->ttl = ip->hop_limit;
	s->tos = ipv6_class(ip);
	return NULL;
}

const char *seg_get_ip(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
		       uint32_t *l4_len)
{
	const struct eth_header *eth = (const void *)frame;

	*ends = (struct seg_ends){.ip6 = seg_is_ip6(frame)};
	memcpy(ends->src_mac, eth->src, 6);
	memcpy(ends->dst_mac, eth->dst, 6);
	if (len < seg_l4_at(ends->ip6))
		return "it is too short";
	return ends->ip6 ? get_ip6(frame, len, s, ends, l4_len)
			 : get_ip4(frame, len, s, ends, l4_len);
}
