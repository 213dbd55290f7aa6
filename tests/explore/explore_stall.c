// SPDX-License-Identifier: BSD-3-Clause
// A thread stops for ever at each point of what it does with a ring, with an epoch, or as the
// undertaker of one; another goes on beside it each time. For the table see explore_table.c.
//   explore_stall [ROUNDS]   of what the other does, 100 unless told
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "sync/ring.h"
#include "sync/undertaker.c" // NOLINT(bugprone-suspicious-include)

#define CAPACITY 4u
#define STALLED_THREAD 5u

static _Alignas(struct ring) char memory[sizeof(struct ring) + CAPACITY * sizeof(void *)];
static struct ring *const ring = (struct ring *)(void *)memory;
static uint32_t item[2 * CAPACITY]; // put in this order
static uint32_t there;              // in the ring before thread 0 begins
static uint32_t rounds = 100;

static struct epoch epoch;
static struct undertaker undertaker;
static uint64_t now_ns;
static bool dead; // the thread that stopped is gone

static uint32_t put(uint32_t from, uint32_t count)
{
	void *burst[CAPACITY] = {&item[from], &item[from + 1], &item[from + 2], &item[from + 3]};

	return ring_spsc_put(ring, burst, count);
}

static void setup_ring(void)
{
	memset(memory, 0, sizeof(memory));
	ring->mask = CAPACITY - 1;
	ASSERT(put(0, there) == there);
}

static void puts_two(void)
{
	(void)put(there, 2);
}

static void takes_two(void)
{
	void *burst[2];

	(void)ring_spsc_take(ring, burst, 2);
}

// Whole bursts, in order: what was published, and then nothing.
static void takes_all_and_asks_on(void)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		void *got = NULL;
		uint32_t n = ring_spsc_take(ring, &got, 1);

		ASSERT(n == 0 || got == &item[taken]);
		taken += n;
	}
	ASSERT(taken >= there && taken <= MIN(there + 2, CAPACITY));
	ASSERT(ring_spsc_count(ring) == 0);
}

static void puts_all_and_offers_on(void)
{
	uint32_t accepted = 0;

	for (uint32_t i = 0; i < rounds; i++)
		accepted += put(0, 1);
	ASSERT(accepted >= CAPACITY - there && accepted <= CAPACITY - there + 2);
	ASSERT(ring_spsc_count(ring) >= CAPACITY - 2);
}

static void ring_is_whole(void)
{
	ASSERT(ring->head - ring->tail <= CAPACITY);
}

static void setup_epoch(void)
{
	epoch_init(&epoch);
	undertaker = (struct undertaker){.reader = {{0}}};
	now_ns = 0;
	dead = false;
}

// One visitor is there already, in the middle of its walk.
static void setup_visited(void)
{
	setup_epoch();
	epoch_online(&epoch, epoch_visit(&epoch, STALLED_THREAD));
}

// And its thread has ended, which only the undertaker will find out.
static void setup_died(void)
{
	setup_visited();
	dead = true;
}

static bool gone(uint32_t thread)
{
	return thread == STALLED_THREAD && dead;
}

static void reads_and_leaves(void)
{
	int id = epoch_visit(&epoch, STALLED_THREAD);

	epoch_online(&epoch, id);
	epoch_quiescent(&epoch, id);
	epoch_offline(&epoch, id);
	epoch_online(&epoch, id);
	epoch_leave(&epoch, id);
}

static void retires_and_asks(void)
{
	uint64_t token = epoch_retire(&epoch);

	(void)epoch_passed(&epoch, token);
}

static void buries(void)
{
	(void)undertaker_look(&undertaker, &epoch, 0, gone);
	(void)undertaker_look(&undertaker, &epoch, 10 * UNDERTAKER_PATIENCE_NS, gone);
}

// Everything that threads may do but to bury, by two readers.
static void goes_on_unburied(void)
{
	int worker = epoch_join(&epoch);

	ASSERT(worker >= 0);
	epoch_online(&epoch, worker);
	for (uint32_t i = 0; i < rounds; i++) {
		int visitor = epoch_visit(&epoch, 1);
		uint64_t token = epoch_retire(&epoch);

		ASSERT(visitor >= 0);
		epoch_online(&epoch, visitor);
		ASSERT(!epoch_passed(&epoch, token)); // the worker has not said so
		epoch_quiescent(&epoch, worker);
		(void)epoch_passed(&epoch, token);
		(void)epoch_settled(&epoch);
		epoch_leave(&epoch, visitor);
	}
	epoch_leave(&epoch, worker);
}

static void goes_on(void)
{
	goes_on_unburied();
	for (uint32_t i = 0; i < rounds; i++) {
		now_ns += UNDERTAKER_PATIENCE_NS;
		ASSERT(undertaker_look(&undertaker, &epoch, now_ns, gone) == 0); // nobody is dead
	}
}

// When it turns out to be dead, all goes on.
static void the_stopped_one_is_buried(void)
{
	dead = true;
	for (int i = 0; i < 2; i++, now_ns += UNDERTAKER_PATIENCE_NS)
		(void)undertaker_look(&undertaker, &epoch, now_ns, gone);
	for (uint32_t id = 0; id < EPOCH_READERS_MAX; id++)
		ASSERT(!epoch.reader[id].seen);
	ASSERT(epoch_passed(&epoch, epoch_retire(&epoch)));
}

static void run(const char *what, void (*setup)(void), void (*stalls)(void), void (*other)(void),
		void (*check)(void))
{
	struct exploration exploration = {
		.name = what, .setup = setup, .thread = {stalls, other}, .check = check};

	printf("stopped for ever at each of %llu points of %s: the other does %u rounds\n",
	       (unsigned long long)explore_stalls(&exploration), what, rounds);
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : rounds;
	for (there = 0; there <= CAPACITY; there++) {
		printf("%u of %u items in the ring\n", there, CAPACITY);
		run("put", setup_ring, puts_two, takes_all_and_asks_on, ring_is_whole);
		run("take", setup_ring, takes_two, puts_all_and_offers_on, ring_is_whole);
	}
	run("a reader's life", setup_epoch, reads_and_leaves, goes_on, the_stopped_one_is_buried);
	run("retire and passed", setup_visited, retires_and_asks, goes_on,
	    the_stopped_one_is_buried);
	run("the undertaker's look", setup_died, buries, goes_on_unburied,
	    the_stopped_one_is_buried);
	return 0;
}
