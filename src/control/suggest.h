// SPDX-License-Identifier: BSD-3-Clause
// "Did you mean": the closest of some known words.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Insertions, deletions, replacements and swaps of neighbours that turn a into b, case aside.
// Words longer than 63 characters count as their first 63.
uint32_t suggest_distance(const char *a, const char *b);

// Remembers the closest candidate so far. Begin with {.word = what was written}.
struct suggest {
	const char *word;
	const char *best; // NULL until a candidate is close enough to be meant
	uint32_t distance;
};

void suggest_offer(struct suggest *suggest, const char *candidate);
