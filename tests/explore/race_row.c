// SPDX-License-Identifier: BSD-3-Clause
// A row at full speed, one writer and one reader: what is whole is of one write, and what was
// written before it can be read. For ThreadSanitizer, which judges orders by the C11 model.
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "sync/row.h"

#define WORDS 8
#define WRITES 200000

static uint64_t row[1 + WORDS];
static uint64_t written[WRITES + 1]; // plain: published by the row

static void *write_rows(void *context)
{
	uint64_t words[WORDS];

	for (uint64_t n = 1; n <= WRITES; n++) {
		written[n] = n;
		for (uint32_t i = 0; i < WORDS; i++)
			words[i] = n * (i + 1);
		row_write(row, words, WORDS);
	}
	return context;
}

int main(void)
{
	uint64_t words[WORDS], last = 0, whole = 0, tries = 0;
	pthread_t writer;

	ASSERT(pthread_create(&writer, NULL, write_rows, NULL) == 0);
	for (; last < WRITES; tries++) {
		if (!row_read(row, words, WORDS))
			continue;
		for (uint32_t i = 0; i < WORDS; i++)
			ASSERT(words[i] == words[0] * (i + 1));
		ASSERT(words[0] >= last);
		last = words[0];
		ASSERT(written[last] == last);
		whole++;
	}
	pthread_join(writer, NULL);
	printf("row: %llu of %llu looks found it whole\n", (unsigned long long)whole,
	       (unsigned long long)tries);
	return 0;
}
