// SPDX-License-Identifier: BSD-3-Clause
// Making the shared-memory file: the tables and their description, built beside the final name and
// renamed into place, so that a reader never sees half a file. Called at start and at the end;
// between, workers write rows through the pointers they got, and nothing here runs.
//
//   head | field descriptions | worker | flow_table | control | counter | port | port_totals | pool
//   | trace | event | connection | verdict | sample
//
// What the tables are is in shm_tables.c. The last three are most of the file: a reader that wants
// numbers stops before them.
#include "observe/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "observe/conn_row.h"
#include "observe/instance.h"
#include "observe/shm_reader.h"
#include "observe/shm_tables.h"

static_assert(WORKERS_MAX * 2 *
			      (sizeof(struct verdicts) + VERDICT_RECORDS * sizeof(struct verdict)) <
		      (384u << 20),
	      "who reads takes files of 512 MiB (shm_reader.c)");

struct shm {
	struct shm_head *head; // the mapping
	char path[INSTANCE_PATH_BYTES];
};

static void set_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static uint32_t rows_per_worker(enum shm_part part, const struct shm_config *config)
{
	if (part == PART_CONNECTION)
		return conn_rows_of_worker(config->worker_count);
	return shm_table_plans[part].rows_per_worker;
}

static uint32_t row_count(enum shm_part part, const struct shm_config *config)
{
	if (part == PART_PORT)
		return config->port_count;
	if (part == PART_EVENT)
		return EVENT_COUNT;
	if (part == PART_FLOW_TABLE || part == PART_CONTROL)
		return 1;
	return config->worker_count * rows_per_worker(part, config);
}

// Where everything lies: sizes from the lists and the configuration.
static void lay_out(struct shm_head *head, const struct shm_config *config)
{
	uint64_t end;

	for (int i = 0; i < PART_COUNT; i++)
		head->field_count += shm_table_plans[i].field_count;
	head->fields_offset = sizeof(*head);
	end = sizeof(*head) + (uint64_t)head->field_count * sizeof(struct shm_field);
	head->field_count = 0;
	for (int i = 0; i < PART_COUNT; i++) {
		struct shm_table *t = &head->table[i];

		set_text(t->name, sizeof(t->name), shm_table_plans[i].name);
		t->offset = bits_round_up(end, CACHE_LINE_BYTES);
		t->row_bytes = shm_table_plans[i].row_bytes;
		t->rows = row_count((enum shm_part)i, config);
		t->rows_per_worker = rows_per_worker((enum shm_part)i, config);
		t->field_first = head->field_count;
		t->field_count = shm_table_plans[i].field_count;
		head->field_count += t->field_count;
		end = t->offset + (uint64_t)t->rows * t->row_bytes;
	}
	head->table_count = PART_COUNT;
	head->file_bytes = end;
}

static void fill_head(struct shm_head *head, const struct shm_config *config)
{
	*head = (struct shm_head){
		.layout = SHM_LAYOUT,
		.head_bytes = sizeof(*head),
		.pid = (uint32_t)getpid(),
		.state = SHM_STARTING,
		.pid_start_ticks = instance_process_start((uint32_t)getpid()),
		.start_wall_ns = config->wall_ns,
		.start_ns = config->now_ns,
		.worker_count = config->worker_count,
	};
	memcpy(head->magic, SHM_MAGIC, sizeof(head->magic));
	set_text(head->version, sizeof(head->version), PRISM_VERSION);
	set_text(head->instance, sizeof(head->instance), config->instance);
	lay_out(head, config);
}

static void describe_counters(struct shm_field *field)
{
	for (uint32_t i = 0; i < COUNTER_COUNT; i++, field++) {
		const struct counter_info *info = &counter_infos[i];

		set_text(field->name, sizeof(field->name), info->name);
		set_text(field->unit, sizeof(field->unit), info->unit);
		set_text(field->sentence, sizeof(field->sentence), info->sentence);
		field->kind = strcmp(info->kind, "gauge") == 0 ? SHM_GAUGE : SHM_COUNTER;
		field->offset = (uint32_t)offsetof(struct counters, value[i]);
		field->bytes = sizeof(uint64_t);
	}
	for (uint32_t i = DROP_OK + 1; i < DROP_COUNT; i++, field++) {
		snprintf(field->name, sizeof(field->name), "drop.%s", drop_infos[i].name);
		set_text(field->unit, sizeof(field->unit), "packets");
		set_text(field->sentence, sizeof(field->sentence), drop_infos[i].sentence);
		field->kind = SHM_COUNTER;
		field->offset = (uint32_t)offsetof(struct counters, drop[i]);
		field->bytes = sizeof(uint64_t);
	}
}

static void describe_connections(struct shm_field *field)
{
	static const struct shm_field others[] = {
		{.name = "version",
		 .sentence = "odd while the row is being written",
		 .kind = SHM_COUNTER,
		 .offset = offsetof(struct conn_row, version),
		 .bytes = sizeof(uint64_t)},
		{.name = "local",
		 .sentence = "local address",
		 .kind = SHM_ADDR,
		 .offset = offsetof(struct conn_row, local),
		 .bytes = sizeof(struct addr)},
		{.name = "remote",
		 .sentence = "remote address",
		 .kind = SHM_ADDR,
		 .offset = offsetof(struct conn_row, remote),
		 .bytes = sizeof(struct addr)},
	};

	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++, field++) {
		const struct conn_row_field *info = &conn_row_fields[i];

		set_text(field->name, sizeof(field->name), info->name);
		set_text(field->unit, sizeof(field->unit), info->unit);
		set_text(field->sentence, sizeof(field->sentence), info->sentence);
		field->kind = strcmp(info->kind, "gauge") == 0 ? SHM_GAUGE : SHM_COUNTER;
		field->offset = info->offset;
		field->bytes = sizeof(uint64_t);
	}
	memcpy(field, others, sizeof(others));
}

static void *row(struct shm *shm, enum shm_part part, uint32_t index)
{
	const struct shm_table *t = &shm->head->table[part];

	ASSERT(index < t->rows);
	return (char *)shm->head + t->offset + (uint64_t)index * t->row_bytes;
}

static void fill(struct shm *shm, const struct shm_head *head)
{
	struct shm_field *fields = (void *)((char *)shm->head + head->fields_offset);

	*shm->head = *head;
	for (int i = 0; i < PART_COUNT; i++) {
		struct shm_field *first = fields + head->table[i].field_first;

		if (shm_table_plans[i].fields)
			memcpy(first, shm_table_plans[i].fields,
			       shm_table_plans[i].field_count * sizeof(*first));
		else if (i == PART_CONNECTION)
			describe_connections(first);
		else
			describe_counters(first);
	}
	for (uint32_t i = 0; i < EVENT_COUNT; i++) {
		struct shm_event *event = row(shm, PART_EVENT, i);

		set_text(event->name, sizeof(event->name), event_infos[i].name);
		set_text(event->sentence, sizeof(event->sentence), event_infos[i].sentence);
		set_text(event->a, sizeof(event->a), event_infos[i].a);
		set_text(event->b, sizeof(event->b), event_infos[i].b);
	}
}

// A new file of this size under the name, all of its space taken and its pages touched.
static struct shm_head *map_new_file(const char *path, uint64_t bytes)
{
	void *memory = MAP_FAILED;
	int error, fd;

	unlink(path); // only a start that died in between leaves one
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0) {
		err_set(ERR_SHM_CREATE, "%s: %s", path, strerror(errno));
		return NULL;
	}
	error = posix_fallocate(fd, 0, (off_t)bytes);
	if (!error) {
		memory =
			mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		error = errno;
	}
	close(fd);
	if (memory == MAP_FAILED) {
		unlink(path);
		err_set(ERR_SHM_CREATE, "%s, %lu bytes: %s", path, (unsigned long)bytes,
			strerror(error));
		return NULL;
	}
	return memory;
}

// 0 when the name is free, or only a dead process's.
static int check_free(const char *path)
{
	struct shm_reader *reader = shm_reader_open(path);
	int error = 0;

	if (reader && shm_reader_alive(reader))
		error = err_set(ERR_INSTANCE_RUNNING, "%s of process %u", path,
				shm_reader_head(reader)->pid);
	shm_reader_close(reader);
	return error;
}

int shm_refuse_running(const char *instance, const char *run_dir)
{
	char dir[INSTANCE_PATH_BYTES], path[2 * INSTANCE_PATH_BYTES];
	int error;

	if (instance_check_name(instance) || instance_run_dir(run_dir, dir))
		return -err_infos[err_last()->id].number;
	snprintf(path, sizeof(path), "%s/%s.shm", dir, instance);
	error = check_free(path);
	instance_leave_dir(dir);
	return error;
}

// Renames the whole file into place unless a living instance has the name. The lock on the
// directory keeps two starts at once apart.
static int publish(const char *dir, const char *from, const char *to)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (dir_fd < 0 || flock(dir_fd, LOCK_EX) < 0) {
		error = err_set(ERR_SHM_CREATE, "%s: %s", dir, strerror(errno));
	} else {
		error = check_free(to);
		if (!error && rename(from, to) < 0)
			error = err_set(ERR_SHM_CREATE, "%s: %s", to, strerror(errno));
	}
	if (dir_fd >= 0)
		close(dir_fd);
	return error;
}

struct shm *shm_create(const struct shm_config *config)
{
	char dir[INSTANCE_PATH_BYTES], new_path[2 * INSTANCE_PATH_BYTES];
	struct shm_head head;
	struct shm *shm;

	ASSERT(config->worker_count > 0);
	ASSERT(config->port_count <= PORTS_MAX);
	if (instance_check_name(config->instance) || instance_run_dir(config->run_dir, dir))
		return NULL;
	fill_head(&head, config);
	shm = mem_map("shared-memory file", sizeof(*shm));
	if (!shm)
		return NULL;
	snprintf(new_path, sizeof(new_path), "%s/.%s.shm.%d", dir, config->instance, getpid());
	if (snprintf(shm->path, sizeof(shm->path), "%s/%s.shm", dir, config->instance) >=
	    (int)sizeof(shm->path)) {
		err_set(ERR_RUN_DIR, "%s: the path is too long", dir);
		goto fail;
	}
	shm->head = map_new_file(new_path, head.file_bytes);
	// An instance that ended in between has removed the directory: make it once more.
	if (!shm->head && instance_run_dir(config->run_dir, dir) == 0)
		shm->head = map_new_file(new_path, head.file_bytes);
	if (!shm->head)
		goto fail;
	fill(shm, &head);
	if (publish(dir, new_path, shm->path))
		goto fail_file;
	return shm;
fail_file:
	unlink(new_path);
	munmap(shm->head, head.file_bytes);
fail:
	instance_leave_dir(dir);
	mem_unmap(shm, sizeof(*shm));
	return NULL;
}

void shm_destroy(struct shm *shm)
{
	if (!shm)
		return;
	shm_set_state(shm, SHM_ENDED);
	unlink(shm->path);
	*strrchr(shm->path, '/') = '\0';
	instance_leave_dir(shm->path);
	munmap(shm->head, shm->head->file_bytes);
	mem_unmap(shm, sizeof(*shm));
}

void shm_set_state(struct shm *shm, enum shm_state state)
{
	shm->head->state = state;
}

const char *shm_path(const struct shm *shm)
{
	return shm->path;
}

struct shm_worker *shm_worker(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_WORKER, worker);
}

struct shm_flow_table *shm_flow_table(struct shm *shm)
{
	return row(shm, PART_FLOW_TABLE, 0);
}

struct shm_control *shm_control(struct shm *shm)
{
	return row(shm, PART_CONTROL, 0);
}

bool shm_set_socket(struct shm *shm, const char *path)
{
	bool fits = strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path);

	set_text(shm_control(shm)->socket, SHM_SOCKET_BYTES, fits ? path : "");
	return fits;
}

struct counters *shm_counters(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_COUNTER, worker);
}

struct trace *shm_trace(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_TRACE, worker);
}

struct verdicts *shm_verdicts(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_VERDICT, worker);
}

struct verdicts *shm_samples(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_SAMPLE, worker);
}

struct conn_row *shm_conn_rows(struct shm *shm, uint32_t worker)
{
	return row(shm, PART_CONNECTION, worker * conn_rows_of_worker(shm->head->worker_count));
}

struct shm_port_totals *shm_port_totals(struct shm *shm, uint32_t worker, uint32_t port)
{
	ASSERT(port < PORTS_MAX);
	return row(shm, PART_PORT_TOTALS, worker * PORTS_MAX + port);
}

struct shm_pool *shm_pool(struct shm *shm, uint32_t worker, enum pool_kind kind)
{
	ASSERT(kind < POOL_KINDS);
	return row(shm, PART_POOL, worker * POOL_KINDS + kind);
}

struct shm_port *shm_port(struct shm *shm, uint32_t port)
{
	return row(shm, PART_PORT, port);
}
