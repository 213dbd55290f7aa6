// SPDX-License-Identifier: BSD-3-Clause
// TCP's header (RFC 9293 3.1). Reading and writing options is tcp/options.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"
#include "wire/checksum.h"

struct tcp_header {
	be16 src_port;
	be16 dst_port;
	be32 seq;
	be32 ack;
	uint8_t data_offset; // header length in words (4 bits), reserved (4)
	uint8_t flags;
	be16 window;
	be16 checksum;
	be16 urgent;
} PACKED;

static_assert(sizeof(struct tcp_header) == 20, "as on the wire");

#define TCP_HEADER_BYTES 20
#define TCP_HEADER_BYTES_MAX 60
#define TCP_CHECKSUM_OFFSET 16

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40, // RFC 3168
	TCP_CWR = 0x80,
};

enum tcp_option_kind {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_WINDOW_SCALE = 3,   // RFC 7323 2
	TCP_OPTION_SACK_PERMITTED = 4, // RFC 2018 2
	TCP_OPTION_SACK = 5,           // RFC 2018 3
	TCP_OPTION_TIMESTAMPS = 8,     // RFC 7323 3
	TCP_OPTION_FAST_OPEN = 34,     // RFC 7413 4.1.1
};

// Writes the header, its checksum zero, and returns its sum. In whole words and out of registers:
// reading back what was just written in other pieces would wait for the stores.
HOT_INLINE uint32_t tcp_header_put(uint8_t *at, struct tcp_header h)
{
	uint64_t first =
		h.src_port.raw | (uint64_t)h.dst_port.raw << 16 | (uint64_t)h.seq.raw << 32;
	uint64_t second = h.ack.raw | (uint64_t)h.data_offset << 32 | (uint64_t)h.flags << 40 |
			  (uint64_t)h.window.raw << 48;
	uint32_t third = 0; // checksum and urgent pointer

	memcpy(at, &first, sizeof(first));
	memcpy(at + 8, &second, sizeof(second));
	memcpy(at + 16, &third, sizeof(third));
	return checksum_from_words(checksum_add_word(first, second));
}

static inline uint16_t tcp_header_len(const struct tcp_header *h)
{
	return (uint16_t)((h->data_offset >> 4) * 4);
}
