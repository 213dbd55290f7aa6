// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of a producer and a consumer on a small ring: each item comes once, in order,
// with what was written behind its pointer; what the ring refused is still the producer's.
// explore_ring [PREEMPTIONS]: 6 unless told.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "sync/ring.h"

#define CAPACITY 2
#define ITEMS 6

static _Alignas(struct ring) char memory[sizeof(struct ring) + CAPACITY * sizeof(void *)];
static struct ring *const ring = (struct ring *)(void *)memory;
static uint32_t item[ITEMS];
static uint32_t put_count, taken_count;

static void setup(void)
{
	memset(memory, 0, sizeof(memory));
	memset(item, 0, sizeof(item));
	ring->mask = CAPACITY - 1;
	put_count = taken_count = 0;
}

// Bursts of one and two; what does not fit is offered again, a few times.
static void produce(void)
{
	for (int tries = 0; tries < 5 && put_count < ITEMS; tries++) {
		void *burst[2] = {&item[put_count], &item[put_count + 1]};
		uint32_t count = MIN(1u + (uint32_t)tries % 2, ITEMS - put_count);

		for (uint32_t i = 0; i < count; i++)
			item[put_count + i] = put_count + i + 100;
		put_count += ring_spsc_put(ring, burst, count);
	}
}

static void take(uint32_t count)
{
	void *burst[2];
	uint32_t n = ring_spsc_take(ring, burst, count);

	ASSERT(n <= count);
	for (uint32_t i = 0; i < n; i++) {
		ASSERT(burst[i] == &item[taken_count]);
		ASSERT(*(uint32_t *)burst[i] == taken_count + 100);
		taken_count++;
	}
}

static void consume(void)
{
	for (uint32_t tries = 0; tries < 4; tries++)
		take(1 + tries % 2);
}

static void check(void)
{
	for (uint32_t i = 0; i < ITEMS; i++)
		take(1);
	ASSERT(taken_count == put_count);
}

int main(int argc, char **argv)
{
	struct exploration what = {.name = "ring",
				   .setup = setup,
				   .thread = {produce, consume},
				   .check = check,
				   .preemptions = argc > 1 ? (uint32_t)atoi(argv[1]) : 6};

	printf("ring: %llu executions, at most %u preemptions each\n",
	       (unsigned long long)explore(&what), what.preemptions);
	return 0;
}
