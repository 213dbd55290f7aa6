// SPDX-License-Identifier: BSD-3-Clause
// pair: two ports joined by a wire with faults: rate, delay, loss, duplicates, reordering,
// corruption, all from a seed. What stacks in virtual time talk over; also `pair:NAME` for two
// stacks in one process.
//
// The wire carries bytes, not packets: it reads them out of the sender's buffers and hands the
// receiver a packet of the receiver's own pool, as a cable between two cards does. That copy is the
// wire's and not in the ledger. What goes in comes out or is counted:
//   sent + duplicated = delivered + lost_* + in_flight
//
// Thread: both ends on one thread (there is no lock).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

struct pair;

// What the wire does to the frames that one end sends. All zero: a perfect wire without delay.
struct pair_faults {
	uint64_t rate_bits_s; // 0: any rate
	uint64_t delay_ns;    // propagation, one way
	uint64_t jitter_ns;   // a frame waits up to this much longer; order is kept
	uint64_t reorder_ns;  // what a reordered frame waits on top, while others overtake it
	uint32_t queue_bytes; // bytes waiting for the rate; more are lost. 0: no limit
	uint32_t mark_bytes;  // behind more than so many ECT becomes CE (RFC 3168). 0: never
	uint32_t mangle_ppm;  // of IP: the ECN field becomes anything
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;
	uint32_t corrupt_ppm; // bits flip within one byte, in headers or payload
	uint32_t refuse_ppm;  // the sender's transmit ring is full for this call
	// Losses in bursts (Gilbert 1960, Elliott 1963): a good and a bad time take turns.
	uint32_t burst_ppm;      // of frames in a good time: a bad one begins with it
	uint32_t burst_end_ppm;  // of frames in a bad time: the good one begins with it
	uint32_t burst_loss_ppm; // of frames in a bad time are lost
	uint16_t mtu_bytes;      // longer frames are lost; 0: what the wire was made for
	bool down;               // nothing gets through
};

struct pair_stats {
	uint64_t sent;                 // frames the sender handed over
	uint64_t duplicated;           // made by the wire
	uint64_t delivered;            // handed to the receiver
	uint64_t lost_random;          // by loss_ppm
	uint64_t lost_burst;           // in a bad time
	uint64_t lost_down;            // the wire was down
	uint64_t lost_queue;           // by queue_bytes or frames_max
	uint64_t lost_too_long;        // longer than the MTU
	uint64_t lost_corrupt;         // ARP hit by corruption: the FCS is the only checksum it has
	uint64_t corrupted, reordered; // delivered all the same
	uint64_t marked, mangled;      // likewise
};

// One frame as it entered the wire, and what became of it.
struct pair_sight {
	uint64_t now_ns;
	uint64_t arrival_ns;  // when the other end can have it; meaningless when lost
	const uint8_t *bytes; // as they will arrive
	uint32_t len;
	int end; // who sent it, 0 or 1
	const char *
		fate; // "", "lost", "down", "queue full", "too long", "corrupted", "duplicate", ...
};

struct pair_config {
	const char *name;
	uint64_t seed;
	const uint64_t *now_ns; // the time, kept by whoever drives; NULL: it stands still
	uint16_t mtu_bytes;     // 0: 1500
	uint32_t frames_max;    // on the wire at once, each way; 0: 1024
	struct pool *rx_pool[2];
	struct pair_faults faults[2];       // of what end 0 and end 1 send
	void (*closing)(struct pair *pair); // an end is about to close; or NULL
};

// Both ends, or NULL with err_set.
struct pair *pair_create(const struct pair_config *config);

// Ends both ports; frames on the wire are gone.
void pair_destroy(struct pair *pair);

// End 0 or 1. port_close of both ends it is pair_destroy.
struct port *pair_port(struct pair *pair, int end);

void pair_set_faults(struct pair *pair, int end, const struct pair_faults *faults);
const struct pair_faults *pair_faults(const struct pair *pair, int end);

// Where the packets that this end receives come from.
void pair_set_rx_pool(struct pair *pair, int end, struct pool *pool);

// Shows every frame that enters the wire; NULL to stop.
void pair_set_tap(struct pair *pair, void (*tap)(void *context, const struct pair_sight *sight),
		  void *context);

// A frame that something on the way makes for this end: it joins what comes to it from now on.
// False when it is too long, the link is down, or as much as a link holds is on its way: then it is
// lost.
bool pair_inject(struct pair *pair, int end, const void *bytes, uint32_t len);

// When the next frame arrives at either end; TIME_NEVER_NS when the wire is empty.
uint64_t pair_next_ns(const struct pair *pair);

// Of what this end sent.
const struct pair_stats *pair_stats(const struct pair *pair, int end);
uint32_t pair_in_flight(const struct pair *pair, int end);

// Opens "pair:NAME" or "pair:NAME,loss_ppm=1000,seed=7": the first opener of a name gets end 0, the
// second end 1. Keys: loss_ppm, duplicate_ppm, corrupt_ppm, refuse_ppm (of what this end sends),
// seed and frames_max (the first opener's). 0 or a negative errno with err_set.
int pair_open(const struct port_config *config, struct port **port, struct port_report *report);
