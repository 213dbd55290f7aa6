// SPDX-License-Identifier: BSD-3-Clause
// ICMP (RFC 792; next hop MTU: RFC 1191 4).
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

struct icmp_header {
	uint8_t type;
	uint8_t code;
	be16 checksum;
	union {
		struct {
			be16 id, sequence;
		} echo;
		struct {
			be16 unused, mtu_bytes; // fragmentation needed
		} next_hop;
		uint8_t pointer; // parameter problem: offset of the octet in error
		be32 rest;
	};
} PACKED;

static_assert(sizeof(struct icmp_header) == 8, "as on the wire");

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4, // deprecated by RFC 6633
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_unreachable_code {
	ICMP_UNREACHABLE_NET = 0,
	ICMP_UNREACHABLE_HOST = 1,
	ICMP_UNREACHABLE_PROTOCOL = 2,
	ICMP_UNREACHABLE_PORT = 3,
	ICMP_UNREACHABLE_FRAGMENTATION_NEEDED = 4,
	ICMP_UNREACHABLE_SOURCE_ROUTE_FAILED = 5,
};

enum icmp_time_exceeded_code { ICMP_EXCEEDED_TTL = 0, ICMP_EXCEEDED_REASSEMBLY = 1 };
