// SPDX-License-Identifier: BSD-3-Clause
// Reassembly of datagrams of both families (RFC 791 3.2, RFC 815, RFC 8200 4.5), in bounded space,
// without a copy. What a family's headers say of a fragment is read by reassembly4.c,
// reassembly6.c.
#pragma once

#include "base/wheel.h"
#include "net/net.h"
#include "observe/counter.h"

struct reassembly_context {
	struct addr src, dst;
	uint32_t id;
	uint8_t protocol; // IPv4's; of IPv6 the first fragment says it
	bool in_use;
	uint8_t ecn_seen; // a bit for each ECN field that a fragment had
	enum drop
		refused; // why further fragments of the datagram are refused; DROP_OK: they are not
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

// One of its fragments; addresses and length of its payload are the arrival's.
struct reassembly_piece {
	uint32_t id;
	uint32_t start; // of its payload in the datagram's, bytes
	uint8_t protocol;
	bool more;
};

// Takes a fragment that is well formed. The whole datagram when this one completed it (arrival is
// its first fragment's, l4_len that of the whole), else NULL.
struct pkt *reassembly_add(struct net *net, struct pkt *p, struct arrival *arrival,
			   const struct reassembly_piece *fragment);

// The same of a packet that ip4_input found to be one.
struct pkt *reassembly4_add(struct net *net, struct pkt *p, struct arrival *arrival);

struct ip6_walk;

// The same of a packet whose next header is a fragment's; the walk goes on behind it.
struct pkt *reassembly6_add(struct net *net, struct pkt *p, struct arrival *arrival,
			    struct ip6_walk *walk);
