// SPDX-License-Identifier: BSD-3-Clause
// Tapes: packets that workers copy for a capture, into a file in memory that any tool may read
// while they write on, and after they died. Each worker has a ring of its own; it never waits for a
// reader: old packets are overwritten, and a reader sees by their numbers what it missed.
//
// A ring is a whole number of pages, and no record lies across two: who fell behind begins again at
// a page, where a record always begins. Whether what was copied is good, sync/overrun.h tells.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/limits.h"
#include "sync/overrun.h"

#define TAPE_MAGIC "PRISMTAP"
#define TAPE_LAYOUT 1
#define TAPE_PAGE_BYTES (256u << 10)
#define TAPE_SNAP_BYTES_MAX (128u << 10)
#define TAPE_RING_BYTES_MIN (4 * TAPE_PAGE_BYTES)
#define TAPE_RING_BYTES_MAX (1u << 30)
#define TAPE_FILTER_BYTES 1024

// Where a packet was when it was copied. A bit each in a capture's points.
enum tape_point { TAPE_CAME, TAPE_LEFT, TAPE_DROPPED, TAPE_DELIVERED, TAPE_POINTS };

struct tape_record {
	uint32_t record_bytes; // with these and what fills it up to a cache line
	uint32_t bytes;        // of the packet, behind these; 0 with len 0: fills up a page
	uint32_t len;          // of the whole packet
	uint16_t reason;       // enum drop
	uint8_t point;         // enum tape_point
	uint8_t port;          // index, or VERDICT_NO_PORT
	uint64_t time_ns;      // of the turn, on the workers' clock
	uint64_t number;       // of this worker's in this capture, from 1
	uint64_t journey;      // observe/verdict.h
	uint8_t head_kind;     // enum verdict_head
	uint8_t spare[7];
};

static_assert(sizeof(struct tape_record) == 48, "no holes");
static_assert(sizeof(struct tape_record) + TAPE_SNAP_BYTES_MAX + CACHE_LINE_BYTES < TAPE_PAGE_BYTES,
	      "any record fits in a page");

// A worker's; the ring's bytes follow.
struct tape {
	struct overrun place; // bytes ever
	uint64_t pkts;        // ever
	uint64_t ring_bytes;
	uint64_t taken; // cell; 1: the worker copies from now on
	uint64_t spare[3];
};

struct tape_port {
	char name[32];
	char device[96];
};

struct tape_head {
	char magic[8];
	uint32_t layout;
	uint32_t worker_count;
	uint64_t file_bytes;
	uint64_t rings_offset; // of the first worker's struct tape
	uint64_t ring_stride;  // from one to the next
	uint64_t ring_bytes;   // a power of two
	uint64_t wall_ns;      // since 1970, when the workers' clock was clock_ns
	uint64_t clock_ns;
	uint32_t pid;
	uint32_t points; // a bit for each enum tape_point
	uint32_t snap_bytes;
	uint32_t port_count;
	uint64_t pid_start_ticks; // observe/instance.h
	uint64_t ended;           // cell; 1: nobody writes any more
	char version[32];
	char instance[64];
	char filter[TAPE_FILTER_BYTES];
	struct tape_port port[PORTS_MAX];
};

// What the control thread makes and ends.
struct tape_config {
	const char *run_dir; // instance_run_dir's
	const char *instance;
	uint32_t number; // RUN_DIR/INSTANCE-NUMBER.tape
	uint32_t worker_count;
	uint64_t ring_bytes; // made a power of two
	uint32_t points, snap_bytes;
	const char *filter;
	uint64_t wall_ns, clock_ns; // the same moment
	uint32_t port_count;
	struct tape_port port[PORTS_MAX];
};

struct tape_file;

// NULL with err_set. All of its memory is taken: no worker meets a full file system. Blocks.
struct tape_file *tape_create(const struct tape_config *config);

// Whoever reads is told that this is the end, and nobody finds it any more.
void tape_end(struct tape_file *file);

// Unlinks and unmaps. No worker writes any more.
void tape_destroy(struct tape_file *file);

const char *tape_path(const struct tape_file *file);
struct tape *tape_of(struct tape_file *file, uint32_t worker);

// False when somebody holds it (tape_reader_open). Leaves it as it was.
bool tape_is_forsaken(const struct tape_file *file);

static inline uint8_t *tape_bytes(struct tape *tape)
{
	return (uint8_t *)(tape + 1);
}

// The worker's: where the next record of so many bytes behind its head is to be written, its
// record_bytes and number filled in. tape_done shows it.
struct tape_record *tape_next(struct tape *tape, uint32_t bytes);
void tape_done(struct tape *tape, const struct tape_record *record);
