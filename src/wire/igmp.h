// SPDX-License-Identifier: BSD-3-Clause
// IGMP (RFC 3376 4, RFC 2236 2, RFC 1112 appendix I): who listens to which IPv4 groups.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

#define IP_IGMP 2

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP1_REPORT = 0x12,
	IGMP2_REPORT = 0x16,
	IGMP2_LEAVE = 0x17,
	IGMP3_REPORT = 0x22,
};

// What all versions begin with; a query of version 3 goes on.
struct igmp_message {
	uint8_t type;
	uint8_t response_code; // of a query: tenths of a second, or a code for more (igmp_code)
	be16 checksum;
	be32 group; // 0: any
} PACKED;

struct igmp3_query {
	struct igmp_message message;
	uint8_t flags; // reserved (4 bits), suppress (1), robustness (3)
	uint8_t qqic;  // Querier's Query Interval Code
	be16 source_count;
} PACKED;

struct igmp3_report {
	uint8_t type;
	uint8_t reserved;
	be16 checksum;
	be16 reserved_too;
	be16 record_count;
} PACKED;

// Sources follow, four bytes each.
struct igmp3_record {
	uint8_t type; // enum group_record_type
	uint8_t aux_words;
	be16 source_count;
	be32 group;
} PACKED;

static_assert(sizeof(struct igmp_message) == 8, "as on the wire");
static_assert(sizeof(struct igmp3_query) == 12, "as on the wire");
static_assert(sizeof(struct igmp3_record) == 8, "as on the wire");

// RFC 3376 4.2.12, RFC 3810 5.2.12: both count them alike.
enum group_record_type {
	GROUP_IS_INCLUDE = 1,
	GROUP_IS_EXCLUDE = 2,
	GROUP_TO_INCLUDE = 3,
	GROUP_TO_EXCLUDE = 4,
	GROUP_ALLOW = 5,
	GROUP_BLOCK = 6,
};

#define IGMP_ROBUSTNESS_MASK 7

#define IGMP_ALL_SYSTEMS 0xe0000001u // 224.0.0.1
#define IGMP_ALL_ROUTERS 0xe0000002u
#define IGMP_ALL_V3_ROUTERS 0xe0000016u

// RFC 2113, and room for nothing else: the option that all of them have.
#define IGMP_ALERT_BYTES 4
#define IGMP_ALERT_OPTION "\x94\4\0\0"

// RFC 3376 R3: from 128 on a mantissa of 4 bits and an exponent of 3.
static inline uint32_t igmp_code(uint8_t code)
{
	return code < 128 ? code : (uint32_t)((code & 0xf) | 0x10) << ((code >> 4 & 7) + 3);
}
