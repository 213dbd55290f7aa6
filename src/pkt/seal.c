// SPDX-License-Identifier: BSD-3-Clause
// Running sums over bytes that never change. Called by api/ to seal, by net/checksum_chain.c for
// each segment of a packet whose checksum no card computes; calls wire/checksum.
//
//   bytes   |  block 0  |  block 1  |  block 2  |  block 3 ...
//   sum     0          s1          s2          s3
//   a part   [----------------------------]       = (s2 + the beginning of block 2)
//                                                   - (s1 - the end of block 0)
//
// One's complement addition is a group (RFC 1071 2): what was added can be taken away again. A part
// that begins at an odd place sees all bytes swapped (RFC 1071 2 (B)).
#include "pkt/seal.h"

#include <errno.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/checksum.h"

static size_t sums_bytes(size_t len)
{
	return (len / SEAL_BLOCK_BYTES + 1) * sizeof(uint32_t);
}

// Modulo 2^32 - 1.
static uint32_t add_round(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < b);
}

int seals_add(struct seals *seals, const void *bytes, size_t len)
{
	struct seal *s = &seals->seal[seals->count];

	if (seals->count == SEALS_MAX)
		return err_set(ERR_SEALS_FULL, "%u seals are in use", SEALS_MAX);
	*s = (struct seal){.bytes = bytes, .len = len};
	s->sum = mem_map("sums of sealed bytes", sums_bytes(len));
	if (!s->sum)
		return -ENOMEM;
	for (size_t i = 0; i < len / SEAL_BLOCK_BYTES; i++)
		s->sum[i + 1] =
			add_round(s->sum[i], checksum_add(0, s->bytes + i * SEAL_BLOCK_BYTES,
							  SEAL_BLOCK_BYTES));
	seals->count++;
	return 0;
}

void seals_fini(struct seals *seals)
{
	for (; seals->count; seals->count--) {
		struct seal *s = &seals->seal[seals->count - 1];

		mem_unmap(s->sum, sums_bytes(s->len));
	}
}

// Of the first x bytes, from the nearest block boundary on or back.
static uint32_t sum_until(const struct seal *s, size_t x)
{
	size_t block =
		MIN((x + SEAL_BLOCK_BYTES / 2) / SEAL_BLOCK_BYTES, s->len / SEAL_BLOCK_BYTES);
	size_t at = block * SEAL_BLOCK_BYTES;

	if (at <= x)
		return add_round(s->sum[block], checksum_add(0, s->bytes + at, x - at));
	return add_round(s->sum[block], ~checksum_add_at(0, x, s->bytes + x, at - x));
}

// A stream goes on with a part of the same length: what will be looked at is fetched ahead.
static void fetch_next(const struct seal *s, size_t end, size_t len)
{
	if (end + len > s->len)
		return;
	bits_prefetch(s->bytes + end + len);
	bits_prefetch(&s->sum[(end + len) / SEAL_BLOCK_BYTES]);
}

static uint32_t sum_part(const struct seal *s, size_t offset, size_t len)
{
	fetch_next(s, offset + len, len);
	uint16_t sum = checksum_fold(add_round(sum_until(s, offset + len), ~sum_until(s, offset)));

	return offset & 1 ? __builtin_bswap16(sum) : sum;
}

bool seals_sum(const struct seals *seals, const void *bytes, uint32_t len, uint32_t *sum)
{
	for (uint32_t i = 0; seals && i < seals->count; i++) {
		const struct seal *s = &seals->seal[i];
		size_t offset = (uintptr_t)bytes - (uintptr_t)s->bytes; // huge when before

		if (offset >= s->len || len > s->len - offset)
			continue;
		*sum = sum_part(s, offset, len);
		return true;
	}
	return false;
}
