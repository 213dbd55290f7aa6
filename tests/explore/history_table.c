// SPDX-License-Identifier: BSD-3-Clause
// Histories of the flow table at full speed: three threads find, insert, replace and remove a few
// keys of a small table, in windows; of each window all operations with their times are checked for
// linearizability, and at the end of it what is in the table. What a value stands for was written
// before it was inserted, and is read by who finds it: by a find, a burst or a walk, which shows no
// key but those. In every other table one thread alone inserts and removes.
//   history_table [SECONDS [SEED]]   2 seconds, and a seed of its own, unless told
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/rand.h"
#include "base/time.h"
#include "history.h"
#include "kind.h"

#define THREADS 3u
#define OPS 6u // of a thread in a window
#define WINDOWS_A_TABLE 2000
#define GIVEN_SHIFT 15 // more than a thread inserts into one table

struct window_op {
	struct history_op op;
} CACHE_ALIGNED;

static struct table *table;
static struct epoch epoch;
static struct flow_key key[HISTORY_KEYS];
static uint64_t hash[HISTORY_KEYS];
static struct window_op done[THREADS][OPS];
static uint64_t seed;
static uint32_t arrived, generation; // of the barrier
static uint32_t stopped;
static uint32_t writers;
static uint32_t seen[THREADS][HISTORY_KEYS];    // what a thread found last
static uint32_t behind[THREADS << GIVEN_SHIFT]; // what a value stands for: its complement
static uint32_t given[THREADS];                 // values this thread has used

static uint64_t ticks(void)
{
#if defined(__x86_64__)
	uint32_t processor;

	__builtin_ia32_lfence();
	uint64_t t = __builtin_ia32_rdtscp(&processor);

	__builtin_ia32_lfence();
	return t;
#else
	static uint64_t clock;

	return atomic_add(&clock, 1, SEQ_CST);
#endif
}

static void meet(uint32_t thread)
{
	uint32_t now = atomic_get(&generation, ACQUIRE);

	if (atomic_add(&arrived, 1u, ACQ_REL) == THREADS - 1) {
		atomic_set(&arrived, 0u, RELAXED);
		atomic_set(&generation, now + 1, RELEASE);
		return;
	}
	for (uint32_t spins = 1; atomic_get(&generation, ACQUIRE) == now; spins++) {
		epoch_quiescent(&epoch, (int)thread);
		if (spins % 1000 == 0)
			sched_yield();
	}
}

// An insert answers with what was there, and 0 when nothing was.
static uint32_t answer(const struct history_op *op, int result, uint32_t value)
{
	if (op->kind == HISTORY_INSERT)
		return result == 0 ? HISTORY_ABSENT : value;
	if (op->kind == HISTORY_REPLACE)
		return result == 0 ? op->seen : result == -ENOENT ? HISTORY_ABSENT : HISTORY_OTHER;
	return result == 0 ? value : HISTORY_ABSENT;
}

struct shown {
	uint32_t key; // that is looked for
	uint32_t value;
};

static void show(void *context, const struct flow_key *k, uint32_t value)
{
	struct shown *shown = context;
	struct flow_key same = key_number(k->word[0]);

	ASSERT(k->word[0] < HISTORY_KEYS && memcmp(k, &same, sizeof(same)) == 0);
	ASSERT(behind[value] == ~value);
	if (k->word[0] == shown->key)
		shown->value = value;
}

// What one walk through the table shows of a key is what a find could have said meanwhile.
static int walk(uint32_t k, uint32_t *value)
{
	struct shown shown = {k, HISTORY_ABSENT};
	uint64_t at = 0;

	while (!OF_KIND(walk)(table, &at, 2, show, &shown))
		;
	*value = shown.value;
	return shown.value == HISTORY_ABSENT ? -1 : 0;
}

static void operate(uint32_t thread, struct history_op *op)
{
	const struct flow_key *burst[1] = {&key[op->key]};
	uint32_t value = op->given, k = op->key;
	int result = 0;

	op->begin = ticks();
	if (op->kind == HISTORY_FIND && op->given % 5 == 4)
		result = walk(k, &value);
	else if (op->kind == HISTORY_FIND && op->given % 5 > 2)
		result = OF_KIND(find_burst)(table, burst, 1, &value) ? 0 : -1;
	else if (op->kind == HISTORY_FIND)
		result = OF_KIND(find)(table, &key[k], hash[k], &value) ? 0 : -1;
	else if (op->kind == HISTORY_REPLACE)
		result = OF_KIND(replace)(table, &key[k], hash[k], op->seen, op->given);
	else if (op->kind == HISTORY_INSERT)
		result = OF_KIND(insert)(table, thread, &key[k], hash[k], &value);
	else
		result = OF_KIND(remove)(table, thread, &key[k], hash[k], &value);
	// A plain store is seen by others some nanoseconds after it was made: by the clock alone,
	// which is no message between threads, the one writer's operation ends when its stores have
	// left.
	if (writers == 1)
		__atomic_thread_fence(SEQ_CST);
	op->end = ticks();
	op->key = result == -ENOSPC ? HISTORY_KEYS : k; // refused: as if it had not been
	op->result = answer(op, result, value);
	if (op->kind == HISTORY_FIND && result == 0) {
		ASSERT(behind[value] == ~value);
		seen[thread][k] = value;
	}
	epoch_quiescent(&epoch, (int)thread);
}

static uint32_t new_value(uint32_t thread)
{
	uint32_t value = thread << GIVEN_SHIFT | given[thread]++;

	ASSERT(given[thread] <= 1u << GIVEN_SHIFT);
	behind[value] = ~value;
	return value;
}

static void window(uint32_t thread, struct rng *rng)
{
	for (uint32_t i = 0; i < OPS; i++) {
		static const enum history_kind kinds[] = {HISTORY_FIND, HISTORY_INSERT,
							  HISTORY_INSERT, HISTORY_REMOVE,
							  HISTORY_REPLACE};
		struct history_op *op = &done[thread][i].op;

		*op = (struct history_op){.kind = kinds[rng_below(rng, 5)],
					  .key = (uint32_t)rng_below(rng, 3),
					  .given = new_value(thread)};
		op->seen = seen[thread][op->key];
		if (thread >= writers)
			op->kind = HISTORY_FIND;
		operate(thread, op);
	}
}

static void *work(void *argument)
{
	uint32_t thread = (uint32_t)(uintptr_t)argument;
	struct rng rng;

	rng_seed(&rng, seed + thread);
	for (;;) {
		meet(thread); // a window begins
		if (atomic_get(&stopped, ACQUIRE))
			return NULL;
		window(thread, &rng);
		meet(thread); // and ends
	}
}

static void read_all(struct history *h)
{
	for (uint32_t k = 0; k < HISTORY_KEYS; k++)
		if (!OF_KIND(find)(table, &key[k], hash[k], &h->value[k]))
			h->value[k] = HISTORY_ABSENT;
}

// What the window did, and then what a find of each key gives.
static void check(struct history *h)
{
	struct history after;

	h->count = 0;
	for (uint32_t t = 0; t < THREADS; t++)
		for (uint32_t i = 0; i < OPS; i++)
			if (done[t][i].op.key < HISTORY_KEYS)
				h->op[h->count++] = done[t][i].op;
	read_all(&after);
	for (uint32_t k = 0; k < HISTORY_KEYS; k++)
		h->op[h->count++] = (struct history_op){.kind = HISTORY_FIND,
							.key = k,
							.result = after.value[k],
							.begin = UINT64_MAX - 1,
							.end = UINT64_MAX};
	if (history_linearizable(h)) {
		memcpy(h->value, after.value, sizeof(after.value));
		return;
	}
	for (uint32_t i = 0; i < h->count; i++)
		fprintf(stderr, "%u: key %u given %u result %d, %llu to %llu\n", h->op[i].kind,
			h->op[i].key, h->op[i].given, (int)h->op[i].result,
			(unsigned long long)h->op[i].begin, (unsigned long long)h->op[i].end);
	fprintf(stderr, "history_table: not linearizable; seed %llu\n", (unsigned long long)seed);
	abort();
}

static void table_new(struct history *h)
{
	struct table_config config = {
		.capacity = 8, .key_bytes = KEY_BYTES, .writers = writers, .epoch = &epoch};

	memset(given, 0, sizeof(given));
	memcpy(config.secret, &seed, sizeof(seed));
	epoch_init(&epoch);
	for (uint32_t i = 0; i < THREADS; i++)
		epoch_online(&epoch, epoch_join(&epoch));
	table = table_create(&config);
	ASSERT(table);
	for (uint32_t k = 0; k < HISTORY_KEYS; k++) {
		key[k] = key_number(k);
		hash[k] = OF_KIND(hash)(table, &key[k]);
	}
	read_all(h);
}

// One table, many windows; this thread is thread 0. Returns how many windows.
static uint64_t run_table(uint64_t end_ns)
{
	pthread_t other[THREADS];
	struct history history;
	struct rng rng;
	uint64_t windows = 0;
	struct timespec now;

	table_new(&history);
	rng_seed(&rng, seed);
	stopped = 0;
	for (uint32_t i = 1; i < THREADS; i++)
		ASSERT(pthread_create(&other[i], NULL, work, (void *)(uintptr_t)i) == 0);
	do {
		meet(0);
		window(0, &rng);
		meet(0);
		check(&history);
		windows++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (windows < WINDOWS_A_TABLE &&
		 (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec < end_ns);
	atomic_set(&stopped, 1u, RELEASE);
	meet(0);
	for (uint32_t i = 1; i < THREADS; i++)
		pthread_join(other[i], NULL);
	table_check(table);
	table_destroy(table);
	return windows;
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 2, windows = 0, end_ns;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end_ns = ((uint64_t)now.tv_sec + seconds) * NS_PER_S + (uint64_t)now.tv_nsec;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0)
			: (uint64_t)now.tv_nsec << 20 | (uint64_t)getpid();
	printf("history_table: seed %llu\n", (unsigned long long)seed);
	do {
		writers = seed % 2 ? 1 : THREADS;
		windows += run_table(end_ns);
		seed++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec < end_ns);
	printf("history_table: %llu windows of %u operations by %u threads on %u-byte keys, all "
	       "linearizable\n",
	       (unsigned long long)windows, THREADS * OPS, THREADS, KEY_BYTES);
	return 0;
}
