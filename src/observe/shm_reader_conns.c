// SPDX-License-Identifier: BSD-3-Clause
// Reading what the shared-memory file shows of connections. Called by tools; never by a worker, who
// writes on meanwhile.
//
// Their table is copied some rows at a time, and each of these parts three times. A row is taken
// from the second copy when its version is the same, and even, in the first and in the third
// (sync/row.h). Where some are not, the part is copied again, a few times: that takes microseconds,
// and in these a worker writes a row seldom. One that is never whole belongs to a worker that was
// stopped in it.
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "observe/conn_row.h"
#include "observe/shm_reader_inside.h"
#include "sync/row.h"

#define ROWS_MAX 65536     // no version writes more,
#define ROW_BYTES_MAX 1024 // or larger ones
#define ROWS_TOGETHER 16u
#define TRIES 8

static bool is_number(const struct shm_field *f)
{
	return f && (f->kind == SHM_COUNTER || f->kind == SHM_GAUGE);
}

static const struct shm_field *find(const struct shm_reader *r, const struct shm_table *t,
				    const char *name, bool is_addr)
{
	const struct shm_field *f = shm_reader_find(r, t, name);

	return f && (is_addr ? f->kind == SHM_ADDR : is_number(f)) ? f : NULL;
}

bool shm_reader_find_conns(struct shm_reader *r, const struct shm_table *t)
{
	struct conn_fields *field = &r->conn_field;

	field->version = find(r, t, "version", false);
	field->local = find(r, t, "local", true);
	field->remote = find(r, t, "remote", true);
	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++)
		field->number[i] = find(r, t, conn_row_fields[i].name, false);
	return t->rows <= ROWS_MAX && t->row_bytes <= ROW_BYTES_MAX && r->head.worker_count &&
	       t->rows_per_worker == t->rows / r->head.worker_count && field->version &&
	       field->number[CONN_ROW_HANDLE];
}

static const char *place_of(const struct shm_reader *r, uint32_t copy, uint32_t row,
			    const struct shm_field *f)
{
	return r->conns + copy * table_bytes_in_file(r->conn_table) +
	       (size_t)row * r->conn_table->row_bytes + f->offset;
}

static uint64_t number(const struct shm_reader *r, uint32_t copy, uint32_t row,
		       const struct shm_field *f)
{
	uint64_t value = 0;

	if (f)
		memcpy(&value, place_of(r, copy, row, f), sizeof(value));
	return value;
}

static bool is_whole(const struct shm_reader *r, uint32_t row)
{
	const struct shm_field *version = r->conn_field.version;

	return row_is_whole(number(r, 0, row, version), number(r, 2, row, version));
}

static bool are_whole(const struct shm_reader *r, uint32_t first, uint32_t end)
{
	while (first < end && is_whole(r, first))
		first++;
	return first == end;
}

static int read_rows(struct shm_reader *r, uint32_t first, uint32_t end)
{
	size_t at = (size_t)first * r->conn_table->row_bytes;
	size_t len = (size_t)(end - first) * r->conn_table->row_bytes;
	int error = 0;

	for (int i = 0; i < TRIES; i++) {
		for (uint32_t copy = 0; !error && copy < 3; copy++)
			error = shm_reader_part(
				r, r->conns + copy * table_bytes_in_file(r->conn_table) + at,
				r->conn_table->offset + at, len);
		if (error || are_whole(r, first, end))
			break;
	}
	return error;
}

int shm_reader_refresh_conns(struct shm_reader *r)
{
	uint32_t rows = r->conn_table ? r->conn_table->rows : 0;
	int error = 0;

	if (!rows)
		return 0;
	if (!r->conns)
		r->conns = mem_map("copies of connections", shm_reader_conn_bytes(r));
	if (!r->conns)
		return -ENOMEM;
	for (uint32_t first = 0; !error && first < rows; first += ROWS_TOGETHER)
		error = read_rows(r, first, MIN(first + ROWS_TOGETHER, rows));
	return error;
}

uint32_t shm_reader_conn_rows(const struct shm_reader *r)
{
	return r->conns ? r->conn_table->rows_per_worker : 0;
}

static void read_addr(const struct shm_reader *r, uint32_t row, const struct shm_field *f,
		      struct addr *to)
{
	if (f)
		memcpy(to, place_of(r, 1, row, f), sizeof(*to));
}

static void read_row(const struct shm_reader *r, uint32_t row, struct conn_row *out)
{
	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++) {
		uint64_t value = number(r, 1, row, r->conn_field.number[i]);

		memcpy((char *)out + conn_row_fields[i].offset, &value, sizeof(value));
	}
	read_addr(r, row, r->conn_field.local, &out->local);
	read_addr(r, row, r->conn_field.remote, &out->remote);
}

bool shm_reader_conn(const struct shm_reader *r, uint32_t worker, uint32_t row,
		     struct conn_row *out, bool *unfinished)
{
	uint32_t rows = shm_reader_conn_rows(r);

	*out = (struct conn_row){0};
	*unfinished = false;
	if (row >= rows || worker >= r->head.worker_count)
		return false;
	row += worker * rows;
	*unfinished = !is_whole(r, row);
	if (*unfinished || !number(r, 1, row, r->conn_field.number[CONN_ROW_HANDLE]))
		return false;
	read_row(r, row, out);
	return true;
}
