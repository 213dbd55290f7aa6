// SPDX-License-Identifier: BSD-3-Clause
// IPv6 and its extension headers (RFC 8200 3, 4), and what kinds of addresses there are
// (RFC 4291 2).
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/be.h"
#include "base/bits.h"

struct ipv6_header {
	be32 version_class_flow; // version (4 bits), traffic class (8), flow label (20)
	be16 payload_len;        // behind this header, extension headers included
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} PACKED;

static_assert(sizeof(struct ipv6_header) == 40, "as on the wire");

#define IPV6_HEADER_BYTES 40
#define IPV6_BYTES_MAX 65575      // a payload of 65,535 behind the header
#define IPV6_MTU_BYTES_MIN 1280   // RFC 8200 5: what every link carries
#define IPV6_HOP_LIMIT_DEFAULT 64 // RFC 1700, "Assigned Numbers"
#define IPV6_FLOW_LABEL_MASK 0xfffff

enum ipv6_next {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IP_ICMP6 = 58,
	IPV6_NO_NEXT = 59,
	IPV6_DESTINATION = 60,
};

// Hop-by-hop and destination options, and routing, begin alike (RFC 8200 4.3, 4.4, 4.6).
struct ipv6_extension {
	uint8_t next_header;
	uint8_t words; // of eight bytes, behind the first eight
} PACKED;

struct ipv6_routing {
	uint8_t next_header;
	uint8_t words;
	uint8_t type;
	uint8_t segments_left;
} PACKED;

struct ipv6_fragment {
	uint8_t next_header;
	uint8_t reserved;
	be16 offset; // in units of eight bytes (13 bits), reserved (2), more (1)
	be32 id;
} PACKED;

static_assert(sizeof(struct ipv6_fragment) == 8, "as on the wire");

#define IPV6_FRAGMENT_MORE 1
#define IPV6_FRAGMENT_OFFSET_MASK 0xfff8 // in bytes already

// RFC 8200 4.2: options, and what their two top bits ask of whoever does not know them.
enum ipv6_option {
	IPV6_OPTION_PAD1 = 0,
	IPV6_OPTION_ROUTER_ALERT = 5, // RFC 2711
};

enum ipv6_unknown {
	IPV6_UNKNOWN_SKIP = 0,
	IPV6_UNKNOWN_DISCARD = 1,
	IPV6_UNKNOWN_REPORT = 2,
	IPV6_UNKNOWN_REPORT_UNICAST = 3,
};

static inline uint16_t ipv6_extension_len(const struct ipv6_extension *h)
{
	return (uint16_t)((h->words + 1u) * 8);
}

static inline uint8_t ipv6_class(const struct ipv6_header *h)
{
	return (uint8_t)(be32_get(h->version_class_flow) >> 20);
}

// RFC 4291 2.7: ff00::/8.
static inline bool ipv6_is_multicast(const struct addr *a)
{
	return a->byte[0] == 0xff;
}

// RFC 4291 2.5.6: fe80::/10.
static inline bool ipv6_is_link_local(const struct addr *a)
{
	return a->byte[0] == 0xfe && (a->byte[1] & 0xc0) == 0x80;
}

// RFC 4291 2.5.2: the unspecified address, ::.
static inline bool ipv6_is_unspecified(const struct addr *a)
{
	return a->half[0] == 0 && a->half[1] == 0;
}

// An address that one host may have. Of ::/64 there is the unspecified address, the loopback and
// those that stand for IPv4's: none is on any wire (RFC 4291 2.5.3, 2.5.5).
static inline bool ipv6_is_host(const struct addr *a)
{
	return a->half[0] != 0 && !ipv6_is_multicast(a);
}

static inline struct addr ipv6_multicast(uint8_t scope, uint8_t last)
{
	return (struct addr){.byte = {0xff, scope, [15] = last}};
}

// ff02::1 and ff02::2 (RFC 4291 2.7.1), ff02::16 (RFC 3810 5.2.14).
#define IPV6_ALL_NODES ipv6_multicast(2, 1)
#define IPV6_ALL_ROUTERS ipv6_multicast(2, 2)
#define IPV6_ALL_MLD2_ROUTERS ipv6_multicast(2, 0x16)

// RFC 4291 2.7.1: ff02::1:ffXX:XXXX with the last three bytes of the address.
static inline struct addr ipv6_solicited_node(const struct addr *a)
{
	return (struct addr){
		.byte = {0xff, 2, [11] = 1, 0xff, a->byte[13], a->byte[14], a->byte[15]}};
}

// RFC 4291 2.7: a group of no scope, or of one that ends with the interface: on no wire.
static inline bool ipv6_is_nowhere(const struct addr *a)
{
	return ipv6_is_multicast(a) && (a->byte[1] & 0xf) <= 1;
}

// RFC 4291 2.7.1: ff02::1:ff00:0/104.
static inline bool ipv6_is_solicited_node(const struct addr *a)
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, 0xff};

	return memcmp(a, prefix, sizeof(prefix)) == 0;
}

// RFC 4291 2.7: of a scope that ends with the link: interface-local, link-local.
static inline bool ipv6_is_link_group(const struct addr *a)
{
	return ipv6_is_multicast(a) && (a->byte[1] & 0xf) <= 2;
}

// RFC 2464 7: the ethernet address of a multicast group.
static inline void ipv6_group_mac(const struct addr *group, uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->byte + 12, 4);
}

// How many leading bits two addresses have in common.
static inline uint32_t ipv6_common_bits(const struct addr *a, const struct addr *b)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t differs = __builtin_bswap64(a->half[i] ^ b->half[i]);

		if (differs)
			return i * 64 + (uint32_t)__builtin_clzll(differs);
	}
	return 128;
}

static inline bool ipv6_in_prefix(const struct addr *a, const struct addr *prefix, uint32_t len)
{
	return ipv6_common_bits(a, prefix) >= len;
}

// Writes a header without extensions.
static inline void ipv6_header_put(void *at, const struct addr *src, const struct addr *dst,
				   struct ipv6_header h)
{
	memcpy(h.src, src, 16);
	memcpy(h.dst, dst, 16);
	memcpy(at, &h, sizeof(h));
}
