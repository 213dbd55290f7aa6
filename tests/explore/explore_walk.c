// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of what looks at more than one key - a walk in slices, a burst of lookups, the
// statistics - beside threads that write. What a walk or a burst says of a key is what a find of
// that key at some moment between its begin and its end could have said; a walk shows every member
// that stays exactly once, and nothing that never was inserted. Statistics are never beyond what
// was possible between their begin and their end, and exact when all is quiet.
//   explore_walk [PREEMPTIONS]   3 unless told
#include "sync/survey.c" // NOLINT(bugprone-suspicious-include)

#include "bed_table.h"

#define SHOWN 3 // keys that are written to the history: the first ones

static uint32_t fillers_in;
static uint32_t shown[KEYS], filler_shown[FILLERS]; // times, in this walk
static uint64_t walk_began;
static uint32_t removals;  // of one key that comes back, while the walk is under way
static uint32_t keys_more; // beside the fillers, as statistics may count them

static void show(void *context, const struct flow_key *k, uint32_t value)
{
	(void)context;
	for (uint32_t i = 0; i < FILLERS; i++) {
		if (memcmp(k, &filler[i], sizeof(*k)) == 0) {
			ASSERT(value == 100 + i);
			filler_shown[i]++;
			return;
		}
	}
	for (uint32_t i = 0; i < SHOWN; i++) {
		if (memcmp(k, &key[i], sizeof(*k)) == 0) {
			record(HISTORY_FIND, i, 0, value, walk_began);
			shown[i]++;
			return;
		}
	}
	ASSERT(!"a key that never was inserted");
}

// In slices of so many buckets, between which the walker holds no reference.
static void walk(uint32_t thread, uint32_t slice)
{
	uint64_t at = 0;

	walk_began = begin_now();
	memset(shown, 0, sizeof(shown));
	memset(filler_shown, 0, sizeof(filler_shown));
	while (!OF_KIND(walk)(table, &at, slice, show, NULL))
		epoch_quiescent(&epoch, (int)thread);
	ASSERT(at == 0);
	for (uint32_t i = 0; i < FILLERS; i++)
		ASSERT(filler_shown[i] == (i < fillers_in));
	for (uint32_t i = 0; i < SHOWN; i++) {
		ASSERT(shown[i] <= 1 + removals);
		if (!shown[i])
			record(HISTORY_FIND, i, 0, HISTORY_ABSENT, walk_began);
	}
}

static void walks(void)
{
	epoch_online(&epoch, 2);
	walk(2, 1);
	epoch_offline(&epoch, 2);
}

static void walks_in_one(void)
{
	epoch_online(&epoch, 2);
	walk(2, UINT32_MAX);
	epoch_offline(&epoch, 2);
}

// Looks for all of them in one burst, and for one that was never there.
static void looks_for_all(void)
{
	const struct flow_key *keys[] = {&key[0], &key[1], &key[2], &key[5]};
	uint32_t values[ARRAY_COUNT(keys)] = {0};
	uint64_t begin, found;

	epoch_online(&epoch, 2);
	begin = begin_now();
	found = OF_KIND(find_burst)(table, keys, ARRAY_COUNT(keys), values);
	for (uint32_t i = 0; i < SHOWN; i++)
		record(HISTORY_FIND, i, 0, found >> i & 1 ? values[i] : HISTORY_ABSENT, begin);
	ASSERT(found >> SHOWN == 0);
	epoch_offline(&epoch, 2);
}

// Writers, whatever they are watched by.
static void takes_and_comes(void)
{
	epoch_online(&epoch, 0);
	take(0, 0);
	epoch_quiescent(&epoch, 0);
	table_tend(table, 0);
	insert(0, 1, 20);
	epoch_offline(&epoch, 0);
}

static void comes_too(void)
{
	epoch_online(&epoch, 1);
	insert(1, 1, 21);
	epoch_offline(&epoch, 1);
}

static void comes(void)
{
	epoch_online(&epoch, 0);
	insert(0, 1, 20);
	epoch_offline(&epoch, 0);
}

static void another_comes(void)
{
	epoch_online(&epoch, 1);
	insert(1, 2, 22);
	epoch_offline(&epoch, 1);
}

static void goes_and_comes_back(void)
{
	epoch_online(&epoch, 0);
	take(0, 0);
	insert(0, 0, 22);
	epoch_offline(&epoch, 0);
}

static void replaces(void)
{
	epoch_online(&epoch, 1);
	replace(0, 30);
	epoch_offline(&epoch, 1);
}

static void looks_once(void)
{
	epoch_online(&epoch, 1);
	find(0);
	epoch_offline(&epoch, 1);
}

// Beside two that insert at most four times.
static void measures(void)
{
	struct survey survey = {0};
	struct survey_result result;
	struct table_stats stats;
	uint64_t depths = 0, count, retries;

	epoch_online(&epoch, 2);
	retries = table->writer[0].retries + table->writer[1].retries;
	count = table_count(table);
	ASSERT(count >= fillers_in && count <= fillers_in + keys_more);
	table_stats(table, &stats);
	for (uint32_t i = 0; i < TABLE_DEPTHS; i++)
		depths += stats.depth[i];
	ASSERT(depths == stats.keys);
	ASSERT(stats.keys >= fillers_in && stats.keys <= fillers_in + keys_more);
	ASSERT(stats.keys + stats.dead <= stats.slots);
	ASSERT(stats.retries >= retries && stats.retries <= retries + 4);
	survey_go_on(&survey, table, table->bucket_count, &result);
	ASSERT(result.keys >= fillers_in && result.keys <= fillers_in + keys_more);
	ASSERT(result.longest <= table->bucket_count && result.waiting <= result.slots);
	epoch_offline(&epoch, 2);
}

static uint32_t preemptions = 3;

// With one key beside the fillers; so many times it is removed and comes back.
static uint64_t run_with(uint32_t fillers, uint32_t comes_back, const char *name,
			 void (*const *thread)(void))
{
	with_key_0(fillers);
	fillers_in = fillers;
	removals = comes_back;
	keys_more = 2;
	return run(name, preemptions, thread[0], thread[1], thread[2]);
}

static uint64_t run_watched(uint32_t fillers, const char *name, void (*watches)(void))
{
	void (*const taking[])(void) = {takes_and_comes, comes_too, watches};
	void (*const replacing[])(void) = {goes_and_comes_back, replaces, watches};

	printf("  %s, beside one that\n", name);
	return run_with(fillers, 0, "    takes, and two that insert", taking) +
	       run_with(fillers, 1, "    takes and inserts, one that replaces", replacing);
}

static uint64_t run_two_writers(uint32_t fillers)
{
	void (*const same[])(void) = {comes, comes_too, measures};
	void (*const different[])(void) = {takes_and_comes, another_comes, looks_for_all};
	uint64_t sum = 0;

	printf("%u of %u slots of the first bucket taken\n", fillers, SLOTS_OF_KIND);
	sum += run_watched(fillers, "a walk in slices", walks);
	sum += run_watched(fillers, "a walk in one", walks_in_one);
	sum += run_watched(fillers, "a burst of lookups", looks_for_all);
	sum += run_watched(fillers, "statistics", measures);
	sum += run_with(fillers, 0, "  statistics, two insert one key", same);
	sum += run_with(fillers, 0, "  a burst, two insert two keys", different);
	return sum;
}

// The one writer's stores are plain.
static uint64_t run_one_writer(void)
{
	void (*const again[])(void) = {takes_and_comes, looks_once, walks};
	void (*const back[])(void) = {goes_and_comes_back, looks_once, walks};
	void (*const burst[])(void) = {takes_and_comes, looks_once, looks_for_all};
	void (*const measured[])(void) = {goes_and_comes_back, looks_once, measures};
	uint64_t sum = 0;

	printf("one writer\n");
	writers = 1;
	sum += run_with(SLOTS_OF_KIND, 0, "  a walk, a slot is used again", again);
	sum += run_with(SLOTS_OF_KIND, 1, "  a walk, a key goes and comes", back);
	sum += run_with(SLOTS_OF_KIND, 0, "  a burst of lookups", burst);
	sum += run_with(SLOTS_OF_KIND, 1, "  statistics", measured);
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	preemptions = argc > 1 ? (uint32_t)atoi(argv[1]) : preemptions;
	for (uint32_t fillers = SLOTS_OF_KIND - 1; fillers <= SLOTS_OF_KIND; fillers++)
		sum += run_two_writers(fillers);
	sum += run_one_writer();
	printf("%u-byte keys, walks, bursts and statistics: %llu executions, at most %u "
	       "preemptions each\n",
	       KEY_BYTES, (unsigned long long)sum, preemptions);
	table_destroy(table);
	return 0;
}
