// SPDX-License-Identifier: BSD-3-Clause
// What a reader finds of connections: rows that are whole, by the names of their fields, of
// whatever version; none of what is being written, and no harm from a hostile file.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../seed.h"
#include "base/rand.h"
#include "observe/conn_row.h"
#include "observe/shm_reader.h"
#include "sync/row.h"

static char run_dir[64];

static int make_run_dir(void **state)
{
	strcpy(run_dir, "/tmp/test_shm.XXXXXX");
	return mkdtemp(run_dir) ? 0 : -1;
}

static int remove_run_dir(void **state)
{
	return rmdir(run_dir);
}

static struct shm *create(void)
{
	return shm_create(&(struct shm_config){
		.instance = "one", .run_dir = run_dir, .worker_count = 2, .port_count = 1});
}

static struct conn_row sample(uint64_t handle)
{
	struct conn_row row = {.local = addr_from_v4_octets(10, 0, 0, 1),
			       .remote = addr_from_v4_octets(10, 0, 0, 2)};
	uint64_t *words = &row.version + 1;

	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++)
		words[i] = 1000 * handle + i;
	row.handle = handle;
	return row;
}

static void put(struct shm *shm, uint32_t worker, uint32_t index, uint64_t handle)
{
	struct conn_row row = sample(handle);

	row_write(&shm_conn_rows(shm, worker)[index].version, &row.version + 1, CONN_ROW_WORDS);
}

static bool has(const struct shm_reader *r, uint32_t worker, uint32_t index, struct conn_row *out)
{
	bool unfinished, found = shm_reader_conn(r, worker, index, out, &unfinished);

	assert_false(unfinished);
	return found;
}

static void rows_are_read_when_they_are_asked_for(void **state)
{
	struct shm *shm = create();
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	struct conn_row row, want = sample(7);

	put(shm, 1, 5, 7);
	assert_int_equal(shm_reader_refresh(r), 0);
	assert_int_equal(shm_reader_conn_rows(r), 0); // numbers are read without them
	assert_false(has(r, 1, 5, &row));
	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_int_equal(shm_reader_conn_rows(r), CONN_ROWS / 2);
	assert_true(has(r, 1, 5, &row));
	assert_memory_equal(&row.version + 1, &want.version + 1, 8 * CONN_ROW_WORDS);
	assert_false(has(r, 0, 5, &row));
	assert_false(has(r, 1, 4, &row));
	assert_false(has(r, 1, CONN_ROWS / 2, &row));
	assert_false(has(r, 2, 0, &row));
	put(shm, 1, 5, 0);
	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_false(has(r, 1, 5, &row));
	shm_reader_close(r);
	shm_destroy(shm);
}

static void the_rows_of_workers_lie_apart(void **state)
{
	struct shm *shm = create();
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	struct conn_row row;

	assert_int_equal(shm_conn_rows(shm, 1) - shm_conn_rows(shm, 0), CONN_ROWS / 2);
	put(shm, 0, CONN_ROWS / 2 - 1, 3);
	put(shm, 1, 0, 4);
	put(shm, 1, CONN_ROWS / 2 - 1, 5);
	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_true(has(r, 0, CONN_ROWS / 2 - 1, &row));
	assert_int_equal(row.handle, 3);
	assert_true(has(r, 1, 0, &row));
	assert_int_equal(row.handle, 4);
	assert_true(has(r, 1, CONN_ROWS / 2 - 1, &row));
	assert_int_equal(row.handle, 5);
	shm_reader_close(r);
	shm_destroy(shm);
}

static void a_row_that_is_being_written_is_left_out_and_told(void **state)
{
	struct shm *shm = create();
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	struct conn_row row;
	bool unfinished;

	put(shm, 0, 2, 9);
	shm_conn_rows(shm, 0)[2].version++;
	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_false(shm_reader_conn(r, 0, 2, &row, &unfinished));
	assert_true(unfinished);
	assert_false(shm_reader_conn(r, 0, 3, &row, &unfinished));
	assert_false(unfinished);
	shm_reader_close(r);
	shm_destroy(shm);
}

// In the file, behind the reader's back; as another version would have written it.
static struct shm_field *field_of(struct shm *shm, char *file, const char *name)
{
	struct shm_head *head = (void *)file;
	struct shm_field *fields = (void *)(file + head->fields_offset);

	for (uint32_t i = 0; i < head->table_count; i++) {
		struct shm_table *t = &head->table[i];

		if (strcmp(t->name, "connection") != 0)
			continue;
		for (uint32_t k = 0; k < t->field_count; k++)
			if (strcmp(fields[t->field_first + k].name, name) == 0)
				return &fields[t->field_first + k];
	}
	fail_msg("no field %s in %s", name, shm_path(shm));
	return NULL;
}

// What lies before the rows: head and descriptions.
static char *head_of(const struct shm *shm, size_t *bytes)
{
	struct shm_head head;
	int fd = open(shm_path(shm), O_RDONLY);
	char *file;

	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	*bytes = head.fields_offset + head.field_count * sizeof(struct shm_field);
	file = malloc(*bytes);
	assert_int_equal(pread(fd, file, *bytes, 0), *bytes);
	close(fd);
	return file;
}

static void put_head(const struct shm *shm, const char *file, size_t bytes)
{
	int fd = open(shm_path(shm), O_RDWR);

	assert_int_equal(pwrite(fd, file, bytes, 0), bytes);
	close(fd);
}

static void what_another_version_does_not_show_is_zero(void **state)
{
	struct shm *shm = create();
	size_t bytes;
	char *file = head_of(shm, &bytes);
	struct conn_row row;

	put(shm, 0, 0, 8);
	strcpy(field_of(shm, file, "srtt_us")->name, "new_name");
	field_of(shm, file, "remote")->kind = 77;
	put_head(shm, file, bytes);
	struct shm_reader *r = shm_reader_open(shm_path(shm));

	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_true(has(r, 0, 0, &row));
	assert_int_equal(row.srtt_us, 0);
	assert_int_equal(row.remote.half[1], 0);
	assert_int_equal(row.rttvar_us, sample(8).rttvar_us);
	shm_reader_close(r);
	strcpy(field_of(shm, file, "version")->name, "other");
	put_head(shm, file, bytes);
	r = shm_reader_open(shm_path(shm));
	assert_int_equal(shm_reader_refresh_conns(r), 0);
	assert_int_equal(shm_reader_conn_rows(r), 0); // nobody could tell what is whole
	shm_reader_close(r);
	free(file);
	shm_destroy(shm);
}

static void a_hostile_description_harms_no_reader(void **state)
{
	struct shm *shm = create();
	uint32_t refused = 0, found = 0;
	struct rng rng;
	size_t bytes;
	char *file = head_of(shm, &bytes);
	char *first = (char *)field_of(shm, file, "handle");

	rng_seed(&rng, test_seed());
	put(shm, 0, 0, 8);
	for (int round = 0; round < 400; round++) {
		size_t table = offsetof(struct shm_head, table);
		size_t at = round % 2 ? table + rng_below(&rng, sizeof(struct shm_table) * 12)
				      : (size_t)(first - file) +
						rng_below(&rng, 36 * sizeof(struct shm_field));
		char saved = file[at];
		struct conn_row row;
		bool unfinished;

		file[at] = (char)(rng_below(&rng, 4) ? rng_next(&rng) : 0xff);
		put_head(shm, file, bytes);
		file[at] = saved;
		struct shm_reader *r = shm_reader_open(shm_path(shm));

		refused += !r;
		if (!r)
			continue;
		if (shm_reader_refresh_conns(r) == 0)
			for (uint32_t i = 0; i < 2 * CONN_ROWS; i += 1000)
				found += shm_reader_conn(r, i % 3, i, &row, &unfinished);
		shm_reader_close(r);
	}
	put_head(shm, file, bytes);
	assert_in_range(refused, 10, 390);
	assert_true(found > 0);
	free(file);
	shm_destroy(shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_read_when_they_are_asked_for),
		cmocka_unit_test(the_rows_of_workers_lie_apart),
		cmocka_unit_test(a_row_that_is_being_written_is_left_out_and_told),
		cmocka_unit_test(what_another_version_does_not_show_is_zero),
		cmocka_unit_test(a_hostile_description_harms_no_reader),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
