// SPDX-License-Identifier: BSD-3-Clause
// Reading the shared-memory file. Called by tools; never by a worker.
//
// open: read the description, check that every table and field lies inside the file, keep that for
// good; then read the rest but for connections and verdicts. refresh: read again; only values
// change, whatever the file's description says by then. Reads, not a mapping: a file that shrinks
// under a mapping kills its reader. A 64-bit value at an aligned place comes over whole, as x86-64
// and arm64 kernels copy in words of at least 8 bytes. Of a ring, how much was written is read
// before and after the copy: what may have been overwritten in between is left out.
#include "observe/shm_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "observe/instance.h"
#include "observe/shm_reader_inside.h"

// Far above what the most workers need; a bound on what a hostile file can make us allocate.
#define FILE_BYTES_MAX ((uint64_t)512 << 20)

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool head_is_sound(const struct shm_head *h)
{
	uint64_t fields_bytes = (uint64_t)h->field_count * sizeof(struct shm_field);

	return is_text(h->version, sizeof(h->version)) &&
	       is_text(h->instance, sizeof(h->instance)) && h->table_count <= SHM_TABLES_MAX &&
	       h->worker_count <= WORKERS_MAX && h->fields_offset % 8 == 0 &&
	       h->fields_offset <= h->file_bytes &&
	       fields_bytes <= h->file_bytes - h->fields_offset;
}

static bool table_is_sound(const struct shm_head *h, const struct shm_table *t)
{
	uint64_t rows_bytes = (uint64_t)t->rows * t->row_bytes;

	return is_text(t->name, sizeof(t->name)) && t->offset % 8 == 0 && t->row_bytes % 8 == 0 &&
	       t->offset <= h->file_bytes && rows_bytes <= h->file_bytes - t->offset &&
	       (uint64_t)h->worker_count * t->rows_per_worker <= t->rows &&
	       t->field_first <= h->field_count &&
	       t->field_count <= h->field_count - t->field_first;
}

static bool field_is_sound(const struct shm_table *t, const struct shm_field *f)
{
	if (!is_text(f->name, sizeof(f->name)) || !is_text(f->unit, sizeof(f->unit)) ||
	    !is_text(f->sentence, sizeof(f->sentence)))
		return false;
	if (f->offset > t->row_bytes || f->bytes > t->row_bytes - f->offset || f->bytes == 0)
		return false;
	switch (f->kind) {
	case SHM_COUNTER:
	case SHM_GAUGE:
		return f->bytes == sizeof(uint64_t) && f->offset % 8 == 0;
	case SHM_MAC:
		return f->bytes >= 6;
	case SHM_RECORDS:
		return f->bytes >= sizeof(struct trace_record) && f->offset % 8 == 0;
	case SHM_VERDICTS:
		return f->bytes >= sizeof(struct verdict) && f->offset % 8 == 0;
	case SHM_ADDR:
		return f->bytes == sizeof(struct addr) && f->offset % 8 == 0;
	default:
		return true; // text, or a kind of a later version, which is passed over
	}
}

// Ends it, and takes out what a terminal obeys and JSON refuses: tools print these texts.
static void make_plain(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void make_texts_plain(struct shm_reader *r, const struct shm_table *t)
{
	bool is_copied = t->offset + (uint64_t)t->rows * t->row_bytes <= r->light_bytes;

	for (uint32_t i = 0; is_copied && i < t->field_count; i++) {
		const struct shm_field *f = &r->fields[t->field_first + i];

		for (uint32_t row = 0; f->kind == SHM_TEXT && row < t->rows; row++)
			make_plain((char *)(uintptr_t)copy_at(r, t, row, f), f->bytes);
	}
}

static int damaged(const struct shm_reader *r, const char *what)
{
	return err_set(ERR_SHM_DAMAGED, "%s: %s", r->path, what);
}

int shm_reader_part(struct shm_reader *r, void *to, uint64_t offset, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(r->fd, (char *)to + done, len - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return damaged(r, got < 0 ? strerror(errno) : "it became shorter");
		done += (size_t)got;
	}
	return 0;
}

int shm_reader_refresh(struct shm_reader *r)
{
	int error = shm_reader_part(r, r->copy, 0, r->light_bytes);

	for (uint32_t i = 0; i < r->head.table_count; i++)
		make_texts_plain(r, &r->head.table[i]);
	if (!error)
		r->head.state = ((const struct shm_head *)(const void *)r->copy)->state;
	return error;
}

static int check_head(struct shm_reader *r)
{
	struct shm_head *h = &r->head;

	if (r->bytes < sizeof(*h))
		return err_set(ERR_SHM_FOREIGN, "%s: %zu bytes", r->path, r->bytes);
	int error = shm_reader_part(r, h, 0, sizeof(*h));

	if (error)
		return error;
	if (memcmp(h->magic, SHM_MAGIC, sizeof(h->magic)) != 0)
		return err_set(ERR_SHM_FOREIGN, "%s: it does not begin with " SHM_MAGIC, r->path);
	if (h->layout != SHM_LAYOUT || h->head_bytes != sizeof(*h))
		return err_set(ERR_SHM_VERSION, "%s: layout %u, this tool knows %d", r->path,
			       h->layout, SHM_LAYOUT);
	if (h->file_bytes != r->bytes)
		return damaged(r, "its size is not what its head says");
	if (!head_is_sound(h))
		return damaged(r, "the head");
	make_plain(h->version, sizeof(h->version));
	make_plain(h->instance, sizeof(h->instance));
	return 0;
}

// Reads the descriptions of fields, for good, and checks them against their tables.
static int check_fields(struct shm_reader *r)
{
	size_t len = r->head.field_count * sizeof(struct shm_field);
	struct shm_field *fields;

	r->fields_bytes = MAX(len, sizeof(*fields));
	fields = mem_map("field descriptions", r->fields_bytes);
	if (!fields)
		return -ENOMEM;
	r->fields = fields;
	int error = shm_reader_part(r, fields, r->head.fields_offset, len);

	for (uint32_t i = 0; !error && i < r->head.table_count; i++) {
		const struct shm_table *t = &r->head.table[i];

		if (!table_is_sound(&r->head, t))
			return damaged(r, "a table");
		for (uint32_t k = 0; k < t->field_count; k++) {
			struct shm_field *f = &fields[t->field_first + k];

			if (!field_is_sound(t, f))
				return damaged(r, "a field");
			make_plain(f->name, sizeof(f->name));
			make_plain(f->unit, sizeof(f->unit));
			make_plain(f->sentence, sizeof(f->sentence));
		}
	}
	return error;
}

static int open_file(struct shm_reader *r, const char *path)
{
	struct stat st;

	// A fifo under this name must not hold us up.
	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return err_set(ERR_SHM_MISSING, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > FILE_BYTES_MAX)
		return err_set(ERR_SHM_FOREIGN, "%s: not a file of a plausible size", path);
	r->bytes = (size_t)st.st_size;
	return 0;
}

struct ring_fields shm_reader_ring(const struct shm_reader *r, const char *name, enum shm_kind kind,
				   size_t record_bytes)
{
	struct ring_fields ring = {.table = shm_reader_table(r, name)};

	ring.records = shm_reader_find(r, ring.table, "record");
	ring.written = shm_reader_find(r, ring.table, "written");
	if (!ring.records || !ring.written || ring.records->kind != kind ||
	    ring.written->kind != SHM_COUNTER)
		return (struct ring_fields){.table = NULL};
	uint64_t fit = ring.records->bytes / record_bytes;

	ring.capacity = UINT64_C(1) << (63 - __builtin_clzll(fit));
	return ring;
}

// Of the tables that are read as one, none reaches into it or lies behind it.
static bool is_the_last(const struct shm_reader *r, const struct shm_table *table)
{
	for (uint32_t i = 0; i < r->head.table_count; i++) {
		const struct shm_table *t = &r->head.table[i];

		if (t != table && t->offset < r->light_bytes &&
		    t->offset + (uint64_t)t->rows * t->row_bytes > table->offset)
			return false;
	}
	return true;
}

static void find_verdicts(struct shm_reader *r, enum shm_ring which, const char *name)
{
	struct ring_fields ring = shm_reader_ring(r, name, SHM_VERDICTS, sizeof(struct verdict));

	if (!ring.table || ring.table->rows != r->head.worker_count || !is_the_last(r, ring.table))
		return;
	r->verdicts[which].ring = ring;
	r->light_bytes = ring.table->offset;
}

// The largest tables are read apart, each when it is asked for: samples when theirs is the last,
// drops when theirs is the last before, then connections. Where it is not so, which no version
// writes, there are none.
static void find_heavy(struct shm_reader *r)
{
	const struct shm_table *conns = shm_reader_table(r, "connection");

	r->light_bytes = r->bytes;
	find_verdicts(r, SHM_SAMPLES, "sample");
	find_verdicts(r, SHM_DROPS, "verdict");
	if (!conns || !shm_reader_find_conns(r, conns) || !is_the_last(r, conns))
		return;
	r->conn_table = conns;
	r->light_bytes = conns->offset;
}

static int read_all(struct shm_reader *r)
{
	r->copy = mem_map("a copy of the shared-memory file", r->light_bytes);
	return r->copy ? shm_reader_refresh(r) : -ENOMEM;
}

struct shm_reader *shm_reader_open(const char *path)
{
	struct shm_reader *r = mem_map("reader", sizeof(*r));

	if (!r)
		return NULL;
	strncpy(r->path, path, sizeof(r->path) - 1);
	int error = open_file(r, path);

	if (!error)
		error = check_head(r);
	if (!error)
		error = check_fields(r);
	if (!error) {
		find_heavy(r);
		error = read_all(r);
	}
	if (error) {
		shm_reader_close(r);
		return NULL;
	}
	return r;
}

void shm_reader_close(struct shm_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	mem_unmap(r->copy, r->light_bytes);
	for (int i = 0; i < SHM_RINGS; i++)
		mem_unmap(r->verdicts[i].table, shm_reader_verdict_bytes(&r->verdicts[i]));
	mem_unmap(r->conns, shm_reader_conn_bytes(r));
	mem_unmap((void *)(uintptr_t)r->fields, r->fields_bytes);
	mem_unmap(r, sizeof(*r));
}

const struct shm_head *shm_reader_head(const struct shm_reader *r)
{
	return &r->head;
}

bool shm_reader_alive(const struct shm_reader *r)
{
	uint64_t started_ticks = instance_process_start(r->head.pid);

	return started_ticks != 0 && started_ticks == r->head.pid_start_ticks;
}

const struct shm_table *shm_reader_table(const struct shm_reader *r, const char *name)
{
	for (uint32_t i = 0; i < r->head.table_count; i++) {
		if (strcmp(r->head.table[i].name, name) == 0)
			return &r->head.table[i];
	}
	return NULL;
}

const struct shm_field *shm_reader_field(const struct shm_reader *r, const struct shm_table *t,
					 uint32_t index)
{
	return t && index < t->field_count ? &r->fields[t->field_first + index] : NULL;
}

const struct shm_field *shm_reader_find(const struct shm_reader *r, const struct shm_table *t,
					const char *name)
{
	const struct shm_field *f;

	for (uint32_t i = 0; (f = shm_reader_field(r, t, i)); i++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

// The large tables have copies of their own, and other ways to read them.
static bool is_there(const struct shm_reader *r, const struct shm_table *t, uint32_t row,
		     const struct shm_field *f)
{
	return t && f && row < t->rows && t->offset < r->light_bytes;
}

uint64_t shm_reader_u64(const struct shm_reader *r, const struct shm_table *t, uint32_t row,
			const struct shm_field *f)
{
	uint64_t value = 0;

	if (is_there(r, t, row, f) && (f->kind == SHM_COUNTER || f->kind == SHM_GAUGE))
		memcpy(&value, copy_at(r, t, row, f), sizeof(value));
	return value;
}

const char *shm_reader_text(const struct shm_reader *r, const struct shm_table *t, uint32_t row,
			    const struct shm_field *f)
{
	return is_there(r, t, row, f) && f->kind == SHM_TEXT ? copy_at(r, t, row, f) : "";
}

const uint8_t *shm_reader_mac(const struct shm_reader *r, const struct shm_table *t, uint32_t row,
			      const struct shm_field *f)
{
	static const uint8_t none[6];
	bool there = is_there(r, t, row, f) && f->kind == SHM_MAC;

	return there ? (const uint8_t *)copy_at(r, t, row, f) : none;
}

static uint64_t sum_field(const struct shm_reader *r, const struct shm_table *t,
			  const struct shm_field *f)
{
	uint64_t sum = 0;

	for (uint32_t row = 0; t && row < t->rows; row++)
		sum += shm_reader_u64(r, t, row, f);
	return sum;
}

uint64_t shm_reader_sum(const struct shm_reader *r, const char *table, const char *field)
{
	const struct shm_table *t = shm_reader_table(r, table);

	return sum_field(r, t, shm_reader_find(r, t, field));
}

int64_t shm_reader_unaccounted(const struct shm_reader *r)
{
	const struct shm_table *t = shm_reader_table(r, "counter");
	const struct shm_field *f;
	uint64_t left = shm_reader_sum(r, "counter", "rx_pkts") +
			shm_reader_sum(r, "counter", "originated_pkts") +
			shm_reader_sum(r, "counter", "handed_in_pkts") -
			shm_reader_sum(r, "counter", "handed_out_pkts") -
			shm_reader_sum(r, "counter", "tx_pkts") -
			shm_reader_sum(r, "counter", "consumed_pkts") -
			shm_reader_sum(r, "counter", "queued_pkts");

	for (uint32_t i = 0; (f = shm_reader_field(r, t, i)); i++) {
		if (strncmp(f->name, "drop.", 5) == 0)
			left -= sum_field(r, t, f);
	}
	return (int64_t)left;
}

const struct shm_field *shm_reader_drop(const struct shm_reader *r, uint32_t reason)
{
	const struct shm_table *t = shm_reader_table(r, "counter");
	const struct shm_field *f;
	uint32_t number = DROP_OK;

	for (uint32_t i = 0; (f = shm_reader_field(r, t, i)); i++) {
		if (strncmp(f->name, "drop.", 5) == 0 && ++number == reason)
			return f;
	}
	return NULL;
}
