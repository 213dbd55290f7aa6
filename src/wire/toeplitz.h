// SPDX-License-Identifier: BSD-3-Clause
// The hash by which cards deal packets out to queues (receive-side scaling): for each bit of the
// input that is set, from the first on, 32 bits of the key from the same place on.
#pragma once

#include <stdint.h>

// Of a TCP segment over IPv4: source and destination address, source and destination port, as they
// stand in its headers.
#define TOEPLITZ_TCP4_BYTES 12

// The key has at least len + 4 bytes.
static inline uint32_t toeplitz(const uint8_t *key, const uint8_t *bytes, uint32_t len)
{
	uint32_t bits =
		(uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
	uint32_t hash = 0;

	for (uint32_t i = 0; i < 8 * len; i++) {
		uint32_t shift = 7 - i % 8;

		if (bytes[i / 8] >> shift & 1)
			hash ^= bits;
		bits = bits << 1 | (key[i / 8 + 4] >> shift & 1);
	}
	return hash;
}
