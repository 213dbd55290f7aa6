// SPDX-License-Identifier: BSD-3-Clause
// For a model checker of C11's memory (GenMC): a producer and a consumer on sync/ring.h as it is.
// Slots, and what the pointers point at, are plain memory: too early an access is a race.
#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include "sync/ring.h"

#define CAPACITY 2
#define ITEMS 3u

static _Alignas(struct ring) char memory[sizeof(struct ring) + CAPACITY * sizeof(void *)];
static struct ring *const ring = (struct ring *)(void *)memory;
static uint32_t item[ITEMS];

static void *puts_three(void *unused)
{
	for (uint32_t i = 0; i < ITEMS; i++) {
		void *p = &item[i];

		item[i] = i + 1;
		if (ring_spsc_put(ring, &p, 1) == 0)
			return NULL;
	}
	return NULL;
}

int main(void)
{
	pthread_t producer;
	uint32_t next = 0;

	ring->mask = CAPACITY - 1;
	pthread_create(&producer, NULL, puts_three, NULL);
	for (uint32_t i = 0; i < ITEMS + 1; i++) {
		void *got;

		if (ring_spsc_take(ring, &got, 1) == 0)
			continue;
		assert(*(uint32_t *)got == ++next);
	}
	return 0;
}
