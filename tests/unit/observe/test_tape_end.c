// SPDX-License-Identifier: BSD-3-Clause
// How a reader begins and ends with a tape that is being written: it knows which workers copy yet,
// and once it was told to stop it hands out what lay on the tape then, all of it and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "observe/tape_reader.h"
#include "sync/cell.h"

static char run_dir[64];
static struct tape_file *file;
static struct tape_reader *reader;

static int set_up(void **state)
{
	strcpy(run_dir, "/tmp/test_tape_end.XXXXXX");
	if (!mkdtemp(run_dir))
		return -1;
	const struct tape_config config = {.run_dir = run_dir,
					   .instance = "one",
					   .number = 1,
					   .worker_count = 2,
					   .ring_bytes = TAPE_RING_BYTES_MIN,
					   .filter = ""};

	file = tape_create(&config);
	reader = file ? tape_reader_open(tape_path(file)) : NULL;
	return reader ? 0 : -1;
}

static int tear_down(void **state)
{
	tape_reader_close(reader);
	tape_destroy(file);
	return rmdir(run_dir);
}

static void write_one(uint32_t worker, uint64_t time_ns)
{
	struct tape *tape = tape_of(file, worker);
	struct tape_record *record = tape_next(tape, 100);

	record->bytes = record->len = 100;
	record->time_ns = time_ns;
	record->point = TAPE_CAME;
	tape_done(tape, record);
}

// The time of the next, 0: there is none.
static uint64_t next_ns(void)
{
	uint32_t worker;
	int error;
	const struct tape_record *record = tape_reader_next(reader, UINT64_MAX, &worker, &error);

	assert_int_equal(error, 0);
	return record ? record->time_ns : 0;
}

static void each_worker_is_awaited_until_it_has_begun(void **state)
{
	assert_int_equal(tape_reader_awaited(reader), 2);
	cell_set(&tape_of(file, 1)->taken, 1);
	assert_int_equal(tape_reader_awaited(reader), 1);
	cell_set(&tape_of(file, 0)->taken, 1);
	assert_int_equal(tape_reader_awaited(reader), 0);
}

static void what_is_written_after_the_stop_is_not_handed_out(void **state)
{
	write_one(0, 1);
	write_one(1, 4); // later than what worker 0 writes below: time does not decide
	tape_reader_stop(reader);
	write_one(0, 2);
	write_one(1, 5);
	assert_int_equal(next_ns(), 1);
	assert_int_equal(next_ns(), 4);
	assert_int_equal(next_ns(), 0);
	write_one(0, 3);
	assert_int_equal(next_ns(), 0);
}

static void what_was_read_ahead_of_the_stop_is_not_lost(void **state)
{
	for (uint64_t i = 1; i <= 5; i++)
		write_one(0, i);
	assert_int_equal(next_ns(), 1); // the reader has copied all five
	write_one(0, 6);
	tape_reader_stop(reader);
	write_one(0, 7);
	for (uint64_t i = 2; i <= 6; i++)
		assert_int_equal(next_ns(), i);
	assert_int_equal(next_ns(), 0);
	assert_int_equal(tape_reader_lost(reader, 0), 0);
}

// The writer is a round ahead: nothing is left of what lay before the stop.
static void a_stop_that_was_overtaken_is_an_end_too(void **state)
{
	write_one(0, 1);
	tape_reader_stop(reader);
	for (uint64_t i = 0; i < 2 * TAPE_RING_BYTES_MIN / 128; i++)
		write_one(0, 2 + i);
	assert_int_equal(next_ns(), 0);
	assert_int_equal(next_ns(), 0);
	assert_int_equal(tape_reader_lost(reader, 0), 1); // of what came later nobody speaks
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(each_worker_is_awaited_until_it_has_begun),
		T(what_is_written_after_the_stop_is_not_handed_out),
		T(what_was_read_ahead_of_the_stop_is_not_lost),
		T(a_stop_that_was_overtaken_is_an_end_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
