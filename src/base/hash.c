// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), for what an
// attacker may choose: initial sequence numbers, cookies, port choice. Pure; any thread.
//
// Deliberately not here: speed for long inputs. Flow lookups use hash_words in the header.
#include "base/hash.h"

#include <string.h>

#include "base/bits.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

static void compress(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

uint64_t hash_siphash(const uint8_t key[16], const void *bytes, size_t len)
{
	const uint8_t *next = bytes;
	const uint8_t *words_end = next + (len & ~(size_t)7);
	uint64_t k0, k1, word;

	memcpy(&k0, key, 8);
	memcpy(&k1, key + 8, 8);
	struct sip s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};

	for (; next < words_end; next += 8) {
		memcpy(&word, next, 8);
		compress(&s, word);
	}
	word = 0;
	memcpy(&word, next, len & 7);
	compress(&s, word | (uint64_t)len << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
