// SPDX-License-Identifier: BSD-3-Clause
// Sealed bytes: files and messages in packet memory that never change again. Their Internet
// checksum is prepared once, as running sums block by block, so that sending any part of them costs
// two subtractions and a look at its edges, not at its bytes. Where a card sums nobody asks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One running sum of four bytes a block: a thirty-second of the memory.
#define SEAL_BLOCK_BYTES 128
#define SEALS_MAX 64

struct seal {
	const uint8_t *bytes;
	size_t len;
	uint32_t *sum; // sum[i]: of all blocks before the i-th, modulo 2^32 - 1
};

// Of one instance. Written by the control thread before the bytes are first sent, read by workers.
struct seals {
	struct seal seal[SEALS_MAX];
	uint32_t count;
};

// 0, or a negative errno with err_set; the bytes stay the caller's and may be sent all the same.
int seals_add(struct seals *seals, const void *bytes, size_t len);

// Forgets all.
void seals_fini(struct seals *seals);

// The partial sum (wire/checksum.h) of len bytes, as of a run at an even offset of its message.
// False when they are not sealed: *sum is untouched. seals may be NULL.
bool seals_sum(const struct seals *seals, const void *bytes, uint32_t len, uint32_t *sum);
