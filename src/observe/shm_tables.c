// SPDX-License-Identifier: BSD-3-Clause
// What the tables of the shared-memory file are made of: each field by name, kind, unit and
// sentence, with the place it has in the struct that a worker writes (shm.h). Read by shm.c when it
// makes the file; nothing here runs.
#include "observe/shm_tables.h"

#include <stddef.h>

#include "observe/conn_row.h"

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
	NUMBER(shm_worker, sample_one_in, SHM_GAUGE, "packets",
	       "packets in or out of which the flight recorder notes one; 0: none"),
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
	NUMBER(shm_control, sample_one_in, SHM_GAUGE, "packets",
	       "packets in or out of which workers were told to note one; 0: none"),
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

#define VERDICTS(text) \
	NUMBER(verdicts, written, SHM_COUNTER, "records", "records ever written"), \
	{ \
		.name = "record", .sentence = text, .kind = SHM_VERDICTS, \
		.offset = sizeof(struct verdicts), \
		.bytes = VERDICT_RECORDS * sizeof(struct verdict) \
	}
#define VERDICTS_BYTES (sizeof(struct verdicts) + VERDICT_RECORDS * sizeof(struct verdict))

static const struct shm_field verdict_fields[] = {
	VERDICTS("the last packets that were dropped, at their number modulo how many fit"),
};

static const struct shm_field sample_fields[] = {
	VERDICTS("samples of what came and left, at their number modulo how many fit"),
};

static const struct shm_field event_fields[] = {
	BYTES(shm_event, name, SHM_TEXT, "name"),
	BYTES(shm_event, sentence, SHM_TEXT, "what happened, %a and %b for the arguments"),
	BYTES(shm_event, a, SHM_TEXT, "first argument"),
	BYTES(shm_event, b, SHM_TEXT, "second argument"),
};

// Fields of "counter": all counters, and all drops but DROP_OK as "drop.NAME".
#define COUNTER_FIELDS (COUNTER_COUNT + DROP_COUNT - 1)
// Of "connection": its version and addresses too.
#define CONNECTION_FIELDS (CONN_ROW_FIELDS + 3)

const struct shm_table_plan shm_table_plans[PART_COUNT] = {
	[PART_WORKER] = {"worker", worker_fields, ARRAY_COUNT(worker_fields),
			 sizeof(struct shm_worker), 1},
	[PART_FLOW_TABLE] = {"flow_table", flow_table_fields, ARRAY_COUNT(flow_table_fields),
			     sizeof(struct shm_flow_table), 0},
	[PART_CONTROL] = {"control", control_fields, ARRAY_COUNT(control_fields),
			  sizeof(struct shm_control), 0},
	[PART_COUNTER] = {"counter", NULL, COUNTER_FIELDS, sizeof(struct counters), 1},
	[PART_PORT] = {"port", port_fields, ARRAY_COUNT(port_fields), sizeof(struct shm_port), 0},
	[PART_PORT_TOTALS] = {"port_totals", port_totals_fields, ARRAY_COUNT(port_totals_fields),
			      sizeof(struct shm_port_totals), PORTS_MAX},
	[PART_POOL] = {"pool", pool_fields, ARRAY_COUNT(pool_fields), sizeof(struct shm_pool),
		       POOL_KINDS},
	[PART_TRACE] = {"trace", trace_fields, ARRAY_COUNT(trace_fields), sizeof(struct trace), 1},
	[PART_VERDICT] = {"verdict", verdict_fields, ARRAY_COUNT(verdict_fields), VERDICTS_BYTES,
			  1},
	[PART_SAMPLE] = {"sample", sample_fields, ARRAY_COUNT(sample_fields), VERDICTS_BYTES, 1},
	[PART_EVENT] = {"event", event_fields, ARRAY_COUNT(event_fields), sizeof(struct shm_event),
			0},
	[PART_CONNECTION] = {"connection", NULL, CONNECTION_FIELDS, sizeof(struct conn_row), 0},
};

static_assert(PART_COUNT <= SHM_TABLES_MAX, "the head has room for all tables");
