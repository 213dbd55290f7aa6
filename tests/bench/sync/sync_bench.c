// SPDX-License-Identifier: BSD-3-Clause
// sync_bench [ROUNDS [ENTRIES...]]: the flow table beside rte_hash, cds_lfht and ck_ht, in turn in
// one run: nanoseconds an operation, medians of ROUNDS (7), and how many times rte_hash's. Keys of
// 16 and 40 bytes, ENTRIES of them (65536, 1048576, 8388608) in tables that were asked to hold
// twice or ten ninths as many, alone and with a thread that inserts and removes on the other core.
//
// An operation's key is in the cache, as it is when a packet was just read; the table is not. Keys
// are drawn at random. Between bursts of 32 a quiescent state is passed. What is inserted is
// removed again by the next measurement, so the load stays. chase is one dependent read of as much
// memory as the table of 16-byte keys takes: what a cache miss costs here.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>

#include "base/bits.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/time.h"
#include "sync.h"
#include "sync/atomic.h"

#define BATCH 1024u // keys of one measurement, a multiple of SYNC_BURST
#define BATCHES 64u // a round
#define ROUNDS_MAX 99
#define WRITER_KEYS 64u

enum row { FIND_HIT, FIND_BURST, FIND_MISS, INSERT, REMOVE, MIXED, ROWS };
static const char *const row_names[ROWS] = {"find hit", "find burst-32", "find miss",
					    "insert",   "remove",        "mixed 90/10"};

static const struct sync_ops *const kinds[] = {&sync_prism, &sync_rte, &sync_urcu, &sync_ck};
#define KINDS ARRAY_COUNT(kinds)

// Keys 0..count-1 are in the table; of as many others a batch at a time comes and goes; the last
// are the other thread's.
static struct {
	uint8_t *keys;
	uint32_t key_bytes, count, load_pct;
	bool two_writers;
	struct sync_table *table[KINDS];
	double ns[KINDS][ROWS][ROUNDS_MAX];
	uint32_t batch[BATCH];         // numbers of keys
	uint8_t hot[BATCH * 40];       // and their bytes
	const uint8_t *pointer[BATCH]; // to those
} b;

static struct rng rng;
static uint64_t sink;
static uint32_t writing; // index of the kind + 1 that the other thread writes; 0: none; ~0: end

static uint32_t now_measured;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "sync_bench: %s: %s\n", kinds[now_measured]->name, what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint8_t *key_at(uint32_t number)
{
	return b.keys + (size_t)number * b.key_bytes;
}

// Keys as they come: addresses and ports, all different.
static void make_keys(void)
{
	uint32_t total = 2 * b.count + WRITER_KEYS;

	b.keys = mem_map("keys", (size_t)total * b.key_bytes);
	must(b.keys != NULL, "out of memory");
	for (uint32_t i = 0; i < total; i++) {
		uint64_t words[5] = {0, rng_next(&rng), 0, i, 6};

		memcpy(key_at(i), b.key_bytes == 16 ? words + 1 : words, 8);
		memcpy(key_at(i) + 8, b.key_bytes == 16 ? words + 3 : words + 1, 8);
		if (b.key_bytes == 40)
			memcpy(key_at(i) + 16, words + 2, 24);
	}
}

// Draws a batch; its keys' bytes are copied where they are hot.
static void draw(enum row row)
{
	static uint32_t first;
	bool absent = row == INSERT || row == REMOVE || row == FIND_MISS;

	if (row != REMOVE) // what was inserted is removed
		first = (uint32_t)rng_below(&rng, b.count - BATCH);
	for (uint32_t i = 0; i < BATCH; i++) {
		b.batch[i] = absent ? b.count + first + i : (uint32_t)rng_below(&rng, b.count);
		memcpy(b.hot + i * b.key_bytes, key_at(b.batch[i]), b.key_bytes);
		b.pointer[i] = b.hot + i * b.key_bytes;
	}
}

static void find_all(const struct sync_ops *ops, struct sync_table *t, bool expected)
{
	uint32_t value = 0, found = 0;

	for (uint32_t i = 0; i < BATCH; i++) {
		found += ops->find(t, b.pointer[i], &value);
		sink += value;
		if (i % SYNC_BURST == 0)
			ops->quiescent(t, 0);
	}
	must(expected ? found == BATCH : found < BATCH / 100, "find is wrong");
}

static void find_bursts(const struct sync_ops *ops, struct sync_table *t)
{
	uint32_t values[SYNC_BURST];
	uint64_t all = UINT64_MAX;

	for (uint32_t i = 0; i < BATCH; i += SYNC_BURST) {
		all &= ops->find_burst(t, &b.pointer[i], values);
		sink += values[7];
		ops->quiescent(t, 0);
	}
	must((uint32_t)all == UINT32_MAX, "find_burst misses a key");
}

static void change_all(const struct sync_ops *ops, struct sync_table *t, bool in)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < BATCH; i++) {
		const uint8_t *key = key_at(b.batch[i]);

		done += in ? ops->insert(t, 0, key, b.batch[i]) : ops->remove(t, 0, key);
		if (i % SYNC_BURST == 0)
			ops->quiescent(t, 0);
	}
	must(done == BATCH, in ? "insert fails" : "remove fails");
}

// Of twenty operations one inserts and one removes what it inserted.
static void mix(const struct sync_ops *ops, struct sync_table *t)
{
	const uint8_t *guest = key_at(b.count);
	uint32_t value = 0;

	for (uint32_t i = 0; i < BATCH; i++) {
		if (i % 20 == 5)
			ops->insert(t, 0, guest, b.count);
		else if (i % 20 == 15)
			ops->remove(t, 0, guest);
		else
			ops->find(t, b.pointer[i], &value);
		sink += value;
		if (i % SYNC_BURST == 0)
			ops->quiescent(t, 0);
	}
	ops->remove(t, 0, guest);
}

static void perform(enum row row, const struct sync_ops *ops, struct sync_table *t)
{
	switch (row) {
	case FIND_HIT:
	case FIND_MISS:
		find_all(ops, t, row == FIND_HIT);
		break;
	case FIND_BURST:
		find_bursts(ops, t);
		break;
	case INSERT:
	case REMOVE:
		change_all(ops, t, row == INSERT);
		break;
	case MIXED:
	case ROWS:
		mix(ops, t);
		break;
	}
}

static uint64_t timed(enum row row, const struct sync_ops *ops, struct sync_table *t)
{
	uint64_t begin_ns = now_ns();

	perform(row, ops, t);
	return now_ns() - begin_ns;
}

// One round of one kind: all rows, in nanoseconds an operation.
static void measure(uint32_t kind, int round)
{
	uint64_t spent_ns[ROWS] = {0};

	now_measured = kind;
	atomic_set(&writing, b.two_writers ? kind + 1 : 0, RELEASE);
	for (uint32_t batch = 0; batch < BATCHES; batch++) {
		for (enum row row = 0; row < ROWS; row++) {
			if (row == FIND_BURST && !kinds[kind]->find_burst)
				continue;
			draw(row);
			spent_ns[row] += timed(row, kinds[kind], b.table[kind]);
		}
	}
	atomic_set(&writing, 0u, RELEASE);
	for (enum row row = 0; row < ROWS; row++)
		b.ns[kind][row][round] = (double)spent_ns[row] / (BATCH * BATCHES);
}

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void write_some(uint32_t kind)
{
	for (uint32_t i = 0; i < WRITER_KEYS; i++)
		kinds[kind]->insert(b.table[kind], 1, key_at(2 * b.count + i), i);
	kinds[kind]->quiescent(b.table[kind], 1);
	for (uint32_t i = 0; i < WRITER_KEYS; i++)
		kinds[kind]->remove(b.table[kind], 1, key_at(2 * b.count + i));
	kinds[kind]->quiescent(b.table[kind], 1);
}

static void *other_thread(void *argument)
{
	pin(0);
	for (uint32_t now; (now = atomic_get(&writing, ACQUIRE)) != UINT32_MAX;) {
		if (now == 0)
			continue;
		kinds[now - 1]->online(b.table[now - 1], 1);
		while (atomic_get(&writing, ACQUIRE) == now)
			write_some(now - 1);
		kinds[now - 1]->offline(b.table[now - 1], 1);
	}
	return NULL;
}

static void fill(uint32_t kind)
{
	const struct sync_ops *ops = kinds[kind];
	now_measured = kind;
	struct sync_table *t = ops->create(b.keys, b.key_bytes, b.count + BATCH + WRITER_KEYS,
					   b.load_pct, b.two_writers);

	b.table[kind] = t;
	if (!t)
		return;
	ops->online(t, 0);
	for (uint32_t i = 0; i < b.count; i++) {
		must(ops->insert(t, 0, key_at(i), i), "filling fails");
		if (i % SYNC_BURST == 0)
			ops->quiescent(t, 0);
	}
}

static void empty(uint32_t kind)
{
	if (!b.table[kind])
		return;
	kinds[kind]->offline(b.table[kind], 0);
	kinds[kind]->destroy(b.table[kind]);
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, c = *(const double *)y;

	return (a > c) - (a < c);
}

static double median(uint32_t kind, enum row row, int rounds)
{
	qsort(b.ns[kind][row], (size_t)rounds, sizeof(double), by_value);
	return b.ns[kind][row][rounds / 2];
}

static double chase_ns(size_t bytes)
{
	uint64_t lines = bytes / CACHE_LINE_BYTES, at = 0, begin_ns;
	uint64_t *next = mem_map("chase", lines * CACHE_LINE_BYTES);

	must(next != NULL, "out of memory");
	for (uint64_t i = 0; i < lines; i++)
		next[i * 8] = i;
	for (uint64_t i = lines - 1; i > 0; i--) { // one cycle (Sattolo)
		uint64_t j = rng_below(&rng, i), t = next[i * 8];

		next[i * 8] = next[j * 8];
		next[j * 8] = t;
	}
	begin_ns = now_ns();
	for (uint32_t i = 0; i < 1000000; i++)
		at = next[at * 8];
	sink += at;
	double ns = (double)(now_ns() - begin_ns) / 1e6;

	mem_unmap(next, lines * CACHE_LINE_BYTES);
	return ns;
}

static void print_config(int rounds)
{
	printf("\n%u-byte keys, %u entries, %u %% full%s; chase %.0f ns", b.key_bytes, b.count,
	       b.load_pct, b.two_writers ? ", another thread writes" : "",
	       chase_ns((size_t)b.count * 24));
	for (uint32_t kind = 0; kind < KINDS; kind++)
		if (b.table[kind] && kinds[kind]->bytes)
			printf("; %s %.1f bytes an entry", kinds[kind]->name,
			       (double)kinds[kind]->bytes(b.table[kind]) / b.count);
	printf("\n");
	for (enum row row = 0; row < ROWS; row++) {
		double ours = median(0, row, rounds), theirs = median(1, row, rounds);

		printf("  %-14s prism %7.1f", row_names[row], ours);
		for (uint32_t kind = 1; kind < KINDS; kind++) {
			double ns = median(kind, row, rounds);

			if (b.table[kind] && ns > 0)
				printf("  %s %7.1f", kinds[kind]->name, ns);
		}
		printf("   %.2f of rte_hash\n", ours / theirs);
	}
	fflush(stdout);
}

static void run(uint32_t key_bytes, uint32_t count, uint32_t load_pct, bool two_writers, int rounds)
{
	pthread_t thread;

	memset(b.ns, 0, sizeof(b.ns));
	b.key_bytes = key_bytes;
	b.count = count;
	b.load_pct = load_pct;
	b.two_writers = two_writers;
	make_keys();
	for (uint32_t kind = 0; kind < KINDS; kind++)
		fill(kind);
	writing = 0;
	must(pthread_create(&thread, NULL, other_thread, NULL) == 0, "a second thread");
	for (int round = 0; round < rounds; round++)
		for (uint32_t kind = 0; kind < KINDS; kind++)
			if (b.table[kind])
				measure(kind, round);
	atomic_set(&writing, UINT32_MAX, RELEASE);
	pthread_join(thread, NULL);
	print_config(rounds);
	for (uint32_t kind = 0; kind < KINDS; kind++)
		empty(kind);
	mem_unmap(b.keys, (size_t)(2 * b.count + WRITER_KEYS) * b.key_bytes);
}

static void run_all(uint32_t count, int rounds)
{
	for (uint32_t key_bytes = 16; key_bytes <= 40; key_bytes += 24) {
		run(key_bytes, count, 50, false, rounds);
		run(key_bytes, count, 90, false, rounds);
		run(key_bytes, count, 90, true, rounds);
	}
}

int main(int argc, char **argv)
{
	static const char *eal[] = {"sync_bench",    "--in-memory", "--no-pci", "--no-telemetry",
				    "--log-level=3", "-l",          "1",        NULL};
	int rounds = argc > 1 ? atoi(argv[1]) : 7;

	must(rounds > 0 && rounds <= ROUNDS_MAX, "usage: sync_bench [ROUNDS [ENTRIES...]]");
	must(rte_eal_init(ARRAY_COUNT(eal) - 1, (char **)(uintptr_t)eal) >= 0,
	     "DPDK does not start; huge pages?");
	rng_seed(&rng, 1);
	pin(1);
	if (argc <= 2) {
		run_all(1u << 16, rounds);
		run_all(1u << 20, rounds);
		run_all(1u << 23, rounds);
	}
	for (int i = 2; i < argc; i++)
		run_all((uint32_t)strtoul(argv[i], NULL, 0), rounds);
	return sink == 42;
}
