// SPDX-License-Identifier: BSD-3-Clause
// ICMP's "fragmentation needed" (RFC 792, RFC 1191 4) and ICMPv6's "packet too big" (RFC 4443 3.2),
// in the name of a router that nobody sees: 198.18.0.254 and 2001:db8:18::fe. Called by world.c for
// a frame that a link with a lowered MTU lost. Pure function of the frame.
#include "sim/too_big.h"

#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

static const uint8_t router_mac[6] = {2, 0, 0, 0, 0, 0xfe};

#define L2_BYTES sizeof(struct eth_header)
// RFC 792: the header and eight bytes; RFC 4443 2.4 (c): as much as fits the least MTU.
#define QUOTE4_BYTES 28u
#define QUOTE6_BYTES_MAX (IPV6_MTU_BYTES_MIN - IPV6_HEADER_BYTES - 8u)

static void put_eth(const struct eth_header *to, uint8_t *answer)
{
	struct eth_header *eth = (void *)answer;

	memcpy(eth->dst, to->src, 6);
	memcpy(eth->src, router_mac, 6);
	eth->type = to->type;
}

static uint32_t answer4(const uint8_t *frame, uint32_t len, uint16_t mtu_bytes, uint8_t *answer)
{
	const struct ipv4_header *ip = (const void *)(frame + L2_BYTES);
	struct icmp_header *icmp = (void *)(answer + L2_BYTES + IPV4_HEADER_BYTES);
	uint32_t icmp_bytes = sizeof(*icmp) + QUOTE4_BYTES;

	if (len < L2_BYTES + QUOTE4_BYTES || !(be16_get(ip->fragment) & IPV4_DF))
		return 0;
	put_eth((const void *)frame, answer);
	struct ipv4_header header = {.version_ihl = IPV4_VERSION_IHL,
				     .total_len =
					     be16_of((uint16_t)(IPV4_HEADER_BYTES + icmp_bytes)),
				     .ttl = IPV4_TTL_DEFAULT,
				     .protocol = IP_ICMP,
				     .src = be32_of(0xc61200fe),
				     .dst = ip->src};

	ipv4_header_put(answer + L2_BYTES, header, true);
	*icmp = (struct icmp_header){.type = ICMP_UNREACHABLE,
				     .code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED};
	icmp->next_hop.mtu_bytes = be16_of(mtu_bytes);
	memcpy(icmp + 1, ip, QUOTE4_BYTES);
	icmp->checksum = checksum_finish(checksum_add(0, icmp, icmp_bytes));
	return (uint32_t)L2_BYTES + IPV4_HEADER_BYTES + icmp_bytes;
}

static uint32_t answer6(const uint8_t *frame, uint32_t len, uint16_t mtu_bytes, uint8_t *answer)
{
	static const uint8_t router[16] = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = 0xfe};
	const struct ipv6_header *ip = (const void *)(frame + L2_BYTES);
	struct ipv6_header *header = (void *)(answer + L2_BYTES);
	struct icmp6_header *icmp = (void *)(header + 1);
	uint32_t quote_bytes = MIN(len - (uint32_t)L2_BYTES, QUOTE6_BYTES_MAX);
	uint32_t icmp_bytes = sizeof(*icmp) + quote_bytes;

	if (len < L2_BYTES + sizeof(*ip) || eth_is_group(frame))
		return 0;
	put_eth((const void *)frame, answer);
	*header = (struct ipv6_header){.version_class_flow = be32_of(6u << 28),
				       .payload_len = be16_of((uint16_t)icmp_bytes),
				       .next_header = IP_ICMP6,
				       .hop_limit = IPV6_HOP_LIMIT_DEFAULT};
	memcpy(header->src, router, 16);
	memcpy(header->dst, ip->src, 16);
	*icmp = (struct icmp6_header){.type = ICMP6_TOO_BIG, .rest = be32_of(mtu_bytes)};
	memcpy(icmp + 1, ip, quote_bytes);
	struct addr src = addr_from_bytes(header->src), dst = addr_from_bytes(header->dst);
	uint32_t sum = checksum_pseudo(&src, &dst, IP_ICMP6, icmp_bytes);

	icmp->checksum = checksum_finish(checksum_add(sum, icmp, icmp_bytes));
	return (uint32_t)(L2_BYTES + sizeof(*header)) + icmp_bytes;
}

uint32_t too_big_answer(const uint8_t *frame, uint32_t len, uint16_t mtu_bytes,
			uint8_t answer[TOO_BIG_BYTES_MAX])
{
	const struct eth_header *eth = (const void *)frame;

	switch (be16_get(eth->type)) {
	case ETH_TYPE_IPV4:
		return answer4(frame, len, mtu_bytes, answer);
	case ETH_TYPE_IPV6:
		return answer6(frame, len, mtu_bytes, answer);
	default:
		return 0;
	}
}
