// SPDX-License-Identifier: BSD-3-Clause
// What TCP and UDP need of the network below them: a path to an address, and a way out.
//
// A packet that ip4_input hands up may be a chain (reassembled, or received in pieces): its
// transport header is contiguous in the first segment, its payload may span segments.
//
// One struct net a worker: ports, own addresses, routes, neighbours, fragments, UDP sockets.
// net/ never calls tcp/; core/stack.c walks a packet in, outputs here call down.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/env.h"
#include "port/arrival.h"
#include "port/port.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

struct claims; // sync/claims.h
struct net;
struct wheel;

// Limits; zero is the default everywhere.
struct net_config {
	uint32_t neighbours_max;     // of both families, 1024
	uint32_t neighbour_pkts_max; // packets waiting for neighbours, all together, 256
	uint32_t fragment_contexts;  // datagrams under reassembly, 64
	uint32_t fragment_bytes_max; // of buffers they may pin (true size), 1 MiB
	uint32_t udp_max;            // UDP sockets, 64; at most 65535
	uint32_t udp_queue_pkts;     // datagrams received and not yet delivered, 4096
	uint32_t icmp_errors_per_s;  // ICMP errors we send, both families together, 1000
	uint8_t dad_probes;          // RFC 4862 5.1: DupAddrDetectTransmits, 1
	bool no_dad;                 // none at all
	bool source_routes;          // are believed, and may be asked for
	struct claims *udp_claims;   // of several workers: who has sockets where; NULL: alone
};

struct net_port_config {
	struct {
		struct addr addr;
		uint8_t prefix_len; // bits, up to 32 or 128
	} addresses[PORT_ADDRESSES_MAX];
	uint32_t address_count;
	struct addr gateway; // default route through this port; any: none
	uint16_t vlan_id;    // 0: untagged
	bool speaks_ip6;     // also without an IPv6 address
	bool no_routers;     // what IPv6 routers say is not believed
	bool dhcp;           // a server gives it an IPv4 address
};

// All memory of the network comes from here, once. NULL with err_set. env and wheel outlive it.
struct net *net_create(const struct net_config *config, struct env *env, struct wheel *wheel);

// Drops what waits, releases everything. Ports stay the caller's.
void net_destroy(struct net *net);

// Ports come in the order of their index. 0 or a negative errno with err_set.
int net_add_port(struct net *net, struct port *port, const struct net_port_config *config);

// via must be in a connected network. 0 or a negative errno with err_set.
int net_add_route(struct net *net, const struct addr *prefix, uint8_t len, const struct addr *via);

// Tells every link which addresses are ours (RFC 5227 2.3).
void net_announce(struct net *net);

// The way to one destination, remembered by connections so that a packet costs no lookup.
// net_path_refresh checks it by generation and finds it anew when anything changed.
struct net_path {
	struct addr local; // source address to use
	struct addr remote;
	uint32_t neighbour;  // index into the neighbour table
	uint32_t generation; // of routes and of that neighbour when it was found
	uint8_t port_index;
	uint8_t source_route; // its number (net/source_route.h); 0: none
	uint16_t mtu_bytes; // of the path: the port's, or less after ICMP said so; less the option
	uint16_t tso_bytes_max; // 0: the port does not segment
	uint8_t tx_segs_max;    // segments a packet may have on this port
	uint8_t plain_segs_max; // that goes as it is (net_is_plain); 0: none does
};

// What stands for an IPv4 address has nothing in its upper half; an IPv6 host's has.
static inline bool net_path_is_ip6(const struct net_path *path)
{
	return path->remote.half[0] != 0;
}

// Finds a path from local (any for: choose) to remote. 0, or a negative errno with err_set.
int net_path_find(struct net *net, const struct addr *local, const struct addr *remote,
		  struct net_path *path);

// The path anew when anything changed since it was found; false when there is none any more.
bool net_path_refresh(struct net *net, struct net_path *path);

// The gateways that packets are asked to go by, the first one first (RFC 791 3.1).
#define SOURCE_ROUTE_HOPS_MAX 9

struct source_route {
	be32 hop[SOURCE_ROUTE_HOPS_MAX];
	uint8_t count;
	bool is_strict; // each is the next on the way
};

// source_route.c. As net_path_find, by this route. Who keeps the path, or that of net_path_back and
// may (net_path_has_place), holds it before the next one is looked for, and releases it.
int net_path_find_by(struct net *net, const struct addr *local, const struct addr *remote,
		     const struct source_route *route, struct net_path *path);

enum drop net_path_back_by(struct net *net, const struct pkt *p, const struct arrival *arrival,
			   struct net_path *path);

// The path back to who sent p, by the source route that it came by if it did. DROP_OK, or why not.
static inline enum drop net_path_back(struct net *net, const struct pkt *p,
				      const struct arrival *arrival, struct net_path *path)
{
	if (UNLIKELY(arrival->has_route))
		return net_path_back_by(net, p, arrival, path);
	return net_path_find(net, &arrival->dst, &arrival->src, path) ? DROP_NO_ROUTE : DROP_OK;
}

void net_source_route_use(struct net *net, uint8_t number, int32_t more);

// A kept path's source_route has one user more, or one less.
static inline void net_path_hold(struct net *net, uint8_t source_route)
{
	if (UNLIKELY(source_route))
		net_source_route_use(net, source_route, 1);
}

static inline void net_path_release(struct net *net, uint8_t source_route)
{
	if (UNLIKELY(source_route))
		net_source_route_use(net, source_route, -1);
}

bool net_source_route_has_place(const struct net *net, const struct net_path *path, uint32_t share);

// False while too many source routes are in use for this path to be kept: all places, or of shares
// that many of them one (of two: half).
static inline bool net_path_has_place(const struct net *net, const struct net_path *path,
				      uint32_t share)
{
	return LIKELY(!path->source_route) || net_source_route_has_place(net, path, share);
}

// Of a path with a source route: bytes that it adds to each header.
uint32_t net_source_route_bytes(const struct net *net, const struct net_path *path);

static inline uint32_t net_path_option_bytes(const struct net *net, const struct net_path *path)
{
	return UNLIKELY(path->source_route) ? net_source_route_bytes(net, path) : 0;
}

struct net_out {
	struct net_path *path; // refreshed in place when it went stale
	uint8_t protocol;
	uint8_t ttl; // 0: the default, 64
	uint8_t dscp;
	uint8_t ecn;
	bool dont_fragment;
	uint16_t l4_header_len;   // bytes of transport header at the start of the packet
	uint16_t checksum_offset; // of the checksum field in the transport header; 0: none to fill
	uint32_t l4_header_sum;   // of that header, its checksum field zero; 0: not known
	uint16_t tso_segment_bytes; // >0: the port cuts; the packet may be larger than the MTU
	uint32_t flow_label;        // IPv6's, 20 bits
};

// Sends one packet whose first byte is its transport header, which lies in the first segment with
// room in front for the lower headers (ETH_HEADER_BYTES_MAX, 40, and an IPv4 path's option): fills
// in the transport checksum (offloaded where granted), prepends IP and ethernet, stages it on the
// port or queues it behind an ARP request. Takes p in every case; counts it originated.
void net_output(struct net *net, struct pkt *p, const struct net_out *out);

// False when the peer's answers to a connection from this local port are known to come to another
// worker's queue, who would hand them over.
bool net_answers_come_here(const struct net *net, const struct net_path *path, uint16_t local_port,
			   uint16_t remote_port);

// False while the port of this path holds so much back that a sender that can wait should.
bool net_has_room(const struct net *net, const struct net_path *path);

// The same of any port: false when nobody who can wait may send.
bool net_has_room_anywhere(const struct net *net);

// What was sent leaves the stages of the ports; true when nothing stays there.
bool net_flush(struct net *net);

// True when the packet's port has fewer queues than there are workers: whoever receives deals what
// is new out to all.
bool net_deals_out(const struct net *net, const struct arrival *arrival);

// Hands a packet that was received to the worker whose it is. Takes p.
void net_hand(struct net *net, struct pkt *p, const struct arrival *arrival, uint32_t to);

// True when one of our addresses (any port) equals a.
bool net_is_local(const struct net *net, const struct addr *a);

// A connection has this address of ours, and may say nothing for long: no forger's takes its place.
void net_address_used(struct net *net, const struct addr *local);

// Which of our configured addresses it is, as all workers count them from 1 on; 0: none, or any.
uint32_t net_place(const struct net *net, const struct addr *a);

// claim.c. Who of several workers have somebody at an address and port: the closest (claims_for).
uint64_t net_claimants(const struct net *net, const struct claims *claims, const struct addr *local,
		       uint16_t port);

// This worker has one at an address of ours, or any; 0 or a negative errno with err_set. Or no
// more, whether or not the address is still ours.
int net_claim(struct net *net, struct claims *claims, const struct addr *local, uint16_t port);
void net_unclaim(struct net *net, struct claims *claims, const struct addr *local, uint16_t port);

// True when a is not one host: a multicast group, or the broadcast address of a network of ours.
bool net_is_group(const struct net *net, const struct addr *a);

static inline bool net_is_multicast(const struct addr *a)
{
	return addr_is_v4(a) ? ipv4_is_multicast(addr_to_v4(a)) : ipv6_is_multicast(a);
}

// True when the transport checksum of a received packet is right: by the port's word, by summing,
// or because the peer left it unfinished on a wire where that is agreed (PORT_RX_PARTIAL_CHECKSUM).
// checksum_offset: of the field in the transport header.
bool net_checksum_ok(const struct pkt *p, const struct arrival *arrival, uint16_t checksum_offset);

// The path to remote carries no more than mtu_bytes (RFC 1191). Whoever calls has checked that the
// report answers something it really sent (RFC 5927 7). Only ever lowers it; forgotten after ten
// minutes.
void net_lower_mtu(struct net *net, const struct addr *remote, uint32_t mtu_bytes);

// What an ICMP error says of a packet we sent (RFC 1122 3.2.2, 4.2.3.9).
struct icmp_report {
	struct addr local, remote; // of the packet we had sent
	uint8_t protocol;
	uint8_t type, code;
	uint16_t local_port, remote_port;
	uint32_t seq;       // TCP only: the quoted sequence number
	uint32_t mtu_bytes; // fragmentation needed: next hop MTU, or 0
	uint32_t worker;    // UDP: who sent it, by the quoted id or flow label
};
