// SPDX-License-Identifier: BSD-3-Clause
// Numbers as they stand on the wire. One-field structs: mixing byte orders does not compile.
#pragma once

#include <stdint.h>

typedef struct {
	uint16_t raw;
} be16;

typedef struct {
	uint32_t raw;
} be32;

static inline uint16_t be16_get(be16 x)
{
	return __builtin_bswap16(x.raw);
}

static inline uint32_t be32_get(be32 x)
{
	return __builtin_bswap32(x.raw);
}

static inline be16 be16_of(uint16_t x)
{
	return (be16){__builtin_bswap16(x)};
}

static inline be32 be32_of(uint32_t x)
{
	return (be32){__builtin_bswap32(x)};
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Prism is written for little-endian machines; be.h is the place to begin a port"
#endif
