// SPDX-License-Identifier: BSD-3-Clause
// An end of the wire: a network interface of the kernel's, by AF_PACKET. Frames are received in a
// ring the kernel writes and stamps, and sent a batch a system call.
//
// What the kernel would still cut or sum is no frame of a wire: GSO packets are too long for the
// way, packets without their checksum are counted and dropped here. Switch the offloads off on both
// ends of the veth pair: ethtool -K IFACE tso off gso off gro off tx off rx off.
#pragma once

#include <stdint.h>

#include "way.h"

#define LINE_BATCH 32 // some 80 us of work: what is due meanwhile is that late

struct line_stats {
	uint64_t unsummed; // without checksum: an offload was left on
	uint64_t missed;   // the ring was full
	uint64_t refused;  // the kernel did not take what was to be sent
};

struct line {
	int fd;
	uint8_t *ring;
	uint32_t slot_bytes, slot_count, next;
	int64_t clock_offset_ns; // from the clock of the stamps to the monotonic one
	struct line_stats stats;
};

// Opens an interface by name. 0, or -1 with errno set and what failed in *step.
int line_open(struct line *line, const char *name, uint64_t mtu_bytes, const char **step);
void line_close(struct line *line);

// Hands what came to the way, at most LINE_BATCH frames. How many.
uint32_t line_receive(struct line *line, struct way *way);

// Sends frames; those the kernel refuses are counted.
void line_send(struct line *line, struct way_frame **frames, uint32_t count);

uint64_t clock_monotonic_ns(void);
