// SPDX-License-Identifier: BSD-3-Clause
// Hand-over of pointers through a ring of 1024, beside rte_ring (single producer, single consumer)
// and ck_ring (spsc), which has no bursts: it does one after the other. One thread that puts and
// takes; a thread that puts and one on the other core that takes; one item there and back. Who has
// to wait pauses between two looks, whoever's ring it is, as whoever spins should: a look takes the
// line away from who is about to write it. And a counter's increment beside a relaxed atomic add
// and, as what the machine can do, an addition that threads know nothing of: of one counter, and of
// sixteen in turn.
#include <pthread.h>
#include <stdio.h>

#include <ck_ring.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "base/bits.h"
#include "base/mem.h"
#include "bench.h"
#include "sync/atomic.h"
#include "sync/cell.h"
#include "sync/ring.h"

#define SLOTS 1024u
#define ITEMS 32768u // of one sample
#define TRIPS 1024u
#define COUNTS 65536u
#define COUNTERS 16u
#define BURST_MAX 32u

enum kind { PRISM, RTE, CK, KINDS };
static const char *const kind_names[KINDS] = {"prism", "rte_ring", "ck_ring"};

// Which lines two cores hand over matters (who keeps their directory), so there are many sets,
// taken in turn.
#define SETS 16
static struct rings {
	struct ring *prism[2];
	struct rte_ring *rte[2];
	struct ck {
		ck_ring_t ring;
		ck_ring_buffer_t slots[SLOTS];
	} * ck[2];
} sets[SETS], rings;

// Each kind's calls: which of the two rings, what, how many; how many there were.
static inline uint32_t prism_put(int r, void **items, uint32_t n)
{
	return ring_spsc_put(rings.prism[r], items, n);
}

static inline uint32_t prism_take(int r, void **items, uint32_t n)
{
	return ring_spsc_take(rings.prism[r], items, n);
}

static inline uint32_t rte_put(int r, void **items, uint32_t n)
{
	if (n == 1)
		return rte_ring_sp_enqueue(rings.rte[r], items[0]) == 0;
	return rte_ring_sp_enqueue_burst(rings.rte[r], items, n, NULL);
}

static inline uint32_t rte_take(int r, void **items, uint32_t n)
{
	if (n == 1)
		return rte_ring_sc_dequeue(rings.rte[r], items) == 0;
	return rte_ring_sc_dequeue_burst(rings.rte[r], items, n, NULL);
}

static inline uint32_t ck_put(int r, void **items, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && ck_ring_enqueue_spsc(&rings.ck[r]->ring, rings.ck[r]->slots, items[i]))
		i++;
	return i;
}

static inline uint32_t ck_take(int r, void **items, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && ck_ring_dequeue_spsc(&rings.ck[r]->ring, rings.ck[r]->slots, &items[i]))
		i++;
	return i;
}

// What the other thread does: takes from ring 0, and for a trip puts into ring 1. 0: waits.
enum job { REST, TAKE_1, TAKE_32, RETURN, END };
static struct {
	uint32_t now CACHE_ALIGNED; // of a kind: kind * END + job; alone on its line
} job;

// All loops of a kind, in which its calls are inlined.
#define LOOPS(kind) \
	HOT_INLINE void kind##_alone(uint32_t burst) \
	{ \
		void *items[BURST_MAX] = {&rings}; \
\
		for (uint32_t done = 0; done < ITEMS; done += burst) { \
			kind##_put(0, items, burst); \
			bench_must(kind##_take(0, items, burst) == burst, "an item is lost"); \
		} \
	} \
	HOT_INLINE void kind##_send(uint32_t burst) \
	{ \
		void *items[BURST_MAX] = {&rings}; \
\
		for (uint32_t done = 0; done < ITEMS; done += burst) { \
			uint32_t n = kind##_put(0, items, burst); \
\
			while (n < burst) { \
				rte_pause(); \
				n += kind##_put(0, items + n, burst - n); \
			} \
		} \
	} \
	HOT_INLINE void kind##_receive(uint32_t burst) \
	{ \
		void *items[BURST_MAX]; \
\
		for (uint32_t done = 0; done < ITEMS;) { \
			uint32_t n = kind##_take(0, items, burst); \
\
			done += n; \
			if (n == 0) \
				rte_pause(); \
		} \
	} \
	static void kind##_trips(void) \
	{ \
		void *item = &rings; \
\
		for (uint32_t i = 0; i < TRIPS; i++) { \
			kind##_put(0, &item, 1); \
			while (kind##_take(1, &item, 1) == 0) \
				rte_pause(); \
		} \
	} \
	static void kind##_return(void) \
	{ \
		void *item; \
\
		for (uint32_t i = 0; i < TRIPS; i++) { \
			while (kind##_take(0, &item, 1) == 0) \
				rte_pause(); \
			kind##_put(1, &item, 1); \
		} \
	}

// Bursts whose length the compiler knows, as it does where rings are used.
#define BURST(kind, n) \
	static void kind##_alone_##n(void) \
	{ \
		kind##_alone(n); \
	} \
	static void kind##_send_##n(void) \
	{ \
		kind##_send(n); \
	} \
	static void kind##_receive_##n(void) \
	{ \
		kind##_receive(n); \
	}
#define KIND(kind) \
	LOOPS(kind) \
	BURST(kind, 1) \
	BURST(kind, 32)
#define CALLS(kind) \
	{ \
		{kind##_alone_1, kind##_alone_32}, {kind##_send_1, kind##_send_32}, \
			{kind##_receive_1, kind##_receive_32}, kind##_trips, kind##_return \
	}

KIND(prism)
KIND(rte)
KIND(ck)

static const struct {
	void (*alone[2])(void); // in bursts of 1, of 32
	void (*send[2])(void);
	void (*receive[2])(void);
	void (*trips)(void);
	void (*give_back)(void);
} loops[KINDS] = {CALLS(prism), CALLS(rte), CALLS(ck)};

static void *other_thread(void *argument)
{
	bench_pin(0);
	for (;;) {
		uint32_t now = atomic_get(&job.now, ACQUIRE);

		if (now == UINT32_MAX)
			return NULL;
		if (now % END == REST)
			continue;
		if (now % END == RETURN)
			loops[now / END].give_back();
		else
			loops[now / END].receive[now % END == TAKE_32]();
		atomic_set(&job.now, (uint32_t)REST, RELEASE);
	}
}

// From when the other thread was told until it has had all.
static double together(enum kind kind, enum job what)
{
	uint64_t begin_ns;

	atomic_set(&job.now, kind * END + what, RELEASE);
	begin_ns = bench_now_ns();
	if (what == RETURN)
		loops[kind].trips();
	else
		loops[kind].send[what == TAKE_32]();
	while (atomic_get(&job.now, ACQUIRE) != REST)
		;
	return (double)(bench_now_ns() - begin_ns) / (what == RETURN ? TRIPS : ITEMS);
}

static double alone(enum kind kind, bool bursts)
{
	uint64_t begin_ns = bench_now_ns();

	loops[kind].alone[bursts]();
	return (double)(bench_now_ns() - begin_ns) / ITEMS;
}

enum row { ALONE_1, ALONE_32, CORES_1, CORES_32, TRIP, ROWS };
static const char *const row_names[ROWS] = {"put and take 1", "put and take 32", "core to core 1",
					    "core to core 32", "there and back"};

static double ring_row(enum row row, enum kind kind)
{
	switch (row) {
	case ALONE_1:
	case ALONE_32:
		return alone(kind, row == ALONE_32);
	case CORES_1:
		return together(kind, TAKE_1);
	case CORES_32:
		return together(kind, TAKE_32);
	case TRIP:
	case ROWS:
		return together(kind, RETURN);
	}
	return 0;
}

static void print_row(const char *part, const char *row, const char *const *names,
		      struct samples *samples, uint32_t count)
{
	printf("{\"part\": \"%s\", \"row\": \"%s\", ", part, row);
	samples_print("ns", names, samples, count, samples_median);
	printf(", ");
	samples_print("mean_ns", names, samples, count, samples_mean);
	printf("}\n");
}

static void create_rings(struct rings *set, uint32_t number)
{
	for (int i = 0; i < 2; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s%u", i ? "back" : "there", number);
		set->prism[i] = ring_spsc_create(SLOTS);
		set->rte[i] = rte_ring_create(name, SLOTS, -1, RING_F_SP_ENQ | RING_F_SC_DEQ);
		set->ck[i] = mem_map("ck_ring", sizeof(struct ck));
		bench_must(set->prism[i] && set->rte[i] && set->ck[i], "out of memory");
		ck_ring_init(&set->ck[i]->ring, SLOTS);
	}
}

static void destroy_rings(struct rings *set)
{
	for (int i = 0; i < 2; i++) {
		ring_spsc_destroy(set->prism[i]);
		rte_ring_free(set->rte[i]);
		mem_unmap(set->ck[i], sizeof(struct ck));
	}
}

void ring_rows(uint32_t rounds)
{
	static struct samples ns[ROWS][KINDS];
	pthread_t thread;

	for (uint32_t i = 0; i < SETS; i++)
		create_rings(&sets[i], i);
	bench_must(pthread_create(&thread, NULL, other_thread, NULL) == 0, "no second thread");
	for (uint32_t round = 0; round < rounds * 8 && round < SAMPLES_MAX; round++) {
		rings = sets[round % SETS];
		for (enum row row = 0; row < ROWS; row++)
			for (enum kind kind = 0; kind < KINDS; kind++)
				samples_add(&ns[row][kind], ring_row(row, kind));
	}
	atomic_set(&job.now, UINT32_MAX, RELEASE);
	pthread_join(thread, NULL);
	for (enum row row = 0; row < ROWS; row++)
		print_row("ring", row_names[row], kind_names, ns[row], KINDS);
	for (uint32_t i = 0; i < SETS; i++)
		destroy_rings(&sets[i]);
}

static uint64_t counters[COUNTERS * 8]; // on lines of their own

// The compiler must not make one addition of several.
#define COUNT(add) \
	for (uint32_t i = 0; i < COUNTS; i++) { \
		add; \
		__asm__ volatile("" : : : "memory"); \
	}

enum counter { CELL, ATOMIC, PLAIN, COUNTER_KINDS };
static const char *const counter_names[COUNTER_KINDS] = {"prism", "atomic add", "plain add"};

static void count_one(enum counter kind)
{
	if (kind == CELL)
		COUNT(cell_add(&counters[0], 1))
	else if (kind == ATOMIC)
		COUNT(atomic_add(&counters[0], 1, RELAXED))
	else
		COUNT(counters[0]++)
}

static void count_many(enum counter kind)
{
	if (kind == CELL)
		COUNT(cell_add(&counters[i % COUNTERS * 8], 1))
	else if (kind == ATOMIC)
		COUNT(atomic_add(&counters[i % COUNTERS * 8], 1, RELAXED))
	else
		COUNT(counters[i % COUNTERS * 8]++)
}

static double count(enum counter kind, bool many)
{
	uint64_t begin_ns = bench_now_ns();

	if (many)
		count_many(kind);
	else
		count_one(kind);
	return (double)(bench_now_ns() - begin_ns) / COUNTS;
}

void counter_rows(uint32_t rounds)
{
	static struct samples ns[2][COUNTER_KINDS];

	for (uint32_t round = 0; round < rounds * 8 && round < SAMPLES_MAX; round++)
		for (uint32_t many = 0; many < 2; many++)
			for (enum counter kind = 0; kind < COUNTER_KINDS; kind++)
				samples_add(&ns[many][kind], count(kind, many));
	print_row("counter", "increment", counter_names, ns[0], COUNTER_KINDS);
	print_row("counter", "increment, 16 in turn", counter_names, ns[1], COUNTER_KINDS);
}
