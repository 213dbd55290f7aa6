// SPDX-License-Identifier: BSD-3-Clause
// IPv4 (RFC 791 3.1).
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"
#include "wire/checksum.h"

struct ipv4_header {
	uint8_t version_ihl; // version (4 bits), header length in words (4)
	uint8_t tos;         // DSCP (6 bits, RFC 2474), ECN (2 bits, RFC 3168)
	be16 total_len;      // header and payload, bytes
	be16 id;
	be16 fragment; // reserved, DF, MF, offset in units of eight bytes (13 bits)
	uint8_t ttl;
	uint8_t protocol;
	be16 checksum;
	be32 src;
	be32 dst;
} PACKED;

static_assert(sizeof(struct ipv4_header) == 20, "as on the wire");

#define IPV4_VERSION_IHL 0x45 // version 4, no options
#define IPV4_HEADER_BYTES 20
#define IPV4_HEADER_BYTES_MAX 60
#define IPV4_BYTES_MAX 65535

#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

#define IPV4_TTL_DEFAULT 64 // RFC 1700, "Assigned Numbers"

enum ip_protocol { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17 };

enum ipv4_option {
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_LSRR = 131, // loose source and record route
	IPV4_OPTION_SSRR = 137, // strict
};

static inline uint16_t ipv4_header_len(const struct ipv4_header *h)
{
	return (uint16_t)((h->version_ihl & 15) * 4);
}

// Writes a header without options; sums asks for its checksum, else that field is zero. In whole
// words and out of registers: reading back what was just written in other pieces would wait for the
// stores.
HOT_INLINE void ipv4_header_put(uint8_t *at, struct ipv4_header h, bool sums)
{
	uint64_t first = h.version_ihl | (uint64_t)h.tos << 8 | (uint64_t)h.total_len.raw << 16 |
			 (uint64_t)h.id.raw << 32 | (uint64_t)h.fragment.raw << 48;
	uint64_t second = h.ttl | (uint64_t)h.protocol << 8 | (uint64_t)h.src.raw << 32;
	uint64_t sum = checksum_add_word(checksum_add_word(first, second), h.dst.raw);

	if (sums)
		second |= (uint64_t)checksum_finish(checksum_from_words(sum)).raw << 16;
	memcpy(at, &first, sizeof(first));
	memcpy(at + 8, &second, sizeof(second));
	memcpy(at + 16, &h.dst.raw, sizeof(h.dst.raw));
}

static inline bool ipv4_is_multicast(be32 a)
{
	return (be32_get(a) >> 28) == 14; // RFC 1112 4: 224.0.0.0/4
}

// RFC 1112 6.4: the ethernet address of a multicast group, which has the last 23 bits.
static inline void ipv4_group_mac(be32 group, uint8_t mac[6])
{
	uint32_t a = be32_get(group);

	mac[0] = 0x01;
	mac[1] = 0x00;
	mac[2] = 0x5e;
	mac[3] = (uint8_t)(a >> 16 & 0x7f);
	mac[4] = (uint8_t)(a >> 8);
	mac[5] = (uint8_t)a;
}
