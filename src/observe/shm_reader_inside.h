// SPDX-License-Identifier: BSD-3-Clause
// The reader of the shared-memory file from inside: for shm_reader.c and shm_reader_rings.c.
#pragma once

#include <stddef.h>

#include "base/limits.h"
#include "observe/conn_row.h"
#include "observe/instance.h"
#include "observe/shm_reader.h"

// A ring of records in a row of a table: how many were written, and the records.
struct ring_fields {
	const struct shm_table *table; // NULL: there is no such ring
	const struct shm_field *written, *records;
	uint64_t capacity; // records, a power of two
};

// Those that this tool knows, of the table of connections; NULL: the instance has no such.
struct conn_fields {
	const struct shm_field *version, *local, *remote;
	const struct shm_field *number[CONN_ROW_FIELDS]; // in the order of conn_row_fields
};

// Of a ring of verdicts.
struct verdict_copy {
	struct ring_fields ring;
	char *table;                    // a copy, once it was asked for
	uint64_t range[WORKERS_MAX][2]; // those that it has whole
};

struct shm_reader {
	int fd;
	size_t bytes;                   // of the file
	size_t light_bytes;             // of them, those that copy has: the largest are behind
	char *copy;                     // its head and fields are not looked at after open
	char *conns;                    // three of that of connections, likewise
	struct shm_head head;           // checked once
	const struct shm_field *fields; // checked once; a copy too
	size_t fields_bytes;
	const struct shm_table *conn_table; // NULL: there is none
	struct conn_fields conn_field;      // of it
	struct verdict_copy verdicts[SHM_RINGS];
	char path[INSTANCE_PATH_BYTES];
};

static inline const char *copy_at(const struct shm_reader *r, const struct shm_table *t,
				  uint32_t row, const struct shm_field *f)
{
	return r->copy + t->offset + (uint64_t)row * t->row_bytes + f->offset;
}

static inline size_t table_bytes_in_file(const struct shm_table *t)
{
	return t ? (size_t)t->rows * t->row_bytes : 0;
}

// Of the copies.
static inline size_t shm_reader_verdict_bytes(const struct verdict_copy *copy)
{
	return table_bytes_in_file(copy->ring.table);
}

static inline size_t shm_reader_conn_bytes(const struct shm_reader *r)
{
	return 3 * table_bytes_in_file(r->conn_table);
}

// shm_reader_conns.c. Finds the fields of a table of connections; false when it cannot be read.
bool shm_reader_find_conns(struct shm_reader *r, const struct shm_table *t);

// len bytes of the file from an offset on. 0, or a negative errno with err_set.
int shm_reader_part(struct shm_reader *r, void *to, uint64_t offset, size_t len);

// The ring in a table of this name; its table is NULL when there is none.
struct ring_fields shm_reader_ring(const struct shm_reader *r, const char *name, enum shm_kind kind,
				   size_t record_bytes);
