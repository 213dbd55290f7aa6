// SPDX-License-Identifier: BSD-3-Clause
// Tapes that somebody else made, or that a process spoiled when it died: each field of the head and
// of a record that a reader follows, set to what leads astray. It is an error with a name; nothing
// is read beyond what is there, and no reader goes round for ever.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "observe/tape_reader.h"

static char run_dir[64], forged[128];

static int make_run_dir(void **state)
{
	strcpy(run_dir, "/tmp/test_tape_hostile.XXXXXX");
	if (!mkdtemp(run_dir))
		return -1;
	snprintf(forged, sizeof(forged), "%s/forged.tape", run_dir);
	return 0;
}

static int remove_run_dir(void **state)
{
	return rmdir(run_dir); // fails when a test left a file
}

static struct tape_file *create(void)
{
	struct tape_file *file = tape_create(&(struct tape_config){.run_dir = run_dir,
								   .instance = "one",
								   .worker_count = 2,
								   .filter = "",
								   .port_count = 1});

	assert_non_null(file);
	return file;
}

static struct tape_head sound_head(void)
{
	struct tape_file *file = create();
	struct tape_reader *reader = tape_reader_open(tape_path(file));
	struct tape_head head = *tape_reader_head(reader);

	tape_reader_close(reader);
	tape_destroy(file);
	return head;
}

// Whether a file with this head, as long as that, is taken for a tape.
static bool opens(const struct tape_head *head, uint64_t file_bytes)
{
	int fd = open(forged, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, head, sizeof(*head)), sizeof(*head));
	assert_int_equal(ftruncate(fd, (off_t)file_bytes), 0);
	close(fd);
	err_clear();
	struct tape_reader *reader = tape_reader_open(forged);

	if (!reader)
		assert_int_equal(err_last()->id, ERR_TAPE_DAMAGED);
	tape_reader_close(reader);
	unlink(forged);
	return reader != NULL;
}

static void a_file_that_is_too_short_is_refused(void **state)
{
	struct tape_head head = sound_head();

	assert_true(opens(&head, head.file_bytes));
	assert_false(opens(&head, head.file_bytes - 1));
	assert_false(opens(&head, head.rings_offset));
	assert_false(opens(&head, sizeof(head)));
	assert_false(opens(&head, sizeof(head) - 1));
	assert_false(opens(&head, 10));
	assert_false(opens(&head, 0));
}

// The head with one field changed.
#define ASTRAY(field, value) \
	do { \
		struct tape_head changed = head; \
		changed.field = (value); \
		if (opens(&changed, head.file_bytes)) \
			fail_msg("%s is let be %s", #field, #value); \
	} while (0)

static void a_head_with_a_wrong_number_is_refused(void **state)
{
	struct tape_head head = sound_head();

	ASTRAY(magic[0], 'p');
	ASTRAY(magic[7], 0);
	ASTRAY(layout, TAPE_LAYOUT + 1);
	ASTRAY(worker_count, 0);
	ASTRAY(worker_count, 3);
	ASTRAY(worker_count, WORKERS_MAX + 1);
	ASTRAY(worker_count, UINT32_MAX);
	ASTRAY(port_count, PORTS_MAX + 1);
	ASTRAY(ring_bytes, 0);
	ASTRAY(ring_bytes, 1);
	ASTRAY(ring_bytes, TAPE_RING_BYTES_MIN / 2);
	ASTRAY(ring_bytes, TAPE_RING_BYTES_MIN + TAPE_PAGE_BYTES);
	ASTRAY(ring_bytes, TAPE_RING_BYTES_MIN * 2);
	ASTRAY(ring_bytes, UINT64_C(1) << 63);
	ASTRAY(ring_stride, 0);
	ASTRAY(ring_stride, head.ring_bytes);
	ASTRAY(ring_stride, head.ring_stride + 4096);
	ASTRAY(ring_stride, UINT64_C(1) << 63); // two of them are none
	ASTRAY(rings_offset, head.rings_offset + 1);
	ASTRAY(rings_offset, UINT64_MAX);
}

static void a_ring_that_is_no_power_of_two_is_refused_in_a_file_that_has_room_for_it(void **state)
{
	struct tape_head head = sound_head();

	assert_true(opens(&head, 4 * head.file_bytes));
	head.ring_bytes = head.ring_bytes + TAPE_PAGE_BYTES;
	head.ring_stride *= 2;
	assert_false(opens(&head, 4 * head.file_bytes));
}

static void a_text_without_an_end_is_refused(void **state)
{
	struct tape_head head = sound_head(), changed = head;

	memset(changed.version, 'x', sizeof(changed.version));
	assert_false(opens(&changed, head.file_bytes));
	changed = head;
	memset(changed.instance, 'x', sizeof(changed.instance));
	assert_false(opens(&changed, head.file_bytes));
	changed = head;
	memset(changed.filter, 'x', sizeof(changed.filter));
	assert_false(opens(&changed, head.file_bytes));
	changed = head;
	memset(changed.port[0].name, 'x', sizeof(changed.port[0].name));
	assert_false(opens(&changed, head.file_bytes));
	changed = head;
	memset(changed.port[15].device, 'x', sizeof(changed.port[15].device));
	assert_false(opens(&changed, head.file_bytes));
}

static void assert_refused(const char *path, enum err why)
{
	err_clear();
	assert_null(tape_reader_open(path));
	assert_int_equal(err_last()->id, why);
}

static void what_is_no_file_of_its_own_is_refused(void **state)
{
	struct tape_file *file = create();

	assert_refused(forged, ERR_TAPE_GONE);
	assert_refused(run_dir, ERR_TAPE_DAMAGED); // a directory
	assert_int_equal(mkfifo(forged, 0600), 0);
	assert_refused(forged, ERR_TAPE_DAMAGED); // nobody writes, and nobody waits
	unlink(forged);
	assert_int_equal(symlink(tape_path(file), forged), 0);
	assert_refused(forged, ERR_TAPE_GONE);
	unlink(forged);
	tape_destroy(file);
}

struct bench {
	struct tape_file *file;
	struct tape *tape;
	struct tape_reader *reader;
};

static int set_up(void **state)
{
	static struct bench bench;

	bench.file = create();
	bench.tape = tape_of(bench.file, 0);
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

static void write_one(struct tape *tape)
{
	struct tape_record *record = tape_next(tape, 100);
	struct tape_record fill = {.record_bytes = record->record_bytes,
				   .number = record->number,
				   .bytes = 100,
				   .len = 100,
				   .point = TAPE_CAME};

	*record = fill;
	tape_done(tape, record);
}

static const struct tape_record *next(struct bench *b, int *error)
{
	uint32_t worker;

	err_clear();
	return tape_reader_next(b->reader, UINT64_MAX, &worker, error);
}

static void assert_damaged(struct bench *b)
{
	int error = 0;

	assert_null(next(b, &error));
	assert_int_equal(error, -err_infos[ERR_TAPE_DAMAGED].number);
	assert_int_equal(err_last()->id, ERR_TAPE_DAMAGED);
}

static void a_record_that_leads_astray_is_an_error(void **state)
{
	static const struct tape_record astray[] = {
		{.record_bytes = 0, .bytes = 0, .len = 1},
		{.record_bytes = 0, .bytes = 0, .len = 0}, // filling nothing, for ever
		{.record_bytes = 48, .bytes = 0, .len = 1},
		{.record_bytes = 193, .bytes = 100, .len = 100},
		{.record_bytes = 192 + 64, .bytes = 100, .len = 100}, // beyond what is written
		{.record_bytes = TAPE_PAGE_BYTES, .bytes = 100, .len = 100},
		{.record_bytes = 2 * TAPE_PAGE_BYTES, .bytes = 100, .len = 100},
		{.record_bytes = 0xffffffc0, .bytes = 100, .len = 100},
		{.record_bytes = 192, .bytes = 145, .len = 145},
		{.record_bytes = 192, .bytes = 0xffffffff, .len = 0xffffffff},
		{.record_bytes = 192, .bytes = 101, .len = 100},
		{.record_bytes = 192, .bytes = 100, .len = 100, .point = TAPE_POINTS},
		{.record_bytes = 192, .bytes = 100, .len = 100, .point = 255},
	};
	struct bench *b = *state;
	int error;

	for (size_t i = 0; i < ARRAY_COUNT(astray); i++) {
		write_one(b->tape);
		struct tape_record *record = (void *)tape_bytes(b->tape);

		assert_int_equal(record->record_bytes, 192);
		*record = astray[i];
		assert_damaged(b);
		assert_damaged(b); // it stays
		tear_down(state);
		set_up(state);
	}
	write_one(b->tape);
	((struct tape_record *)(void *)tape_bytes(b->tape))->bytes = 144; // the last that it has
	((struct tape_record *)(void *)tape_bytes(b->tape))->len = 144;
	assert_int_equal(next(b, &error)->bytes, 144);
}

static void a_damaged_worker_is_named_beside_one_that_is_not(void **state)
{
	struct bench *b = *state;
	struct tape *other = tape_of(b->file, 1);

	write_one(b->tape);
	write_one(other);
	((struct tape_record *)(void *)tape_bytes(other))->record_bytes = 0;
	assert_damaged(b);
	assert_non_null(strstr(err_last()->message, "worker 1"));
}

static void places_that_cannot_be_end_in_an_error_or_in_nothing(void **state)
{
	static const struct overrun places[] = {
		{UINT64_MAX, UINT64_MAX},
		{0, UINT64_MAX},
		{UINT64_MAX, 64},
		{64, 1},
		{64, 47},
		{UINT64_C(1) << 63, UINT64_C(1) << 63},
		{2 * TAPE_RING_BYTES_MIN + 1, 64},
	};
	struct bench *b = *state;
	int error;

	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		b->tape->place = places[i];
		for (int n = 0; n < 100; n++)
			assert_null(next(b, &error));
		tear_down(state);
		set_up(state);
	}
}

// Cut off while it is read.
static void a_file_that_becomes_shorter_is_an_error(void **state)
{
	struct bench *b = *state;

	write_one(b->tape);
	assert_int_equal(truncate(tape_path(b->file), TAPE_PAGE_BYTES), 0);
	int error;

	while (next(b, &error))
		;
	assert_int_equal(error, -err_infos[ERR_TAPE_DAMAGED].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		cmocka_unit_test(a_file_that_is_too_short_is_refused),
		cmocka_unit_test(a_head_with_a_wrong_number_is_refused),
		cmocka_unit_test(
			a_ring_that_is_no_power_of_two_is_refused_in_a_file_that_has_room_for_it),
		cmocka_unit_test(a_text_without_an_end_is_refused),
		cmocka_unit_test(what_is_no_file_of_its_own_is_refused),
		T(a_record_that_leads_astray_is_an_error),
		T(a_damaged_worker_is_named_beside_one_that_is_not),
		T(places_that_cannot_be_end_in_an_error_or_in_nothing),
		T(a_file_that_becomes_shorter_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
