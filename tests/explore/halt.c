// SPDX-License-Identifier: BSD-3-Clause
// A whole worker is stopped by the kernel (SIGSTOP), wherever it happens to be in its work on a
// table, a ring and an epoch that it shares with this one; this one goes on. Then it is killed
// there and buried, and this one goes on with the slots that waited. A process of its own stands
// for the worker, because a signal stops a process with all of its threads; what they share lies in
// memory that both have.
//   halt [STOPS [OPERATIONS]]   40 stops, 20,000 operations beside each, unless told
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rand.h"
#include "sync/cell.h"
#include "sync/ring.h"
#include "sync/table.h"

#define KEYS 8u
#define STAYS 7u                 // a key that nobody removes
#define HERS (UINT32_C(1) << 20) // values of the one that is stopped
#define US 0
#define HER 1
#define RING_SLOTS 64u

enum doing { BETWEEN, INSERT, REMOVE, REPLACE, FIND, WALK, PUT, QUIESCENT, DOINGS };
static const char *const doing_text[DOINGS] = {"between", "insert", "remove", "replace",
					       "find",    "walk",   "put",    "quiescent"};

struct shared {
	struct epoch epoch;
	uint64_t doing, done; // cells of hers
	uint32_t item[RING_SLOTS];
};

static struct shared *shared;
static struct table *table;
static struct ring *ring;
static struct flow_key16 key[KEYS];
static uint64_t hash[KEYS];
static uint64_t stops[DOINGS];

// Memory that a child shares: for the table and the ring, in place of base/mem.c.
void *mem_map(const char *what, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT(memory != MAP_FAILED);
	return memory;
}

void mem_unmap(void *memory, size_t bytes)
{
	munmap(memory, bytes);
}

static void begin(void)
{
	struct table_config config = {
		.capacity = 64, .key_bytes = 16, .writers = 2, .epoch = &shared->epoch};
	uint32_t value = 1;

	memset(shared, 0, sizeof(*shared));
	epoch_init(&shared->epoch);
	ASSERT(epoch_join(&shared->epoch) == US && epoch_join(&shared->epoch) == HER);
	table = table_create(&config);
	ring = ring_spsc_create(RING_SLOTS);
	ASSERT(table && ring);
	for (uint32_t k = 0; k < KEYS; k++) {
		key[k] = (struct flow_key16){{k, k}};
		hash[k] = table16_hash(table, &key[k]);
	}
	epoch_online(&shared->epoch, US);
	ASSERT(table16_insert(table, US, &key[STAYS], hash[STAYS], &value) == 0);
	epoch_offline(&shared->epoch, US); // she works alone until she is stopped
}

static void end(void)
{
	ring_spsc_destroy(ring);
	table_destroy(table);
}

static void see(void *context, const struct flow_key16 *k, uint32_t value)
{
	uint32_t *seen = context;

	ASSERT(k->word[0] < KEYS && k->word[0] == k->word[1]);
	*seen |= 1u << k->word[0];
}

static void walk(void)
{
	uint32_t seen = 0;
	uint64_t at = 0;

	while (!table16_walk(table, &at, 8, see, &seen))
		;
	ASSERT(seen >> STAYS == 1);
}

static void her_step(enum doing doing, uint32_t k, uint32_t i)
{
	uint32_t value = HERS + i % HERS;
	void *item = &shared->item[i % RING_SLOTS];

	cell_set(&shared->doing, doing);
	__atomic_signal_fence(SEQ_CST);
	if (doing == INSERT)
		(void)table16_insert(table, HER, &key[k], hash[k], &value);
	else if (doing == REMOVE)
		(void)table16_remove(table, HER, &key[k], hash[k], NULL);
	else if (doing == REPLACE)
		(void)table16_replace(table, &key[k], hash[k], value - 1, value);
	else if (doing == FIND)
		(void)table16_find(table, &key[k], hash[k], &value);
	else if (doing == WALK)
		walk();
	else if (doing == PUT)
		(void)ring_spsc_put(ring, &item, 1);
	else
		epoch_quiescent(&shared->epoch, HER);
	__atomic_signal_fence(SEQ_CST);
	cell_set(&shared->doing, BETWEEN);
}

static void her_work(uint64_t seed)
{
	struct rng rng;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rng_seed(&rng, seed);
	epoch_online(&shared->epoch, HER);
	for (uint32_t i = 1;; i++) {
		her_step(INSERT + (enum doing)rng_below(&rng, DOINGS - 1),
			 (uint32_t)rng_below(&rng, STAYS), i);
		her_step(QUIESCENT, 0, i);
		cell_add(&shared->done, 1);
	}
}

// Hers is finished or undone by our insert, whichever; a full table says so.
static void come_and_go(uint32_t k, uint32_t i, bool room)
{
	uint32_t value = i;
	int result = table16_insert(table, US, &key[k], hash[k], &value);

	ASSERT(result == 0 || result == -EEXIST || (result == -ENOSPC && !room));
	ASSERT(result != -EEXIST || value >= HERS);
	result = table16_remove(table, US, &key[k], hash[k], NULL);
	ASSERT(result == 0 || !room);
}

// None of this waits for her. `room`: slots that wait for a grace period come back.
static void go_on(uint32_t operations, bool room)
{
	void *got;

	for (uint32_t i = STAYS; i < operations + STAYS; i += 7) {
		uint32_t k = i % STAYS, value = 1;

		come_and_go(k, i, room);
		ASSERT(table16_replace(table, &key[STAYS], hash[STAYS], 1, 2) == 0);
		ASSERT(table16_replace(table, &key[STAYS], hash[STAYS], 2, 1) == 0);
		ASSERT(table16_find(table, &key[STAYS], hash[STAYS], &value) && value == 1);
		(void)ring_spsc_take(ring, &got, 1);
		if (i % 100 < 7)
			walk();
		epoch_quiescent(&shared->epoch, US);
		(void)epoch_passed(&shared->epoch, epoch_retire(&shared->epoch));
	}
}

static void stop_at_any_point(pid_t her, struct rng *rng)
{
	uint64_t done = cell_get(&shared->done);
	int status;

	while (cell_get(&shared->done) < done + 100)
		usleep(10);
	for (uint64_t i = rng_below(rng, 5000); i > 0; i--)
		__atomic_signal_fence(SEQ_CST);
	kill(her, SIGSTOP);
	ASSERT(waitpid(her, &status, WUNTRACED) == her && WIFSTOPPED(status));
	stops[cell_get(&shared->doing)]++;
}

static void one_life(uint32_t operations, struct rng *rng)
{
	pid_t her;

	begin();
	her = fork();
	ASSERT(her >= 0);
	if (her == 0)
		her_work(rng_next(rng));
	stop_at_any_point(her, rng);
	epoch_online(&shared->epoch, US);
	go_on(operations, false);
	kill(her, SIGKILL);
	ASSERT(waitpid(her, NULL, 0) == her);
	epoch_bury(&shared->epoch, HER);
	for (int i = 0; i < 64; i++) {
		epoch_quiescent(&shared->epoch, US);
		(void)table_tend(table, US);
	}
	go_on(operations, true);
	epoch_offline(&shared->epoch, US);
	end();
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 40;
	uint32_t operations = argc > 2 ? (uint32_t)atoi(argv[2]) : 20000;
	struct rng rng;

	rng_seed(&rng, (uint64_t)getpid());
	shared = mem_map("what both share", sizeof(*shared));
	for (uint32_t i = 0; i < count; i++)
		one_life(operations, &rng);
	printf("halt: a worker stopped %u times (", count);
	for (int i = 0; i < DOINGS; i++)
		printf("%s%llu in %s", i ? ", " : "", (unsigned long long)stops[i], doing_text[i]);
	printf("), then killed there: each time the other did 2 times %u operations\n", operations);
	return 0;
}
