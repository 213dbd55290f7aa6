// SPDX-License-Identifier: BSD-3-Clause
// DPDK's kinds of pool beside each other, when one thread or two get and put packets: nanoseconds
// of a core for a packet, got and put, the median of ROUNDS rounds in which the kinds take turns.
//   pool_bench [ROUNDS [PAUSES]]
//
//   own      each thread gets a burst and puts it again, one thread or two
//   across   one thread gets and hands over a ring, the other puts
//   both     two threads do both: each puts what the other got
//   touched  the getter writes two lines of a packet, the putter reads one
//
// Other programs may run beside this one: own counts the time its threads ran, the others what
// passed inside get and put alone, without calls that a preemption has made long. A kind `none`
// without a pool goes through the same motions. All packets are of one size and in the same sort
// of memory. Behind the rows: what happens to others when a thread is stopped (waits.c). No
// thresholds.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/err.h"
#include "pools.h"
#include "port/platform.h"
#include "sync/ring.h"

#define PKTS 16384 // as limits.buffers
#define ROUND_PKTS (UINT64_C(1) << 20)
#define RING_PKTS 512
#define ROUNDS 9
#define ROUNDS_MAX 99
#define PAUSES 300
#define PREEMPTED_TICKS 500000 // some 200 us

double ticks_per_ns;

const char *const kinds[KINDS] = {"none",        "ring_mp_mc", "ring_mt_rts",
				  "ring_mt_hts", "stack",      "lf_stack"};

static void must(bool well, const char *what)
{
	if (well)
		return;
	fprintf(stderr, "pool_bench: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

static double clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double run_s(void)
{
	return clock_s(CLOCK_THREAD_CPUTIME_ID);
}

void pools_create(struct rte_mempool *pools[KINDS], uint32_t cache_pkts)
{
	static uint32_t created;

	pools[0] = NULL;
	for (uint32_t k = 1; k < KINDS; k++) {
		char name[32];

		snprintf(name, sizeof(name), "bench-%u", created++);
		pools[k] = rte_mempool_create_empty(name, PKTS, PKT_BYTES, cache_pkts, 0,
						    SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
		must(pools[k], "memory");
		must(rte_mempool_set_ops_byname(pools[k], kinds[k], NULL) == 0, kinds[k]);
		must(rte_mempool_populate_default(pools[k]) == PKTS, kinds[k]);
	}
}

void pools_destroy(struct rte_mempool *pools[KINDS])
{
	for (uint32_t k = 1; k < KINDS; k++) {
		must(rte_mempool_avail_count(pools[k]) == PKTS, "packets are missing");
		rte_mempool_free(pools[k]);
	}
}

char *pools_spares(uint32_t thread)
{
	static char packets[THREADS_MAX][SPARES][PKT_BYTES] CACHE_ALIGNED;

	return packets[thread][0];
}

struct seat {
	struct crew *crew;
	uint32_t index;
};

static void *sit(void *argument)
{
	struct seat seat = *(struct seat *)argument;
	cpu_set_t allowed, one;
	int core = -1;

	free(argument);
	CPU_ZERO(&one);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (uint32_t i = 0; i <= seat.index % 2; i++)
		for (core++; core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &allowed);)
			core++;
	CPU_SET(core, &one);
	if (seat.crew->pin)
		sched_setaffinity(0, sizeof(one), &one);
	must(rte_thread_register() == 0, "a thread of its own cache");
	seat.crew->body((char *)seat.crew->contexts + seat.index * seat.crew->context_bytes);
	rte_thread_unregister();
	return NULL;
}

void crew_start(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->count; i++) {
		struct seat *seat = malloc(sizeof(*seat));

		must(seat, "memory");
		*seat = (struct seat){crew, i};
		must(pthread_create(&crew->thread[i], NULL, sit, seat) == 0, "a thread");
	}
}

void crew_join(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->count; i++)
		pthread_join(crew->thread[i], NULL);
}

// What one thread does in a row: gets for itself, gets for the other, puts what the other got.
struct job {
	struct user user;
	struct ring *out, *in; // both NULL: own
	uint64_t pkts;
	uint32_t *waiting; // threads that have not begun
	double ns;
	uint64_t ticks;
	struct {
		void *pkts[BURST_MAX];
		uint32_t next, count;
	} held; // got, and not yet on the ring
};

static void own(struct job *j)
{
	void *pkts[BURST_MAX];

	for (uint64_t n = 0; n < j->pkts; n += j->user.burst) {
		while (!user_get(&j->user, pkts))
			rte_pause();
		user_put(&j->user, pkts, j->user.burst);
	}
}

static void add_ticks(struct job *j, uint64_t from)
{
	uint64_t ticks = __rdtsc() - from;

	if (ticks < PREEMPTED_TICKS)
		j->ticks += ticks;
}

static uint64_t hand_over(struct job *j)
{
	if (j->held.next == j->held.count) {
		uint64_t from = __rdtsc();
		bool got = user_get(&j->user, j->held.pkts);

		add_ticks(j, from);
		if (!got)
			return 0;
		j->held.count = j->user.burst;
		j->held.next = 0;
	}
	uint32_t n =
		ring_spsc_put(j->out, &j->held.pkts[j->held.next], j->held.count - j->held.next);

	j->held.next += n;
	return n;
}

static uint64_t take_over(struct job *j)
{
	void *pkts[BURST_MAX];
	uint32_t n = ring_spsc_take(j->in, pkts, j->user.burst);

	if (n) {
		uint64_t from = __rdtsc();

		user_put(&j->user, pkts, n);
		add_ticks(j, from);
	}
	return n;
}

static void across(struct job *j)
{
	uint64_t left_out = j->out ? j->pkts : 0, left_in = j->in ? j->pkts : 0;

	while (left_out || left_in) {
		uint64_t done = 0;

		if (left_out)
			left_out -= hand_over(j);
		if (left_in)
			left_in -= done = take_over(j);
		if (!done)
			rte_pause();
	}
}

static void work(void *context)
{
	struct job *j = context;

	__atomic_sub_fetch(j->waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(j->waiting, __ATOMIC_ACQUIRE))
		rte_pause();
	double from_s = run_s();

	if (j->in || j->out) {
		across(j);
		j->ns = (double)j->ticks / ticks_per_ns / (double)j->pkts;
	} else {
		own(j);
		j->ns = (run_s() - from_s) * 1e9 / (double)j->pkts;
	}
}

enum flow { OWN, ACROSS, BOTH };

static const struct row {
	const char *name;
	enum flow flow;
	uint32_t threads, burst;
	bool touch;
} rows[] = {
	{"own, one thread, 1", OWN, 1, 1, false},     {"own, one thread, 32", OWN, 1, 32, false},
	{"own, two threads, 1", OWN, 2, 1, false},    {"own, two threads, 32", OWN, 2, 32, false},
	{"across, 32", ACROSS, 2, 32, false},         {"both, 32", BOTH, 2, 32, false},
	{"across, 32, touched", ACROSS, 2, 32, true}, {"both, 32, touched", BOTH, 2, 32, true},
};

static struct ring *rings[2];

static double measure(const struct row *row, struct rte_mempool *pool)
{
	static struct job jobs[2];
	uint32_t waiting = row->threads;
	struct crew crew = {.body = work,
			    .contexts = jobs,
			    .context_bytes = sizeof(jobs[0]),
			    .count = row->threads,
			    .pin = true};

	for (uint32_t i = 0; i < row->threads; i++) {
		jobs[i] = (struct job){.user = {.pool = pool,
						.spares = pools_spares(i),
						.burst = row->burst,
						.touch = row->touch},
				       .pkts = ROUND_PKTS,
				       .waiting = &waiting};
		if (row->flow == BOTH || (row->flow == ACROSS && i == 0))
			jobs[i].out = rings[i];
		if (row->flow == BOTH || (row->flow == ACROSS && i == 1))
			jobs[i].in = rings[1 - i];
	}
	crew_start(&crew);
	crew_join(&crew);
	if (row->threads == 1)
		return jobs[0].ns;
	// Across, one pays for get and the other for put; else there are twice as many packets.
	return (jobs[0].ns + jobs[1].ns) / (row->flow == ACROSS ? 1 : 2);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void bench(const struct row *row, uint32_t cache_pkts, uint32_t rounds)
{
	struct rte_mempool *pools[KINDS];
	double ns[KINDS][ROUNDS_MAX];

	pools_create(pools, cache_pkts);
	for (uint32_t round = 0; round <= rounds; round++)
		for (uint32_t k = 0; k < KINDS; k++) // the first round warms
			ns[k][round ? round - 1 : 0] = measure(row, pools[k]);
	pools_destroy(pools);
	printf("%-22s %5u", row->name, cache_pkts);
	for (uint32_t k = 0; k < KINDS; k++) {
		qsort(ns[k], rounds, sizeof(ns[k][0]), compare);
		printf(" %11.1f", ns[k][rounds / 2]);
	}
	printf("\n");
	fflush(stdout);
}

static void start(void)
{
	struct platform_report report;
	const struct platform_config config = {
		.instance = "pool-bench", .memory_mib = 384, .main_core = -1};

	if (platform_start(&config, &report)) {
		fprintf(stderr, "pool_bench: %s\n", err_last()->message);
		exit(1);
	}
	printf("memory: %s\n", report.sentence);
	for (uint32_t i = 0; i < 2; i++) {
		rings[i] = ring_spsc_create(RING_PKTS);
		must(rings[i], "memory");
	}
}

static void measure_ticks(void)
{
	double from_s = clock_s(CLOCK_MONOTONIC);
	uint64_t from = __rdtsc();

	while (clock_s(CLOCK_MONOTONIC) - from_s < 0.05)
		;
	ticks_per_ns = (double)(__rdtsc() - from) / ((clock_s(CLOCK_MONOTONIC) - from_s) * 1e9);
}

int main(int argc, char **argv)
{
	static const uint32_t caches[] = {CACHE_PKTS, 512, 0};
	uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : ROUNDS;
	uint32_t pauses = argc > 2 ? (uint32_t)atoi(argv[2]) : PAUSES;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	start();
	measure_ticks();
	printf("ns a packet            cache");
	for (uint32_t k = 0; k < KINDS; k++)
		printf(" %11s", kinds[k]);
	printf("\n");
	for (size_t c = 0; c < ARRAY_COUNT(caches); c++)
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			bench(&rows[i], caches[c], rounds);
	waits_bench(pauses);
	platform_stop();
	return 0;
}
