// SPDX-License-Identifier: BSD-3-Clause
// An instance's numbers in the text format of Prometheus (version 0.0.4, "exposition formats"),
// for GET /metrics on the control socket. Names follow from those of the shared-memory file: units
// are spelled out, times are in seconds, what only grows ends in _total; HELP is the field's
// sentence. One family stands in one piece, with its samples together, as the format wants.

#include <inttypes.h>
#include <string.h>

#include "control/stats.h"

// "rx_pkts" of packets that only grow: "rx_packets_total".
static void family_name(const struct shm_field *field, const char *prefix, char *out,
			size_t out_bytes)
{
	static const struct {
		const char *suffix, *metric;
	} units[] = {{"_pkts", "_packets"}, {"_ns", "_seconds"}};
	size_t len = strlen(field->name);
	const char *unit = "";

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t suffix_len = strlen(units[i].suffix);

		if (len > suffix_len &&
		    strcmp(field->name + len - suffix_len, units[i].suffix) == 0) {
			len -= suffix_len;
			unit = units[i].metric;
			break;
		}
	}
	snprintf(out, out_bytes, "prism_%s%.*s%s%s", prefix, (int)len, field->name, unit,
		 field->kind == SHM_COUNTER ? "_total" : "");
}

static void head(FILE *out, const char *name, bool counter, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		counter ? "counter" : "gauge");
}

static void sample(FILE *out, const char *name, const char *labels, const char *unit,
		   uint64_t value)
{
	if (strcmp(unit, "nanoseconds") == 0)
		fprintf(out, "%s%s %" PRIu64 ".%09" PRIu64 "\n", name, labels, value / 1000000000,
			value % 1000000000);
	else
		fprintf(out, "%s%s %" PRId64 "\n", name, labels, (int64_t)value);
}

static bool is_number(const struct shm_field *field)
{
	return field->kind == SHM_COUNTER || field->kind == SHM_GAUGE;
}

static bool is_drop(const struct shm_field *field)
{
	return strncmp(field->name, "drop.", 5) == 0;
}

static void counters(const struct shm_reader *reader, FILE *out)
{
	const struct shm_table *table = shm_reader_table(reader, "counter");
	char name[128];

	for (uint32_t i = 0; table && i < table->field_count; i++) {
		const struct shm_field *field = shm_reader_field(reader, table, i);

		if (is_drop(field))
			continue;
		family_name(field, "", name, sizeof name);
		head(out, name, field->kind == SHM_COUNTER, field->sentence);
		sample(out, name, "", field->unit, shm_reader_sum(reader, "counter", field->name));
	}
}

static void drops(const struct shm_reader *reader, FILE *out)
{
	const struct shm_table *table = shm_reader_table(reader, "counter");

	head(out, "prism_drop_packets_total", true, "packets dropped, by reason");
	for (uint32_t i = 0; table && i < table->field_count; i++) {
		const struct shm_field *field = shm_reader_field(reader, table, i);

		if (is_drop(field))
			fprintf(out, "prism_drop_packets_total{reason=\"%s\"} %" PRIu64 "\n",
				field->name + 5, shm_reader_sum(reader, "counter", field->name));
	}
}

// A value of a label: backslash, quote and line feed are escaped.
static void label_value(const char *text, char *out, size_t out_bytes)
{
	size_t at = 0;

	for (; *text && at + 3 < out_bytes; text++) {
		if (strchr("\\\"", *text))
			out[at++] = '\\';
		out[at++] = *text == '\n' ? ' ' : *text;
	}
	out[at] = '\0';
}

// A table of rows, each told by a label: its text in label_table, or its number; or of one row.
struct rows {
	const char *table, *prefix, *label, *label_table;
};

static void rows(const struct shm_reader *reader, const struct rows *what, FILE *out)
{
	const struct shm_table *table = shm_reader_table(reader, what->table);
	const struct shm_table *labels =
		what->label_table ? shm_reader_table(reader, what->label_table) : NULL;
	const struct shm_field *name_field = shm_reader_find(reader, labels, "name");
	const char *form = !what->label ? ""
			   : labels     ? "{%s=\"%s\",worker=\"%u\"}"
					: "{%s=\"%s%u\"}";

	for (uint32_t i = 0; table && i < table->field_count; i++) {
		const struct shm_field *field = shm_reader_field(reader, table, i);
		uint32_t per_worker = table->rows_per_worker ? table->rows_per_worker : 1;
		char name[128], value[128], text[256];

		if (!is_number(field))
			continue;
		family_name(field, what->prefix, name, sizeof name);
		head(out, name, field->kind == SHM_COUNTER, field->sentence);
		for (uint32_t row = 0; row < table->rows; row++) {
			uint32_t worker = labels ? row / per_worker : row;
			uint32_t at =
				labels && labels->rows_per_worker == 0 ? row % per_worker : row;

			label_value(shm_reader_text(reader, labels, at, name_field), value,
				    sizeof value);
			if (labels && !value[0])
				continue;
			snprintf(text, sizeof text, form, what->label, value, worker);
			sample(out, name, text, field->unit,
			       shm_reader_u64(reader, table, row, field));
		}
	}
}

void stats_metrics(const struct shm_reader *reader, enum stats_state state, FILE *out)
{
	static const struct rows all[] = {
		{"worker", "worker_", "worker", NULL}, {"flow_table", "flow_table_", NULL, NULL},
		{"control", "control_", NULL, NULL},   {"port_totals", "port_", "port", "port"},
		{"pool", "pool_", "pool", "pool"},
	};
	const struct shm_head *about = shm_reader_head(reader);
	char instance[2 * SHM_INSTANCE_BYTES], version[64];

	label_value(about->instance, instance, sizeof instance);
	label_value(about->version, version, sizeof version);
	head(out, "prism_info", false, "always 1; who this is");
	fprintf(out, "prism_info{name=\"%s\",version=\"%s\"} 1\n", instance, version);
	head(out, "prism_up", false, "1 while the workers turn");
	fprintf(out, "prism_up %d\n", state == STATS_RUNNING);
	counters(reader, out);
	head(out, "prism_unaccounted_packets", false,
	     "packets neither sent, used, queued nor dropped; always 0");
	fprintf(out, "prism_unaccounted_packets %" PRId64 "\n", shm_reader_unaccounted(reader));
	drops(reader, out);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		rows(reader, &all[i], out);
}
