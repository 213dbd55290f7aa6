// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of a few operations on the flow table: each history is linearizable, no key is
// in two slots, none is lost, every overflow is taken back, and no slot is used again under a
// reader. Then a thread is stopped for ever at each point of an operation, and another goes on.
//   explore_table [PREEMPTIONS [ROUNDS]]
// PREEMPTIONS: what each scenario may use of them, 3 unless told. ROUNDS of five operations beside
// the thread that stopped, 100 unless told.
#include "bed_table.h"

#define STALLED_VALUE 4000000

// 1: three threads insert the same key.
static void same_0(void)
{
	epoch_online(&epoch, 0);
	insert(0, 0, 10);
	epoch_offline(&epoch, 0);
}

static void same_1(void)
{
	epoch_online(&epoch, 1);
	insert(1, 0, 11);
	epoch_offline(&epoch, 1);
}

static void same_2(void)
{
	epoch_online(&epoch, 2);
	insert(2, 0, 12);
	find(0);
	epoch_offline(&epoch, 2);
}

// 2: one inserts and removes, one inserts, one looks twice.
static void comes_and_goes(void)
{
	epoch_online(&epoch, 0);
	insert(0, 0, 10);
	take(0, 0);
	epoch_offline(&epoch, 0);
}

static void takes_first(void)
{
	epoch_online(&epoch, 1);
	take(1, 0);
	insert(1, 0, 11);
	epoch_offline(&epoch, 1);
}

static void looks_twice(void)
{
	epoch_online(&epoch, 2);
	find(0);
	find(0);
	epoch_offline(&epoch, 2);
}

// 3: a slot is taken out, its grace period passes, another key takes it; readers look for both.
static void reuses(void)
{
	epoch_online(&epoch, 0);
	take(0, 0);
	epoch_quiescent(&epoch, 0);
	table_tend(table, 0);
	epoch_quiescent(&epoch, 0);
	table_tend(table, 0);
	insert(0, 1, 20);
	epoch_offline(&epoch, 0);
}

static void looks_for_both(void)
{
	epoch_online(&epoch, 1);
	find(0);
	epoch_quiescent(&epoch, 1);
	find(1);
	epoch_offline(&epoch, 1);
}

static void takes_the_other(void)
{
	epoch_online(&epoch, 2);
	take(2, 1);
	epoch_offline(&epoch, 2);
}

// 4: the bucket is full; one goes, another passes it by, a third looks for one that passed before.
static void filler_goes(void)
{
	uint32_t value;

	epoch_online(&epoch, 0);
	ASSERT(OF_KIND(remove)(table, 0, &filler[0], hash_of(&filler[0]), &value) == 0);
	ASSERT(value == 100);
	epoch_quiescent(&epoch, 0);
	table_tend(table, 0);
	epoch_offline(&epoch, 0);
}

static void passer_comes(void)
{
	epoch_online(&epoch, 1);
	insert(1, 1, 20);
	take(1, 0);
	epoch_offline(&epoch, 1);
}

static void looks_for_passers(void)
{
	epoch_online(&epoch, 2);
	find(0);
	find(1);
	epoch_offline(&epoch, 2);
}

// 5: one writer alone, whose stores are plain, and two readers.
static void looks_for_the_other_first(void)
{
	epoch_online(&epoch, 2);
	find(1);
	epoch_quiescent(&epoch, 2);
	find(0);
	epoch_offline(&epoch, 2);
}

static void twin_comes_and_goes(void)
{
	epoch_online(&epoch, 0);
	insert(0, TWIN, 20);
	find(TWIN);
	take(0, TWIN);
	epoch_offline(&epoch, 0);
}

static void looks_for_twins(void)
{
	epoch_online(&epoch, 1);
	find(0);
	find(TWIN);
	epoch_offline(&epoch, 1);
}

// 6: two replace the same value, one removes it.
static void replaces_0(void)
{
	epoch_online(&epoch, 0);
	replace(0, 30);
	find(0);
	epoch_offline(&epoch, 0);
}

static void replaces_1(void)
{
	epoch_online(&epoch, 1);
	replace(0, 31);
	epoch_offline(&epoch, 1);
}

static void takes_and_looks(void)
{
	epoch_online(&epoch, 2);
	take(2, 0);
	find(0);
	epoch_offline(&epoch, 2);
}

// Stalls: thread 0 stops somewhere in an operation and is buried; the other works on the same keys.
static uint32_t rounds_beside = 100;

static void inserts_one(void)
{
	uint32_t value = STALLED_VALUE;

	epoch_online(&epoch, 0);
	(void)OF_KIND(insert)(table, 0, &key[1], hash[1], &value);
}

static void removes_one(void)
{
	epoch_online(&epoch, 0);
	(void)OF_KIND(remove)(table, 0, &key[0], hash[0], NULL);
	table_tend(table, 0);
}

static void replaces_one(void)
{
	epoch_online(&epoch, 0);
	(void)OF_KIND(replace)(table, &key[0], hash[0], 9, 41);
}

static void works_on_alone(uint32_t k, uint32_t n)
{
	uint32_t value = n;

	(void)OF_KIND(remove)(table, 1, &key[k], hash[k], NULL);
	ASSERT(!OF_KIND(find)(table, &key[k], hash[k], &value));
	if (OF_KIND(insert)(table, 1, &key[k], hash[k], &value) == -EEXIST) {
		ASSERT(value == STALLED_VALUE); // its insert was helped to its end
		ASSERT(OF_KIND(remove)(table, 1, &key[k], hash[k], NULL) == 0);
		value = n;
		ASSERT(OF_KIND(insert)(table, 1, &key[k], hash[k], &value) == 0);
	}
	ASSERT(OF_KIND(replace)(table, &key[k], hash[k], n, n + 1) == 0);
	ASSERT(OF_KIND(find)(table, &key[k], hash[k], &value) && value == n + 1);
	epoch_quiescent(&epoch, 1);
	table_tend(table, 1);
}

static void works_on(void)
{
	epoch_online(&epoch, 1);
	epoch_bury(&epoch, 0);
	for (uint32_t i = 0; i < rounds_beside; i++)
		works_on_alone(i % 2, i);
}

static void stalled_ones_do_not_matter(void)
{
	uint32_t value;

	ASSERT(OF_KIND(find)(table, &key[0], hash[0], &value));
	ASSERT(OF_KIND(find)(table, &key[1], hash[1], &value));
}

static void run_stalls(const char *name, void (*stalls)(void))
{
	struct exploration what = {.name = name,
				   .setup = restore,
				   .thread = {stalls, works_on},
				   .check = stalled_ones_do_not_matter};

	for (uint32_t fillers = 0; fillers <= SLOTS_OF_KIND; fillers++) {
		with_key_0(fillers);
		printf("stopped for ever at each of %llu points of %s, %u of %u slots taken: "
		       "the other does %u operations\n",
		       (unsigned long long)explore_stalls(&what), name, fillers, SLOTS_OF_KIND,
		       5 * rounds_beside);
	}
}

static uint64_t run_all(uint32_t preemptions)
{
	uint64_t sum = 0;

	for (uint32_t fillers = 0; fillers <= SLOTS_OF_KIND; fillers++) {
		printf("%u of %u slots of the first bucket taken\n", fillers, SLOTS_OF_KIND);
		table_new(fillers);
		table_keep();
		sum += run("  three insert one key", preemptions, same_0, same_1, same_2);
		with_key_0(fillers);
		sum += run("  a key comes and goes", preemptions, comes_and_goes, takes_first,
			   looks_twice);
		with_key_0(fillers);
		sum += run("  a slot is used again", preemptions, reuses, looks_for_both,
			   takes_the_other);
	}
	with_key_0(SLOTS_OF_KIND);
	sum += run("  a full bucket is passed", preemptions, filler_goes, passer_comes,
		   looks_for_passers);
	with_key_0(SLOTS_OF_KIND - 1);
	sum += run("  a value is replaced and removed", preemptions, replaces_0, replaces_1,
		   takes_and_looks);
	writers = 1;
	for (uint32_t fillers = SLOTS_OF_KIND - 1; fillers <= SLOTS_OF_KIND; fillers++) {
		with_key_0(fillers);
		sum += run("  one writer: a slot is used again", preemptions, reuses,
			   looks_for_both, looks_for_the_other_first);
	}
	with_key_0(0);
	sum += run("  one writer: two keys of one tag", preemptions, twin_comes_and_goes,
		   looks_for_twins, NULL);
	return sum;
}

int main(int argc, char **argv)
{
	uint32_t preemptions = argc > 1 ? (uint32_t)atoi(argv[1]) : 3;
	uint64_t sum = run_all(preemptions);

	rounds_beside = argc > 2 ? (uint32_t)atoi(argv[2]) : rounds_beside;
	writers = THREADS;
	run_stalls("insert", inserts_one);
	run_stalls("remove", removes_one);
	run_stalls("replace", replaces_one);

	printf("%u-byte keys: %llu executions, at most %u preemptions each\n", KEY_BYTES,
	       (unsigned long long)sum, preemptions);
	table_destroy(table);
	return 0;
}
