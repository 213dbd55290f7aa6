// SPDX-License-Identifier: BSD-3-Clause
// Threads that visit a table and end in the middle of it, as the kernel sees them.
#include "sync/undertaker.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/table.h"

static struct epoch epoch;
static struct undertaker undertaker;
static struct table *table;
static uint32_t stay; // atomic: the visitor that stands still is to go on
static uint32_t here; // atomic: it is in the table
static uint32_t visitor_tid;

static bool thread_gone(uint32_t thread)
{
	return syscall(SYS_tgkill, getpid(), (pid_t)thread, 0) != 0 && errno == ESRCH;
}

static void begin_walk(void)
{
	visitor_tid = (uint32_t)syscall(SYS_gettid);
	int id = epoch_visit(&epoch, visitor_tid);
	struct flow_key16 key = {{1, 1}};
	uint32_t value;

	assert_true(id >= 0);
	epoch_online(&epoch, id);
	(void)table16_find(table, &key, table16_hash(table, &key), &value);
	atomic_set(&here, 1u, RELEASE);
}

static void *ends_in_the_middle(void *unused)
{
	begin_walk();
	return NULL;
}

static void *stands_still(void *unused)
{
	begin_walk();
	while (atomic_get(&stay, ACQUIRE))
		;
	return NULL;
}

// The kernel lets us join a thread a moment before it is gone.
static void join(pthread_t thread)
{
	pthread_join(thread, NULL);
	while (!thread_gone(visitor_tid))
		;
}

static void begin(void)
{
	struct table_config config = {
		.capacity = 8, .key_bytes = 16, .writers = 1, .epoch = &epoch};

	epoch_init(&epoch);
	memset(&undertaker, 0, sizeof(undertaker));
	epoch_online(&epoch, epoch_join(&epoch));
	table = table_create(&config);
	assert_non_null(table);
	atomic_set(&here, 0u, RELAXED);
	atomic_set(&stay, 1u, RELAXED);
}

// A worker's life: keys come and go. True as long as there was room.
static bool work(uint64_t rounds)
{
	for (uint64_t i = 1; i <= rounds; i++) {
		struct flow_key16 key = {{i, i}};
		uint64_t hash = table16_hash(table, &key);
		uint32_t value = 7;

		if (table16_insert(table, 0, &key, hash, &value))
			return false;
		table16_remove(table, 0, &key, hash, NULL);
		epoch_quiescent(&epoch, 0);
	}
	return true;
}

static uint32_t look_for(uint64_t seconds)
{
	uint32_t buried = 0;

	for (uint64_t i = 0; i < 2 * seconds; i++)
		buried += undertaker_look(&undertaker, &epoch, i * NS_PER_S / 2, thread_gone);
	return buried;
}

static void a_thread_that_ended_in_the_middle_is_buried(void **state)
{
	pthread_t visitor;

	(void)state;
	begin();
	assert_int_equal(pthread_create(&visitor, NULL, ends_in_the_middle, NULL), 0);
	join(visitor);
	assert_false(work(1000)); // all slots wait for the dead
	assert_int_equal(look_for(1), 0);
	assert_int_equal(look_for(3), 1);
	assert_int_equal(look_for(10), 0);
	assert_true(work(1000));
	assert_int_equal(epoch_join(&epoch), 1); // its number is free
	table_destroy(table);
}

static void a_thread_that_stands_still_is_waited_for(void **state)
{
	pthread_t visitor;

	(void)state;
	begin();
	assert_int_equal(pthread_create(&visitor, NULL, stands_still, NULL), 0);
	while (!atomic_get(&here, ACQUIRE))
		;
	assert_false(work(1000));
	assert_int_equal(look_for(1000), 0);
	assert_false(work(1000));
	atomic_set(&stay, 0u, RELEASE);
	join(visitor);
	assert_int_equal(look_for(3), 1);
	assert_true(work(1000));
	table_destroy(table);
}

static void a_visitor_that_leaves_is_nobody_any_more(void **state)
{
	int id;

	(void)state;
	begin();
	id = epoch_visit(&epoch, UINT32_MAX); // of no thread
	epoch_online(&epoch, id);
	epoch_leave(&epoch, id);
	assert_int_equal(epoch_join(&epoch), id); // a worker
	epoch_online(&epoch, id);
	assert_int_equal(look_for(10), 0);
	table_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_ended_in_the_middle_is_buried),
		cmocka_unit_test(a_thread_that_stands_still_is_waited_for),
		cmocka_unit_test(a_visitor_that_leaves_is_nobody_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
