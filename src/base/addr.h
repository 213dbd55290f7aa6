// SPDX-License-Identifier: BSD-3-Clause
// An internet address: 16 bytes everywhere above wire/, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/be.h"

struct addr {
	union {
		uint8_t byte[16];
		uint32_t word[4]; // network byte order
		uint64_t half[2]; // network byte order
	};
};

// "255.255.255.255" and "[ffff:...:ffff]:65535" with room to spare.
#define ADDR_TEXT_BYTES 64

#define ADDR_V4_PREFIX_RAW 0xffff0000u // bytes 00 00 ff ff as a little-endian word

static inline struct addr addr_from_v4(be32 v4)
{
	return (struct addr){.word = {0, 0, ADDR_V4_PREFIX_RAW, v4.raw}};
}

static inline struct addr addr_from_v4_octets(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return addr_from_v4(be32_of((uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d));
}

static inline bool addr_is_v4(const struct addr *a)
{
	return a->half[0] == 0 && a->word[2] == ADDR_V4_PREFIX_RAW;
}

static inline be32 addr_to_v4(const struct addr *a)
{
	return (be32){a->word[3]};
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

// True for :: and for 0.0.0.0.
static inline bool addr_is_any(const struct addr *a)
{
	return a->half[0] == 0 &&
	       (a->half[1] == 0 || (a->word[2] == ADDR_V4_PREFIX_RAW && a->word[3] == 0));
}

// Reads "a.b.c.d" or an IPv6 address. True on success; *out is untouched otherwise.
bool addr_parse(const char *text, struct addr *out);

// Writes the usual text form (IPv4 dotted, IPv6 per RFC 5952) and returns out.
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_BYTES]);
