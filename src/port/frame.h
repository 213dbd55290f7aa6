// SPDX-License-Identifier: BSD-3-Clause
// A frame on the wire of a pair: bytes of its own, and how they leave and become packets.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pkt;
struct pool;

struct frame {
	uint64_t arrival_ns;
	uint64_t order; // of equal times the earlier goes first
	uint32_t len;
	uint8_t bytes[];
};

// The bytes of a packet, all segments, padded as ethernet does. There is room for them.
void frame_gather(struct frame *f, const struct pkt *p);

// The bytes of a frame as a packet of the receiver: one segment, or a chain where its buffers are
// smaller (as a card scatters). NULL when the pool does not have them.
struct pkt *frame_scatter(struct pool *pool, const struct frame *f);

bool frame_is_arp(const struct frame *f);
