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

// The frame around a message of this link: it knows its station, so no neighbour is asked.
struct nd_frame {
	uint16_t port_index;
	uint8_t hop_limit;
	bool alert; // behind a router alert (RFC 2711)
	const struct addr *src, *dst;
	const uint8_t *mac; // NULL: of the group that dst is
};

// Checksum, IP and ethernet header in front of an ICMPv6 message. Takes p.
void nd_send(struct net *net, struct pkt *p, const struct nd_frame *frame);

// Appends the option that says our station (RFC 4861 4.6.1).
void nd_add_mac(const struct net *net, uint16_t port_index, struct pkt *p, uint8_t type);

// The option of a type behind `skip` bytes of a message, or NULL; *whole is false when the options
// are not (RFC 4861 7.1.1: of length zero, or past the end).
const struct nd_option *nd_find_option(const struct pkt *p, const struct arrival *a, uint32_t skip,
				       uint8_t type, bool *whole);

// Of a message that one worker received and that may go round all of them (net/round.c).
struct nd_round {
	bool is_first; // this worker received it: he is the one to answer
	bool is_news; // it says something that the others need not know already; true to begin with
	bool begins_anew; // those who heard it before could not do what they can now
};

// What says the same again goes round no sooner than this, lest who repeats it fill the rings.
#define ND_TELL_NS NS_PER_S

// nd_router.c. What routers say (RFC 4861 6.3, RFC 4862 5.5). DROP_OK, or why it is not believed.
enum drop nd_advertised(struct net *net, const struct pkt *p, const struct arrival *arrival,
			struct nd_round *round);

// The link-local address is ours: routers may be asked from it.
void nd_router_begin(struct net *net, uint16_t port_index);

// What of it is due, and when something is next.
void nd_router_tick(struct net *net, uint16_t port_index);
uint64_t nd_router_next_ns(const struct ip6_port *port);

// The default router of a port, or NULL.
const struct addr *nd_router_of(const struct net *net, uint16_t port_index);

// True when it is one of them, the default or not.
bool nd_router_knows(const struct net *net, uint16_t port_index, const struct addr *addr);

// The longest of the prefixes that routers say are on the link, which holds addr; 0: none.
uint8_t nd_prefix_len(const struct net *net, uint16_t port_index, const struct addr *addr);

// A neighbour does not answer, or says that it is no router: others are taken before it, or it is
// none of them any more (RFC 4861 6.3.6, 7.2.5).
void nd_router_is_silent(struct net *net, const struct neighbour *n);
void nd_router_is_none(struct net *net, const struct neighbour *n);

// A neighbour answered a question: when it is a router, it does not give way to others.
void nd_router_answered(struct net *net, const struct neighbour *n);

// The same, of a router that another worker heard. False: that was known, or it is none.
bool nd_router_keep(struct net *net, uint16_t port_index, const struct addr *addr);

// nd_note.c. What a worker tells the others.
enum nd_note {
	ND_NOTE_ANSWERED, // the router answered him
	ND_NOTE_SPEAKS,   // he sends something from an address that a router let us make
	ND_NOTE_DOUBTED,  // all are full: who speaks is to say so again
	ND_NOTE_MADE,     // these addresses are left
};
void nd_note_tell(struct net *net, uint16_t port_index, enum nd_note what, const struct addr *addr);

// The first worker heard a router while as many addresses are made as may be. True: the others hear
// which, and may have room for what he says then.
bool nd_note_tell_made(struct net *net, uint16_t port_index);

// What another worker told (port/mesh.h). Takes p.
void nd_note_hear(struct net *net, struct pkt *p, uint16_t word);

// mld.c. Multicast listeners (RFC 3810): says that we listen to the group of an address.
void mld_join(struct net *net, uint16_t port_index, const struct addr *addr);

// Somebody asks who listens. DROP_OK, or why he gets no answer.
enum drop mld_query(struct net *net, const struct pkt *p, const struct arrival *arrival);

// An answer is due.
void mld_tick(struct net *net, uint16_t port_index);

// nd_cache.c. RFC 4861 7.3.2.
// False: too many new ones were asked for lately, so this one is not (RFC 6583).
bool nd_may_ask(struct net *net, const struct neighbour *n);

// The first packet waits for this neighbour, which is PENDING now: asks for the first time.
void nd_ask_everybody(struct net *net, struct neighbour *n);

// A packet is to be sent to it. True: it may, as the neighbour was known.
bool nd_try(struct net *net, struct neighbour *n);

// It said what its address is, without being asked (RFC 4861 7.2.3, 6.3.4). False: that was known.
bool nd_learn(struct net *net, uint16_t port_index, const struct addr *addr, const uint8_t mac[6]);

// What an advertisement says (RFC 4861 7.2.5); mac may be NULL.
struct nd_answer {
	const uint8_t *mac;
	bool solicited, override, is_router;
};
void nd_answer(struct net *net, struct neighbour *n, const struct nd_answer *answer);
