// SPDX-License-Identifier: BSD-3-Clause
// A TCP segment in the words of a script, on the wire, and as text.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEG_ANY INT64_MIN        // a value the script leaves open: *
#define SEG_LAST (INT64_MIN + 1) // the newest timestamp, or cookie, the stack sent: last
#define SEG_OPTIONS_MAX 16
#define SEG_FRAME_BYTES_MAX 10000
#define SEG_TEXT_BYTES 400

struct seg_option {
	uint8_t kind;
	uint8_t len;  // an option of unknown kind: its length byte
	int64_t a, b; // mss, shift, the two timestamps, or a cookie and its length
	uint32_t block_count;
	struct {
		int64_t start, end;
	} block[4];
};

struct seg {
	uint8_t flags;
	int64_t seq, ack; // relative to the initial sequence numbers, once the runner made them so
	int64_t win;      // the field as it stands, not scaled
	int64_t urgent;
	uint32_t len;      // payload
	bool options_open; // others may follow: <..., *>
	bool options_given;
	uint32_t option_count;
	struct seg_option option[SEG_OPTIONS_MAX];
	// wrong on purpose
	bool bad_checksum;
	int64_t data_offset; // words
	int64_t cut_bytes;   // of the end of the frame, the IP length says they are there
	int64_t ttl, tos;
	uint8_t src_last; // last octet of the sender's address; 0: the peer's
};

void seg_init(struct seg *s);

// Reads "SA 0:100 ack 1 win 65535 <mss 1460,...>". NULL, or what is wrong.
const char *seg_parse(char *text, struct seg *s);

void seg_format(const struct seg *s, char text[SEG_TEXT_BYTES]);

struct seg_ends {
	uint8_t src_mac[6], dst_mac[6];
	uint32_t src, dst;
	uint16_t src_port, dst_port;
	bool ip6;
	uint64_t payload_offset; // stream offset of the first payload byte
};

// The byte of a stream that begins with offset 0.
static inline uint8_t seg_byte(uint64_t offset)
{
	return (uint8_t)(offset ^ offset >> 8 ^ offset >> 16);
}

// The whole ethernet frame; returns its length.
uint32_t seg_build(const struct seg *s, const struct seg_ends *ends, uint8_t *frame);

// Decodes a frame's TCP part. NULL, or what is wrong with it (checksums included). *payload is
// where its data begins.
const char *seg_read(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
		     const uint8_t **payload);

// NULL when got is what want asks for; else the name of the field that differs.
const char *seg_differs(const struct seg *want, const struct seg *got);
