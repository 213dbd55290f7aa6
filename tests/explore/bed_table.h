// SPDX-License-Identifier: BSD-3-Clause
// A small flow table for explorations: keys whose ways begin in one bucket, operations that write
// themselves into a history, and the table put back as it was before each execution. KEY_BYTES says
// of which kind the table is: 16 unless told, or 40.
//
// The table's own code is included, so that its atomic accesses are points of the schedule and a
// table can be put back in an instant.
#pragma once

#include "sync/table.c" // NOLINT(bugprone-suspicious-include)

#include <stdio.h>
#include <stdlib.h>

#include "explore.h"
#include "history.h"
#include "kind.h"

#define KEYS 6
#define TWIN 5
#define FILLERS 8
#define THREADS 3

static struct table *table, table_before;
static struct bucket_of_kind buckets_before[8];
static struct epoch epoch, epoch_before;
static struct flow_key key[KEYS], filler[FILLERS];
static uint64_t hash[KEYS];
static struct history history;
static uint32_t writers = THREADS;

static uint64_t hash_of(const struct flow_key *k)
{
	return OF_KIND(hash)(table, k);
}

// Keys whose way begins in the same bucket, and the next keys after those that do. The first and
// the TWIN have one tag.
static void choose_keys(void)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < KEYS + FILLERS; n++) {
		struct flow_key k = key_number(n);

		if (first_bucket(table, hash_of(&k)) != 1)
			continue;
		if (i == TWIN && (uint8_t)hash_of(&k) != (uint8_t)hash[0])
			continue;
		if (i < KEYS) {
			key[i] = k;
			hash[i] = hash_of(&k);
		} else {
			filler[i - KEYS] = k;
		}
		i++;
	}
}

static void put(const struct flow_key *k, uint32_t value)
{
	ASSERT(OF_KIND(insert)(table, 0, k, hash_of(k), &value) == 0);
}

// A table of five buckets; so many keys of no interest fill the one that all keys begin in.
static void table_new(uint32_t fillers)
{
	struct table_config config = {
		.capacity = 5, .key_bytes = KEY_BYTES, .writers = writers, .epoch = &epoch};

	table_destroy(table);
	epoch_init(&epoch);
	for (int i = 0; i < THREADS; i++)
		ASSERT(epoch_join(&epoch) == i);
	table = table_create(&config);
	ASSERT(table && table->bucket_count <= ARRAY_COUNT(buckets_before));
	choose_keys();
	for (uint32_t i = 0; i < fillers; i++)
		put(&filler[i], 100 + i);
	history = (struct history){.count = 0};
	for (int i = 0; i < HISTORY_KEYS; i++)
		history.value[i] = HISTORY_ABSENT;
}

static void table_keep(void)
{
	table_before = *table;
	epoch_before = epoch;
	memcpy(buckets_before, table->buckets, buckets_bytes(table));
}

static void restore(void)
{
	*table = table_before;
	epoch = epoch_before;
	memcpy(table->buckets, buckets_before, buckets_bytes(table));
	history.count = 0;
}

static void record(enum history_kind kind, uint32_t k, uint32_t given, uint32_t result,
		   uint64_t begin)
{
	history.op[history.count++] =
		(struct history_op){kind, k, given, 9, result, begin, explore_now()};
}

// Others may go on between what this thread did last and the beginning of the next.
static uint64_t begin_now(void)
{
	explore_point();
	return explore_now();
}

static void find(uint32_t k)
{
	uint64_t begin = begin_now();
	uint32_t value;
	bool found = OF_KIND(find)(table, &key[k], hash[k], &value);

	record(HISTORY_FIND, k, 0, found ? value : HISTORY_ABSENT, begin);
}

static void insert(uint32_t thread, uint32_t k, uint32_t given)
{
	uint64_t begin = begin_now();
	uint32_t value = given;
	int result = OF_KIND(insert)(table, thread, &key[k], hash[k], &value);

	ASSERT(result != -ENOSPC);
	record(HISTORY_INSERT, k, given, result ? value : HISTORY_ABSENT, begin);
}

static void take(uint32_t thread, uint32_t k)
{
	uint64_t begin = begin_now();
	uint32_t value;
	int result = OF_KIND(remove)(table, thread, &key[k], hash[k], &value);

	record(HISTORY_REMOVE, k, 0, result ? HISTORY_ABSENT : value, begin);
}

// What was there before the threads began, 9, by another value.
static void replace(uint32_t k, uint32_t given)
{
	uint64_t begin = begin_now();
	int result = OF_KIND(replace)(table, &key[k], hash[k], 9, given);

	record(HISTORY_REPLACE, k, given,
	       result == 0         ? 9
	       : result == -ENOENT ? HISTORY_ABSENT
				   : HISTORY_OTHER,
	       begin);
}

static void check(void)
{
	ASSERT(history_linearizable(&history));
	table_check(table);
}

static void with_key_0(uint32_t fillers)
{
	table_new(fillers);
	put(&key[0], 9);
	history.value[0] = 9;
	table_keep();
}

static uint64_t run(const char *name, uint32_t preemptions, void (*a)(void), void (*b)(void),
		    void (*c)(void))
{
	struct exploration what = {.name = name,
				   .setup = restore,
				   .thread = {a, b, c},
				   .check = check,
				   .preemptions = preemptions};
	uint64_t executions = explore(&what);

	printf("%-40s %10llu executions\n", name, (unsigned long long)executions);
	fflush(stdout);
	return executions;
}
