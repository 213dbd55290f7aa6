// SPDX-License-Identifier: BSD-3-Clause
// struct net as its own files see it, and segment_out.h.
#pragma once

#include <prismnet/types.h>

#include <string.h>

#include "base/hash.h"
#include "net/dhcp.h"
#include "net/group.h"
#include "net/ip6.h"
#include "net/neighbour.h"
#include "net/net.h"
#include "net/path.h"
#include "net/reassembly.h"
#include "net/route.h"
#include "net/source_route.h"
#include "port/mesh.h"
#include "sync/claims.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

struct net_address {
	be32 addr;
	uint32_t mask;  // host order
	be32 broadcast; // of its network; 0: there is none (prefix of 31 or 32 bits, RFC 3021)
	uint64_t defend_next_ns; // earliest time to defend it again (RFC 5227 2.4 (c))
	uint64_t tell_next_ns;   // earliest time to tell the defender of it again
};

struct net_port {
	struct port *port;
	uint16_t vlan_id;
	uint8_t tx_segs_max; // 1 when the port does not take chains
	uint8_t l2_len;      // bytes of ethernet header
	uint8_t address_count;
	uint8_t configured_count; // of these; behind them one that is leased
	bool is_plain;            // no tag to write and nothing that the port finishes
	bool no_routers;          // what IPv6 routers say is not believed
	bool has_dhcp;
	struct lease lease;
	uint32_t lease_number; // of the first worker's note that said so; they count up
	struct net_address address[PORT_ADDRESSES_MAX + 1];
};

#define UDP_GENERATION_MAX 0xffffff

struct udp_socket {
	struct addr local;
	uint64_t user;
	uint64_t id;   // of its handle: worker (8 bits), generation (24, never 0), index (32)
	uint16_t port; // 0: the slot is free
	uint16_t next; // index + 1 of another socket on the same port, or the next free slot
	bool clients_only;
	uint8_t group_ttl; // of what goes to multicast groups
} CACHE_ALIGNED;

// What waits for udp_deliver: a datagram, or an ICMP error (pkt is NULL).
struct udp_news {
	struct addr peer, local;
	struct pkt *pkt;
	struct udp_socket *socket; // NULL: closed meanwhile
	uint16_t peer_port;
	uint16_t error; // a positive errno
};

// Datagrams that become events while a burst is received.
#define UDP_AT_ONCE_MAX 64

struct udp {
	struct prism_event *turn;                 // the application's array, while a turn receives
	int turn_count, turn_max;                 // events written there, and how many may be
	struct udp_news at_once[UDP_AT_ONCE_MAX]; // what they refer to, until the next turn
	uint16_t *by_port;                        // index + 1 of the first socket on each port
	struct udp_socket *socket;
	uint32_t socket_count;
	uint16_t free_first; // index + 1
	struct udp_news *news;
	uint32_t news_first, news_count, news_max; // starts over at 0 whenever it was drained
};

// Datagram ids of fragmented packets, by a keyed hash of the destination (RFC 6864, RFC 7739 5.3).
#define IP_ID_SLOTS 256

struct net {
	struct env *env;
	struct wheel *wheel;
	uint32_t generation; // grows with every change of ports, routes or path MTUs
	uint32_t port_count;
	uint64_t special[4]; // last octets of our addresses and broadcast addresses
	struct net_port port[PORTS_MAX];
	struct neighbours neighbours;
	struct udp udp;
	struct reassembly reassembly;
	struct net_config config;
	struct routes routes;
	struct net_path_slot path_cache[PATH_SLOTS];
	struct net_large_sent large_sent[LARGE_SENT_SLOTS];
	struct net_pmtu pmtu[PMTU_SLOTS];
	struct timer pmtu_timer;
	struct timer announce_timer;
	uint64_t icmp_tokens; // in nanoseconds of the configured rate
	uint64_t icmp_refilled_ns;
	uint64_t
		round_due_ns; // when the next frame may go round that is not one too many (round.c)
	uint16_t ip_id[IP_ID_SLOTS];
	struct source_routes *source_routes; // NULL: none is believed
	struct dhcp *dhcp; // a port's each; NULL: none asks, or another worker does
	struct ip6 *ip6;   // NULL while no port has an IPv6 address
	struct groups groups;
};

// An index below count (a power of two) that an outsider cannot predict.
static inline uint32_t net_slot(const struct net *net, be32 a, uint32_t more, uint32_t count)
{
	uint64_t key[2];

	memcpy(key, net->env->secret, sizeof(key));
	unsigned __int128 m = (unsigned __int128)(key[0] ^ a.raw) * ((key[1] ^ more) | 1);
	return (uint32_t)((uint64_t)m ^ (uint64_t)(m >> 64)) & (count - 1);
}

// The same for an address of either family.
static inline uint32_t net_addr_slot(const struct net *net, const struct addr *a, uint32_t more,
				     uint32_t count)
{
	uint64_t key[2];

	memcpy(key, net->env->secret, sizeof(key));
	return (uint32_t)hash_fold(hash_fold(key[0] ^ a->half[0], key[1] | 1) ^ a->half[1] ^
					   (uint64_t)more << 40,
				   key[0] | 1) &
	       (count - 1);
}

// A hash of two addresses and what else tells flows apart, that an outsider cannot predict.
static inline uint32_t net_flow_hash(const struct net *net, be32 a, be32 b, uint32_t more)
{
	uint64_t key[2];

	memcpy(key, net->env->secret, sizeof(key));
	return (uint32_t)hash_fold(
		hash_fold(key[0] ^ ((uint64_t)a.raw << 32 | b.raw), key[1] | 1) ^ more, key[0] | 1);
}

// True while nothing that path tells has changed since it was found.
static inline bool net_path_is_fresh(const struct net *net, const struct net_path *path)
{
	return path->generation ==
	       net->generation + net->neighbours.slot[path->neighbour].generation;
}

// True when one of our addresses on any port is a.
bool net_is_ours(const struct net *net, be32 a);

// False when a is certainly neither an address of ours nor the broadcast address of a network of
// ours: a bit for each last octet that one of these has. One load instead of two walks for nearly
// every source address there is.
static inline bool net_may_be_special(const struct net *net, be32 a)
{
	uint32_t octet = a.raw >> 24;

	return net->special[octet / 64] >> (octet % 64) & 1;
}

// True for 255.255.255.255 and the broadcast addresses of the port's networks.
bool net_is_broadcast(const struct net *net, uint16_t port_index, be32 a);

// The same of any port.
bool net_is_broadcast_anywhere(const struct net *net, be32 a);

// The address of the port to speak from to a on the same link: of a's network if there is one, else
// the first. NULL when the port has none.
// The port has one address more.
void net_put_address(struct net *net, struct net_port *np, be32 addr, uint8_t len);

const struct net_address *net_address_for(const struct net *net, uint16_t port_index, be32 a);

// True when a is in a network that the port is connected to.
bool net_on_link(const struct net *net, uint16_t port_index, be32 a);

// A packet from the pool, or NULL, counted.
struct pkt *net_alloc(struct net *net, enum pool_kind kind);

// The socket of a handle, or NULL.
static inline struct udp_socket *udp_socket_of(struct net *net, prism_udp handle)
{
	uint32_t index = (uint32_t)handle.id;

	if (index >= net->udp.socket_count)
		return NULL;
	struct udp_socket *s = &net->udp.socket[index];

	return s->port && s->id == handle.id ? s : NULL;
}

// What is said of a handle that udp_socket_of does not find. A negative errno.
int udp_refuse(const struct net *net, prism_udp handle);

// A bit for each worker who has a socket to which a datagram for this address and port would come.
// Asked where there are several workers.
uint64_t udp_claimants(const struct net *net, const struct addr *local, uint16_t port);

// Whose of them a datagram of this flow is. Nobody's: this worker's.
uint32_t udp_worker_for(const struct net *net, uint64_t claimants, const struct icmp_report *flow,
			bool deal_out);

// udp_socket.c. The socket for a datagram to local, an exact address before any, or NULL.
struct udp_socket *udp_lookup(struct net *net, const struct addr *local, uint16_t port);

// udp.c, and of use to IPv6 too. DROP_OK when the datagram's lengths are right.
enum drop udp_check(const struct pkt *p, const struct arrival *a);

// Why nobody takes a datagram: there is no socket, or none that joined the group.
enum drop udp_why_nobody(const struct net *net, const struct arrival *a);

// True: the datagram is another worker's, and on its way to him. Asked where there are several.
bool udp_hand_to_worker(struct net *net, struct pkt *p, const struct arrival *a);

// A datagram that is whole goes to its socket, or is dropped; false, and not taken, when it has
// none.
bool udp_take(struct net *net, struct pkt *p, const struct arrival *a);

// udp6.c. Sends p, payload only, over a fresh path from the socket, from port[0] to port[1]. 0 and
// p is taken, or an error.
int udp6_send(struct net *net, const struct udp_socket *s, struct net_path *path,
	      const be16 port[2], struct pkt *p);

bool udp_init(struct net *net);
void udp_fini(struct net *net);

// ip4_out.c. Puts the IP header in front of p and sends it to the path's neighbour. Takes p.
struct ip4_send {
	struct net_path *path;
	uint8_t protocol, ttl, tos;
	uint16_t id, fragment; // host order
	struct pkt_tx_offload offload;
};
void ip4_send(struct net *net, struct pkt *p, struct ip4_send *s);

// A packet that goes as it is: no tag or offload, as many segments as the port takes, a neighbour
// that answers, who is one host.
static inline bool net_is_plain(const struct net *net, const struct net_path *path,
				const struct pkt *p)
{
	return net->port[path->port_index].is_plain && pkt_seg_count(p) <= path->plain_segs_max &&
	       net->neighbours.slot[path->neighbour].state & NEIGHBOUR_SENDABLE & ~NEIGHBOUR_FIXED;
}

// The IP header of a packet that goes whole over path, but for length and checksum.
static inline struct ipv4_header net_plain_header(const struct net_path *path, uint8_t protocol)
{
	return (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL,
		.fragment = be16_of(IPV4_DF),
		.ttl = IPV4_TTL_DEFAULT,
		.protocol = protocol,
		.src = addr_to_v4(&path->local),
		.dst = addr_to_v4(&path->remote),
	};
}

// Ethernet's and IP's header of a plain packet.
#define PLAIN_HEADERS_BYTES (sizeof(struct eth_header) + IPV4_HEADER_BYTES)

// Writes them in one go where p has room for them already, and sends it; takes p. The same bytes as
// ip4_send's.
HOT_INLINE void net_send_plain(struct net *net, const struct net_path *path, struct pkt *p,
			       struct ipv4_header ip)
{
	struct neighbour *n = &net->neighbours.slot[path->neighbour];
	uint8_t *at = pkt_data(p);

	ip.total_len = be16_of((uint16_t)(pkt_len(p) - sizeof(struct eth_header)));
	memcpy(at, n->header, sizeof(struct eth_header));
	ipv4_header_put(at + sizeof(struct eth_header), ip, true);
	n->used_ns = net->env->now_ns;
	port_tx(net->env, net->port[path->port_index].port, p);
}

// ip4_out.c, and of use to IPv6 too. The port finishes the transport checksum from the
// pseudo-header's, as offload then says, or we make it.
void net_fill_checksum(const struct net *net, struct pkt *p, const struct net_out *out,
		       struct pkt_tx_offload *offload);

// Copies p into as few segments as its bytes need. Takes p; NULL when it had to be dropped.
struct pkt *net_pack(struct net *net, struct pkt *p, const struct net_path *path, uint8_t protocol,
		     uint16_t segs_max);

// Drops what was to leave by the path and has no IP header yet. Takes p.
void net_drop_unsent(struct net *net, struct pkt *p, const struct net_path *path, uint8_t protocol,
		     enum drop reason);

// round.c. Hands what was heard on to the next worker. It passes by who takes nothing, or he would
// keep it from those behind him; and ends with the last, for `reason`, unless the word says that it
// was of use to somebody. It does not begin when too many did lately. Takes p.
void round_send(struct net *net, struct pkt *p, uint16_t word, enum drop reason);

// icmp_error.c. Takes one of the errors that may be sent now, of either family's; false, counted,
// when there is none.
bool icmp_within_rate(struct net *net);

// The transport checksum in software, over all segments.
void ip4_fill_checksum(const struct net *net, struct pkt *p, const struct net_out *out);

// The id of the next packet to the path's destination that may be fragmented.
uint16_t ip4_next_id(struct net *net, const struct net_path *path, uint8_t protocol);

// Ids of several workers' datagrams count in such steps: what is left tells whose it is. A power of
// two, or a worker's ids would come to those of others when they wrap.
static inline uint32_t ip4_id_step(const struct net *net)
{
	return (uint32_t)bits_ceil_pow2(MAX(net->env->worker_count, 1u));
}

// Of a packet that is not to be fragmented. It may be anything (RFC 6864 4.1): a datagram's tells
// whose it is as well, to who receives an error that quotes it.
static inline uint16_t ip4_whole_id(const struct net *net, uint8_t protocol)
{
	return protocol == IP_UDP ? (uint16_t)net->env->worker_index : 0;
}

// True when the transport header that arrival speaks of lies whole in p's first segment.
bool net_transport_is_whole(const struct pkt *p, const struct arrival *arrival);

// fragment.c. A place in a datagram, and the next len bytes from there as references behind an
// empty packet for the headers; NULL without buffers.
struct fragment_cursor {
	struct pkt *segment;
	uint16_t offset; // in it
};
struct pkt *fragment_cut(struct net *net, struct fragment_cursor *cursor, uint32_t len);

// The same file. Sends p, larger than the path's MTU, in pieces. Takes p.
void ip4_send_fragments(struct net *net, struct pkt *p, const struct net_out *out);

// checksum_chain.c's fast path: true when the transport checksum is right of a packet in one run
// whose IP header has no options. Its two addresses stand right before the transport header, so
// only protocol and length are left of the pseudo-header.
static inline bool net_checksum_plain(const struct pkt *p, const struct arrival *a)
{
	const uint32_t addresses_bytes = 2 * sizeof(be32);

	return a->l4_offset == a->l3_offset + IPV4_HEADER_BYTES &&
	       (uint32_t)a->l4_offset + a->l4_len <= pkt_seg_len(p) &&
	       checksum_is_good(checksum_add(
		       (uint32_t)be16_of(a->protocol).raw + be16_of(a->l4_len).raw,
		       pkt_at(p, a->l4_offset - addresses_bytes), a->l4_len + addresses_bytes));
}

// checksum_chain.c. Sum of len bytes from offset over the segments of p; of sealed bytes without a
// look at them.
uint32_t net_sum(const struct seals *seals, const struct pkt *p, uint32_t offset, uint32_t len);
