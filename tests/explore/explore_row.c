// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of a row's writer and a reader, in place and by three copies as a tool takes
// them of a file: what is whole is of one write, and of a later one than what was whole before;
// what one thread reads alone is whole. explore_row [PREEMPTIONS]: 5 unless told.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "explore.h"
#include "sync/row.h"

#define WORDS 3
#define WRITES 3
#define READS 3

static uint64_t row[1 + WORDS];

static void setup(void)
{
	memset(row, 0, sizeof(row));
}

static void write_rows(void)
{
	for (uint64_t n = 1; n <= WRITES; n++) {
		uint64_t words[WORDS] = {n, n * 10, n * 100};

		row_write(row, words, WORDS);
	}
}

static uint64_t check_words(const uint64_t *words, uint64_t last)
{
	ASSERT(words[1] == words[0] * 10);
	ASSERT(words[2] == words[0] * 100);
	ASSERT(words[0] >= last);
	return words[0];
}

static void read_in_place(void)
{
	uint64_t words[WORDS], last = 0;

	for (int i = 0; i < READS; i++)
		if (row_read(row, words, WORDS))
			last = check_words(words, last);
}

// As a kernel copies: in any order within a copy, here from behind.
static void copy(uint64_t *to)
{
	for (int i = WORDS; i >= 0; i--)
		to[i] = atomic_get(&row[i], ACQUIRE);
}

static void read_copies(void)
{
	uint64_t copies[3][1 + WORDS], last = 0;

	for (int i = 0; i < READS - 1; i++) {
		for (int k = 0; k < 3; k++)
			copy(copies[k]);
		if (row_is_whole(copies[0][0], copies[2][0]))
			last = check_words(copies[1] + 1, last);
	}
}

static void check(void)
{
	uint64_t words[WORDS];

	ASSERT(row_read(row, words, WORDS));
	ASSERT(check_words(words, 0) == WRITES);
	row_write_one(row, 1, 7);
	ASSERT(row_read(row, words, WORDS));
	ASSERT(words[0] == WRITES);
	ASSERT(words[1] == 7);
}

int main(int argc, char **argv)
{
	uint32_t preemptions = argc > 1 ? (uint32_t)atoi(argv[1]) : 5;
	struct exploration in_place = {.name = "row",
				       .setup = setup,
				       .thread = {write_rows, read_in_place},
				       .check = check,
				       .preemptions = preemptions};
	struct exploration copies = in_place;

	copies.thread[1] = read_copies;
	printf("row: %llu executions", (unsigned long long)explore(&in_place));
	printf(" and %llu of copies, at most %u preemptions each\n",
	       (unsigned long long)explore(&copies), preemptions);
	return 0;
}
