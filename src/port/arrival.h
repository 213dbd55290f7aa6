// SPDX-License-Identifier: BSD-3-Clause
// What the way in learns about a packet, handed from floor to floor beside it. On the stack, one
// for each packet of the burst.
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "pkt/pkt.h"

// Segments with the same flow_hash, one behind the other in a burst.
enum arrival_run { RUN_NONE, RUN_LEADS = 1, RUN_FOLLOWS = 2 };

struct arrival {
	struct addr src, dst; // filled by ip4_input, ip6_input
	uint16_t port_index;  // where it came in
	uint16_t l3_offset;   // from pkt_data
	uint16_t l4_offset;   // from pkt_data
	uint16_t l4_len;      // transport header and payload, by the IP length
	uint8_t protocol;     // IPPROTO number
	uint8_t tos;          // DSCP (6 bits, RFC 2474), ECN (2 bits, RFC 3168)
	bool to_group;        // the destination is multicast or broadcast (ethernet or IP)
	bool was_fragment;    // IPv6: it came behind a fragment header
	bool has_route;       // IPv4: it came by a source route
	bool has_text;        // TCP, with flow_hash: more than a header
	uint8_t in_run;       // TCP: enum arrival_run
	enum pkt_checksum l4_checksum;
	uint16_t vlan_id;    // 0 without tag
	uint32_t port_flags; // enum port_flag of its port
	uint64_t flow_hash;  // of the flow table, once tcp_read_flow has made it; 0: not yet
};

// What stands for an IPv4 address has nothing in its upper half; an IPv6 host's has.
static inline bool arrival_is_ip6(const struct arrival *a)
{
	return a->src.half[0] != 0;
}

// Where a packet goes after a step. DONE: the step took it (dropped, consumed or queued).
enum next {
	NEXT_DONE,
	NEXT_ARP,
	NEXT_IP4,
	NEXT_TCP,
	NEXT_UDP,
	NEXT_ICMP,
	NEXT_IP6,
	NEXT_TCP6,
	NEXT_UDP6,
	NEXT_ICMP6,
	NEXT_IGMP,
};
