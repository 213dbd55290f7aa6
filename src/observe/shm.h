// SPDX-License-Identifier: BSD-3-Clause
// The shared-memory file: counters, drops, traces, ports, pools of one running instance, where
// tools read them while it runs, when it is stuck and after it died. This is the writing side;
// observe/shm_reader.h reads.
//
// The file is a head and a few tables; the head says where each table lies and describes every
// field by name, kind, unit and sentence, so that a tool of another version reads it too. Tables
// that workers write have rows of their own for each worker: one writer, relaxed stores
// (sync/cell.h), whole cache lines.
#pragma once

#include <stdint.h>

#include "base/bits.h"
#include "base/env.h"
#include "base/limits.h"
#include "observe/counter.h"
#include "observe/trace.h"
#include "observe/verdict.h"

#define SHM_MAGIC "PRISMSHM"
#define SHM_LAYOUT 1 // of the structs shm_head, shm_table, shm_field, trace_record and verdict
#define SHM_PATH_BYTES 256
#define SHM_INSTANCE_BYTES 64

enum shm_state { SHM_STARTING = 1, SHM_RUNNING, SHM_STOPPING, SHM_ENDED };

enum shm_kind {
	SHM_COUNTER = 1, // uint64_t, only grows
	SHM_GAUGE,       // uint64_t, rises and falls
	SHM_TEXT,        // characters, ended by a zero byte
	SHM_MAC,         // six bytes
	SHM_RECORDS,     // struct trace_record, as many as the largest power of two that fits
	SHM_VERDICTS,    // struct verdict, the same
	SHM_ADDR,        // struct addr
};

struct shm_field {
	char name[48];
	char unit[16];
	char sentence[176];
	uint32_t kind; // enum shm_kind
	uint32_t offset;
	uint32_t bytes;
	uint32_t spare;
};

struct shm_table {
	char name[24];
	uint64_t offset;
	uint32_t row_bytes;
	uint32_t rows;
	uint32_t rows_per_worker; // worker w has rows w * this and on; 0: not a worker's
	uint32_t field_first, field_count;
	uint32_t spare;
};

#define SHM_TABLES_MAX 16

struct shm_head {
	char magic[8];
	uint32_t layout;
	uint32_t head_bytes;
	uint64_t file_bytes;
	uint32_t pid;
	uint32_t state;           // enum shm_state
	uint64_t pid_start_ticks; // /proc/PID/stat field 22: tells a reused pid
	uint64_t start_wall_ns;   // since 1970
	uint64_t start_ns;        // on the clock of the workers' heartbeats
	char version[32];
	char instance[SHM_INSTANCE_BYTES];
	uint32_t worker_count;
	uint32_t table_count;
	uint32_t field_count;
	uint32_t spare;
	uint64_t fields_offset;
	struct shm_table table[SHM_TABLES_MAX];
};

// Rows of the tables.

struct shm_worker {            // "worker"
	uint64_t heartbeat_ns; // now_ns of the last turn
	uint64_t core;
	uint64_t conns_half_open, conns_open, conns_time_wait;
	uint64_t timers;
	uint64_t handed_pkts;   // waiting in the rings from other workers
	uint64_t pressure;      // enum pressure
	uint64_t sample_one_in; // packets; 0: none
	// copies of this worker's counters, for those who look at workers apart
	uint64_t turns, turns_busy, busy_ns, busy_cycles;
	uint64_t in_pkts; // received, and handed here by others
	uint64_t handed_out_pkts;
	uint64_t accepted; // connections
	uint64_t moved;    // to other workers
} CACHE_ALIGNED;

#define SHM_SOCKET_BYTES 128 // more than the path of a UNIX socket

struct shm_control {                   // "control", one; who drives the instance writes it
	char socket[SHM_SOCKET_BYTES]; // where requests are answered, or empty
	uint64_t rebalance;            // 1: on
	uint64_t sample_one_in;        // what workers were told; 0: none
} CACHE_ALIGNED;

struct shm_flow_table { // "flow_table", one that all workers share; the first tells
	uint64_t keys, capacity, slots;
	uint64_t waiting, longest, retries;
} CACHE_ALIGNED;

struct shm_port { // "port"
	char name[32];
	char device[96];
	uint8_t mac[8]; // six bytes and two of padding
	uint64_t mtu_bytes;
	char dhcp[40]; // what its client does, and what address it has; empty: it has none
} CACHE_ALIGNED;

struct shm_port_totals { // "port_totals", PORTS_MAX a worker
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
} CACHE_ALIGNED;

struct shm_pool { // "pool", POOL_KINDS a worker; all share them, so the first's rows tell
	char name[16];
	uint64_t capacity_pkts, available_pkts;
} CACHE_ALIGNED;

struct shm_event { // "event", a row for each enum event; trace records name it by its number
	char name[32];
	char sentence[160]; // %a and %b stand for the arguments
	char a[32], b[32];  // what they are
};

struct shm_config {
	const char *instance; // letters, digits, '-', '_', '.'; below 64 characters
	const char *run_dir;  // NULL: the default, see shm_run_dir
	uint32_t worker_count;
	uint32_t port_count;
	uint64_t wall_ns; // now, since 1970
	uint64_t now_ns;  // now, on the workers' clock
};

struct conn_row; // observe/conn_row.h
struct shm;

// A negative errno with err_set when a living instance has the name: for a start that would meet
// its devices before it meets its file. Blocks: file system.
int shm_refuse_running(const char *instance, const char *run_dir);

// Creates RUN_DIR/INSTANCE.shm; one left by a dead process is replaced, one of a living process is
// a refusal. NULL with err_set. Blocks: file system. The state is SHM_STARTING.
struct shm *shm_create(const struct shm_config *config);

// State SHM_ENDED for who has it open, then unlinks and unmaps.
void shm_destroy(struct shm *shm);

void shm_set_state(struct shm *shm, enum shm_state state);
const char *shm_path(const struct shm *shm);

// Zeroed memory of one row, valid until shm_destroy; the worker writes it with cell_set.
struct shm_worker *shm_worker(struct shm *shm, uint32_t worker);
struct counters *shm_counters(struct shm *shm, uint32_t worker);
struct trace *shm_trace(struct shm *shm, uint32_t worker);
struct verdicts *shm_verdicts(struct shm *shm, uint32_t worker);  // VERDICT_RECORDS
struct verdicts *shm_samples(struct shm *shm, uint32_t worker);   // the same
struct conn_row *shm_conn_rows(struct shm *shm, uint32_t worker); // conn_rows_of_worker
struct shm_port_totals *shm_port_totals(struct shm *shm, uint32_t worker, uint32_t port);
struct shm_flow_table *shm_flow_table(struct shm *shm);
struct shm_control *shm_control(struct shm *shm);
struct shm_pool *shm_pool(struct shm *shm, uint32_t worker, enum pool_kind kind);

// Where requests are answered. False, and nowhere, when no socket's address holds the path.
bool shm_set_socket(struct shm *shm, const char *path);

// Filled in once, at start, before SHM_RUNNING.
struct shm_port *shm_port(struct shm *shm, uint32_t port);
