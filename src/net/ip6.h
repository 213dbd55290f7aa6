// SPDX-License-Identifier: BSD-3-Clause
// IPv6 beside IPv4: what a worker's network keeps for it, and its steps in and out. Nothing of it
// exists until a port gets an IPv6 address.
//
// A path is IPv6's when its remote address has anything in its upper half, and so is an arrival:
// what stands for an IPv4 address has nothing there, and no host has an address of ::/64
// (net_path_is_ip6, arrival_is_ip6).
#pragma once

#include "base/wheel.h"
#include "net/net.h"
#include "net/path.h"
#include "port/arrival.h"
#include "wire/ipv6.h"

// Of one port: its link-local address, those configured, and some that routers let it make.
#define IP6_MADE_MAX 7
#define IP6_ADDRESSES_MAX (1 + PORT_ADDRESSES_MAX + IP6_MADE_MAX)
#define IP6_ROUTES_MAX 64

enum ip6_state {
	IP6_TENTATIVE, // RFC 4862 5.4: it may be somebody else's
	IP6_ASSIGNED,
	IP6_DUPLICATE, // it is
};

struct ip6_address {
	struct addr addr;
	uint8_t prefix_len;          // bits
	uint8_t state;               // enum ip6_state
	uint8_t probes;              // solicitations sent for it while it is tentative
	bool is_made;                // of a prefix and an identifier that we chose
	uint8_t made_again;          // times that another had the one chosen before
	uint32_t place;              // as net_place counts; 0: not configured
	uint64_t next_ns;            // of its probes
	uint64_t preferred_until_ns; // from then on it only answers (RFC 4862 5.5.4)
	uint64_t valid_until_ns;     // from then on it is not ours
	uint64_t heard_ns;           // when a router spoke of its prefix last
	uint64_t tell_ns;            // when the other workers hear next that another has it
	uint64_t kept_until_ns; // from then on it may give way; never, while something is sent from
				// it
};

#define IP6_ROUTERS_MAX 4
#define IP6_PREFIXES_MAX 8

// What routers said, and until when it holds (RFC 4861 5.1).
struct ip6_router {
	struct addr addr;
	uint64_t until_ns;
	uint64_t heard_ns; // when it spoke last
	uint64_t tell_ns;  // when the other workers hear next what they know already
	uint64_t told_hash;
	bool answered; // when it was asked, as a neighbour
};

struct ip6_prefix {
	struct addr prefix;
	uint64_t until_ns;
	uint64_t heard_ns;
	uint8_t len; // bits
};

struct ip6_port {
	struct ip6_address address[IP6_ADDRESSES_MAX]; // the first is link-local
	uint32_t address_count;                        // 0: no IPv6 here
	uint32_t router_count, prefix_count;
	struct ip6_router router[IP6_ROUTERS_MAX]; // the one to take first
	struct ip6_prefix prefix[IP6_PREFIXES_MAX];
	uint16_t mtu_bytes; // of the link
	uint8_t hop_limit;  // of what we send
	uint8_t solicitations;
	uint64_t solicit_ns;                     // when the next one leaves
	uint64_t report_ns;                      // when an answer about our groups is due
	uint64_t ask_tokens_ns, ask_refilled_ns; // of questions after new neighbours (nd_cache.c)
	uint64_t give_way_ns;                    // when a made address may give way to another
	uint64_t doubt_ns;                       // when all may be doubted again
	uint64_t tell_made_ns;                   // when the other workers hear next which there are
	uint64_t reachable_ns, retransmit_ns;    // RFC 4861 6.3.2
};

struct ip6_route {
	struct addr prefix;
	struct addr via; // any: on the link itself
	uint16_t port_index;
	uint8_t len; // bits
};

// What path.h has for IPv4, by longer addresses.
struct ip6_pmtu {
	struct addr remote;
	uint64_t expires_ns;
	uint16_t mtu_bytes; // 0: empty
};

#define IP6_LARGE_SENT_SLOTS 1024

struct ip6_large_sent {
	struct addr remote;
	uint32_t bytes; // of the IP packet
};

struct ip6 {
	uint64_t fragmented; // datagrams that left in pieces
	struct ip6_port port[PORTS_MAX];
	struct ip6_route route[IP6_ROUTES_MAX]; // longest prefix first
	uint32_t route_count;
	uint32_t place_count; // addresses configured so far
	struct timer timer;   // the next thing that any port waits for
	uint64_t special[4];  // last octets that addresses of ours have, or had
	struct ip6_pmtu pmtu[PMTU_SLOTS];
	struct ip6_large_sent large_sent[IP6_LARGE_SENT_SLOTS];
};

// ip6_address.c. A port speaks IPv6 from now on: the memory for it when it is the first that does,
// and its link-local address. 0 or a negative errno with err_set.
int ip6_begin_port(struct net *net, uint16_t port_index);

// Begins there and adds an address. 0 or a negative errno with err_set.
int ip6_add_address(struct net *net, uint16_t port_index, const struct addr *addr, uint8_t len);
void ip6_fini(struct net *net);

// The address of any port, or of one, in whatever state; NULL: it is not ours.
struct ip6_address *ip6_find(const struct net *net, const struct addr *addr);
struct ip6_address *ip6_find_on(const struct net *net, uint16_t port_index,
				const struct addr *addr);

// True when packets to it are for us.
bool ip6_is_ours(const struct net *net, const struct addr *addr);

// True for the groups that the port listens to: all nodes, and those of its own addresses.
bool ip6_is_joined(const struct net *net, uint16_t port_index, const struct addr *group);

// An address with this prefix of 64 bits, as a router lets us make one (RFC 4862 5.5.3); one that
// is not in use gives way when there are as many as there may be. NULL: none does.
struct ip6_address *ip6_make_address(struct net *net, uint16_t port_index,
				     const struct addr *prefix);

// Something is sent from the address, and it gives way to no other.
void ip6_speaks(struct net *net, uint16_t port_index, struct ip6_address *address);

// Who speaks from those that were made has so long to do it again.
void ip6_doubt_made(struct net *net, uint16_t port_index);

// What is not valid any more is not ours.
void ip6_expire(struct net *net, uint16_t port_index);

// Something became due at another time than before.
void ip6_schedule(struct net *net);

// Somebody else has the address.
void ip6_is_duplicate(struct net *net, uint16_t port_index, struct ip6_address *address);

// RFC 6724 5, of the addresses of one port: the one to speak to `remote` from, or NULL. A tentative
// one only when there is no other.
struct ip6_address *ip6_source(const struct net *net, uint16_t port_index,
			       const struct addr *remote);

// path6.c. As path_find and its kin, for IPv6 addresses.
int path6_find(struct net *net, const struct addr *local, const struct addr *remote,
	       struct net_path *path);
int path6_add_route(struct net *net, const struct addr *prefix, uint8_t len,
		    const struct addr *via);
int path6_add_link(struct net *net, uint16_t port_index, const struct addr *prefix, uint8_t len);
int path6_add_gateway(struct net *net, uint16_t port_index, const struct addr *via);

void path6_lower_mtu(struct net *net, const struct addr *remote, uint32_t mtu_bytes);
uint64_t path6_age_mtu(struct net *net); // when it has to be called again
void path6_large_sent(struct net *net, const struct addr *remote, uint32_t bytes);
bool path6_was_sent(const struct net *net, const struct addr *remote, uint32_t bytes);

// True when it is the next hop of a route, or a router.
bool path6_is_hop(const struct net *net, uint16_t port_index, const struct addr *addr);

// True when the port reaches the address without a router.
bool path6_on_link(const struct net *net, uint16_t port_index, const struct addr *addr);

// ip6.c. As ip4_input: checks, trims and walks through the extension headers.
enum next ip6_input(struct net *net, struct pkt **p, struct arrival *arrival);

// ip6_extension.c. The headers between IPv6's and the transport's.
struct ip6_walk {
	uint32_t at;          // offset from pkt_data of the next header
	uint32_t end;         // of the packet's payload
	uint32_t named_at;    // where the field lies that says what comes next
	uint8_t next;         // what comes next
	uint8_t error_code;   // of a parameter problem, for reasons that have one
	uint32_t error_at;    // where it is, from the IPv6 header on
	bool error_to_groups; // it is reported even when the packet went to a group
};

// From the IPv6 header on.
static inline struct ip6_walk ip6_walk_begin(const struct pkt *p, const struct arrival *a)
{
	const struct ipv6_header *h = pkt_at(p, a->l3_offset);

	return (struct ip6_walk){
		.at = a->l3_offset + IPV6_HEADER_BYTES,
		.end = a->l3_offset + IPV6_HEADER_BYTES + (uint32_t)be16_get(h->payload_len),
		.named_at = a->l3_offset + (uint32_t)offsetof(struct ipv6_header, next_header),
		.next = h->next_header,
	};
}

// Goes on until a header that is none of them. DROP_OK, or why the packet is not taken.
enum drop ip6_walk_extensions(const struct pkt *p, const struct arrival *a, struct ip6_walk *w);

// A datagram's flow label says in so many bits which worker sent it, to who receives an error that
// quotes it; no router changes a label that is not zero (RFC 6437 2).
#define IP6_LABEL_WORKER_MASK 63u
#define IP6_LABEL_MASK 0xfffffu

// ip6_fragment.c. Sends p, larger than the path's MTU, in pieces. Takes p.
void ip6_send_fragments(struct net *net, struct pkt *p, const struct net_out *out);

// ip6_out.c. Puts IPv6's header in front of p, which may be of any length by now, and sends it.
// Takes p.
void ip6_send(struct net *net, struct pkt *p, const struct net_out *out,
	      struct pkt_tx_offload *offload);

// ip6_out.c. As net_output, for a path of IPv6's that is fresh; p is counted already.
void ip6_output(struct net *net, struct pkt *p, const struct net_out *out);
