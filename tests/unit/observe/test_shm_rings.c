// SPDX-License-Identifier: BSD-3-Clause
// The rings in the shared-memory file: what a worker wrote is read by number, and what was
// overwritten meanwhile is not.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/shm_reader.h"

static char run_dir[64];

static int make_run_dir(void **state)
{
	strcpy(run_dir, "/tmp/test_rings.XXXXXX");
	return mkdtemp(run_dir) ? 0 : -1;
}

static int remove_run_dir(void **state)
{
	return rmdir(run_dir); // fails when a test left a file
}

static struct shm *create(const char *instance)
{
	return shm_create(&(struct shm_config){
		.instance = instance, .run_dir = run_dir, .worker_count = 2, .port_count = 1});
}

static void trace_gives_the_whole_records_that_are_left(void **state)
{
	struct shm *shm = create("one");
	struct env env = {.trace = shm_trace(shm, 1)};
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	uint64_t first, end;

	shm_reader_trace_range(r, 1, &first, &end);
	assert_int_equal(end - first, 0);
	for (uint64_t i = 0; i < 10; i++)
		trace_add(&env, EVENT_TCP_STATE, 0, i, 0);
	shm_reader_refresh(r);
	shm_reader_trace_range(r, 1, &first, &end);
	assert_int_equal(first, 0);
	assert_int_equal(end, 10);
	for (uint64_t i = 10; i < 2 * TRACE_RECORDS; i++)
		trace_add(&env, EVENT_TCP_STATE, 0, i, 0);
	shm_reader_refresh(r);
	trace_add(&env, EVENT_TCP_STATE, 0, 2 * TRACE_RECORDS, 0);
	shm_reader_trace_range(r, 1, &first, &end);
	assert_int_equal(end, 2 * TRACE_RECORDS);
	// One was overwritten since, and some may just be.
	assert_in_range(first, TRACE_RECORDS + 2, TRACE_RECORDS + 16);
	for (uint64_t i = first; i < end; i++)
		assert_int_equal(shm_reader_trace(r, 1, i)->a, i);
	shm_reader_trace_range(r, 2, &first, &end);
	assert_int_equal(end, 0);
	const struct shm_table *events = shm_reader_table(r, "event");

	assert_string_equal(
		shm_reader_text(r, events, EVENT_TCP_STATE, shm_reader_find(r, events, "name")),
		"TCP_STATE");
	shm_reader_close(r);
	shm_destroy(shm);
}

static void drop_one(struct env *env, uint32_t len)
{
	*verdict_next(env->verdicts, env->verdict_mask) =
		(struct verdict){.len = len, .reason = DROP_TCP_CHECKSUM, .head_bytes = 255};
	verdict_done(env->verdicts);
}

static void verdicts_are_read_when_they_are_asked_for(void **state)
{
	struct shm *shm = create("one");
	struct env env = {.verdicts = shm_verdicts(shm, 1), .verdict_mask = VERDICT_RECORDS - 1};
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	uint64_t first, end;

	drop_one(&env, 60);
	assert_int_equal(shm_reader_refresh(r), 0);
	shm_reader_verdict_range(r, SHM_DROPS, 1, &first, &end);
	assert_int_equal(end - first, 0); // numbers are read without them
	assert_int_equal(shm_reader_refresh_verdicts(r, SHM_DROPS), 0);
	shm_reader_verdict_range(r, SHM_DROPS, 1, &first, &end);
	assert_int_equal(end - first, 1);
	struct verdict v = shm_reader_verdict(r, SHM_DROPS, 1, first);

	assert_int_equal(v.len, 60);
	assert_int_equal(v.head_bytes, VERDICT_HEAD_BYTES); // more there cannot be
	assert_string_equal(shm_reader_drop(r, v.reason)->name, "drop.TCP_CHECKSUM");
	for (uint32_t i = 2; i <= 2 * VERDICT_RECORDS; i++)
		drop_one(&env, i);
	assert_int_equal(shm_reader_refresh_verdicts(r, SHM_DROPS), 0);
	shm_reader_verdict_range(r, SHM_DROPS, 1, &first, &end);
	assert_int_equal(end, 2 * VERDICT_RECORDS);
	assert_in_range(first, VERDICT_RECORDS + 1, VERDICT_RECORDS + 16);
	assert_int_equal(shm_reader_verdict(r, SHM_DROPS, 1, first).len, first + 1);
	shm_reader_verdict_range(r, SHM_DROPS, 2, &first, &end);
	assert_int_equal(end, 0);
	shm_reader_close(r);
	shm_destroy(shm);
}

static void every_reason_is_found_by_its_number(void **state)
{
	struct shm *shm = create("one");
	struct shm_reader *r = shm_reader_open(shm_path(shm));

	assert_null(shm_reader_drop(r, DROP_OK));
	for (uint32_t i = DROP_OK + 1; i < DROP_COUNT; i++)
		assert_string_equal(shm_reader_drop(r, i)->name + strlen("drop."),
				    drop_infos[i].name);
	assert_null(shm_reader_drop(r, DROP_COUNT));
	shm_reader_close(r);
	shm_destroy(shm);
}

// Of a table by this name in the file's head.
static struct shm_table *table_of(struct shm_head *head, const char *name)
{
	for (uint32_t i = 0; i < head->table_count; i++)
		if (strcmp(head->table[i].name, name) == 0)
			return &head->table[i];
	return NULL;
}

// A file that somebody else made: texts where verdicts are, which grow while they are read.
static void a_table_that_reaches_into_the_verdicts_takes_them_away(void **state)
{
	struct shm *shm = create("one");
	struct env env = {.verdicts = shm_verdicts(shm, 0), .verdict_mask = VERDICT_RECORDS - 1};
	int fd = open(shm_path(shm), O_RDWR);
	struct shm_head head;
	uint64_t first, end;

	drop_one(&env, 60);
	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	table_of(&head, "port")->offset = table_of(&head, "verdict")->offset;
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	struct shm_reader *r = shm_reader_open(shm_path(shm));

	assert_non_null(r);
	memset(shm_verdicts(shm, 0), 'x', sizeof(struct verdicts));
	assert_int_equal(shm_reader_refresh_verdicts(r, SHM_DROPS), 0);
	shm_reader_verdict_range(r, SHM_DROPS, 0, &first, &end);
	assert_int_equal(end, 0);
	const struct shm_table *port = shm_reader_table(r, "port");

	assert_true(strlen(shm_reader_text(r, port, 0, shm_reader_find(r, port, "name"))) <
		    sizeof(((struct shm_port *)0)->name));
	shm_reader_close(r);
	close(fd);
	shm_destroy(shm);
}

static void texts_have_nothing_that_a_terminal_obeys(void **state)
{
	struct shm *shm = create("one");

	strcpy(shm_port(shm, 0)->name, "p\033[2J\xff");
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	const struct shm_table *port = shm_reader_table(r, "port");

	assert_string_equal(shm_reader_text(r, port, 0, shm_reader_find(r, port, "name")),
			    "p?[2J?");
	shm_reader_close(r);
	shm_destroy(shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace_gives_the_whole_records_that_are_left),
		cmocka_unit_test(verdicts_are_read_when_they_are_asked_for),
		cmocka_unit_test(every_reason_is_found_by_its_number),
		cmocka_unit_test(a_table_that_reaches_into_the_verdicts_takes_them_away),
		cmocka_unit_test(texts_have_nothing_that_a_terminal_obeys),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
