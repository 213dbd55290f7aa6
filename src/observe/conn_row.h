// SPDX-License-Identifier: BSD-3-Clause
// What tools see of a connection: a row in the shared-memory file. Its worker writes it
// (tcp/show.c); who reads takes what is whole (sync/row.h).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/limits.h"

struct conn_row {
	uint64_t version; // sync/row.h
#define CONN(name, kind, unit, sentence) uint64_t name;
#include "observe/conn.def"
#undef CONN
	struct addr local, remote;
} CACHE_ALIGNED;

enum conn_shown {
	CONN_SHOWN_PASSIVE = 1 << 0, // the peer opened it
	CONN_SHOWN_TIMESTAMPS = 1 << 1,
	CONN_SHOWN_SACK = 1 << 2,
	CONN_SHOWN_ECN = 1 << 3,
	CONN_SHOWN_RECOVERY = 1 << 4, // losses are being repaired
	CONN_SHOWN_PACED = 1 << 5,
	CONN_SHOWN_PROBING = 1 << 6, // the peer's window is closed, and asked about
};

// Behind the version.
#define CONN_ROW_WORDS ((uint32_t)(offsetof(struct conn_row, remote) / 8 + 1))

static_assert(offsetof(struct conn_row, remote) + sizeof(struct addr) ==
		      sizeof(uint64_t) * (1 + CONN_ROW_WORDS),
	      "a row is its version and words");

// Where the handle is among them: 0 in a row that is free.
#define CONN_ROW_HANDLE ((uint32_t)(offsetof(struct conn_row, handle) / 8 - 1))

// Of an instance, shared out evenly among its workers; and of a worker that has no such file.
#define CONN_ROWS 16384
#define CONN_ROWS_PRIVATE 32

static inline uint32_t conn_rows_of_worker(uint32_t worker_count)
{
	static_assert(CONN_ROWS / WORKERS_MAX >= 64, "each worker shows some");
	return CONN_ROWS / worker_count;
}

struct conn_row_field {
	const char *name, *kind, *unit, *sentence;
	uint32_t offset;
};

// conn_row.c
#define CONN_ROW_FIELDS (CONN_ROW_WORDS - 4) // all but the addresses
extern const struct conn_row_field conn_row_fields[];
