// SPDX-License-Identifier: BSD-3-Clause
// Making the shared-memory file: the tables and their description, built beside the final name and
// renamed into place, so that a reader never sees half a file. Called at start and at the end;
// between, workers write rows through the pointers they got, and nothing here runs.
//
//   head | field descriptions | worker | flow_table | control | counter | port | port_totals | pool
//   | trace | event | verdict
//
// Verdicts are last, since they are most of the file: a reader that wants numbers stops before
// them.
#include "observe/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "observe/instance.h"
#include "observe/shm_reader.h"

enum part {
	WORKER,
	FLOW_TABLE,
	CONTROL,
	COUNTER,
	PORT,
	PORT_TOTALS,
	POOL,
	TRACE,
	EVENT,
	VERDICT,
	TABLES
};

struct shm {
	struct shm_head *head; // the mapping
	char path[INSTANCE_PATH_BYTES];
};

#define NUMBER(row, member, number_kind, unit_text, text) \
	{ \
		.name = #member, .unit = unit_text, .sentence = text, .kind = number_kind, \
		.offset = offsetof(struct row, member), .bytes = sizeof(uint64_t) \
	}
#define BYTES(row, member, bytes_kind, text) \
	{ \
		.name = #member, .sentence = text, .kind = bytes_kind, \
		.offset = offsetof(struct row, member), .bytes = sizeof(((struct row *)0)->member) \
	}

static const struct shm_field worker_fields[] = {
	NUMBER(shm_worker, heartbeat_ns, SHM_GAUGE, "nanoseconds", "time of the last turn"),
	NUMBER(shm_worker, core, SHM_GAUGE, "", "processor the worker runs on"),
	NUMBER(shm_worker, conns_half_open, SHM_GAUGE, "connections",
	       "handshakes not yet complete"),
	NUMBER(shm_worker, conns_open, SHM_GAUGE, "connections",
	       "connections established or closing"),
	NUMBER(shm_worker, conns_time_wait, SHM_GAUGE, "connections", "connections in TIME-WAIT"),
	NUMBER(shm_worker, timers, SHM_GAUGE, "timers", "timers armed"),
	NUMBER(shm_worker, handed_pkts, SHM_GAUGE, "packets",
	       "packets that other workers handed over and it has not taken yet"),
	NUMBER(shm_worker, pressure, SHM_GAUGE, "level",
	       "how short received buffers are: 0 not, 1 windows shrink, 2 handshakes are not "
	       "kept, 3 nothing new is begun"),
	NUMBER(shm_worker, turns, SHM_COUNTER, "turns", "turns of the worker's loop"),
	NUMBER(shm_worker, turns_busy, SHM_COUNTER, "turns", "turns that found something to do"),
	NUMBER(shm_worker, busy_ns, SHM_COUNTER, "nanoseconds",
	       "time spent in turns that found something to do"),
	NUMBER(shm_worker, busy_cycles, SHM_COUNTER, "cycles",
	       "the same in cycles of the time-stamp counter; 0: there is none"),
	NUMBER(shm_worker, in_pkts, SHM_COUNTER, "packets",
	       "packets received, and taken from other workers"),
	NUMBER(shm_worker, handed_out_pkts, SHM_COUNTER, "packets",
	       "packets handed to other workers"),
	NUMBER(shm_worker, accepted, SHM_COUNTER, "connections", "connections accepted"),
	NUMBER(shm_worker, moved, SHM_COUNTER, "connections", "connections given to other workers"),
};

static const struct shm_field control_fields[] = {
	BYTES(shm_control, socket, SHM_TEXT, "the control socket"),
	NUMBER(shm_control, rebalance, SHM_GAUGE, "",
	       "1 while connections of a busy worker go to an idle one"),
};

static const struct shm_field flow_table_fields[] = {
	NUMBER(shm_flow_table, keys, SHM_GAUGE, "keys",
	       "keys in it, of connections in whatever state"),
	NUMBER(shm_flow_table, capacity, SHM_GAUGE, "keys", "keys it is made for"),
	NUMBER(shm_flow_table, slots, SHM_GAUGE, "slots", "slots for keys"),
	NUMBER(shm_flow_table, waiting, SHM_GAUGE, "slots",
	       "slots that wait until nobody can be reading them"),
	NUMBER(shm_flow_table, longest, SHM_GAUGE, "buckets",
	       "buckets the longest lookup of a key goes through"),
	NUMBER(shm_flow_table, retries, SHM_COUNTER, "times",
	       "changes tried again because another writer was first"),
};

static const struct shm_field port_fields[] = {
	BYTES(shm_port, name, SHM_TEXT, "name in the configuration"),
	BYTES(shm_port, device, SHM_TEXT, "device"),
	BYTES(shm_port, mac, SHM_MAC, "ethernet address"),
	NUMBER(shm_port, mtu_bytes, SHM_GAUGE, "bytes", "largest IP packet"),
	BYTES(shm_port, dhcp, SHM_TEXT, "what its DHCP client does, and the address it has"),
};

static const struct shm_field port_totals_fields[] = {
	NUMBER(shm_port_totals, rx_pkts, SHM_COUNTER, "packets", "packets received"),
	NUMBER(shm_port_totals, rx_bytes, SHM_COUNTER, "bytes", "bytes received"),
	NUMBER(shm_port_totals, tx_pkts, SHM_COUNTER, "packets", "packets transmitted"),
	NUMBER(shm_port_totals, tx_bytes, SHM_COUNTER, "bytes", "bytes transmitted"),
};

static const struct shm_field pool_fields[] = {
	BYTES(shm_pool, name, SHM_TEXT, "name"),
	NUMBER(shm_pool, capacity_pkts, SHM_GAUGE, "packets", "packets in all"),
	NUMBER(shm_pool, available_pkts, SHM_GAUGE, "packets", "packets free"),
};

static const struct shm_field trace_fields[] = {
	NUMBER(trace, written, SHM_COUNTER, "records", "records ever written"),
	BYTES(trace, record, SHM_RECORDS, "the last records, at their number modulo how many fit"),
};

static const struct shm_field verdict_fields[] = {
	NUMBER(verdicts, written, SHM_COUNTER, "records", "records ever written"),
	{.name = "record",
	 .sentence = "the last packets that were dropped, at their number modulo how many fit",
	 .kind = SHM_VERDICTS,
	 .offset = sizeof(struct verdicts),
	 .bytes = VERDICT_RECORDS * sizeof(struct verdict)},
};

static const struct shm_field event_fields[] = {
	BYTES(shm_event, name, SHM_TEXT, "name"),
	BYTES(shm_event, sentence, SHM_TEXT, "what happened, %a and %b for the arguments"),
	BYTES(shm_event, a, SHM_TEXT, "first argument"),
	BYTES(shm_event, b, SHM_TEXT, "second argument"),
};

// Fields of "counter": all counters, and all drops but DROP_OK as "drop.NAME".
#define COUNTER_FIELDS (COUNTER_COUNT + DROP_COUNT - 1)

static const struct {
	const char *name;
	const struct shm_field *fields; // NULL: made from the lists
	uint32_t field_count;
	uint32_t row_bytes;
	uint32_t rows_per_worker;
} tables[TABLES] = {
	[WORKER] = {"worker", worker_fields, ARRAY_COUNT(worker_fields), sizeof(struct shm_worker),
		    1},
	[FLOW_TABLE] = {"flow_table", flow_table_fields, ARRAY_COUNT(flow_table_fields),
			sizeof(struct shm_flow_table), 0},
	[CONTROL] = {"control", control_fields, ARRAY_COUNT(control_fields),
		     sizeof(struct shm_control), 0},
	[COUNTER] = {"counter", NULL, COUNTER_FIELDS, sizeof(struct counters), 1},
	[PORT] = {"port", port_fields, ARRAY_COUNT(port_fields), sizeof(struct shm_port), 0},
	[PORT_TOTALS] = {"port_totals", port_totals_fields, ARRAY_COUNT(port_totals_fields),
			 sizeof(struct shm_port_totals), PORTS_MAX},
	[POOL] = {"pool", pool_fields, ARRAY_COUNT(pool_fields), sizeof(struct shm_pool),
		  POOL_KINDS},
	[TRACE] = {"trace", trace_fields, ARRAY_COUNT(trace_fields), sizeof(struct trace), 1},
	[VERDICT] = {"verdict", verdict_fields, ARRAY_COUNT(verdict_fields),
		     sizeof(struct verdicts) + VERDICT_RECORDS * sizeof(struct verdict), 1},
	[EVENT] = {"event", event_fields, ARRAY_COUNT(event_fields), sizeof(struct shm_event), 0},
};

static_assert(TABLES <= SHM_TABLES_MAX, "the head has room for all tables");

static void set_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static uint32_t row_count(enum part part, const struct shm_config *config)
{
	if (part == PORT)
		return config->port_count;
	if (part == EVENT)
		return EVENT_COUNT;
	if (part == FLOW_TABLE || part == CONTROL)
		return 1;
	return config->worker_count * tables[part].rows_per_worker;
}

// Where everything lies: sizes from the lists and the configuration.
static void lay_out(struct shm_head *head, const struct shm_config *config)
{
	uint64_t end;

	for (int i = 0; i < TABLES; i++)
		head->field_count += tables[i].field_count;
	head->fields_offset = sizeof(*head);
	end = sizeof(*head) + (uint64_t)head->field_count * sizeof(struct shm_field);
	head->field_count = 0;
	for (int i = 0; i < TABLES; i++) {
		struct shm_table *t = &head->table[i];

		set_text(t->name, sizeof(t->name), tables[i].name);
		t->offset = bits_round_up(end, CACHE_LINE_BYTES);
		t->row_bytes = tables[i].row_bytes;
		t->rows = row_count((enum part)i, config);
		t->rows_per_worker = tables[i].rows_per_worker;
		t->field_first = head->field_count;
		t->field_count = tables[i].field_count;
		head->field_count += t->field_count;
		end = t->offset + (uint64_t)t->rows * t->row_bytes;
	}
	head->table_count = TABLES;
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

static void *row(struct shm *shm, enum part part, uint32_t index)
{
	const struct shm_table *t = &shm->head->table[part];

	ASSERT(index < t->rows);
	return (char *)shm->head + t->offset + (uint64_t)index * t->row_bytes;
}

static void fill(struct shm *shm, const struct shm_head *head)
{
	struct shm_field *fields = (void *)((char *)shm->head + head->fields_offset);

	*shm->head = *head;
	for (int i = 0; i < TABLES; i++) {
		struct shm_field *first = fields + head->table[i].field_first;

		if (tables[i].fields)
			memcpy(first, tables[i].fields, tables[i].field_count * sizeof(*first));
		else
			describe_counters(first);
	}
	for (uint32_t i = 0; i < EVENT_COUNT; i++) {
		struct shm_event *event = row(shm, EVENT, i);

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
	return row(shm, WORKER, worker);
}

struct shm_flow_table *shm_flow_table(struct shm *shm)
{
	return row(shm, FLOW_TABLE, 0);
}

struct shm_control *shm_control(struct shm *shm)
{
	return row(shm, CONTROL, 0);
}

bool shm_set_socket(struct shm *shm, const char *path)
{
	bool fits = strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path);

	set_text(shm_control(shm)->socket, SHM_SOCKET_BYTES, fits ? path : "");
	return fits;
}

struct counters *shm_counters(struct shm *shm, uint32_t worker)
{
	return row(shm, COUNTER, worker);
}

struct trace *shm_trace(struct shm *shm, uint32_t worker)
{
	return row(shm, TRACE, worker);
}

struct verdicts *shm_verdicts(struct shm *shm, uint32_t worker)
{
	return row(shm, VERDICT, worker);
}

struct shm_port_totals *shm_port_totals(struct shm *shm, uint32_t worker, uint32_t port)
{
	ASSERT(port < PORTS_MAX);
	return row(shm, PORT_TOTALS, worker * PORTS_MAX + port);
}

struct shm_pool *shm_pool(struct shm *shm, uint32_t worker, enum pool_kind kind)
{
	ASSERT(kind < POOL_KINDS);
	return row(shm, POOL, worker * POOL_KINDS + kind);
}

struct shm_port *shm_port(struct shm *shm, uint32_t port)
{
	return row(shm, PORT, port);
}
