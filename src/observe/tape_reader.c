// SPDX-License-Identifier: BSD-3-Clause
// Reads tapes a page at a time: copies it as far as it is written, asks how much of the copy was
// overwritten meanwhile, and hands out what is good. Called by tools; never by a worker, who does
// not know whether anybody reads. Holds the file with flock(2), shared: for that nobody waits.
#include "observe/tape_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "observe/instance.h"

struct track {                // of a worker
	uint64_t at;          // place of the record that is next
	uint64_t end;         // the copy goes as far
	uint64_t stop;        // what lies from here on is not wanted,
	uint64_t stop_number; // and has higher numbers
	uint64_t number;      // of the last one that was read
	uint64_t lost;
	_Alignas(8) uint8_t page[TAPE_PAGE_BYTES];
};

struct tape_reader {
	int fd;
	struct tape_head head; // checked once
	struct track *track[WORKERS_MAX];
};

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool is_sound(const struct tape_head *h, uint64_t file_bytes)
{
	for (uint32_t i = 0; i < PORTS_MAX; i++)
		if (!is_text(h->port[i].name, sizeof(h->port[i].name)) ||
		    !is_text(h->port[i].device, sizeof(h->port[i].device)))
			return false;
	return memcmp(h->magic, TAPE_MAGIC, sizeof(h->magic)) == 0 && h->layout == TAPE_LAYOUT &&
	       h->worker_count > 0 && h->worker_count <= WORKERS_MAX &&
	       h->port_count <= PORTS_MAX && h->ring_bytes >= TAPE_RING_BYTES_MIN &&
	       h->ring_bytes <= TAPE_RING_BYTES_MAX && (h->ring_bytes & (h->ring_bytes - 1)) == 0 &&
	       h->rings_offset <= file_bytes && h->ring_stride <= file_bytes &&
	       h->ring_stride >= sizeof(struct tape) + h->ring_bytes &&
	       h->worker_count <= (file_bytes - h->rings_offset) / h->ring_stride &&
	       is_text(h->version, sizeof(h->version)) &&
	       is_text(h->instance, sizeof(h->instance)) && is_text(h->filter, sizeof(h->filter));
}

static bool read_at(const struct tape_reader *r, void *to, uint64_t place, size_t len)
{
	return pread(r->fd, to, len, (off_t)place) == (ssize_t)len;
}

static int open_tape(struct tape_reader *r, const char *path)
{
	struct stat st;

	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (r->fd < 0 || flock(r->fd, LOCK_SH) != 0 || fstat(r->fd, &st) != 0)
		return err_set(ERR_TAPE_GONE, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !read_at(r, &r->head, 0, sizeof(r->head)) ||
	    !is_sound(&r->head, (uint64_t)st.st_size))
		return err_set(ERR_TAPE_DAMAGED, "%s", path);
	for (uint32_t w = 0; w < r->head.worker_count; w++) {
		r->track[w] = mem_map("a page of a tape", sizeof(*r->track[w]));
		if (!r->track[w])
			return -ENOMEM;
		r->track[w]->stop = UINT64_MAX;
	}
	return 0;
}

struct tape_reader *tape_reader_open(const char *path)
{
	struct tape_reader *r = mem_map("a reader of tapes", sizeof(*r));

	if (!r)
		return NULL;
	r->fd = -1;
	if (open_tape(r, path) == 0)
		return r;
	tape_reader_close(r);
	return NULL;
}

void tape_reader_close(struct tape_reader *r)
{
	if (!r)
		return;
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		if (r->track[w])
			mem_unmap(r->track[w], sizeof(*r->track[w]));
	if (r->fd >= 0)
		close(r->fd);
	mem_unmap(r, sizeof(*r));
}

const struct tape_head *tape_reader_head(const struct tape_reader *r)
{
	return &r->head;
}

bool tape_reader_is_fed(const struct tape_reader *r)
{
	uint64_t ended = 0;

	return read_at(r, &ended, offsetof(struct tape_head, ended), sizeof(ended)) && !ended &&
	       instance_process_start(r->head.pid) == r->head.pid_start_ticks;
}

uint64_t tape_reader_lost(const struct tape_reader *r, uint32_t worker)
{
	ASSERT(worker < r->head.worker_count);
	return r->track[worker]->lost;
}

static uint64_t tape_at(const struct tape_reader *r, uint32_t worker)
{
	return r->head.rings_offset + worker * r->head.ring_stride;
}

uint32_t tape_reader_awaited(const struct tape_reader *r)
{
	uint32_t awaited = 0;

	for (uint32_t w = 0; w < r->head.worker_count; w++) {
		uint64_t taken = 0;

		read_at(r, &taken, tape_at(r, w) + offsetof(struct tape, taken), sizeof(taken));
		awaited += !taken;
	}
	return awaited;
}

// A place that cannot be read now cannot be later, which is told then.
void tape_reader_stop(struct tape_reader *r)
{
	for (uint32_t w = 0; w < r->head.worker_count; w++) {
		struct track *t = r->track[w];

		read_at(r, &t->stop_number, tape_at(r, w) + offsetof(struct tape, pkts),
			sizeof(t->stop_number));
		read_at(r, &t->stop, tape_at(r, w) + offsetof(struct tape, place.written),
			sizeof(t->stop));
	}
}

// There is no record behind, whose number would say what was lost before it.
static void note_end(struct track *t)
{
	if (t->at < t->stop || t->stop_number <= t->number)
		return;
	t->lost += t->stop_number - t->number;
	t->number = t->stop_number;
}

// Copies what there is of the page that the next record is in. False when it cannot be read.
static bool copy_page(struct tape_reader *r, uint32_t worker)
{
	struct track *t = r->track[worker];
	uint64_t tape = tape_at(r, worker), ring = tape + sizeof(struct tape), end;
	uint32_t offset = (uint32_t)(t->at % TAPE_PAGE_BYTES);

	if (!read_at(r, &end, tape + offsetof(struct tape, place.written), sizeof(end)))
		return false;
	t->end = MIN(MIN(end, t->stop), t->at - offset + TAPE_PAGE_BYTES);
	if (t->end <= t->at) {
		t->end = t->at;
		return true;
	}
	return read_at(r, t->page + offset, ring + (t->at & (r->head.ring_bytes - 1)),
		       t->end - t->at);
}

// The first place of which a copy made before is good.
static bool good_from(const struct tape_reader *r, uint32_t worker, uint64_t *good)
{
	struct overrun place;

	if (!read_at(r, &place, tape_at(r, worker) + offsetof(struct tape, place), sizeof(place)))
		return false;
	*good = overrun_good_from(&place, r->head.ring_bytes);
	return true;
}

// Until the copy holds a good record, or there is none. Who fell behind begins again with the page
// behind what is overwritten.
static bool fill(struct tape_reader *r, uint32_t worker)
{
	struct track *t = r->track[worker];
	uint64_t good;

	while (t->at == t->end) {
		if (!copy_page(r, worker))
			return false;
		overrun_copied();
		if (!good_from(r, worker, &good))
			return false;
		if (t->at >= good)
			return true;
		t->at = t->end = bits_round_up(good, TAPE_PAGE_BYTES);
	}
	return true;
}

static const struct tape_record *record_at(const struct track *t)
{
	uint32_t offset = (uint32_t)(t->at % TAPE_PAGE_BYTES);

	return (const struct tape_record *)(const void *)(t->page + offset);
}

static bool record_is_sound(const struct track *t)
{
	const struct tape_record *record = record_at(t);

	return t->end - t->at >= sizeof(*record) && record->record_bytes % CACHE_LINE_BYTES == 0 &&
	       record->record_bytes >= sizeof(*record) && record->record_bytes <= t->end - t->at &&
	       record->bytes <= record->record_bytes - sizeof(*record) &&
	       record->bytes <= record->len && record->point < TAPE_POINTS;
}

// *record is the next of this worker, or NULL. False when the file is damaged.
static bool peek(struct tape_reader *r, uint32_t worker, const struct tape_record **record)
{
	struct track *t = r->track[worker];

	for (;;) {
		*record = NULL;
		if (!fill(r, worker))
			return false;
		if (t->at == t->end) {
			note_end(t);
			return true;
		}
		if (!record_is_sound(t))
			return false;
		*record = record_at(t);
		if ((*record)->len)
			return true;
		t->at += (*record)->record_bytes; // it fills up the page
	}
}

static void take(struct track *t, const struct tape_record *record)
{
	t->at += record->record_bytes;
	if (record->number > t->number + 1)
		t->lost += record->number - t->number - 1;
	t->number = record->number;
}

const struct tape_record *tape_reader_next(struct tape_reader *r, uint64_t until_ns,
					   uint32_t *worker, int *error)
{
	const struct tape_record *first = NULL, *record;

	*error = 0;
	for (uint32_t w = 0; w < r->head.worker_count; w++) {
		if (!peek(r, w, &record)) {
			*error = err_set(ERR_TAPE_DAMAGED, "%s's, worker %u", r->head.instance, w);
			return NULL;
		}
		if (record && record->time_ns <= until_ns &&
		    (!first || record->time_ns < first->time_ns)) {
			first = record;
			*worker = w;
		}
	}
	if (first)
		take(r->track[*worker], first);
	return first;
}
