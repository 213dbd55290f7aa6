// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of the epoch's readers, of one that takes out, retires and spoils, and of the
// undertaker: nothing is spoiled that a reader refers to, no living reader is buried, and a dead
// one is, so that reclamation goes on.
//   explore_epoch [PREEMPTIONS]   3 unless told
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "explore.h"
#include "sync/undertaker.c" // NOLINT(bugprone-suspicious-include)

#define THREADS_MAX 8 // by their numbers in the kernel, from 1 on

static struct epoch epoch;
static struct undertaker undertaker;
static uint32_t current;            // which of two things is in the structure
static uint32_t spoiled[2];         // atomic
static uint32_t ended[THREADS_MAX]; // atomic: threads that are gone
static uint64_t token;

static bool gone(uint32_t thread)
{
	ASSERT(thread); // nobody asks about a worker
	return atomic_get(&ended[thread], ACQUIRE) != 0;
}

static void setup(void)
{
	epoch_init(&epoch);
	undertaker = (struct undertaker){.reader = {{0}}};
	current = spoiled[0] = spoiled[1] = 0;
	for (uint32_t i = 0; i < THREADS_MAX; i++)
		ended[i] = 0;
	token = 0;
}

// The reference is used twice, with whatever others do between.
static void follow(void)
{
	uint32_t thing = atomic_get(&current, ACQUIRE);

	ASSERT(!atomic_get(&spoiled[thing], RELAXED));
	ASSERT(!atomic_get(&spoiled[thing], RELAXED));
}

static void reads_as_worker(void)
{
	int id = epoch_join(&epoch);

	epoch_online(&epoch, id);
	follow();
	epoch_quiescent(&epoch, id);
	follow();
	epoch_leave(&epoch, id);
}

static void visits_as(uint32_t thread)
{
	int id = epoch_visit(&epoch, thread);

	epoch_online(&epoch, id);
	follow();
	ASSERT(atomic_get(&epoch.reader[id].seen, RELAXED)); // not buried
	epoch_leave(&epoch, id);
	atomic_set(&ended[thread], 1u, RELEASE);
}

static void visits(void)
{
	visits_as(1);
}

static void visits_twice(void)
{
	visits_as(1);
	visits_as(2);
}

// The kernel gives a number on when its thread has ended.
static void visits_by_the_same_number(void)
{
	if (!atomic_get(&ended[1], ACQUIRE))
		return;
	atomic_set(&ended[1], 0u, RELEASE);
	visits_as(1);
}

static void dies_while_it_reads(void)
{
	int id = epoch_visit(&epoch, 3);

	epoch_online(&epoch, id);
	follow();
	atomic_set(&ended[3], 1u, RELEASE);
}

// Waits as a worker does: it looks, and goes on with something else.
static void spoils(void)
{
	uint32_t old = atomic_get(&current, RELAXED);

	atomic_set(&current, 1 - old, RELEASE);
	token = epoch_retire(&epoch);
	for (int looks = 0; looks < 3; looks++) {
		if (!epoch_passed(&epoch, token))
			continue;
		atomic_set(&spoiled[old], 1u, RELAXED);
		return;
	}
}

static void looks(void)
{
	(void)undertaker_look(&undertaker, &epoch, UNDERTAKER_PATIENCE_NS, gone);
	(void)undertaker_look(&undertaker, &epoch, 2 * UNDERTAKER_PATIENCE_NS, gone);
}

static void spoils_and_looks(void)
{
	spoils();
	looks();
}

// All threads have ended, well or not: after two looks nothing holds up anything.
static void check(void)
{
	(void)undertaker_look(&undertaker, &epoch, 10 * UNDERTAKER_PATIENCE_NS, gone);
	(void)undertaker_look(&undertaker, &epoch, 20 * UNDERTAKER_PATIENCE_NS, gone);
	for (uint32_t id = 0; id < EPOCH_READERS_MAX; id++)
		ASSERT(!epoch.reader[id].seen && !epoch.reader[id].taken);
	ASSERT(epoch_passed(&epoch, epoch_retire(&epoch)));
	ASSERT(epoch_settled(&epoch));
}

static uint64_t run(const char *name, uint32_t preemptions, void (*a)(void), void (*b)(void),
		    void (*c)(void))
{
	struct exploration what = {.name = name,
				   .setup = setup,
				   .thread = {a, b, c},
				   .check = check,
				   .preemptions = preemptions};
	uint64_t executions = explore(&what);

	printf("  %-42s %10llu executions\n", name, (unsigned long long)executions);
	fflush(stdout);
	return executions;
}

int main(int argc, char **argv)
{
	uint32_t preemptions = argc > 1 ? (uint32_t)atoi(argv[1]) : 3;
	uint64_t sum = 0;

	sum += run("two readers, one that spoils", preemptions, reads_as_worker, reads_as_worker,
		   spoils);
	sum += run("two visitors, one that spoils", preemptions, visits, dies_while_it_reads,
		   spoils);
	sum += run("a reader, a visitor, the undertaker", preemptions, reads_as_worker,
		   visits_twice, looks);
	// there, gone when it is asked about, and there again as another: that takes four
	sum += run("a number given on, the undertaker", preemptions + 1, visits,
		   visits_by_the_same_number, looks);
	sum += run("a dead visitor, one that comes, the undertaker", preemptions,
		   dies_while_it_reads, visits, spoils_and_looks);
	printf("epoch: %llu executions, at most %u preemptions each\n", (unsigned long long)sum,
	       preemptions);
	return 0;
}
