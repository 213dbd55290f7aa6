// SPDX-License-Identifier: BSD-3-Clause
// One direction of the wire as a pure thing: a frame in at t, frames out at later times. No socket
// and no clock, so that a test drives it in virtual time; wire.c drives it in real time.
//
//   in -> MTU -> [ mark, queue -> line of rate_bits_s ] -> loss, corruption -> delay -> out
//                                                                    \-> longer delay: reordered
//
// What is lost at random is lost behind the line: it has taken its time on it. What goes in comes
// out or is counted, in frames:
//   in + duplicated = out + too_long + lost_queue + lost_random + lost_burst + lost_corrupt +
//   inside
//
// src/port/pair.h is its elder sister for stacks that stand in virtual time themselves.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"

// All zero: a perfect wire without delay.
struct way_config {
	uint64_t rate_bits_s; // with preamble, checksum and gap counted; 0: any rate
	uint64_t queue_bytes; // waiting for the line, with all that counts; more is lost. 0: no
			      // limit
	uint64_t mark_bytes; // behind more than so many ECT becomes CE (RFC 3168). 0: never
	uint64_t delay_ns;   // from the last bit in to the last bit out
	uint64_t mtu_bytes;  // without the ethernet header; longer frames are lost. 0: 1500
	uint64_t loss_ppm;   // each frame by itself
	// Gilbert and Elliott: in the bad state, which is entered and left before each frame by
	// chance, frames are lost at another rate. Stationary loss is
	// bad_enter / (bad_enter + bad_leave) * bad_loss.
	uint64_t bad_enter_ppm, bad_leave_ppm, bad_loss_ppm;
	uint64_t reorder_ppm, reorder_ns; // so many take so much longer, while others overtake them
	uint64_t duplicate_ppm;
	uint64_t corrupt_ppm; // one bit flips, anywhere in the frame
	uint64_t frames_max;  // inside at once; 0: 65536. A power of two
	uint64_t seed;
};

struct way_stats {
	uint64_t in_frames, in_bytes, out_frames, out_bytes; // without preamble, checksum and gap
	uint64_t too_long, lost_queue, lost_random, lost_burst;
	uint64_t lost_corrupt; // ARP that corruption hit: the FCS is the only checksum it has
	uint64_t duplicated;
	uint64_t corrupted, reordered; // and came out all the same
	uint64_t marked;               // likewise
	uint64_t queue_bytes_max;      // the most that waited
};

struct way_frame {
	uint64_t due_ns;
	uint32_t len, slot;
	uint8_t bytes[];
};

// Frames in the order of their time. Those that take one way are due in the order they came, so a
// ring is enough.
struct way_lane {
	uint32_t *slots;
	uint32_t head, count;
};

struct way {
	struct way_config config;
	struct way_stats stats;
	struct rng rng;
	uint64_t last_ns;   // the latest time at which a frame came in
	uint64_t idle_ns;   // when the line has sent all that it has
	uint64_t idle_rest; // of a nanosecond, in 1/rate: nothing is rounded away
	bool bad;           // Gilbert and Elliott's state
	struct way_lane straight, detour;
	uint32_t *free;
	uint32_t free_count, slot_bytes;
	uint8_t *memory;
};

// The way, or NULL without memory.
struct way *way_create(const struct way_config *config);
void way_destroy(struct way *way);

// A frame comes in at now_ns. What is said to have come before the last came with it.
void way_put(struct way *way, const uint8_t *bytes, uint32_t len, uint64_t now_ns);

// When the next frame is due; TIME_NEVER_NS when none is inside.
uint64_t way_next_ns(const struct way *way);

// The next frame that is due at now_ns, or NULL. It stays readable until it is given back.
struct way_frame *way_take(struct way *way, uint64_t now_ns);
void way_give_back(struct way *way, struct way_frame *frame);

// Bytes that wait for the line at now_ns, with all that counts.
uint64_t way_queued_bytes(const struct way *way, uint64_t now_ns);
