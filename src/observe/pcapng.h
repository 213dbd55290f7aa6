// SPDX-License-Identifier: BSD-3-Clause
// Writes captures that tshark and Wireshark read (draft-ietf-opsawg-pcapng, sections 4.1 to 4.4):
// interfaces, packets with direction, comment, queue, number and what was missed before them,
// statistics. Time is nanoseconds since 1970, or since whatever a simulation calls its beginning.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pcapng;

// Link types of the registry (draft-ietf-opsawg-pcaplinktype).
enum pcapng_link { PCAPNG_ETHERNET = 1, PCAPNG_RAW = 101, PCAPNG_USER0 = 147 };

struct pcapng_interface {
	const char *name;
	const char *description; // "" or NULL: none; of these two, too
	const char *filter;
	enum pcapng_link link;
	uint32_t snap_bytes; // 0: whole packets
};

enum pcapng_way { PCAPNG_WAY_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_frame {
	uint32_t interface;
	enum pcapng_way way;
	uint64_t time_ns;
	const uint8_t *bytes;
	uint32_t len;        // of bytes
	uint32_t wire_len;   // of the whole packet; 0: len
	const char *comment; // may be "" or NULL
	uint64_t packet_id;  // 0: none
	uint64_t dropped;    // packets missed between the one before it and this
	bool has_queue;
	uint32_t queue;
};

// A section with these interfaces, in a new file or in one that is open already; close closes it.
// NULL when that cannot be; errno says why.
struct pcapng *pcapng_create(const char *path, const struct pcapng_interface *interfaces,
			     uint32_t count);
struct pcapng *pcapng_open(int fd, const struct pcapng_interface *interfaces, uint32_t count);

// False once something could not be written, a disk that is full; errno says why.
bool pcapng_write(struct pcapng *capture, const struct pcapng_frame *frame);

// The same of the statistics of an interface: packets that came by it and packets missed since the
// section's beginning, at this time.
bool pcapng_statistics(struct pcapng *capture, uint32_t interface, uint64_t time_ns,
		       uint64_t received, uint64_t missed);

// What was written reaches the file. As pcapng_write.
bool pcapng_flush(struct pcapng *capture);

// What it writes to, its own.
int pcapng_fd(const struct pcapng *capture);

// Bytes of all blocks so far.
uint64_t pcapng_bytes(const struct pcapng *capture);

// False when not all could be written: the file then ends with a whole block (but for a pipe).
bool pcapng_close(struct pcapng *capture);
