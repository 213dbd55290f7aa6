// SPDX-License-Identifier: BSD-3-Clause
// Sums of bytes for the Internet checksum (RFC 1071). Called for every IPv4 header and for every
// transport segment whose checksum no port computes.
//
// One's complement addition is associative and indifferent to word size (RFC 1071 2 (C)), so eight
// bytes are added at a time with the carry going round; long runs go through AVX2 where the
// processor has it, 32-bit halves into 64-bit lanes that cannot overflow. Which one is asked of the
// compiler's processor model, a constant after start: nothing of ours is mutable.
#include "wire/checksum.h"

#include <immintrin.h>
#include <string.h>

// Below this the set-up and the horizontal sum of the vector loop cost more than they save.
#define VECTOR_BYTES_MIN 192

static inline uint64_t load64(const uint8_t *b)
{
	uint64_t word;

	memcpy(&word, b, sizeof(word));
	return word;
}

// The last 0..7 bytes as a word with zeros behind them.
static inline uint64_t load_tail(const uint8_t *b, size_t len)
{
	uint64_t word = 0;
	uint32_t shift = 0;

	if (len & 4) {
		uint32_t part;

		memcpy(&part, b, sizeof(part));
		word = part;
		shift = 32;
		b += 4;
	}
	if (len & 2) {
		uint16_t part;

		memcpy(&part, b, sizeof(part));
		word |= (uint64_t)part << shift;
		shift += 16;
		b += 2;
	}
	return len & 1 ? word | (uint64_t)*b << shift : word;
}

// 32 bytes; each carry goes into the next addition, the last goes round.
static inline uint64_t add_four(uint64_t sum, const uint8_t *b)
{
	unsigned long long s = sum;
	unsigned char carry = _addcarry_u64(0, s, load64(b), &s);

	carry = _addcarry_u64(carry, s, load64(b + 8), &s);
	carry = _addcarry_u64(carry, s, load64(b + 16), &s);
	carry = _addcarry_u64(carry, s, load64(b + 24), &s);
	return s + carry;
}

// Whole blocks of 64 bytes.
__attribute__((target("avx2"))) static uint64_t add_blocks(const uint8_t *b, size_t len)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i even = _mm256_setzero_si256(), odd = even, even2 = even, odd2 = even;

	for (; len; b += 64, len -= 64) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)b);
		__m256i w = _mm256_loadu_si256((const __m256i *)(const void *)(b + 32));

		even = _mm256_add_epi64(even, _mm256_and_si256(v, low));
		odd = _mm256_add_epi64(odd, _mm256_srli_epi64(v, 32));
		even2 = _mm256_add_epi64(even2, _mm256_and_si256(w, low));
		odd2 = _mm256_add_epi64(odd2, _mm256_srli_epi64(w, 32));
	}
	even = _mm256_add_epi64(_mm256_add_epi64(even, even2), _mm256_add_epi64(odd, odd2));
	__m128i half =
		_mm_add_epi64(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));

	// Each lane is below 2^32 times twice the blocks: far from overflow for any packet.
	return (uint64_t)_mm_extract_epi64(half, 0) + (uint64_t)_mm_extract_epi64(half, 1);
}

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	uint64_t s = sum;

	if (len < sizeof(uint64_t))
		return checksum_from_words(s + load_tail(b, len)); // below 2^32 + 2^56
	if (len >= VECTOR_BYTES_MIN && __builtin_cpu_supports("avx2")) {
		size_t blocks = len & ~(size_t)63;

		s = checksum_add_word(s, add_blocks(b, blocks));
		b += blocks;
		len -= blocks;
	}
	for (; len >= 32; b += 32, len -= 32)
		s = add_four(s, b);
	for (; len >= 8; b += 8, len -= 8)
		s = checksum_add_word(s, load64(b));
	if (len) // the last 1..7 bytes are the top ones of the last eight, which are all there
		s = checksum_add_word(s, load64(b + len - 8) >> (64 - 8 * len));
	return checksum_from_words(s);
}
