// SPDX-License-Identifier: BSD-3-Clause
// TCP options (RFC 9293 3.1 and 3.2, RFC 7323 2.2 and 3.2, RFC 2018 2 and 3). Read by segment.c, of
// SYNs and of segments whose options are not the usual timestamps alone; written by control.c and
// sack.c. Pure functions over bytes.
#include "tcp/options.h"

#include <string.h>

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool read_mss(const uint8_t *at, uint32_t len, bool syn, struct tcp_options *out)
{
	if (len != 4)
		return false;
	// RFC 9293 MUST-65: the option belongs to SYN segments; anywhere else it is ignored.
	out->has_mss = syn;
	out->mss = (uint16_t)(at[2] << 8 | at[3]);
	return true;
}

// RFC 7323 R6, R7
static bool read_scale(const uint8_t *at, uint32_t len, bool syn, struct tcp_options *out)
{
	if (len != 3)
		return false;
	out->has_scale = syn;                            // RFC 7323 2.2: ignored outside of SYNs
	out->scale = MIN(at[2], (uint8_t)TCP_SCALE_MAX); // RFC 7323 2.3: above 14, use 14
	return true;
}

static bool read_ts(const uint8_t *at, uint32_t len, struct tcp_options *out)
{
	if (len != 10)
		return false;
	out->has_ts = true;
	out->ts_value = read32(at + 2);
	out->ts_echo = read32(at + 6);
	return true;
}

static bool read_sack_permitted(uint32_t len, bool syn, struct tcp_options *out)
{
	out->has_sack = syn; // RFC 2018 2: MUST NOT be sent elsewhere
	return len == 2;
}

// RFC 2018 3
static bool read_sack(const uint8_t *at, uint32_t len, bool syn, struct tcp_options *out)
{
	uint32_t count = (len - 2) / 8;

	if (len < 10 || (len - 2) % 8 != 0)
		return false;
	if (syn)
		return true;
	out->sack_count = (uint8_t)MIN(count, (uint32_t)SACK_OPTION_BLOCKS_MAX);
	for (uint32_t i = 0; i < out->sack_count; i++)
		out->sack[i] = (struct sack_edges){read32(at + 2 + 8 * i), read32(at + 6 + 8 * i)};
	return true;
}

// RFC 7413 R1, R2: elsewhere than on a SYN, and of another length, it is not there.
static bool read_fast(const uint8_t *at, uint32_t len, bool syn, struct tcp_options *out)
{
	uint32_t cookie_len = len - 2;

	if (!syn || (cookie_len != 0 && (cookie_len < TCP_FAST_COOKIE_BYTES_MIN ||
					 cookie_len > TCP_FAST_COOKIE_BYTES_MAX || cookie_len % 2)))
		return true;
	out->has_fast = true;
	out->fast_len = (uint8_t)cookie_len;
	memcpy(out->fast, at + 2, cookie_len);
	return true;
}

static bool read_one(const uint8_t *at, uint32_t len, bool syn, struct tcp_options *out)
{
	switch (at[0]) {
	case TCP_OPTION_MSS: // RFC 9293 MUST-14
		return read_mss(at, len, syn, out);
	case TCP_OPTION_WINDOW_SCALE:
		return read_scale(at, len, syn, out);
	case TCP_OPTION_TIMESTAMPS:
		return read_ts(at, len, out);
	case TCP_OPTION_SACK_PERMITTED:
		return read_sack_permitted(len, syn, out);
	case TCP_OPTION_SACK:
		return read_sack(at, len, syn, out);
	case TCP_OPTION_FAST_OPEN:
		return read_fast(at, len, syn, out);
	default: // RFC 9293 MUST-6: unknown options are skipped by their length, without error
		return true;
	}
}

// RFC 9293 MUST-4: end, no-operation and MSS are understood. RFC 9293 MUST-5: in any segment.
// RFC 9293 MUST-64: an option may begin at any byte, so only bytes are read.
bool options_read(const uint8_t *bytes, uint32_t len, bool syn, struct tcp_options *out)
{
	uint32_t at = 0;

	*out = (struct tcp_options){0};
	while (at < len && bytes[at] != TCP_OPTION_END) {
		uint32_t option_len;

		if (bytes[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		// RFC 9293 MUST-68: all others have a length; RFC 9293 MUST-7: it may lie.
		if (at + 2 > len)
			return false;
		option_len = bytes[at + 1];
		if (option_len < 2 || at + option_len > len)
			return false;
		if (!read_one(bytes + at, option_len, syn, out))
			return false;
		at += option_len;
	}
	return true;
}

static void write32(uint8_t *at, uint32_t x)
{
	x = __builtin_bswap32(x);
	memcpy(at, &x, sizeof(x));
}

void options_write_sack(uint8_t *at, uint32_t i, uint32_t start, uint32_t end)
{
	write32(at + 4 + 8 * i, start);
	write32(at + 8 + 8 * i, end);
}

uint32_t options_begin_sack(uint8_t *at, uint32_t blocks)
{
	const uint8_t begin[4] = {TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK,
				  (uint8_t)(2 + 8 * blocks)};

	memcpy(at, begin, sizeof(begin));
	return 4 + 8 * blocks;
}

// Two octets that say nothing, or that blocks are welcome (RFC 2018 2).
static void write_sack_permitted(uint8_t *at)
{
	at[0] = TCP_OPTION_SACK_PERMITTED;
	at[1] = 2;
}

// RFC 7413 R3
static uint32_t write_fast(uint8_t *at, const struct tcp_options *o)
{
	uint32_t len = 2u + o->fast_len, pad = (4 - len % 4) % 4;

	memset(at, TCP_OPTION_NOP, pad);
	at[pad] = TCP_OPTION_FAST_OPEN;
	at[pad + 1] = (uint8_t)len;
	memcpy(at + pad + 2, o->fast, o->fast_len);
	return pad + len;
}

// RFC 9293 MUST-69: every combination below fills whole words, so no padding is needed.
// RFC 2018 R1
uint32_t options_write_syn(uint8_t *at, const struct tcp_options *o)
{
	uint32_t len = 4;
	const uint8_t mss[4] = {TCP_OPTION_MSS, 4, (uint8_t)(o->mss >> 8), (uint8_t)o->mss};

	memcpy(at, mss, sizeof(mss));
	if (o->has_scale) {
		const uint8_t scale[4] = {TCP_OPTION_NOP, TCP_OPTION_WINDOW_SCALE, 3, o->scale};

		memcpy(at + len, scale, sizeof(scale));
		len += 4;
	}
	if (o->has_ts) {
		options_write_ts(at + len, o->ts_value, o->ts_echo);
		if (o->has_sack)
			write_sack_permitted(at + len);
		len += TCP_TS_BYTES;
	} else if (o->has_sack) {
		write_sack_permitted(at + len);
		at[len + 2] = at[len + 3] = TCP_OPTION_NOP;
		len += 4;
	}
	return o->has_fast ? len + write_fast(at + len, o) : len;
}
