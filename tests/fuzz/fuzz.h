// SPDX-License-Identifier: BSD-3-Clause
// What the targets share: a reader of the fuzzer's bytes, and one stack that eats frames.
#pragma once

#include <prismnet/prism.h>

#include "../script/seg.h"
#include "sim/world.h"

// The bytes an input still has; reading beyond the end gives zeros.
struct fuzz {
	const uint8_t *at;
	size_t left;
};

uint8_t fuzz_u8(struct fuzz *f);
uint16_t fuzz_u16(struct fuzz *f);
uint32_t fuzz_u32(struct fuzz *f);

// Copies up to len bytes; returns how many there were.
uint32_t fuzz_bytes(struct fuzz *f, void *to, uint32_t len);

// One small stack, node 0 at 198.18.0.1, listening for TCP on 80 and UDP on 9, its far end free.
struct world *fuzz_world(void);

// The same, at 2001:db8:18::1 too.
struct world *fuzz_world_of(bool ip6);

// Puts a frame on the wire to node 0 and lets the stack work.
void fuzz_send(struct world *world, const uint8_t *frame, uint32_t len);

// Turns until the stack is at rest; every event's buffer is released. Returns to the caller the
// last frame that came out, if any (0: none).
uint32_t fuzz_settle(struct world *world, uint8_t *last_frame, uint32_t bytes_max);

// Time passes; timers fire.
void fuzz_pass(struct world *world, uint64_t ns);

// The stack ends: every buffer must be home.
void fuzz_end(struct world *world);

#define FUZZ_FRAME_BYTES 1514
#define FUZZ_L3_AT 14

// Makes a frame of the input's next bytes (a length, then the packet from the IP or ARP header on)
// addressed to node 0. 0 when the input is used up.
uint32_t fuzz_frame(struct fuzz *f, struct world *world, uint16_t eth_type, uint8_t *frame);

// Sums the IPv4 header right, as far as it lies in the frame.
void fuzz_fix_ip(uint8_t *frame, uint32_t len);
