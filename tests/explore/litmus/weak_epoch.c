// SPDX-License-Identifier: BSD-3-Clause
// For a model checker of C11's memory (GenMC): two readers and one that takes out, retires and
// spoils, on sync/epoch.h as it is. The thing is plain memory: a use beside its spoiling is a race.
#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#include "sync/epoch.h"

#ifndef READERS
#define READERS 1
#endif

static struct epoch epoch = {.now = 1};
static uint32_t in = 1; // the structure: the thing is in it
static uint32_t thing = 7;

static void *reads(void *unused)
{
	int id = epoch_join(&epoch);

	epoch_online(&epoch, id);
	if (atomic_get(&in, ACQUIRE))
		assert(thing == 7);
	epoch_quiescent(&epoch, id);
	if (atomic_get(&in, ACQUIRE))
		assert(thing == 7);
	epoch_leave(&epoch, id);
	return NULL;
}

int main(void)
{
	pthread_t reader[READERS];
	uint64_t token;

	for (int i = 0; i < READERS; i++)
		pthread_create(&reader[i], NULL, reads, NULL);
	atomic_set(&in, 0u, RELEASE);
	token = epoch_retire(&epoch);
	if (epoch_passed(&epoch, token))
		thing = 0;
	return 0;
}
