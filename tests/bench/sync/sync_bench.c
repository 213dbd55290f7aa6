// SPDX-License-Identifier: BSD-3-Clause
// sync_bench ROUNDS PARTS ENTRIES...: the flow table beside rte_hash, cds_lfht and ck_ht, rings
// beside rte_ring and ck_ring, a counter beside an atomic add; in turn in one run. PARTS is some of
// t, r, c. Prints JSON, a line a row; tests/bench/sync/run makes the table of it.
//
// Keys of 16 and 40 bytes, ENTRIES of them in tables that were asked to hold twice or ten ninths as
// many, alone and with a thread that inserts and removes on the other core. A sample is a batch of
// 1024 operations of one kind; kinds take turns, each ROUNDS times; the median of samples counts.
//
// An operation's key is in the cache, as it is when a packet was just read; the table is not, nor
// the key that it keeps or that is kept for it (ck_ht has pointers to keys, cds_lfht to nodes), but
// for `remove`, which takes out what was inserted a moment ago. (`remove cold` takes out others.)
// Keys are drawn at random. Between bursts of 32 a quiescent state is passed. What is inserted is
// removed again by the next measurement, so the load stays. chase is one dependent read of as much
// memory as ours takes: what a cache miss costs here. All memory is had on huge pages, by whom ever
// (collapse; how much is, is printed); where a kind has no call for a burst, it looks for one after
// the other.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>

#include "base/bits.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bench.h"
#include "sync.h"
#include "sync/atomic.h"

#define BATCH 1024u // keys of one measurement, a multiple of SYNC_BURST
#define BATCHES 16u // a round
#define WARM_UP 2u  // of them, which do not count
#define WRITER_KEYS 64u
#define PATIENCE 10000000u // tries of an insert
#define CHASE_STEPS 512u
#define HUGE_BYTES ((uintptr_t)2 << 20)
#define STRIDE UINT64_C(2654435761) // a prime: neighbours of a batch lie far from each other

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 // Linux 6.1
#endif

enum row { FIND_HIT, FIND_BURST, FIND_MISS, INSERT, REMOVE, REMOVE_COLD, MIXED, ROWS };
static const char *const row_names[ROWS] = {"find hit", "find burst-32", "find miss",  "insert",
					    "remove",   "remove cold",   "mixed 90/10"};

static const struct sync_ops *const kinds[] = {&sync_prism, &sync_rte, &sync_urcu, &sync_ck};
static const char *const kind_names[] = {"prism", "rte_hash", "cds_lfht", "ck_ht"};
#define KINDS ARRAY_COUNT(kinds)

// Keys 0..count-1 are in the table; of as many others a batch at a time comes and goes; the last
// are the other thread's.
static struct {
	uint8_t *keys;
	uint32_t key_bytes, count, load_pct;
	bool two_writers;
	struct sync_table *table[KINDS];
	struct samples ns[ROWS][KINDS], chase;
	uint64_t *lines; // a cycle through all of them
	size_t lines_bytes;
	double huge_pct;
	uint32_t batch[BATCH];         // numbers of keys
	uint8_t hot[BATCH * 40];       // and their bytes
	const uint8_t *pointer[BATCH]; // to those
} b;

static struct rng rng;
static uint64_t sink;
// Index of the kind + 1 that the other thread writes; 0: none; ~0: end. It waits looking at this,
// so nothing else is on the line.
static struct {
	uint32_t kind CACHE_ALIGNED;
} writing;

static void must(const struct sync_ops *ops, bool good, const char *what)
{
	char text[80];

	if (good)
		return;
	(void)snprintf(text, sizeof(text), "%s: %s", ops->name, what);
	bench_must(false, text);
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
	bench_must(b.keys != NULL, "out of memory");
	for (uint32_t i = 0; i < total; i++) {
		uint64_t words[5] = {0, rng_next(&rng), 0, i, 6};

		memcpy(key_at(i), b.key_bytes == 16 ? words + 1 : words, 8);
		memcpy(key_at(i) + 8, b.key_bytes == 16 ? words + 3 : words + 1, 8);
		if (b.key_bytes == 40)
			memcpy(key_at(i) + 16, words + 2, 24);
	}
}

// Draws a batch; its keys' bytes are copied where they are hot. Where all must be different they
// are still no neighbours in anything that is kept by number or by the time of insertion.
static void draw(enum row row)
{
	static uint32_t first;
	bool all_different =
		row == INSERT || row == REMOVE || row == REMOVE_COLD || row == FIND_MISS;
	uint32_t from = row == REMOVE_COLD ? 0 : b.count; // those that are in, or are not

	if (row != REMOVE) // what was inserted is removed
		first = (uint32_t)rng_below(&rng, b.count);
	for (uint32_t i = 0; i < BATCH; i++) {
		b.batch[i] = all_different ? from + (uint32_t)((first + i * STRIDE) % b.count)
					   : (uint32_t)rng_below(&rng, b.count);
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
	must(ops, expected ? found == BATCH : found < BATCH / 100, "find is wrong");
}

static void find_bursts(const struct sync_ops *ops, struct sync_table *t)
{
	uint32_t values[SYNC_BURST];
	uint64_t all = UINT64_MAX;

	if (!ops->find_burst) {
		find_all(ops, t, true);
		return;
	}
	for (uint32_t i = 0; i < BATCH; i += SYNC_BURST) {
		all &= ops->find_burst(t, &b.pointer[i], values);
		sink += values[7];
		ops->quiescent(t, 0);
	}
	must(ops, (uint32_t)all == UINT32_MAX, "find_burst misses a key");
}

// When the other thread does not run for a while, nobody's removed keys make room.
static bool insert_patiently(const struct sync_ops *ops, struct sync_table *t, const uint8_t *key,
			     uint32_t value)
{
	for (uint32_t tries = 0; tries < PATIENCE; tries++) {
		if (LIKELY(ops->insert(t, 0, key, value)))
			return true;
		ops->quiescent(t, 0);
	}
	return false;
}

static void change_all(const struct sync_ops *ops, struct sync_table *t, bool in)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < BATCH; i++) {
		if (in)
			done += insert_patiently(ops, t, b.pointer[i], b.batch[i]);
		else
			done += ops->remove(t, 0, b.pointer[i]);
		if (i % SYNC_BURST == 0)
			ops->quiescent(t, 0);
	}
	must(ops, done == BATCH, in ? "insert fails" : "remove fails");
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
	case REMOVE_COLD:
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
	uint64_t begin_ns = bench_now_ns();

	perform(row, ops, t);
	return bench_now_ns() - begin_ns;
}

// One round of one kind: all rows.
static void measure(uint32_t kind)
{
	atomic_set(&writing.kind, b.two_writers ? kind + 1 : 0, RELEASE);
	for (uint32_t batch = 0; batch < BATCHES; batch++) {
		for (enum row row = 0; row < ROWS; row++) {
			draw(row);
			uint64_t ns = timed(row, kinds[kind], b.table[kind]);

			if (batch >= WARM_UP)
				samples_add(&b.ns[row][kind], (double)ns / BATCH);
			if (row == REMOVE_COLD)
				change_all(kinds[kind], b.table[kind], true);
		}
	}
	atomic_set(&writing.kind, 0u, RELEASE);
}

static void write_some(uint32_t kind)
{
	for (uint32_t i = 0; i < WRITER_KEYS; i++)
		kinds[kind]->insert(b.table[kind], 1, key_at(2 * b.count + i), 2 * b.count + i);
	kinds[kind]->quiescent(b.table[kind], 1);
	for (uint32_t i = 0; i < WRITER_KEYS; i++)
		kinds[kind]->remove(b.table[kind], 1, key_at(2 * b.count + i));
	kinds[kind]->quiescent(b.table[kind], 1);
}

static void *other_thread(void *argument)
{
	bench_pin(0);
	for (uint32_t now; (now = atomic_get(&writing.kind, ACQUIRE)) != UINT32_MAX;) {
		if (now == 0)
			continue;
		kinds[now - 1]->online(b.table[now - 1], 1);
		while (atomic_get(&writing.kind, ACQUIRE) == now)
			write_some(now - 1);
		kinds[now - 1]->offline(b.table[now - 1], 1);
	}
	return NULL;
}

static void fill(uint32_t kind)
{
	const struct sync_ops *ops = kinds[kind];
	struct sync_table *t =
		ops->create(b.key_bytes, b.count + BATCH + WRITER_KEYS, b.load_pct, b.two_writers);

	b.table[kind] = t;
	if (!t)
		return;
	ops->online(t, 0);
	for (uint32_t i = 0; i < b.count; i++) {
		must(ops, ops->insert(t, 0, key_at(i), i), "filling fails");
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

// What anybody has mapped goes to huge pages as ours did: run asks the kernel to give them to all
// who touch memory first; this is for what it had none for at that moment.
static void collapse_mapping(uintptr_t begin, uintptr_t end)
{
	begin = bits_round_up(begin, HUGE_BYTES);
	for (; begin + HUGE_BYTES <= end; begin += HUGE_BYTES)
		(void)madvise((void *)begin, HUGE_BYTES, MADV_COLLAPSE);
}

static void collapse(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[256];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long begin, end, inode;
		char may[5];

		if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &begin, &end, may, &inode) == 4 &&
		    inode == 0 && may[1] == 'w')
			collapse_mapping(begin, end);
	}
	if (maps)
		fclose(maps);
}

// Of the memory that is no DPDK heap, how much is on huge pages.
static double huge_pct(void)
{
	FILE *smaps = fopen("/proc/self/smaps_rollup", "re");
	double all_kib = 0, huge_kib = 0;
	char line[256];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		(void)sscanf(line, "Anonymous: %lf", &all_kib);
		(void)sscanf(line, "AnonHugePages: %lf", &huge_kib);
	}
	if (smaps)
		fclose(smaps);
	return all_kib > 0 ? 100 * huge_kib / all_kib : 0;
}

static void chase_begin(size_t bytes)
{
	uint64_t lines = bytes / CACHE_LINE_BYTES;
	uint64_t *next = mem_map("chase", lines * CACHE_LINE_BYTES);

	bench_must(next != NULL, "out of memory");
	for (uint64_t i = 0; i < lines; i++)
		next[i * 8] = i;
	for (uint64_t i = lines - 1; i > 0; i--) { // one cycle (Sattolo)
		uint64_t j = rng_below(&rng, i), t = next[i * 8];

		next[i * 8] = next[j * 8];
		next[j * 8] = t;
	}
	b.lines = next;
	b.lines_bytes = lines * CACHE_LINE_BYTES;
}

static void chase(void)
{
	uint64_t at = rng_below(&rng, b.lines_bytes / CACHE_LINE_BYTES);

	for (uint32_t sample = 0; sample < 8; sample++) {
		uint64_t begin_ns = bench_now_ns();

		for (uint32_t i = 0; i < CHASE_STEPS; i++)
			at = b.lines[at * 8];
		samples_add(&b.chase, (double)(bench_now_ns() - begin_ns) / CHASE_STEPS);
	}
	sink += at;
}

static void print_config(void)
{
	for (enum row row = 0; row < ROWS; row++) {
		printf("{\"part\": \"table\", \"row\": \"%s\", \"key_bytes\": %u, \"entries\": %u, "
		       "\"load_pct\": %u, \"threads\": %d, \"chase_ns\": %.2f, "
		       "\"huge_pct\": %.1f, ",
		       row_names[row], b.key_bytes, b.count, b.load_pct, b.two_writers ? 2 : 1,
		       samples_median(&b.chase), b.huge_pct);
		samples_print("ns", kind_names, b.ns[row], KINDS, samples_median);
		printf(", ");
		samples_print("mean_ns", kind_names, b.ns[row], KINDS, samples_mean);
		printf(", \"bytes\": {");
		for (uint32_t kind = 0; kind < KINDS; kind++)
			if (b.table[kind])
				printf("%s\"%s\": %.1f", kind ? ", " : "", kind_names[kind],
				       (double)kinds[kind]->bytes(b.table[kind]) / b.count);
		printf("}}\n");
	}
	fflush(stdout);
}

// Takes turns among tables that are made for it, and adds to the samples.
// `first` has its memory first.
static void measure_all(uint32_t rounds, uint32_t first)
{
	pthread_t thread;

	make_keys();
	for (uint32_t i = 0; i < KINDS; i++)
		fill((first + i) % KINDS);
	chase_begin(kinds[0]->bytes(b.table[0]));
	collapse();
	b.huge_pct = huge_pct();
	writing.kind = 0;
	if (b.two_writers)
		bench_must(pthread_create(&thread, NULL, other_thread, NULL) == 0,
			   "no second thread");
	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t kind = 0; kind < KINDS; kind++) {
			chase();
			if (b.table[kind])
				measure(kind);
		}
	}
	atomic_set(&writing.kind, UINT32_MAX, RELEASE);
	if (b.two_writers)
		pthread_join(thread, NULL);
}

static void empty_all(void)
{
	for (uint32_t kind = 0; kind < KINDS; kind++)
		empty(kind);
	mem_unmap(b.lines, b.lines_bytes);
	mem_unmap(b.keys, (size_t)(2 * b.count + WRITER_KEYS) * b.key_bytes);
}

// Where tables come to lie in physical memory matters (the host may have small pages behind a huge
// one of the guest): so they are made more than once, each time in another order.
static void run(uint32_t key_bytes, uint32_t count, uint32_t load_pct, bool two_writers,
		uint32_t rounds)
{
	uint32_t times = rounds >= 9 ? 3 : 1;

	memset(b.ns, 0, sizeof(b.ns));
	b.chase.count = 0;
	b.key_bytes = key_bytes;
	b.count = count;
	b.load_pct = load_pct;
	b.two_writers = two_writers;
	for (uint32_t time = 1; time <= times; time++) {
		measure_all(rounds / times, time);
		if (time == times)
			print_config();
		empty_all();
	}
}

static void run_all(uint32_t count, uint32_t rounds)
{
	for (uint32_t key_bytes = 16; key_bytes <= 40; key_bytes += 24) {
		for (uint32_t writers = 1; writers <= 2; writers++) {
			run(key_bytes, count, 50, writers == 2, rounds);
			run(key_bytes, count, 90, writers == 2, rounds);
		}
	}
}

int main(int argc, char **argv)
{
	static const char *eal[] = {"sync_bench",    "--in-memory", "--no-pci", "--no-telemetry",
				    "--log-level=3", "-l",          "1",        NULL};
	uint32_t rounds = argc > 2 ? (uint32_t)atoi(argv[1]) : 0;

	bench_must(rounds > 0 && rounds <= SAMPLES_MAX / BATCHES,
		   "usage: sync_bench ROUNDS PARTS ENTRIES...");
	bench_must(rte_eal_init(ARRAY_COUNT(eal) - 1, (char **)(uintptr_t)eal) >= 0,
		   "DPDK does not start; huge pages?");
	rng_seed(&rng, 1);
	bench_pin(1);
	if (strchr(argv[2], 'c'))
		counter_rows(rounds);
	if (strchr(argv[2], 'r'))
		ring_rows(rounds);
	for (int i = 3; i < argc && strchr(argv[2], 't'); i++)
		run_all((uint32_t)strtoul(argv[i], NULL, 0), rounds);
	return sink == 42;
}
