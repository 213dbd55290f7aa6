// SPDX-License-Identifier: BSD-3-Clause
// The two bits of the IP header in which a network says that it is congested (RFC 3168 5): a
// sender that will hear of it sends ECT, and who would rather not drop such a packet makes it CE.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum ecn {
	ECN_NOT_ECT = 0,
	ECN_ECT1 = 1,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

// Of an IPv4 header's TOS or an IPv6 header's traffic class.
static inline enum ecn ecn_of(uint8_t tos)
{
	return (enum ecn)(tos & 3);
}

static inline uint8_t ecn_with(uint8_t tos, enum ecn ecn)
{
	return (uint8_t)((tos & ~3u) | ecn);
}

// Writes the field into a header that is whole; IPv4's checksum follows.
static inline void ecn_write4(struct ipv4_header *h, enum ecn ecn)
{
	const be16 before = be16_of((uint16_t)(h->version_ihl << 8 | h->tos));

	h->tos = ecn_with(h->tos, ecn);
	h->checksum = checksum_update16(h->checksum, before,
					be16_of((uint16_t)(h->version_ihl << 8 | h->tos)));
}

static inline void ecn_write6(struct ipv6_header *h, enum ecn ecn)
{
	uint32_t first = be32_get(h->version_class_flow);

	h->version_class_flow = be32_of((first & ~(UINT32_C(3) << 20)) | (uint32_t)ecn << 20);
}

// The field of an ethernet frame without tag; ECN_NOT_ECT where it is not IP.
static inline enum ecn ecn_of_frame(const uint8_t *frame, uint32_t len)
{
	if (len >= 14 + IPV4_HEADER_BYTES && frame[12] == 0x08 && frame[13] == 0x00)
		return ecn_of(((const struct ipv4_header *)(const void *)(frame + 14))->tos);
	if (len >= 14 + IPV6_HEADER_BYTES && frame[12] == 0x86 && frame[13] == 0xdd)
		return ecn_of(ipv6_class((const struct ipv6_header *)(const void *)(frame + 14)));
	return ECN_NOT_ECT;
}

// Writes the field of such a frame, if it is IP.
static inline void ecn_write_frame(uint8_t *frame, uint32_t len, enum ecn ecn)
{
	if (len >= 14 + IPV4_HEADER_BYTES && frame[12] == 0x08 && frame[13] == 0x00)
		ecn_write4((struct ipv4_header *)(void *)(frame + 14), ecn);
	else if (len >= 14 + IPV6_HEADER_BYTES && frame[12] == 0x86 && frame[13] == 0xdd)
		ecn_write6((struct ipv6_header *)(void *)(frame + 14), ecn);
}
