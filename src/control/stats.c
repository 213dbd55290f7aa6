// SPDX-License-Identifier: BSD-3-Clause
// An instance's numbers by stable names, and as JSON. Everything goes by the names the file itself
// carries, so a tool of another version still shows what it does not know. Called by prism stats,
// prism top and the control socket; calls observe/shm_reader.h only.

#include "control/stats.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "observe/instance.h"

// Between two looks at a heartbeat: some of the worker's publishing periods.
#define LOOK_AGAIN_NS 25000000

const char *stats_state_name(enum stats_state state)
{
	static const char *const names[] = {"starting", "running", "stuck",
					    "stopping", "ended",   "dead"};

	return names[state];
}

static uint64_t heartbeat(const struct shm_reader *reader, uint32_t worker)
{
	const struct shm_table *table = shm_reader_table(reader, "worker");

	return shm_reader_u64(reader, table, worker,
			      shm_reader_find(reader, table, "heartbeat_ns"));
}

static uint32_t worker_rows(const struct shm_reader *reader)
{
	const struct shm_table *table = shm_reader_table(reader, "worker");

	return table ? MIN(table->rows, (uint32_t)WORKERS_MAX) : 0;
}

// A bit for each worker whose heartbeat is another than before.
static uint64_t turned(const struct shm_reader *reader, const uint64_t *before_ns)
{
	uint64_t workers = 0;

	for (uint32_t w = 0; w < worker_rows(reader); w++)
		if (heartbeat(reader, w) != before_ns[w])
			workers |= UINT64_C(1) << w;
	return workers;
}

// The copy may be of the moment before it wrote its last.
static enum stats_state how_it_went(struct shm_reader *reader)
{
	if (shm_reader_refresh(reader) == 0 && shm_reader_head(reader)->state == SHM_ENDED)
		return STATS_ENDED;
	return STATS_DEAD;
}

enum stats_state stats_look(struct shm_reader *reader)
{
	struct timespec wait = {.tv_nsec = LOOK_AGAIN_NS};
	uint64_t before_ns[WORKERS_MAX], all = ~UINT64_C(0) >> (64 - MAX(worker_rows(reader), 1u));

	for (uint32_t w = 0; w < worker_rows(reader); w++)
		before_ns[w] = heartbeat(reader, w);
	for (uint64_t waited_ns = 0; waited_ns <= STATS_STUCK_NS; waited_ns += LOOK_AGAIN_NS) {
		uint32_t state = shm_reader_head(reader)->state;

		if (state == SHM_ENDED)
			return STATS_ENDED;
		if (!shm_reader_alive(reader))
			return how_it_went(reader);
		if (state == SHM_STARTING)
			return STATS_STARTING;
		if (turned(reader, before_ns) == all)
			return state == SHM_STOPPING ? STATS_STOPPING : STATS_RUNNING;
		nanosleep(&wait, NULL);
		if (shm_reader_refresh(reader) != 0)
			return STATS_DEAD;
	}
	return STATS_STUCK;
}

struct walk {
	const struct shm_reader *reader;
	void (*each)(void *context, const struct stats_value *value);
	void *context;
};

static bool is_number(const struct shm_field *field)
{
	return field->kind == SHM_COUNTER || field->kind == SHM_GAUGE;
}

// Every number of one row, with prefix before its name. A table that has rows of their own for
// each worker is summed over workers: rows_per_worker apart.
static void walk_row(const struct walk *walk, const struct shm_table *table, uint32_t row,
		     const char *prefix)
{
	uint32_t step = table->rows_per_worker ? table->rows_per_worker : table->rows;

	for (uint32_t i = 0; i < table->field_count; i++) {
		const struct shm_field *field = shm_reader_field(walk->reader, table, i);
		struct stats_value value = {.gauge = field->kind == SHM_GAUGE,
					    .unit = field->unit,
					    .sentence = field->sentence};

		if (!is_number(field))
			continue;
		for (uint32_t r = row; r < table->rows; r += step)
			value.value += shm_reader_u64(walk->reader, table, r, field);
		snprintf(value.name, sizeof value.name, "%s%.47s", prefix, field->name);
		walk->each(walk->context, &value);
	}
}

static const char *text_of(const struct shm_reader *reader, const char *table_name, uint32_t row,
			   const char *field_name)
{
	const struct shm_table *table = shm_reader_table(reader, table_name);

	return shm_reader_text(reader, table, row, shm_reader_find(reader, table, field_name));
}

static void walk_ports(const struct walk *walk)
{
	const struct shm_table *ports = shm_reader_table(walk->reader, "port");
	const struct shm_table *totals = shm_reader_table(walk->reader, "port_totals");
	char prefix[64];

	for (uint32_t i = 0; ports && totals && i < ports->rows; i++) {
		const char *name = text_of(walk->reader, "port", i, "name");

		if (!name[0] || i >= totals->rows)
			continue;
		snprintf(prefix, sizeof prefix, "port.%.40s.", name);
		walk_row(walk, totals, i, prefix);
	}
}

static void walk_pools(const struct walk *walk)
{
	const struct shm_table *pools = shm_reader_table(walk->reader, "pool");
	char prefix[64];

	for (uint32_t i = 0; pools && i < pools->rows_per_worker && i < pools->rows; i++) {
		snprintf(prefix, sizeof prefix, "pool.%.40s.",
			 text_of(walk->reader, "pool", i, "name"));
		walk_row(walk, pools, i, prefix);
	}
}

static void walk_workers(const struct walk *walk)
{
	const struct shm_table *workers = shm_reader_table(walk->reader, "worker");
	char prefix[32];

	for (uint32_t w = 0; workers && w < workers->rows; w++) {
		struct walk one = *walk;
		struct shm_table row = *workers;

		// One row by itself: nothing to sum over.
		row.rows = w + 1;
		row.rows_per_worker = 0;
		snprintf(prefix, sizeof prefix, "worker.%u.", w);
		walk_row(&one, &row, w, prefix);
	}
}

void stats_each(const struct shm_reader *reader,
		void (*each)(void *context, const struct stats_value *value), void *context)
{
	struct walk walk = {reader, each, context};
	const struct shm_table *counters = shm_reader_table(reader, "counter");
	const struct shm_table *flow_table = shm_reader_table(reader, "flow_table");
	const struct shm_table *control = shm_reader_table(reader, "control");
	struct stats_value unaccounted = {
		.name = "unaccounted",
		.gauge = true,
		.unit = "packets",
		.sentence = "packets neither sent, used, queued nor dropped; always 0",
		.value = (uint64_t)shm_reader_unaccounted(reader),
	};

	if (counters)
		walk_row(&walk, counters, 0, "");
	each(context, &unaccounted);
	walk_workers(&walk);
	if (flow_table)
		walk_row(&walk, flow_table, 0, "flow_table.");
	if (control)
		walk_row(&walk, control, 0, "control.");
	walk_ports(&walk);
	walk_pools(&walk);
}

static void put(json_t *object, const struct shm_reader *reader, const struct shm_table *table,
		uint32_t row, bool texts)
{
	for (uint32_t i = 0; table && i < table->field_count; i++) {
		const struct shm_field *field = shm_reader_field(reader, table, i);

		if (is_number(field))
			json_object_set_new(object, field->name,
					    json_integer((json_int_t)shm_reader_u64(reader, table,
										    row, field)));
		else if (texts && field->kind == SHM_TEXT)
			json_object_set_new(
				object, field->name,
				json_string(shm_reader_text(reader, table, row, field)));
	}
}

// The fields of "counter" over all workers: the drop reasons, or all others.
static json_t *counters_json(const struct shm_reader *reader, bool drops)
{
	const struct shm_table *table = shm_reader_table(reader, "counter");
	json_t *object = json_object();

	for (uint32_t i = 0; table && i < table->field_count; i++) {
		const char *name = shm_reader_field(reader, table, i)->name;
		uint64_t sum = shm_reader_sum(reader, "counter", name);
		bool drop = strncmp(name, "drop.", 5) == 0;

		if (drop == drops)
			json_object_set_new(object, drop ? name + 5 : name,
					    json_integer((json_int_t)sum));
	}
	return object;
}

static json_t *mac_text(const struct shm_reader *reader, const struct shm_table *ports,
			uint32_t row)
{
	const uint8_t *mac =
		shm_reader_mac(reader, ports, row, shm_reader_find(reader, ports, "mac"));
	char text[18] = "";

	if (mac)
		snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			 mac[3], mac[4], mac[5]);
	return json_string(text);
}

json_t *stats_ports_json(const struct shm_reader *reader)
{
	const struct shm_table *ports = shm_reader_table(reader, "port");
	const struct shm_table *totals = shm_reader_table(reader, "port_totals");
	uint32_t step = totals && totals->rows_per_worker ? totals->rows_per_worker : 1;
	json_t *list = json_array();

	for (uint32_t i = 0; ports && totals && i < ports->rows && i < step; i++) {
		if (!text_of(reader, "port", i, "name")[0])
			continue;
		json_t *port = json_object();
		put(port, reader, ports, i, true);
		json_object_set_new(port, "mac", mac_text(reader, ports, i));
		for (uint32_t f = 0; f < totals->field_count; f++) {
			const struct shm_field *field = shm_reader_field(reader, totals, f);
			uint64_t sum = 0;

			for (uint32_t row = i; row < totals->rows; row += step)
				sum += shm_reader_u64(reader, totals, row, field);
			json_object_set_new(port, field->name, json_integer((json_int_t)sum));
		}
		json_array_append_new(list, port);
	}
	return list;
}

// A row without a name is nobody's: pools are told of once, by the first worker.
static bool is_nameless(const struct shm_reader *reader, const struct shm_table *table,
			uint32_t row)
{
	const struct shm_field *name = shm_reader_find(reader, table, "name");

	return name && !shm_reader_text(reader, table, row, name)[0];
}

static json_t *rows_json(const struct shm_reader *reader, const char *table_name)
{
	const struct shm_table *table = shm_reader_table(reader, table_name);
	json_t *list = json_array();

	for (uint32_t row = 0; table && row < table->rows; row++) {
		if (is_nameless(reader, table, row))
			continue;
		json_t *object = json_object();

		put(object, reader, table, row, true);
		json_array_append_new(list, object);
	}
	return list;
}

// Of a table of one row.
static json_t *row_json(const struct shm_reader *reader, const char *table_name)
{
	json_t *object = json_object();

	put(object, reader, shm_reader_table(reader, table_name), 0, true);
	return object;
}

json_t *stats_json(const struct shm_reader *reader, enum stats_state state)
{
	const struct shm_head *head = shm_reader_head(reader);

	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "instance",
			 head->instance, "version", head->version, "state", stats_state_name(state),
			 "pid", (json_int_t)head->pid, "counters", counters_json(reader, false),
			 "drops", counters_json(reader, true), "unaccounted",
			 (json_int_t)shm_reader_unaccounted(reader), "workers",
			 rows_json(reader, "worker"), "flow_table", row_json(reader, "flow_table"),
			 "control", row_json(reader, "control"), "ports", stats_ports_json(reader),
			 "pools", rows_json(reader, "pool"));
}

struct listing {
	char names[512];
	char only[INSTANCE_PATH_BYTES];       // the last one seen
	char only_alive[INSTANCE_PATH_BYTES]; // the last living one
	uint32_t count, alive_count;
};

static void note_instance(void *context, const char *path)
{
	struct listing *listing = context;
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t used = strlen(listing->names), len = strlen(name);
	struct shm_reader *reader = shm_reader_open(path);
	bool alive = reader && shm_reader_alive(reader);

	if (reader)
		shm_reader_close(reader);
	if (len > 4 && strcmp(name + len - 4, ".shm") == 0)
		len -= 4;
	snprintf(listing->only, sizeof listing->only, "%s", path);
	if (alive)
		snprintf(listing->only_alive, sizeof listing->only_alive, "%s", path);
	snprintf(listing->names + used, sizeof listing->names - used, "%s%.*s%s", used ? ", " : "",
		 (int)len, name, alive ? "" : " (dead)");
	listing->count++;
	listing->alive_count += alive;
}

// The only one, or the only living one among what dead ones left.
struct shm_reader *stats_open(const char *name)
{
	struct listing listing = {0};
	char path[INSTANCE_PATH_BYTES];

	if (name && instance_find(NULL, name, path) == 0)
		return shm_reader_open(path);
	instance_list(NULL, note_instance, &listing);
	if (!name && listing.alive_count == 1)
		return shm_reader_open(listing.only_alive);
	if (!name && listing.count == 1)
		return shm_reader_open(listing.only);
	if (name)
		err_set(ERR_SHM_MISSING, "there is no instance `%s`; there are: %s", name,
			listing.count ? listing.names : "none");
	else if (listing.count == 0)
		err_set(ERR_SHM_MISSING, "no instance of Prism is to be seen");
	else
		err_set(ERR_INSTANCE_AMBIGUOUS, "there are several instances: %s", listing.names);
	return NULL;
}
