// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071) as partial sums: begin with 0 or a pseudo-header, add runs of
// bytes, finish. A partial sum is a 32-bit number that is only meaningful modulo 0xffff; words are
// added as they lie in memory, so the result is stored as it is (RFC 1071 2 (B)).
//
// Runs are added at even offsets of the message. A run that begins at an odd one (a chain whose
// segments have odd lengths) goes through checksum_add_at, which swaps its bytes' places.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/be.h"

// sum and the sum of len bytes, at an even offset.
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t len);

// Adds eight bytes; what does not fit goes round (RFC 1071 2 (A)).
static inline uint64_t checksum_add_word(uint64_t sum, uint64_t word)
{
	uint64_t result = sum + word;

	return result + (result < word);
}

// A sum of words as a partial sum.
static inline uint32_t checksum_from_words(uint64_t sum)
{
	uint32_t folded = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (folded & 0xffff) + (folded >> 16);
}

// The twenty bytes of an IPv4 header without options, without a loop.
static inline uint32_t checksum_header20(const void *header)
{
	uint64_t word[2];
	uint32_t last;

	memcpy(word, header, sizeof(word));
	memcpy(&last, (const char *)header + sizeof(word), sizeof(last));
	return checksum_from_words(checksum_add_word(checksum_add_word(word[0], word[1]), last));
}

// The sum as 16 bits: both halves added, in the upper one the carry of the lower too. 0 only for a
// sum of nothing but zeros.
static inline uint16_t checksum_fold(uint32_t sum)
{
	return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}

// The sum of a message so far, and of the run that follows at this offset.
static inline uint32_t checksum_join(uint32_t sum, size_t offset, uint32_t run)
{
	uint16_t folded = checksum_fold(run);

	return (uint32_t)checksum_fold(sum) + (offset & 1 ? __builtin_bswap16(folded) : folded);
}

// As checksum_add, at any offset of the message.
static inline uint32_t checksum_add_at(uint32_t sum, size_t offset, const void *bytes, size_t len)
{
	if ((offset & 1) == 0)
		return checksum_add(sum, bytes, len);
	return checksum_join(sum, offset, checksum_add(0, bytes, len));
}

// What goes into the checksum field.
static inline be16 checksum_finish(uint32_t sum)
{
	return (be16){(uint16_t)~checksum_fold(sum)};
}

// A message that carries its checksum sums up to all ones (RFC 1071 1).
static inline bool checksum_is_good(uint32_t sum)
{
	return checksum_fold(sum) == 0xffff;
}

// TCP's and UDP's pseudo-header (RFC 9293 3.1, RFC 768; RFC 8200 8.1 for IPv6). One formula for
// both families: the mapped prefix of an IPv4 address, ::ffff, adds 0xffff, which is zero here.
static inline uint32_t checksum_pseudo(const struct addr *src, const struct addr *dst,
				       uint8_t protocol, uint32_t len)
{
	uint64_t sum = checksum_add_word(src->half[0], src->half[1]);

	sum = checksum_add_word(sum, dst->half[0]);
	sum = checksum_add_word(sum, dst->half[1]);
	return checksum_from_words(
		checksum_add_word(sum, (uint64_t)be32_of(len).raw + be32_of(protocol).raw));
}

// The checksum after a 16-bit word of the message changed (RFC 1624 3, equation 3).
static inline be16 checksum_update16(be16 checksum, be16 before, be16 after)
{
	return checksum_finish((uint32_t)(uint16_t)~checksum.raw + (uint16_t)~before.raw +
			       after.raw);
}

// The same for a 32-bit word.
static inline be16 checksum_update32(be16 checksum, be32 before, be32 after)
{
	uint32_t old = ~before.raw;

	return checksum_finish((uint32_t)(uint16_t)~checksum.raw + (old & 0xffff) + (old >> 16) +
			       (after.raw & 0xffff) + (after.raw >> 16));
}
