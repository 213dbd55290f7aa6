// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 (RFC 4443 2.1), neighbour discovery (RFC 4861 4) and multicast listener reports
// (RFC 3810 5).
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

struct icmp6_header {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be32 rest; // MTU, pointer, flags: by type
} PACKED;

static_assert(sizeof(struct icmp6_header) == 8, "as on the wire");

#define ICMP6_CHECKSUM_OFFSET 2

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128, // those below are errors (RFC 4443 2.1)
	ICMP6_ECHO_REPLY = 129,
	ICMP6_MLD_QUERY = 130,
	ICMP6_MLD1_REPORT = 131,
	ICMP6_MLD1_DONE = 132,
	ICMP6_ROUTER_SOLICITATION = 133,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_NEIGHBOUR_SOLICITATION = 135,
	ICMP6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMP6_REDIRECT = 137,
	ICMP6_MLD2_REPORT = 143,
};

enum icmp6_unreachable_code {
	ICMP6_NO_ROUTE = 0,
	ICMP6_PROHIBITED = 1,
	ICMP6_ADDRESS = 3,
	ICMP6_PORT = 4,
};

enum icmp6_exceeded_code { ICMP6_EXCEEDED_HOPS = 0, ICMP6_EXCEEDED_REASSEMBLY = 1 };

enum icmp6_parameter_code {
	ICMP6_BAD_FIELD = 0,
	ICMP6_UNKNOWN_NEXT_HEADER = 1,
	ICMP6_UNKNOWN_OPTION = 2,
	ICMP6_INCOMPLETE_CHAIN = 3, // RFC 7112 5
};

// Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4).
struct nd_message {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be32 flags;
	uint8_t target[16];
} PACKED;

static_assert(sizeof(struct nd_message) == 24, "as on the wire");

#define ND_ROUTER 0x80000000u
#define ND_SOLICITED 0x40000000u
#define ND_OVERRIDE 0x20000000u

// RFC 4861 4.2.
struct nd_advertisement {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	uint8_t hop_limit;
	uint8_t flags;
	be16 lifetime_s;
	be32 reachable_ms;
	be32 retransmit_ms;
} PACKED;

static_assert(sizeof(struct nd_advertisement) == 16, "as on the wire");

struct nd_option {
	uint8_t type;
	uint8_t words; // of eight bytes, these two included; never 0
} PACKED;

enum nd_option_type {
	ND_OPTION_SOURCE = 1,
	ND_OPTION_TARGET = 2,
	ND_OPTION_PREFIX = 3,
	ND_OPTION_MTU = 5,
	ND_OPTION_NONCE = 14, // RFC 7527 4.1
};

// Of either end, with an ethernet address (RFC 2464 6).
struct nd_option_mac {
	uint8_t type;
	uint8_t words;
	uint8_t mac[6];
} PACKED;

// RFC 3971 5.3.2.
struct nd_option_nonce {
	uint8_t type;
	uint8_t words;
	uint8_t nonce[6];
} PACKED;

// RFC 4861 4.6.2.
struct nd_option_prefix {
	uint8_t type;
	uint8_t words;
	uint8_t len; // bits
	uint8_t flags;
	be32 valid_s;
	be32 preferred_s;
	be32 reserved;
	uint8_t prefix[16];
} PACKED;

static_assert(sizeof(struct nd_option_prefix) == 32, "as on the wire");

#define ND_PREFIX_ON_LINK 0x80
#define ND_PREFIX_AUTONOMOUS 0x40

struct nd_option_mtu {
	uint8_t type;
	uint8_t words;
	be16 reserved;
	be32 mtu_bytes;
} PACKED;

// RFC 3810 5.2: a report, and one of its records without sources.
struct mld2_report {
	uint8_t type;
	uint8_t reserved;
	be16 checksum;
	be16 reserved_too;
	be16 record_count;
} PACKED;

struct mld2_record {
	uint8_t type;
	uint8_t aux_words;
	be16 source_count;
	uint8_t group[16];
} PACKED;

static_assert(sizeof(struct mld2_record) == 20, "as on the wire");

// RFC 2711: the hop-by-hop options of all that speaks of listeners: a router alert, and padding.
#define MLD_ALERT_BYTES 8
#define MLD_ALERT_OPTION "\5\2\0\0\1\0"

// A query (RFC 3810 5.1), as far as those of version 1 and 2 agree; version 1's report and farewell
// (RFC 2710 3) are the same but for the type.
struct mld_query {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	be16 response_delay;
	be16 reserved;
	uint8_t group[16];
} PACKED;

static_assert(sizeof(struct mld_query) == 24, "as on the wire");
