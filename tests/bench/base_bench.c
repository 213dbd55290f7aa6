// SPDX-License-Identifier: BSD-3-Clause
// What the lowest floors cost: nanoseconds an operation, median of RUNS. No thresholds.
//   base_bench            all rows
//   base_bench NAME RUNS  one of them, for instruction counts:
//     valgrind --tool=callgrind --toggle-collect='*_row' base_bench table_find_hot 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/time.h"
#include "base/wheel.h"
#include "observe/histogram.h"
#include "sync/ring.h"
#include "sync/table.h"

#define RUNS 7
#define RUNS_MAX 99
#define OPS 1000000
#define KEYS 1000000
#define HOT_KEYS 1000
#define GROUP 32
#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)

static struct table *table;
static struct epoch epoch;
static struct wheel *wheel;
static struct ring *ring;
static struct rng rng;
static struct flow_key16 *keys; // KEYS that are in the table, as many that are not
static struct timer *timers;  // KEYS
static uint64_t wheel_now_ns;
static uint64_t sink;

static void must(const void *p)
{
	if (!p) {
		fprintf(stderr, "base_bench: out of memory\n");
		exit(1);
	}
}

static void fired(void *context, struct timer *timer, uint64_t now_ns)
{
	sink++;
}

static void fill_table(uint32_t count)
{
	struct table_config config = {.capacity = KEYS,
				      .key_bytes = 16,
				      .writers = 1,
				      .secret = {1, 2, 3, 4, 5, 6, 7, 8},
				      .epoch = &epoch};

	epoch_init(&epoch);
	epoch_online(&epoch, epoch_join(&epoch));
	table = table_create(&config);
	must(table);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t value = i;

		table16_insert(table, 0, &keys[i], table16_hash(table, &keys[i]), &value);
	}
}

static void find(uint64_t index)
{
	const struct flow_key16 *key = &keys[index];
	uint32_t value = 0;

	table16_find(table, key, table16_hash(table, key), &value);
	sink += value;
}

// Each row does OPS operations. noinline: callgrind counts what is between their doors.
#define ROW __attribute__((noinline)) static void

ROW table_find_hot_row(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		find(i % HOT_KEYS);
}

ROW table_find_random_row(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		find(rng_below(&rng, KEYS));
}

ROW table_find_burst_row(void)
{
	uint64_t hash[GROUP];
	const struct flow_key16 *key[GROUP];
	uint32_t value = 0;

	for (uint32_t i = 0; i < OPS; i += GROUP) {
		for (uint32_t k = 0; k < GROUP; k++) {
			key[k] = &keys[rng_below(&rng, KEYS)];
			bits_prefetch(key[k]);
		}
		for (uint32_t k = 0; k < GROUP; k++) {
			hash[k] = table16_hash(table, key[k]);
			table16_prefetch(table, hash[k]);
		}
		for (uint32_t k = 0; k < GROUP; k++)
			(void)table16_guess(table, hash[k], 0, &value);
		for (uint32_t k = 0; k < GROUP; k++) {
			table16_find(table, key[k], hash[k], &value);
			sink += value;
		}
	}
}

ROW table_miss_row(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		find(KEYS + rng_below(&rng, KEYS));
}

ROW table_replace_row(void) // one removed, another inserted, at full load
{
	for (uint32_t i = 0; i < OPS; i++) {
		struct flow_key16 *in = &keys[rng_below(&rng, KEYS)];
		struct flow_key16 *out = &keys[KEYS + rng_below(&rng, KEYS)], moved = *in;
		uint32_t value = i;

		table16_remove(table, 0, in, table16_hash(table, in), NULL);
		epoch_quiescent(&epoch, 0);
		*in = *out;
		*out = moved;
		table16_insert(table, 0, in, table16_hash(table, in), &value);
	}
}

ROW wheel_arm_stop_row(void)
{
	struct timer t = {.kind = TIMER_TCP};

	for (uint32_t i = 0; i < OPS; i++) {
		wheel_arm(wheel, &t, wheel_now_ns + 200 * NS_PER_MS + i);
		wheel_stop(wheel, &t);
	}
}

ROW wheel_move_row(void) // as a retransmission timer moves with each ACK, among KEYS others
{
	for (uint32_t i = 0; i < OPS; i++)
		wheel_arm(wheel, &timers[rng_below(&rng, KEYS)],
			  wheel_now_ns + 3600 * NS_PER_S + rng_below(&rng, 1000 * NS_PER_S));
}

ROW wheel_tick_row(void)
{
	for (uint32_t i = 0; i < OPS; i++) {
		wheel_now_ns += TICK_NS;
		sink += wheel_run(wheel, wheel_now_ns, 64);
	}
}

ROW ring_put_take_row(void)
{
	void *items[GROUP] = {&sink};

	for (uint32_t i = 0; i < OPS; i += GROUP) {
		ring_spsc_put(ring, items, GROUP);
		ring_spsc_take(ring, items, GROUP);
	}
}

ROW siphash_20_bytes_row(void)
{
	uint8_t key[16] = {1}, input[20] = {0};

	for (uint32_t i = 0; i < OPS; i++) {
		memcpy(input, &i, sizeof(i));
		sink += hash_siphash(key, input, sizeof(input));
	}
}

ROW histogram_add_row(void)
{
	static struct histogram h;

	for (uint32_t i = 0; i < OPS; i++)
		histogram_add(&h, rng_next(&rng) >> 40);
	sink += h.count;
}

static void setup_keys(void)
{
	keys = calloc(2 * KEYS, sizeof(*keys));
	must(keys);
	for (uint64_t i = 0; i < 2 * KEYS; i++)
		keys[i] = (struct flow_key16){{rng_next(&rng), i << 16 | 80}};
}

static void setup_full(void)
{
	fill_table(KEYS);
}

static void setup_hot(void)
{
	fill_table(HOT_KEYS);
}

static void setup_idle(uint32_t count)
{
	wheel_now_ns = 0;
	wheel = wheel_create(0);
	timers = calloc(KEYS, sizeof(*timers));
	must(wheel);
	must(timers);
	wheel_set_kind(wheel, TIMER_TCP, fired, NULL);
	for (uint32_t i = 0; i < count; i++) {
		timers[i].kind = TIMER_TCP;
		wheel_arm(wheel, &timers[i], 7200 * NS_PER_S + rng_below(&rng, 1000 * NS_PER_S));
	}
}

static void setup_idle_thousand(void)
{
	setup_idle(1000);
}

static void setup_idle_million(void)
{
	setup_idle(KEYS);
}

// A million timers in one second: while it nears they move down, then they fire.
static void setup_storm(void)
{
	setup_idle(0);
	for (uint32_t i = 0; i < KEYS; i++) {
		timers[i].kind = TIMER_TCP;
		wheel_arm(wheel, &timers[i], 15 * NS_PER_S + rng_below(&rng, NS_PER_S));
	}
}

static void setup_ring(void)
{
	ring = ring_spsc_create(1024);
	must(ring);
}

static void nothing(void)
{
}

static void teardown_table(void)
{
	table_destroy(table);
}

static void teardown_wheel(void)
{
	wheel_destroy(wheel);
	free(timers);
}

static void teardown_ring(void)
{
	ring_spsc_destroy(ring);
}

static const struct row {
	const char *name;
	void (*setup)(void);
	void (*run)(void);
	void (*teardown)(void);
} rows[] = {
	{"table_find_hot", setup_hot, table_find_hot_row, teardown_table},
	{"table_find_random", setup_full, table_find_random_row, teardown_table},
	{"table_find_burst", setup_full, table_find_burst_row, teardown_table},
	{"table_miss", setup_full, table_miss_row, teardown_table},
	{"table_replace", setup_full, table_replace_row, teardown_table},
	{"wheel_arm_stop", setup_idle_million, wheel_arm_stop_row, teardown_wheel},
	{"wheel_move", setup_idle_million, wheel_move_row, teardown_wheel},
	{"wheel_tick_thousand", setup_idle_thousand, wheel_tick_row, teardown_wheel},
	{"wheel_tick_million", setup_idle_million, wheel_tick_row, teardown_wheel},
	{"wheel_tick_storm", setup_storm, wheel_tick_row, teardown_wheel},
	{"ring_put_take", setup_ring, ring_put_take_row, teardown_ring},
	{"siphash_20_bytes", nothing, siphash_20_bytes_row, nothing},
	{"histogram_add", nothing, histogram_add_row, nothing},
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cycles_per_ns(void)
{
	double start_s = clock_s();
	uint64_t start = __rdtsc();

	while (clock_s() - start_s < 0.05)
		;
	return (double)(__rdtsc() - start) / ((clock_s() - start_s) * 1e9);
}

static void bench(const struct row *row, int runs, double per_ns)
{
	double ns[RUNS_MAX];

	for (int i = 0; i < runs; i++) {
		row->setup();
		uint64_t start = __rdtsc();

		row->run();
		ns[i] = (double)(__rdtsc() - start) / per_ns / OPS;
		row->teardown();
	}
	qsort(ns, (size_t)runs, sizeof(ns[0]), compare);
	printf("%-22s %8.2f ns  (%.2f .. %.2f)\n", row->name, ns[runs / 2], ns[0], ns[runs - 1]);
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : RUNS;
	double per_ns = cycles_per_ns();

	if (runs < 1 || runs > RUNS_MAX)
		return 2;
	rng_seed(&rng, 1);
	setup_keys();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (argc < 2 || strcmp(argv[1], rows[i].name) == 0)
			bench(&rows[i], runs, per_ns);
	}
	if (argc < 2) {
		setup_full();
		printf("table: %.1f bytes a key of capacity\n", (double)table_bytes(table) / KEYS);
		teardown_table();
	}
	return sink == 42; // so that nothing is left out
}
