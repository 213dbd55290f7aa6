// SPDX-License-Identifier: BSD-3-Clause
// UDP (RFC 768).
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/be.h"
#include "base/bits.h"

struct udp_header {
	be16 src_port;
	be16 dst_port;
	be16 len;      // header and payload, bytes
	be16 checksum; // 0: the sender made none
} PACKED;

static_assert(sizeof(struct udp_header) == 8, "as on the wire");

// In one word: what reads it next need not wait for pieces.
HOT_INLINE void udp_header_put(uint8_t *at, struct udp_header h)
{
	uint64_t word = h.src_port.raw | (uint64_t)h.dst_port.raw << 16 |
			(uint64_t)h.len.raw << 32 | (uint64_t)h.checksum.raw << 48;

	memcpy(at, &word, sizeof(word));
}

#define UDP_CHECKSUM_OFFSET 6
#define UDP_PAYLOAD_BYTES_MAX 65507 // 65,535 less the IP header and this one
