// SPDX-License-Identifier: BSD-3-Clause
// Reading an instance's shared-memory file: for tools, of this version or another.
//
// A reader holds a copy of the file, taken by shm_reader_refresh with plain reads: nothing the
// writer or an enemy does to the file can disturb it, and all numbers are of one moment. Everything
// is checked against the file's size when it is opened; a file that does not hold together is
// refused by name. Values may be hostile, offsets no longer are.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "observe/shm.h"

struct shm_reader;

// NULL with err_set: ERR_SHM_MISSING, ERR_SHM_FOREIGN, ERR_SHM_VERSION, ERR_SHM_DAMAGED.
struct shm_reader *shm_reader_open(const char *path);
void shm_reader_close(struct shm_reader *reader);

// Takes a new copy, without connections and verdicts. 0, or a negative errno with err_set and the
// old copy stays.
int shm_reader_refresh(struct shm_reader *reader);

const struct shm_head *shm_reader_head(const struct shm_reader *reader);

// The process that made the file exists and is the same one (not a reused pid).
bool shm_reader_alive(const struct shm_reader *reader);

// Generic access. A table or field another version does not have is NULL; values of NULL are 0, "".
const struct shm_table *shm_reader_table(const struct shm_reader *reader, const char *name);
const struct shm_field *shm_reader_field(const struct shm_reader *reader,
					 const struct shm_table *table, uint32_t index);
const struct shm_field *shm_reader_find(const struct shm_reader *reader,
					const struct shm_table *table, const char *name);
uint64_t shm_reader_u64(const struct shm_reader *reader, const struct shm_table *table,
			uint32_t row, const struct shm_field *field);
const char *shm_reader_text(const struct shm_reader *reader, const struct shm_table *table,
			    uint32_t row, const struct shm_field *field);
const uint8_t *shm_reader_mac(const struct shm_reader *reader, const struct shm_table *table,
			      uint32_t row, const struct shm_field *field);

// The same, by names, summed over all workers' rows: shm_reader_sum(r, "counter", "rx_pkts").
uint64_t shm_reader_sum(const struct shm_reader *reader, const char *table, const char *field);

// The conservation law over all workers, from the file's own names.
int64_t shm_reader_unaccounted(const struct shm_reader *reader);

// Trace records still whole: numbers *first .. *end - 1. Call soon after a refresh: what was
// overwritten since is left out.
void shm_reader_trace_range(const struct shm_reader *reader, uint32_t worker, uint64_t *first,
			    uint64_t *end);
const struct trace_record *shm_reader_trace(const struct shm_reader *reader, uint32_t worker,
					    uint64_t number);

// Rings of verdicts: what was dropped, and samples of what passed.
enum shm_ring { SHM_DROPS, SHM_SAMPLES, SHM_RINGS };

// Copies the verdicts that were written since the last time: all that there are, the first time.
// As shm_reader_refresh.
int shm_reader_refresh_verdicts(struct shm_reader *reader, enum shm_ring ring);

// How many were ever written, now, by all workers.
uint64_t shm_reader_verdict_count(const struct shm_reader *reader, enum shm_ring ring);

// Verdicts *first .. *end - 1 are whole in that copy, however late they are looked at.
void shm_reader_verdict_range(const struct shm_reader *reader, enum shm_ring ring, uint32_t worker,
			      uint64_t *first, uint64_t *end);
struct verdict shm_reader_verdict(const struct shm_reader *reader, enum shm_ring ring,
				  uint32_t worker, uint64_t number);

// Copies what is shown of connections. As shm_reader_refresh.
int shm_reader_refresh_conns(struct shm_reader *reader);

// Rows of each worker in that copy.
uint32_t shm_reader_conn_rows(const struct shm_reader *reader);

// What a row of it has: what another version does not show is 0. False when it is free, or was
// being written whenever it was looked at (*unfinished).
struct conn_row;
bool shm_reader_conn(const struct shm_reader *reader, uint32_t worker, uint32_t row,
		     struct conn_row *out, bool *unfinished);

// The field of the drop that the instance calls by this number, or NULL: another version's numbers
// are other ones, names stay.
const struct shm_field *shm_reader_drop(const struct shm_reader *reader, uint32_t reason);
