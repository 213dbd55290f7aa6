// SPDX-License-Identifier: BSD-3-Clause
// Writes a capture that tshark and Wireshark read: an ethernet interface a link, nanoseconds, the
// direction and a comment of each frame (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pcapng;

// With an interface for each of count names. NULL when the file cannot be made; errno says why.
struct pcapng *pcapng_create(const char *path, const char *const *names, uint32_t count);

// False when not all could be written, a disk that is full: the file is no good then.
bool pcapng_close(struct pcapng *capture);

struct pcapng_frame {
	uint32_t interface;
	bool back; // it goes from the second name of "a-b" to the first
	uint64_t time_ns;
	const uint8_t *bytes;
	uint32_t len;
	const char *comment; // may be ""
};

void pcapng_write(struct pcapng *capture, const struct pcapng_frame *frame);
