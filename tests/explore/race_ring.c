// SPDX-License-Identifier: BSD-3-Clause
// A producer and a consumer on a small ring at full speed, for ThreadSanitizer: what is behind a
// pointer was written before it was put, and every item comes once, in order. race_ring [ITEMS]
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sync/ring.h"

#define CAPACITY 8u
#define ITEMS_DEFAULT 200000u

static struct ring *ring;
static uint32_t items;
static uint32_t cell[64]; // written by the producer again and again: 64 > CAPACITY + a burst

static void *produce(void *unused)
{
	for (uint32_t next = 0; next < items;) {
		void *burst[3];
		uint32_t count = MIN(1 + next % 3, items - next), done;

		for (uint32_t i = 0; i < count; i++) {
			burst[i] = &cell[(next + i) % 64];
			cell[(next + i) % 64] = next + i;
		}
		done = ring_spsc_put(ring, burst, count);
		next += done;
		if (!done)
			sched_yield();
	}
	return NULL;
}

static void consume(void)
{
	for (uint32_t next = 0; next < items;) {
		void *burst[2];
		uint32_t count = ring_spsc_take(ring, burst, 1 + next % 2);

		for (uint32_t i = 0; i < count; i++, next++)
			ASSERT(*(uint32_t *)burst[i] == next);
		if (!count)
			sched_yield();
	}
}

int main(int argc, char **argv)
{
	pthread_t producer;

	items = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : ITEMS_DEFAULT;
	ring = ring_spsc_create(CAPACITY);
	ASSERT(ring && pthread_create(&producer, NULL, produce, NULL) == 0);
	consume();
	pthread_join(producer, NULL);
	ASSERT(ring_spsc_count(ring) == 0);
	ring_spsc_destroy(ring);
	printf("race_ring: %u items handed over, in order\n", items);
	return 0;
}
