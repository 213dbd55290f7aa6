// SPDX-License-Identifier: BSD-3-Clause
// Reassembly of IPv4 datagrams (RFC 791 3.2, RFC 815), in bounded space, without a copy.
#pragma once

#include "base/wheel.h"
#include "net/net.h"

struct reassembly_context {
	be32 src, dst;
	be16 id;
	uint8_t protocol;
	bool in_use;
	bool refused; // an overlap was seen: the datagram's further fragments are refused
	uint16_t count_pkts;
	uint32_t have_bytes;  // payload
	uint32_t total_bytes; // payload of the whole datagram; 0: the last fragment is not here yet
	uint32_t pinned_bytes;    // buffers
	struct pkt *first, *last; // sorted by offset, disjoint, through pkt_own()->queue_next
	struct arrival arrival;   // of the first fragment of the datagram, when it is here
	struct timer timer;
};

struct reassembly {
	struct reassembly_context *context;
	uint32_t context_count;
	uint32_t pinned_bytes;
};

bool reassembly_init(struct net *net);
void reassembly_fini(struct net *net);

// Takes the fragment. The whole datagram when this one completed it (arrival is its first
// fragment's, l4_len that of the whole), else NULL.
struct pkt *reassembly_add(struct net *net, struct pkt *p, struct arrival *arrival);
