// SPDX-License-Identifier: BSD-3-Clause
// A reader that comes online, follows a reference and goes offline, beside a thread that takes what
// it refers to out, waits for the epoch and spoils it: at full speed, for what only the processor's
// own order of loads and stores shows. race_epoch [SECONDS]
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/bits.h"
#include "sync/epoch.h"

#define GOOD 0x900d900du
#define SPOILED 0xdeadu

struct thing {
	uint32_t state CACHE_ALIGNED;
};

static struct epoch epoch;
static struct thing thing[2] = {{GOOD}, {GOOD}};
static struct thing *current CACHE_ALIGNED = &thing[0];
static uint32_t stopped CACHE_ALIGNED;

// What is stored behind stores that wait for memory is seen by others late, by hundreds of
// nanoseconds, unless a fence waits for it; loads do not wait.
#define FAR_LINES (1u << 20)
#define FAR_STORES 8u
static uint32_t far_line[FAR_LINES][CACHE_LINE_BYTES / sizeof(uint32_t)];

static void store_far_away(uint32_t i)
{
	for (uint32_t k = 0; k < FAR_STORES; k++)
		atomic_set(&far_line[(i * FAR_STORES + k) * 2654435761u % FAR_LINES][0], i,
			   RELAXED);
}

// The reader's way from online to offline is a few nanoseconds; empty rounds make it longer and
// shift it against the other thread's.
static void wait_a_little(uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++)
		__atomic_signal_fence(SEQ_CST);
}

static void *read_all_the_time(void *unused)
{
	int id = epoch_join(&epoch);

	for (uint32_t i = 0; !atomic_get(&stopped, RELAXED); i++) {
		store_far_away(i);
		epoch_online(&epoch, id);
		struct thing *seen = atomic_get(&current, ACQUIRE);

		wait_a_little(i % 512);
		ASSERT(atomic_get(&seen->state, RELAXED) == GOOD);
		epoch_offline(&epoch, id);
		wait_a_little(i % 32);
	}
	epoch_leave(&epoch, id);
	return NULL;
}

static void take_out_and_spoil(void)
{
	struct thing *old = atomic_get(&current, RELAXED);
	uint64_t token;

	atomic_set(&current, old == &thing[0] ? &thing[1] : &thing[0], RELEASE);
	token = epoch_retire(&epoch);
	while (!epoch_passed(&epoch, token))
		;
	atomic_set(&old->state, SPOILED, RELAXED);
	wait_a_little(50);
	atomic_set(&old->state, GOOD, RELEASE);
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 2;
	uint64_t rounds = 0;
	struct timespec now, end;
	pthread_t reader;

	epoch_init(&epoch);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	ASSERT(pthread_create(&reader, NULL, read_all_the_time, NULL) == 0);
	do {
		for (int i = 0; i < 1000; i++, rounds++)
			take_out_and_spoil();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	atomic_set(&stopped, 1u, RELAXED);
	pthread_join(reader, NULL);
	printf("race_epoch: %llu times taken out and spoiled, never seen\n",
	       (unsigned long long)rounds);
	return 0;
}
