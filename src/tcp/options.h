// SPDX-License-Identifier: BSD-3-Clause
// TCP options: reading what may come, writing what we say.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"
#include "wire/tcp.h"

#define TCP_SCALE_MAX 14         // RFC 7323 2.3
#define TCP_TS_BYTES 12          // NOP NOP timestamps: what every segment carries once agreed on
#define TCP_SYN_OPTIONS_BYTES 20 // MSS 4, NOP scale 4, SACK-permitted timestamps 12
#define TCP_MSS_DEFAULT 536      // RFC 9293 3.7.1, MUST-15, for IPv4
#define TCP_MSS_DEFAULT_IPV6 1220

#define TCP_OPTIONS_BYTES_MAX 40 // RFC 9293 3.1

#define TCP_FAST_COOKIE_BYTES_MIN 4 // RFC 7413 4.1.1
#define TCP_FAST_COOKIE_BYTES_MAX 16

// A block of RFC 2018 as on the wire, in host order.
struct sack_edges {
	uint32_t start, end;
};
#define SACK_OPTION_BLOCKS_MAX 4 // that 40 bytes of options have room for

struct tcp_options {
	bool has_mss, has_scale, has_ts, has_sack; // the last: SACK-permitted
	bool has_fast;    // of a SYN: a fast open's cookie, or the wish for one
	uint8_t fast_len; // 0, or 4 to 16
	uint8_t scale;
	uint16_t mss;
	uint32_t ts_value, ts_echo;
	uint8_t sack_count;
	struct sack_edges sack[SACK_OPTION_BLOCKS_MAX];
	uint8_t fast[TCP_FAST_COOKIE_BYTES_MAX];
};

// Reads len bytes of options. False when one of them has an impossible length.
bool options_read(const uint8_t *bytes, uint32_t len, bool syn, struct tcp_options *out);

// The usual case of a segment inside a connection, recognised by one comparison: NOP NOP
// timestamps (RFC 7323 appendix A).
HOT_INLINE bool options_are_ts_only(const uint8_t *bytes, uint32_t len)
{
	uint32_t head;

	__builtin_memcpy(&head, bytes, sizeof(head));
	return len == TCP_TS_BYTES && head == 0x0a080101; // 01 01 08 0a on the wire
}

HOT_INLINE void options_read_ts(const uint8_t *bytes, uint32_t *value, uint32_t *echo)
{
	__builtin_memcpy(value, bytes + 4, 4);
	__builtin_memcpy(echo, bytes + 8, 4);
	*value = __builtin_bswap32(*value);
	*echo = __builtin_bswap32(*echo);
}

// Writes them, out of registers, and returns their sum.
HOT_INLINE uint32_t options_write_ts(uint8_t *at, uint32_t value, uint32_t echo)
{
	uint64_t head = 0x0a080101 | (uint64_t)__builtin_bswap32(value) << 32;
	uint32_t tail = __builtin_bswap32(echo);

	__builtin_memcpy(at, &head, sizeof(head));
	__builtin_memcpy(at + sizeof(head), &tail, sizeof(tail));
	return checksum_from_words(checksum_add_word(head, tail));
}

// How many SACK blocks fit, with NOP NOP in front.
HOT_INLINE uint32_t options_sack_blocks(uint32_t room_bytes)
{
	return room_bytes < 12 ? 0 : MIN((room_bytes - 4) / 8, (uint32_t)SACK_OPTION_BLOCKS_MAX);
}

// Writes block i of the option that begins at at; and its beginning, which returns its length.
void options_write_sack(uint8_t *at, uint32_t i, uint32_t start, uint32_t end);
uint32_t options_begin_sack(uint8_t *at, uint32_t blocks);

// Writes the options of a SYN and returns their length, a multiple of four.
uint32_t options_write_syn(uint8_t *at, const struct tcp_options *o);
