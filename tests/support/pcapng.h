// SPDX-License-Identifier: BSD-3-Clause
// Writes a capture that tshark and Wireshark read: two ethernet interfaces, nanoseconds, and a
// comment a frame (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3).
#pragma once

#include <stdint.h>

struct pcapng;

// NULL when the file cannot be made; errno says why.
struct pcapng *pcapng_create(const char *path);
void pcapng_close(struct pcapng *capture);

struct pcapng_frame {
	uint32_t interface; // 0 or 1
	uint64_t time_ns;
	const uint8_t *bytes;
	uint32_t len;
	const char *comment; // may be ""
};

void pcapng_write(struct pcapng *capture, const struct pcapng_frame *frame);
