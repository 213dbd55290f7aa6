// SPDX-License-Identifier: BSD-3-Clause
// Tapes: what workers write is read whole, in order and by time; of what was overwritten first, how
// many packets there were is known and nothing else. Each packet's length and bytes follow from its
// number, so that one put together from two is seen.
#include "observe/tape.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "observe/counter.h"
#include "observe/tape_reader.h"
#include "observe/verdict.h"

#define RING TAPE_RING_BYTES_MIN
#define LINE_PKTS (TAPE_PAGE_BYTES / CACHE_LINE_BYTES) // in a page, of 16 bytes each

static char run_dir[64];

static int make_run_dir(void **state)
{
	strcpy(run_dir, "/tmp/test_tape.XXXXXX");
	return mkdtemp(run_dir) ? 0 : -1;
}

static int remove_run_dir(void **state)
{
	return rmdir(run_dir); // fails when a test left a file
}

struct bench {
	struct tape_file *file;
	struct tape *tape[2];
	struct tape_reader *reader;
};

static struct tape_config config(void)
{
	return (struct tape_config){
		.run_dir = run_dir,
		.instance = "one",
		.number = 3,
		.worker_count = 2,
		.ring_bytes = RING,
		.points = 1u << TAPE_CAME | 1u << TAPE_DROPPED,
		.snap_bytes = 200,
		.filter = "tcp port 80",
		.wall_ns = 5000,
		.clock_ns = 50,
		.port_count = 1,
		.port = {{.name = "wan", .device = "tap:wan0"}},
	};
}

static int set_up(void **state)
{
	static struct bench bench;
	struct tape_config c = config();

	bench.file = tape_create(&c);
	assert_non_null(bench.file);
	for (uint32_t w = 0; w < 2; w++)
		bench.tape[w] = tape_of(bench.file, w);
	bench.reader = tape_reader_open(tape_path(bench.file));
	assert_non_null(bench.reader);
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	tape_reader_close(b->reader);
	tape_destroy(b->file);
	return 0;
}

// Neither of two packets has a byte of the other's at the same place, but for one in 2^64.
static uint64_t word_of(uint64_t number, uint64_t i)
{
	return (number + (i << 40)) * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill(uint8_t *to, uint64_t number, uint32_t bytes)
{
	for (uint32_t at = 0; at < bytes; at += 8) {
		uint64_t word = word_of(number, at);

		memcpy(to + at, &word, MIN(8u, bytes - at));
	}
}

static bool is_filled(const uint8_t *bytes, uint64_t number, uint32_t len)
{
	for (uint32_t at = 0; at < len; at += 8) {
		uint64_t word = word_of(number, at);

		if (memcmp(bytes + at, &word, MIN(8u, len - at)) != 0)
			return false;
	}
	return true;
}

static void write_one(struct tape *tape, uint64_t time_ns, uint32_t bytes)
{
	struct tape_record *record = tape_next(tape, bytes);

	record->bytes = bytes;
	record->len = bytes + 7;
	record->reason = DROP_NO_ROUTE;
	record->point = TAPE_DROPPED;
	record->port = 4;
	record->time_ns = time_ns;
	record->journey = record->number * 3;
	record->head_kind = VERDICT_HEAD_IP;
	fill((uint8_t *)(record + 1), record->number, bytes);
	tape_done(tape, record);
}

static void assert_is(const struct tape_record *r, uint64_t time_ns, uint32_t bytes)
{
	assert_int_equal(r->bytes, bytes);
	assert_int_equal(r->len, bytes + 7);
	assert_int_equal(r->reason, DROP_NO_ROUTE);
	assert_int_equal(r->point, TAPE_DROPPED);
	assert_int_equal(r->port, 4);
	assert_int_equal(r->time_ns, time_ns);
	assert_int_equal(r->journey, r->number * 3);
	assert_int_equal(r->head_kind, VERDICT_HEAD_IP);
	assert_true(is_filled(tape_record_bytes(r), r->number, bytes));
}

// The next of those not later than this, or NULL.
static const struct tape_record *next_until(struct bench *b, uint64_t until_ns, uint32_t *worker)
{
	int error = -1;
	const struct tape_record *r = tape_reader_next(b->reader, until_ns, worker, &error);

	assert_int_equal(error, 0);
	return r;
}

// The next of worker 0, or NULL.
static const struct tape_record *next(struct bench *b)
{
	uint32_t worker = 0;
	const struct tape_record *r = next_until(b, UINT64_MAX, &worker);

	assert_int_equal(worker, 0);
	return r;
}

static void a_packet_of_any_length_is_read_as_it_was_written(void **state)
{
	static const uint32_t sizes[] = {
		1, 7, 15, 16, 17, 64, 1514, 65535, 65536, 80, TAPE_SNAP_BYTES_MAX, 2};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		assert_null(next(b));
		write_one(b->tape[0], i, sizes[i]);
		const struct tape_record *r = next(b);

		assert_non_null(r);
		assert_int_equal(r->number, i + 1);
		assert_is(r, i, sizes[i]);
	}
	assert_null(next(b));
	assert_int_equal(tape_reader_lost(b->reader, 0), 0);
	assert_int_equal(b->tape[0]->pkts, ARRAY_COUNT(sizes));
}

// The reader is told of nothing, and finds all that fits into the ring.
static void many_are_read_at_one_go(void **state)
{
	struct bench *b = *state;
	uint64_t read = 0;

	for (uint32_t i = 0; i < 700; i++)
		write_one(b->tape[0], i, 1 + i * 3);
	for (const struct tape_record *r = next(b); r; r = next(b), read++)
		assert_is(r, read, 1 + (uint32_t)read * 3);
	assert_int_equal(read, 700);
}

static void what_does_not_fit_in_the_page_begins_at_the_next(void **state)
{
	struct bench *b = *state;
	uint32_t at = 0;

	write_one(b->tape[0], 1, TAPE_SNAP_BYTES_MAX);
	at = (uint32_t)b->tape[0]->place.written;
	write_one(b->tape[0], 2, TAPE_SNAP_BYTES_MAX); // no room for the second one
	assert_int_equal(b->tape[0]->place.written, TAPE_PAGE_BYTES + at);
	const struct tape_record *second = (void *)(tape_bytes(b->tape[0]) + TAPE_PAGE_BYTES);

	assert_int_equal(second->number, 2);
	assert_is(second, 2, TAPE_SNAP_BYTES_MAX);
	assert_is(next(b), 1, TAPE_SNAP_BYTES_MAX);
	assert_is(next(b), 2, TAPE_SNAP_BYTES_MAX);
	assert_null(next(b));
	assert_int_equal(tape_reader_lost(b->reader, 0), 0);
}

static void what_fits_in_the_page_to_the_last_byte_fills_it(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < LINE_PKTS; i++)
		write_one(b->tape[0], i, 16);
	assert_int_equal(b->tape[0]->place.written, TAPE_PAGE_BYTES);
	write_one(b->tape[0], LINE_PKTS, 16);
	assert_int_equal(b->tape[0]->place.written, TAPE_PAGE_BYTES + CACHE_LINE_BYTES);
	for (uint32_t i = 0; i <= LINE_PKTS; i++)
		assert_is(next(b), i, 16);
	assert_null(next(b));
}

static void what_is_not_done_yet_is_not_seen(void **state)
{
	struct bench *b = *state;
	struct tape_record *record = tape_next(b->tape[0], 100);

	assert_null(next(b));
	*record = (struct tape_record){.record_bytes = record->record_bytes,
				       .number = record->number,
				       .bytes = 100,
				       .len = 100};
	assert_null(next(b));
	tape_done(b->tape[0], record);
	assert_int_equal(next(b)->number, 1);
}

static void those_of_two_workers_come_by_time(void **state)
{
	static const uint64_t times[2][5] = {{10, 40, 50, 80, 90}, {20, 30, 60, 70, 100}};
	static const uint8_t from[10] = {0, 1, 1, 0, 0, 1, 1, 0, 0, 1};
	struct bench *b = *state;
	uint32_t worker = 9;

	for (uint32_t w = 0; w < 2; w++)
		for (int i = 0; i < 5; i++)
			write_one(b->tape[w], times[w][i], 10 + w);
	for (uint32_t i = 0; i < 10; i++) {
		const struct tape_record *r = next_until(b, UINT64_MAX, &worker);

		assert_non_null(r);
		assert_int_equal(worker, from[i]);
		assert_is(r, 10 * (i + 1), 10 + worker);
	}
	assert_null(next_until(b, UINT64_MAX, &worker));
}

static void later_ones_are_held_back(void **state)
{
	struct bench *b = *state;
	uint32_t worker = 9;

	write_one(b->tape[0], 30, 1);
	write_one(b->tape[1], 40, 1);
	assert_null(next_until(b, 29, &worker));
	assert_int_equal(next_until(b, 30, &worker)->time_ns, 30);
	assert_null(next_until(b, 39, &worker));
	write_one(b->tape[0], 35, 1); // for one that wrote later than the other it was worth it
	assert_int_equal(next_until(b, 50, &worker)->time_ns, 35);
	assert_int_equal(next_until(b, 50, &worker)->time_ns, 40);
	assert_int_equal(worker, 1);
	assert_null(next_until(b, UINT64_MAX, &worker));
}

// Any length to 3000, by the number.
static uint32_t some_bytes(uint64_t number)
{
	return 1 + (uint32_t)(number * 7919 % 3000);
}

static void write_some(struct tape *tape, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		write_one(tape, tape->pkts, some_bytes(tape->pkts + 1));
}

// Reads all there are after the last that was read. Returns how many.
static uint64_t read_rest(struct bench *b, uint64_t *last)
{
	uint64_t count = 0;

	for (const struct tape_record *r = next(b); r; r = next(b), count++) {
		assert_true(r->number == *last + 1 || (count == 0 && r->number > *last));
		assert_is(r, r->number - 1, some_bytes(r->number));
		*last = r->number;
	}
	return count;
}

static void what_was_overwritten_is_counted_and_the_rest_is_read_in_order(void **state)
{
	struct bench *b = *state;
	uint64_t last = 0, read = 0;

	for (uint64_t round = 0; round < 5; round++) {
		write_some(b->tape[0], 3); // nothing is lost yet
		assert_int_equal(read_rest(b, &last), 3);
		read += 3;
		uint64_t lost = tape_reader_lost(b->reader, 0);

		write_some(b->tape[0], 2000 + 777 * round); // three rings and more
		read += read_rest(b, &last);
		assert_int_equal(last, b->tape[0]->pkts);
		assert_int_equal(tape_reader_lost(b->reader, 0) + read, b->tape[0]->pkts);
		assert_true(tape_reader_lost(b->reader, 0) > lost + 1000);
	}
	assert_true(read > 5 * 300); // of a ring at least three of four pages are left
	assert_int_equal(tape_reader_lost(b->reader, 1), 0);
}

// As one page is all that who fell behind may skip beyond what he has to.
static void of_a_whole_ring_nothing_is_lost_and_of_more_a_page(void **state)
{
	struct bench *b = *state;
	uint64_t number = LINE_PKTS + 1;

	for (uint32_t i = 0; i < 4 * LINE_PKTS; i++)
		write_one(b->tape[0], i, 16);
	assert_int_equal(next(b)->number, 1); // a page is copied
	for (uint32_t i = 2; i <= LINE_PKTS; i++)
		assert_int_equal(next(b)->number, i);
	write_one(b->tape[0], 0, 16);
	for (uint32_t i = LINE_PKTS + 1; i <= 4 * LINE_PKTS + 1; i++)
		assert_int_equal(next(b)->number, i);
	assert_int_equal(tape_reader_lost(b->reader, 0), 0);
	for (uint32_t i = 1; i < 4 * LINE_PKTS + 2; i++)
		write_one(b->tape[0], i, 16);
	for (number = 5 * LINE_PKTS + 1; number <= 8 * LINE_PKTS + 2; number++)
		assert_int_equal(next(b)->number, number);
	assert_int_equal(tape_reader_lost(b->reader, 0), LINE_PKTS - 1);
}

// The writer stopped in the middle of a record that lies where the oldest were.
static void what_is_being_overwritten_is_not_read(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < 4 * LINE_PKTS; i++)
		write_one(b->tape[0], i, 16);
	struct tape_record *half = tape_next(b->tape[0], 16);

	memset(half + 1, 'x', 16);
	const struct tape_record *r = next(b);

	assert_int_equal(r->number, LINE_PKTS + 1);
	assert_is(r, LINE_PKTS, 16);
	assert_int_equal(tape_reader_lost(b->reader, 0), LINE_PKTS);
}

#define FULL_SPEED_PKTS 300000

static void *write_at_full_speed(void *tape)
{
	write_some(tape, FULL_SPEED_PKTS);
	return NULL;
}

static void beside_a_writer_at_full_speed_each_one_read_is_whole(void **state)
{
	struct bench *b = *state;
	uint64_t last = 0, read = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_at_full_speed, b->tape[0]), 0);
	while (last < FULL_SPEED_PKTS) {
		const struct tape_record *r = next(b);

		if (!r)
			continue;
		read++;
		assert_true(r->number > last);
		last = r->number;
		assert_is(r, last - 1, some_bytes(last));
		assert_int_equal(read + tape_reader_lost(b->reader, 0), last);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(next(b));
}

static void the_head_says_what_is_captured_and_by_whom(void **state)
{
	struct bench *b = *state;
	const struct tape_head *head = tape_reader_head(b->reader);
	char path[128];

	snprintf(path, sizeof(path), "%s/one-3.tape", run_dir);
	assert_string_equal(tape_path(b->file), path);
	assert_int_equal(head->worker_count, 2);
	assert_int_equal(head->ring_bytes, RING);
	assert_int_equal(head->points, 1u << TAPE_CAME | 1u << TAPE_DROPPED);
	assert_int_equal(head->snap_bytes, 200);
	assert_int_equal(head->wall_ns, 5000);
	assert_int_equal(head->clock_ns, 50);
	assert_int_equal(head->pid, getpid());
	assert_string_equal(head->instance, "one");
	assert_string_equal(head->filter, "tcp port 80");
	assert_string_equal(head->port[0].name, "wan");
	assert_string_equal(head->port[0].device, "tap:wan0");
	assert_true(tape_reader_is_fed(b->reader));
}

static void a_ring_is_a_power_of_two_within_bounds(void **state)
{
	static const uint64_t asked[] = {0, RING + 1, 5u << 20};
	static const uint64_t had[] = {RING, 2 * RING, 8u << 20};

	for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
		struct tape_config c = config();

		c.ring_bytes = asked[i];
		c.number = 4;
		struct tape_file *file = tape_create(&c);

		assert_int_equal(tape_of(file, 0)->ring_bytes, had[i]);
		tape_destroy(file);
	}
}

static void what_cannot_be_made_leaves_nothing(void **state)
{
	struct tape_config c = config();

	c.run_dir = "/tmp/test_tape.none";
	assert_null(tape_create(&c));
	assert_int_equal(err_last()->id, ERR_TAPE);
}

static void a_tape_is_forsaken_when_its_last_reader_closed(void **state)
{
	struct bench *b = *state;
	struct tape_reader *other = tape_reader_open(tape_path(b->file));

	assert_false(tape_is_forsaken(b->file));
	tape_reader_close(b->reader);
	assert_false(tape_is_forsaken(b->file));
	tape_reader_close(other);
	assert_true(tape_is_forsaken(b->file));
	b->reader = tape_reader_open(tape_path(b->file)); // asking did not take it
	assert_non_null(b->reader);
	assert_false(tape_is_forsaken(b->file));
}

static void a_writer_may_go_first(void **state)
{
	struct bench *b = *state;
	struct tape_config c = config();
	char path[128];

	write_one(b->tape[0], 1, 100);
	snprintf(path, sizeof(path), "%s", tape_path(b->file));
	assert_int_equal(access(path, F_OK), 0);
	tape_destroy(b->file);
	assert_int_equal(access(path, F_OK), -1);
	assert_is(next(b), 1, 100);
	assert_null(next(b));
	b->file = tape_create(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_packet_of_any_length_is_read_as_it_was_written),
		T(many_are_read_at_one_go),
		T(what_does_not_fit_in_the_page_begins_at_the_next),
		T(what_fits_in_the_page_to_the_last_byte_fills_it),
		T(what_is_not_done_yet_is_not_seen),
		T(those_of_two_workers_come_by_time),
		T(later_ones_are_held_back),
		T(what_was_overwritten_is_counted_and_the_rest_is_read_in_order),
		T(of_a_whole_ring_nothing_is_lost_and_of_more_a_page),
		T(what_is_being_overwritten_is_not_read),
		T(beside_a_writer_at_full_speed_each_one_read_is_whole),
		T(the_head_says_what_is_captured_and_by_whom),
		T(a_ring_is_a_power_of_two_within_bounds),
		T(what_cannot_be_made_leaves_nothing),
		T(a_tape_is_forsaken_when_its_last_reader_closed),
		T(a_writer_may_go_first),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
