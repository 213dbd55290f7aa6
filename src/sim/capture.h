// SPDX-License-Identifier: BSD-3-Clause
// Reads captures: pcap and pcapng of either byte order, micro- and nanoseconds.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_type {
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_SLL = 113, // Linux "any"
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

struct capture_packet {
	uint64_t time_ns;
	uint64_t offset; // of its record in the file
	const uint8_t *bytes;
	uint32_t number; // from 1, as Wireshark counts
	uint32_t len;    // captured
	uint32_t wire_len;
	uint32_t link_type;
};

#define CAPTURE_ERROR_BYTES 200

struct capture {
	struct capture_packet *packet; // by time
	uint32_t count, count_max;
	uint8_t *bytes;                  // the file
	char error[CAPTURE_ERROR_BYTES]; // what is wrong, with packet and byte; "" for nothing
	char remedy[CAPTURE_ERROR_BYTES];
};

// Reads a file. False when it cannot be used: error and remedy say why.
bool capture_read(struct capture *capture, const char *path);

// The same of bytes in memory, which must stay.
bool capture_parse(struct capture *capture, const uint8_t *bytes, size_t len);

void capture_free(struct capture *capture);
