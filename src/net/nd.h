// SPDX-License-Identifier: BSD-3-Clause
// Neighbour discovery (RFC 4861): its messages, and the states of IPv6's neighbours.
#pragma once

#include "net/ip6.h"
#include "net/neighbour.h"

void nd_init(struct net *net);

// nd.c. A message of one of neighbour discovery's types, its checksum good. Takes p.
void nd_input(struct net *net, struct pkt *p, struct arrival *arrival);

// What another worker heard (port/mesh.h): learns from it and sends it on its round. Takes p.
void nd_hear(struct net *net, struct pkt *p, struct arrival *arrival, uint16_t word);

// Asks who has target; mac NULL: all who may have it, else that station alone. False when there is
// no address yet to ask from.
bool nd_solicit(struct net *net, uint16_t port_index, const struct addr *target,
		const uint8_t mac[6]);

// RFC 4862 5.4.2: asks whether anybody has an address that is to be ours.
void nd_probe(struct net *net, uint16_t port_index, const struct addr *target);

// nd_cache.c. RFC 4861 7.3.2.
// The first packet waits for this neighbour, which is PENDING now: asks for the first time.
void nd_ask_everybody(struct net *net, struct neighbour *n);

// A packet is to be sent to it. True: it may, as the neighbour was known.
bool nd_try(struct net *net, struct neighbour *n);

// It said what its address is, without being asked (RFC 4861 7.2.3, 6.3.4).
void nd_learn(struct net *net, uint16_t port_index, const struct addr *addr, const uint8_t mac[6]);

// What an advertisement says (RFC 4861 7.2.5); mac may be NULL.
struct nd_answer {
	const uint8_t *mac;
	bool solicited, override, is_router;
};
void nd_answer(struct net *net, struct neighbour *n, const struct nd_answer *answer);
