// SPDX-License-Identifier: BSD-3-Clause
// What TCP and UDP need of the network below them: a path to an address, and a way out.
//
// One struct net a worker: ports, own addresses, routes, neighbours, fragments, UDP sockets.
// net/ never calls tcp/; core/stack.c walks a packet in, outputs here call down.
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/env.h"
#include "port/arrival.h"
#include "port/port.h"

struct net;

// The way to one destination, remembered by connections so that a packet costs no lookup.
// net_path_refresh checks it by generation and finds it anew when anything changed.
struct net_path {
	struct addr local;      // source address to use
	struct addr remote;
	uint32_t neighbour;     // index into the neighbour table
	uint32_t generation;    // of routes and of that neighbour when it was found
	uint16_t port_index;
	uint16_t mtu_bytes;     // of the path: the port's, or less after ICMP said so
	uint32_t tso_bytes_max; // 0: the port does not segment
	uint16_t tx_segs_max;   // segments a packet may have on this port
};

// Finds a path from local (any for: choose) to remote. 0, or a negative errno with err_set.
int net_path_find(struct net *net, const struct addr *local, const struct addr *remote,
		  struct net_path *path);

struct net_out {
	struct net_path *path; // refreshed in place when it went stale
	uint8_t protocol;
	uint8_t ttl;          // 0: the default, 64
	uint8_t dscp;
	uint8_t ecn;
	bool dont_fragment;
	uint16_t l4_header_len;     // bytes of transport header at the start of the packet
	uint16_t checksum_offset;   // of the checksum field in the transport header; 0: none to fill
	uint16_t tso_segment_bytes; // >0: the port cuts; the packet may be larger than the MTU
};

// Sends one packet whose first byte is its transport header: fills in the transport checksum
// (offloaded where granted), prepends IP and ethernet, stages it on the port or queues it behind
// an ARP request. Takes p in every case; counts it originated.
void net_output(struct net *net, struct pkt *p, const struct net_out *out);

// True when one of our addresses (any port) equals a.
bool net_is_local(const struct net *net, const struct addr *a);

// What an ICMP error says of a packet we sent (RFC 1122 3.2.2, 4.2.3.9).
struct icmp_report {
	struct addr local, remote; // of the packet we had sent
	uint8_t protocol;
	uint8_t type, code;
	uint16_t local_port, remote_port;
	uint32_t seq;       // TCP only: the quoted sequence number
	uint32_t mtu_bytes; // fragmentation needed: next hop MTU, or 0
};
