// SPDX-License-Identifier: BSD-3-Clause
// The mesh: a ring from each worker to each other one, on which packets change hands. Whoever
// received what is another's (a segment of his connection, a fragment of what he puts together)
// hands it to him; whoever has no transmit queue of his own hands what he sends to one who has.
//
//	          to 0   to 1   to 2
//	from 0      -     ring   ring       count * (count - 1) rings of sync/ring.h,
//	from 1    ring     -     ring       each with one producer and one consumer
//	from 2    ring   ring     -
//
// What is to be done with a packet stands in the packet itself (pkt_set_word). One that changed
// hands is counted out here and in there, so that each worker's packets add up, and all together.
// A full ring is a named drop, WORKER_RING_FULL; what was sent stays with its sender (relay).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "port/port.h"

// Packets on the way from one worker to another: what comes in the milliseconds in which the
// scheduler may give his core to somebody else. Where there are more than MESH_FEW workers, and so
// the more rings, each is smaller.
#define MESH_RING_PKTS 8192
#define MESH_FEW 8

// What the one who takes it shall do with it.
enum handed {
	HANDED_INPUT,  // received: process it from the ethernet header on
	HANDED_OUTPUT, // finished: transmit it
	HANDED_ARP,    // news of a neighbour on its round (net/arp.c), of use to nobody so far
	HANDED_ARP_USED,
	HANDED_CONN, // a note: a connection changes hands (tcp/move.c)
	HANDED_BACK, // a note: what is given in return for it
	HANDED_ND,   // the same of neighbour discovery (net/nd.c)
	HANDED_ND_USED,
	HANDED_LEASE,   // a note: an address for a time (net/lease.c), on its round
	HANDED_ND_NOTE, // a note: what a worker knows of a router or an address (net/nd_note.c)
	HANDED_IGMP,    // a question about groups on its round (net/igmp.c)
	HANDED_SYN, // received, and it ended the TIME-WAIT of who hands it over (tcp/stranger.c)
};

// Port (4 bits), what (4), worker it set out from (6).
static inline uint16_t mesh_word(enum handed what, uint16_t port_index, uint32_t worker)
{
	static_assert(PORTS_MAX <= 16, "a port's index has four bits");
	return (uint16_t)(port_index | (uint32_t)what << 4 | worker << 8);
}

static inline uint16_t mesh_port(uint16_t word)
{
	return word & 15;
}

static inline enum handed mesh_what(uint16_t word)
{
	return (enum handed)(word >> 4 & 15);
}

static inline uint32_t mesh_from(uint16_t word)
{
	return word >> 8;
}

struct mesh;
struct hands; // one worker's end of the mesh

// NULL with err_set.
struct mesh *mesh_create(uint32_t worker_count);

// Releases what is still on the way. When nobody uses it any more.
void mesh_destroy(struct mesh *mesh);

struct hands *mesh_hands(struct mesh *mesh, uint32_t worker);

// Hands p to another worker. Takes p. It is on its way at the latest with the next hands_flush; a
// full ring drops it. The worker's thread, and so below.
void hands_give(const struct env *env, struct pkt *p, uint32_t to, uint16_t word);

// True: the worker takes nothing of what was given to him, and has not for half a second. For what
// may pass him by; asked each time before such a thing is given, since it is told by the one
// before.
bool hands_stuck(const struct env *env, uint32_t to);

// What was given to this worker leaves; true when one packet more will not be dropped.
bool hands_have_room(const struct env *env, uint32_t to);

// What was given leaves.
void hands_flush(const struct env *env);

// Up to count packets that another worker handed here, counted.
uint32_t hands_take(const struct env *env, uint32_t from, struct pkt **pkts, uint32_t count);

// Packets wait to be taken.
bool hands_waiting(const struct env *env);

// How many, of all workers together.
uint32_t hands_depth(const struct hands *hands);

// A port without queues, for a worker for whom the device has none: it looks like the port `like`,
// receives nothing and hands what it transmits to the worker who has a queue. NULL with err_set.
struct port *relay_open(const struct port *like, struct hands *hands, uint32_t to);
