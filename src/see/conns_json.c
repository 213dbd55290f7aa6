// SPDX-License-Identifier: BSD-3-Clause
// Connections as JSON: every number under its own name, from the list that the workers write by
// (observe/conn.def); what is a time, a choice or a flag in words. Called by prism conns; names,
// once given, stay.
#include <string.h>

#include "base/time.h"
#include "see/conns.h"
#include "see/why.h"

static const struct {
	enum conn_shown flag;
	const char *name;
} flags[] = {
	{CONN_SHOWN_PASSIVE, "passive"},   {CONN_SHOWN_TIMESTAMPS, "timestamps"},
	{CONN_SHOWN_SACK, "sack"},         {CONN_SHOWN_ECN, "ecn"},
	{CONN_SHOWN_RECOVERY, "recovery"}, {CONN_SHOWN_PACED, "paced"},
	{CONN_SHOWN_PROBING, "probing"},
};

// Those that stand in the object otherwise.
static bool is_said(const char *name)
{
	static const char *const said[] = {"handle", "as_of_ns",   "since_ns", "state",
					   "flags",  "congestion", "port",     "ssthresh_bytes"};

	for (uint32_t i = 0; i < ARRAY_COUNT(said); i++)
		if (strcmp(name, said[i]) == 0)
			return true;
	return false;
}

static double seconds_before(uint64_t now_ns, uint64_t time_ns)
{
	return (double)(now_ns - MIN(time_ns, now_ns)) / (double)NS_PER_S;
}

static json_t *flags_json(uint64_t set)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < ARRAY_COUNT(flags); i++)
		if (set & flags[i].flag)
			json_array_append_new(list, json_string(flags[i].name));
	return list;
}

static void add_numbers(json_t *object, const struct conn_row *c)
{
	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++) {
		const struct conn_row_field *f = &conn_row_fields[i];
		uint64_t value;

		memcpy(&value, (const char *)c + f->offset, sizeof(value));
		if (!is_said(f->name))
			json_object_set_new(object, f->name, json_integer((json_int_t)value));
	}
}

static json_t *conn_json(const struct shm_reader *reader, const struct conns *conns,
			 const struct conns_row *row)
{
	const struct conn_row *c = &row->c;
	char local[ADDR_TEXT_BYTES], remote[ADDR_TEXT_BYTES], handle[24];
	uint8_t port = (uint8_t)MIN(c->port, UINT64_C(255));

	snprintf(handle, sizeof(handle), "%#llx", (unsigned long long)c->handle);
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:f, s:f}", "handle", handle, "state",
		conns_state(c->state), "local", addr_format(&c->local, local), "remote",
		addr_format(&c->remote, remote), "congestion", conns_congestion(c->congestion),
		"port", why_port(reader, port), "worker", (int)row->worker, "flags",
		flags_json(c->flags), "as_of_s_ago", seconds_before(conns->now_ns, c->as_of_ns),
		"shown_for_s", seconds_before(c->as_of_ns, c->since_ns));

	json_object_set_new(object, "ssthresh_bytes",
			    c->ssthresh_bytes == UINT32_MAX
				    ? json_null()
				    : json_integer((json_int_t)c->ssthresh_bytes));
	add_numbers(object, c);
	return object;
}

json_t *conns_json(const struct shm_reader *reader, const struct conns *conns)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < conns->row_count; i++)
		json_array_append_new(list, conn_json(reader, conns, &conns->row[i]));
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:o}", "instance",
			 shm_reader_head(reader)->instance, "alive", conns->alive, "open",
			 (json_int_t)conns->open, "half_open", (json_int_t)conns->half_open,
			 "time_wait", (json_int_t)conns->time_wait, "shown",
			 (json_int_t)conns->shown, "matched", (int)conns->matched, "beyond",
			 (json_int_t)conns->beyond, "unfinished", (json_int_t)conns->unfinished,
			 "connections", list);
}
