// SPDX-License-Identifier: BSD-3-Clause
// "Did you mean": optimal string alignment distance (Damerau-Levenshtein without second edits of a
// swapped pair), over three rows since a swap looks two back. Used for unknown keys and values of
// the configuration, for subcommands and options, and for names given to prism explain.

#include "control/suggest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 63

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

uint32_t suggest_distance(const char *a, const char *b)
{
	uint32_t a_len = (uint32_t)strnlen(a, WORD_MAX), b_len = (uint32_t)strnlen(b, WORD_MAX);
	uint32_t row[3][WORD_MAX + 1]; // row[i % 3][j]: from a's first i letters to b's first j

	for (uint32_t j = 0; j <= b_len; j++)
		row[0][j] = j;
	for (uint32_t i = 1; i <= a_len; i++) {
		uint32_t *here = row[i % 3], *before = row[(i + 2) % 3];

		here[0] = i;
		for (uint32_t j = 1; j <= b_len; j++) {
			here[j] = before[j - 1] + !same(a[i - 1], b[j - 1]);
			here[j] = smaller(here[j], smaller(before[j], here[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				here[j] = smaller(here[j], row[(i + 1) % 3][j - 2] + 1);
		}
	}
	return row[a_len % 3][b_len];
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t len = strlen(s->word);
	// One slip in three letters is a typing error; more is another word.
	uint32_t tolerated = len < 6 ? 1 : (uint32_t)len / 3;
	uint32_t distance = suggest_distance(s->word, candidate);

	if (len >= 3 && strncasecmp(s->word, candidate, len) == 0)
		distance = 1; // an abbreviation
	if (distance > tolerated || (s->best && distance >= s->distance))
		return;
	s->best = candidate;
	s->distance = distance;
}
