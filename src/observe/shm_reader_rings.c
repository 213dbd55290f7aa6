// SPDX-License-Identifier: BSD-3-Clause
// Reading the rings of the shared-memory file: trace and verdicts. Called by tools; never by a
// worker, who writes on meanwhile.
//
// How much was written is read before and after the copy. What may have been overwritten in between
// is left out, and so are a few records more: the worker makes one before its count says so, and a
// processor that orders stores weakly may show some of the next before the count of the last.
#include "observe/shm_reader_inside.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

// Records that the writer may be at work on while its count does not say so yet: one, and what a
// processor makes visible before the count.
#define UNDER_WAY 8

// Of a ring that was copied when it had `end` records, those that are whole though it has `latest`
// by now.
static void whole_range(const struct ring_fields *ring, uint64_t end, uint64_t latest,
			uint64_t range[2])
{
	uint64_t gone = MIN(latest > end ? latest - end : 0, ring->capacity) + UNDER_WAY;

	range[1] = end;
	range[0] = end - MIN(end, ring->capacity - MIN(gone, ring->capacity));
}

// Where the count of a worker's ring stands in the file.
static uint64_t written_at(const struct ring_fields *ring, uint32_t worker)
{
	return ring->table->offset + (uint64_t)worker * ring->table->row_bytes +
	       ring->written->offset;
}

void shm_reader_trace_range(const struct shm_reader *r, uint32_t worker, uint64_t *first,
			    uint64_t *end)
{
	struct ring_fields ring =
		shm_reader_ring(r, "trace", SHM_RECORDS, sizeof(struct trace_record));
	uint64_t range[2] = {0, 0}, latest = 0;

	if (ring.table && worker < ring.table->rows) {
		off_t place = (off_t)written_at(&ring, worker);

		if (pread(r->fd, &latest, sizeof(latest), place) != sizeof(latest))
			latest = 0; // the file ends before it: nobody writes any more
		whole_range(&ring, shm_reader_u64(r, ring.table, worker, ring.written), latest,
			    range);
	}
	*first = range[0];
	*end = range[1];
}

const struct trace_record *shm_reader_trace(const struct shm_reader *r, uint32_t worker,
					    uint64_t number)
{
	struct ring_fields ring =
		shm_reader_ring(r, "trace", SHM_RECORDS, sizeof(struct trace_record));

	ASSERT(ring.table && worker < ring.table->rows);
	uint64_t index = number & (ring.capacity - 1);

	return (const struct trace_record *)(const void *)copy_at(r, ring.table, worker,
								  ring.records) +
	       index;
}

// Where the copy of a worker's records begins.
static char *records_of(const struct verdict_copy *copy, uint32_t worker)
{
	const struct ring_fields *ring = &copy->ring;

	return copy->table + (uint64_t)worker * ring->table->row_bytes + ring->records->offset;
}

// Records first to end - 1, which may go round the end of the ring.
static int read_records(struct shm_reader *r, struct verdict_copy *copy, uint32_t worker,
			uint64_t range[2])
{
	const struct ring_fields *ring = &copy->ring;
	char *to = records_of(copy, worker);
	uint64_t file = ring->table->offset + (uint64_t)(to - copy->table);

	for (uint64_t first = range[0], count; first < range[1]; first += count) {
		uint64_t index = first & (ring->capacity - 1);
		uint64_t at = index * sizeof(struct verdict);

		count = MIN(range[1] - first, ring->capacity - index);
		int error = shm_reader_part(r, to + at, file + at, count * sizeof(struct verdict));

		if (error)
			return error;
	}
	return 0;
}

static int refresh_worker(struct shm_reader *r, struct verdict_copy *copy, uint32_t worker)
{
	const struct ring_fields *ring = &copy->ring;
	uint64_t *range = copy->range[worker], end, latest;
	int error = shm_reader_part(r, &end, written_at(ring, worker), sizeof(end));

	if (error)
		return error;
	uint64_t first = end > ring->capacity ? end - ring->capacity : 0;

	// What the last copy had is still there, and the same.
	error = read_records(r, copy, worker, (uint64_t[]){MAX(first, MIN(range[1], end)), end});
	if (!error)
		error = shm_reader_part(r, &latest, written_at(ring, worker), sizeof(latest));
	if (!error)
		whole_range(ring, end, latest, range);
	return error;
}

int shm_reader_refresh_verdicts(struct shm_reader *r, enum shm_ring ring)
{
	struct verdict_copy *copy = &r->verdicts[ring];
	int error = 0;

	if (!copy->ring.table)
		return 0;
	if (!copy->table)
		copy->table = mem_map("a copy of the verdicts", shm_reader_verdict_bytes(copy));
	if (!copy->table)
		return -ENOMEM;
	for (uint32_t w = 0; !error && w < r->head.worker_count; w++)
		error = refresh_worker(r, copy, w);
	return error;
}

uint64_t shm_reader_verdict_count(const struct shm_reader *r, enum shm_ring which)
{
	const struct ring_fields *ring = &r->verdicts[which].ring;
	uint64_t sum = 0, written;

	for (uint32_t w = 0; ring->table && w < r->head.worker_count; w++)
		if (shm_reader_part((struct shm_reader *)(uintptr_t)r, &written,
				    written_at(ring, w), sizeof(written)) == 0)
			sum += written;
	return sum;
}

void shm_reader_verdict_range(const struct shm_reader *r, enum shm_ring ring, uint32_t worker,
			      uint64_t *first, uint64_t *end)
{
	static const uint64_t none[2];
	const uint64_t *range = worker < WORKERS_MAX ? r->verdicts[ring].range[worker] : none;

	*first = range[0];
	*end = range[1];
}

struct verdict shm_reader_verdict(const struct shm_reader *r, enum shm_ring ring, uint32_t worker,
				  uint64_t number)
{
	const struct verdict_copy *copy = &r->verdicts[ring];
	uint64_t index = number & (copy->ring.capacity - 1);
	struct verdict v;

	ASSERT(copy->table && worker < r->head.worker_count);
	memcpy(&v, records_of(copy, worker) + index * sizeof(v), sizeof(v));
	v.head_bytes = (uint8_t)MIN((uint32_t)v.head_bytes, (uint32_t)VERDICT_HEAD_BYTES);
	return v;
}
