// SPDX-License-Identifier: BSD-3-Clause
// Neighbours: which station on which link has an address, and the packets that wait to know it
// (RFC 1122 2.3.2, RFC 4861 5.1). One table for both families; what travels to learn it is arp.h's
// and nd.h's. IPv4's states, which are kept here:
//
//   NEW --send--> PENDING --reply--> REACHABLE --60 s, used--> PROBING --reply--> REACHABLE
//                    |  ^                |                        |
//          no answer |  | send      60 s, unused            no answer
//                    v  |                v                        v
//                 FAILED --3 s--------> (free) <------------------+
//
// IPv6's are those of RFC 4861 7.3.2, in nd_cache.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "net/net.h"
#include "wire/eth.h"

enum neighbour_state {
	NEIGHBOUR_FREE = 0,
	NEIGHBOUR_NEW = 1 << 0,     // has a path, nobody asked yet
	NEIGHBOUR_PENDING = 1 << 1, // asked, packets wait
	NEIGHBOUR_REACHABLE = 1 << 2,
	NEIGHBOUR_PROBING = 1 << 3, // old: asked again, still used
	NEIGHBOUR_FAILED = 1 << 4,  // did not answer: packets are dropped for a while
	NEIGHBOUR_FIXED = 1 << 5,   // the broadcast address of a port, or a group: nobody is asked
	NEIGHBOUR_STALE = 1 << 6, // IPv6: known, but not lately heard of; the next packet tries it
	NEIGHBOUR_DELAY = 1 << 7, // IPv6: it was tried, and may yet speak for itself
};

// Packets that wait for one neighbour. RFC 1122 2.3.2.2 asks for "at least one"; as many as two
// bursts hold, so that all who are answered at once (SYN|ACKs to a client that opens many
// connections) wait for the first answer and not for a timeout.
#define NEIGHBOUR_QUEUE_PKTS_MAX 64

#define NEIGHBOUR_SENDABLE \
	(NEIGHBOUR_REACHABLE | NEIGHBOUR_PROBING | NEIGHBOUR_FIXED | NEIGHBOUR_DELAY)

struct neighbour {
	struct addr addr;
	uint16_t port_index;
	uint8_t state;
	uint8_t tries;       // requests sent in this state
	uint32_t generation; // grows when the slot changes its owner
	uint32_t hash_next;  // 0: last
	uint8_t header_len;  // bytes
	uint8_t queue_count;
	uint8_t header[ETH_HEADER_BYTES_MAX]; // ready to prepend when SENDABLE
	uint64_t used_ns;
	struct pkt *queue_first, *queue_last; // through pkt_own()->queue_next
	uint32_t waits_longer, waits_less;    // of those that have a queue, in a circle
	struct timer timer;
	bool is_router; // IPv6: by what it said of itself last
} CACHE_ALIGNED;

static_assert(sizeof(struct neighbour) == 2 * CACHE_LINE_BYTES,
	      "what sending reads is in the first");

// Slots 0..PORTS_MAX-1 are the ports' broadcast addresses; slot 0 also ends hash chains, and the
// circle of those that have a queue begins and ends in it.
#define NEIGHBOUR_FIRST PORTS_MAX

struct neighbours {
	struct neighbour *slot;
	uint32_t *head;      // by hash
	uint32_t slot_count; // fixed ones included
	uint32_t head_count; // a power of two
	uint32_t free_first; // through hash_next; 0: none
	uint32_t queued_pkts;
};

bool neighbours_init(struct net *net);
void neighbours_fini(struct net *net);

// Makes the port's broadcast entry.
void neighbour_add_port(struct net *net, uint16_t port_index);

// The entry of an address, or NULL.
struct neighbour *neighbour_find(struct net *net, uint16_t port_index, const struct addr *addr);

// The same, made when it is not there (NEW; of a group, FIXED). Never fails: the least useful entry
// gives way.
uint32_t neighbour_get(struct net *net, uint16_t port_index, const struct addr *addr);

// IPv4. The address answered, or spoke to us: sends what waits.
void neighbour_confirm(struct net *net, struct neighbour *n, const uint8_t mac[6]);

// IPv4. Somebody else claims the address: ask at once who has it.
void neighbour_doubt(struct net *net, struct neighbour *n);

// Prepends the ethernet header and stages p on its port, or lets it wait. Takes p.
void neighbour_send(struct net *net, uint32_t index, struct pkt *p);

// What the states of both families are made of: nd_cache.c has IPv6's.

// The slot is free: what waits is dropped, and paths that lead there are stale.
void neighbour_release(struct net *net, struct neighbour *n);

// Another state from now on, for so long.
void neighbour_become(struct net *net, struct neighbour *n, enum neighbour_state state,
		      uint64_t ns);

// The station's address goes into the header that is ready to prepend.
void neighbour_set_mac(struct net *net, struct neighbour *n, const uint8_t mac[6]);

// Nobody has it: what waits is dropped, and what comes for a while.
void neighbour_fail(struct net *net, struct neighbour *n);

// What waits leaves.
void neighbour_send_queue(struct net *net, struct neighbour *n);
