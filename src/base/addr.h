// SPDX-License-Identifier: BSD-3-Clause
// An internet address: 16 bytes everywhere above wire/, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
	return (struct addr){.half = {0, ADDR_V4_PREFIX_RAW | (uint64_t)v4.raw << 32}};
}

// From the same bytes under any name. In halves, as addresses are written and compared: what was
// stored in other pieces than it is loaded in waits until the store has left the store buffer.
static inline struct addr addr_from_bytes(const void *bytes)
{
	struct addr a;

	memcpy(&a.half[0], bytes, sizeof(a.half[0]));
	memcpy(&a.half[1], (const char *)bytes + sizeof(a.half[0]), sizeof(a.half[1]));
	return a;
}

static inline void addr_copy(struct addr *to, const struct addr *from)
{
	to->half[0] = from->half[0];
	to->half[1] = from->half[1];
}

static inline struct addr addr_from_v4_octets(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return addr_from_v4(be32_of((uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d));
}

static inline bool addr_is_v4(const struct addr *a)
{
	return a->half[0] == 0 && (uint32_t)a->half[1] == ADDR_V4_PREFIX_RAW;
}

static inline be32 addr_to_v4(const struct addr *a)
{
	return (be32){(uint32_t)(a->half[1] >> 32)};
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

// True for :: and for 0.0.0.0.
static inline bool addr_is_any(const struct addr *a)
{
	return a->half[0] == 0 && (a->half[1] == 0 || a->half[1] == ADDR_V4_PREFIX_RAW);
}

// Reads "a.b.c.d" or an IPv6 address. True on success; *out is untouched otherwise.
bool addr_parse(const char *text, struct addr *out);

// Writes the usual text form (IPv4 dotted, IPv6 per RFC 5952) and returns out.
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_BYTES]);
