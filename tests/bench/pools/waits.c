// SPDX-License-Identifier: BSD-3-Clause
// What a thread waits in get or put when another one is stopped in the middle of its own.
//
// Each thread gets 1024 packets in bursts of 32, more than its cache has, and puts them again.
//
//   crowded  four threads on two cores for a second: whoever is preempted may be in the middle.
//            Packets, and how long a call of get or put kept its thread's core: 99.99 of a hundred
//            calls less than, and the longest.
//   paused   two threads, a core each; one is stopped at a random moment for PAUSE_NS, many times.
//            How many of these pauses stopped the other thread, too: it ran, and in the second half
//            of the pause not one burst came to its end.
//
// Time on a core, not of the clock: a thread that is preempted itself does not wait for the pool.
// A call that took long by the clock asks how much its thread has run since the last such call; all
// that was not spent running is taken off the call.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/bits.h"
#include "base/time.h"
#include "observe/histogram.h"
#include "pools.h"
#include "sync/atomic.h"

#define LONG_NS 20000
#define CROWD_S 1.0
#define HELD_PKTS (4 * CACHE_PKTS)
#define PAUSE_NS 2000000

static uint32_t stop;

struct worker {
	struct user user;
	uint64_t bursts;  // got or put; this thread writes, others read
	uint64_t refused; // the pool was empty, as far as it could tell
	clockid_t clock;  // of the time it runs
	bool ready;
	uint64_t run_ns, at_tick; // when the last long call ended
	struct histogram calls;
};

static uint64_t clock_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// A call from tick to tick.
static void called(struct worker *w, uint64_t from, uint64_t to)
{
	double ns = (double)(to - from) / ticks_per_ns;

	if (ns > LONG_NS) {
		uint64_t run_ns = clock_of(CLOCK_THREAD_CPUTIME_ID);
		double all_ns = (double)(to - w->at_tick) / ticks_per_ns;
		double off_ns = all_ns - (double)(run_ns - w->run_ns);

		ns = MAX(ns - MAX(off_ns, 0.0), 0.0);
		w->run_ns = run_ns;
		w->at_tick = to;
	}
	histogram_add(&w->calls, (uint64_t)ns);
}

// Gets up to HELD_PKTS in bursts: more than a cache has. How many it got.
static uint32_t get_all(struct worker *w, void **pkts)
{
	uint32_t n = 0;

	while (n < HELD_PKTS && !atomic_get(&stop, RELAXED)) {
		uint64_t from = __rdtsc();
		bool got = user_get(&w->user, pkts + n);

		called(w, from, __rdtsc());
		if (!got) {
			w->refused++;
			continue;
		}
		n += w->user.burst;
		atomic_set(&w->bursts, w->bursts + 1, RELAXED);
	}
	return n;
}

static void get_and_put(void *context)
{
	struct worker *w = context;
	void *pkts[HELD_PKTS];

	pthread_getcpuclockid(pthread_self(), &w->clock);
	w->run_ns = clock_of(CLOCK_THREAD_CPUTIME_ID);
	w->at_tick = __rdtsc();
	atomic_set(&w->ready, true, RELEASE);
	while (!atomic_get(&stop, RELAXED)) {
		uint32_t n = get_all(w, pkts);

		for (uint32_t i = 0; i < n; i += w->user.burst) {
			uint64_t from = __rdtsc();

			user_put(&w->user, pkts + i, w->user.burst);
			called(w, from, __rdtsc());
			atomic_set(&w->bursts, w->bursts + 1, RELAXED);
		}
	}
}

static struct worker workers[THREADS_MAX];

static void seat_workers(struct crew *crew, struct rte_mempool *pool)
{
	memset(workers, 0, sizeof(workers));
	for (uint32_t i = 0; i < crew->count; i++)
		workers[i].user =
			(struct user){.pool = pool, .spares = pools_spares(i), .burst = BURST_MAX};
	crew->body = get_and_put;
	crew->contexts = workers;
	crew->context_bytes = sizeof(workers[0]);
	atomic_set(&stop, 0, RELAXED);
	crew_start(crew);
	for (uint32_t i = 0; i < crew->count; i++)
		while (!atomic_get(&workers[i].ready, ACQUIRE))
			usleep(100);
}

static void crowded(const char *kind, struct rte_mempool *pool, uint32_t cache_pkts)
{
	static struct histogram calls;
	struct crew crew = {.count = THREADS_MAX};
	uint64_t bursts = 0, refused = 0;

	histogram_clear(&calls);
	seat_workers(&crew, pool);
	usleep((useconds_t)(CROWD_S * 1e6));
	atomic_set(&stop, 1, RELAXED);
	crew_join(&crew);
	for (uint32_t i = 0; i < crew.count; i++) {
		bursts += workers[i].bursts;
		refused += workers[i].refused;
		histogram_merge(&calls, &workers[i].calls);
	}
	printf("crowded  %-12s %5u %10.1f M packets/s %10.1f us %10.1f us %10lu refused\n", kind,
	       cache_pkts, (double)bursts / 2 * BURST_MAX / CROWD_S / 1e6,
	       (double)histogram_quantile(&calls, 0.9999) / 1e3, (double)calls.max / 1e3, refused);
	fflush(stdout);
}

// What a pause found; written by the thread that is paused.
static struct {
	uint32_t done, judged, stopped;
} found;

// Runs in the thread that is stopped, wherever it was.
static void pause_here(int signal_number)
{
	const struct timespec half = {.tv_nsec = PAUSE_NS / 2};
	struct worker *other = &workers[1];

	nanosleep(&half, NULL);
	uint64_t bursts = atomic_get(&other->bursts, RELAXED);
	uint64_t run_ns = clock_of(other->clock);

	nanosleep(&half, NULL);
	bursts = atomic_get(&other->bursts, RELAXED) - bursts;
	run_ns = clock_of(other->clock) - run_ns;
	// Who did not run says nothing.
	if (run_ns > PAUSE_NS / 4) {
		found.judged++;
		found.stopped += bursts <= 1;
	}
	atomic_set(&found.done, found.done + 1, RELEASE);
}

static void paused(const char *kind, struct rte_mempool *pool, uint32_t cache_pkts, uint32_t pauses)
{
	struct crew crew = {.count = 2, .pin = true};
	struct sigaction action = {.sa_handler = pause_here};

	memset(&found, 0, sizeof(found));
	sigaction(SIGUSR1, &action, NULL);
	seat_workers(&crew, pool);
	for (uint32_t i = 0; i < pauses; i++) {
		usleep(100 + i * 7919 % 400);
		pthread_kill(crew.thread[0], SIGUSR1);
		while (atomic_get(&found.done, ACQUIRE) == i)
			usleep(200);
	}
	atomic_set(&stop, 1, RELAXED);
	crew_join(&crew);
	printf("paused   %-12s %5u %4u of %4u pauses stopped the other; longest %10.1f us, %lu "
	       "refused\n",
	       kind, cache_pkts, found.stopped, found.judged, (double)workers[1].calls.max / 1e3,
	       workers[1].refused);
	fflush(stdout);
}

void waits_bench(uint32_t pauses)
{
	static const uint32_t caches[] = {CACHE_PKTS, 0};
	struct rte_mempool *pools[KINDS];

	for (size_t c = 0; c < ARRAY_COUNT(caches); c++) {
		pools_create(pools, caches[c]);
		for (uint32_t k = 0; k < KINDS; k++)
			crowded(kinds[k], pools[k], caches[c]);
		for (uint32_t k = 0; k < KINDS && pauses; k++)
			paused(kinds[k], pools[k], caches[c], pauses);
		pools_destroy(pools);
	}
}
