// SPDX-License-Identifier: BSD-3-Clause
// What the files of prism capture share: what is asked of the instance (capture.c, run_capture.c),
// the files it writes (capture_file.c), the lines it prints (capture_line.c).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "observe/shm_reader.h"
#include "see/packets.h"

#define CAPTURE_SNAP_BYTES TAPE_SNAP_BYTES_MAX // of a packet, unless -s says
#define CAPTURE_RING_BYTES (16u << 20)         // of each worker's tape, unless --ring says
#define CAPTURE_QUERY_BYTES_MAX 7000           // the control socket takes heads of 32 KiB
#define CAPTURE_POINTS "rx,tx,drop"
#define CAPTURE_POINTS_ALL "rx, tx, drop and deliver"

// The command line of prism capture, in the order of its table (commands.c): NULL where an option
// is not given.
enum capture_option {
	CAPTURE_JSON,
	CAPTURE_INSTANCE,
	CAPTURE_WRITE,
	CAPTURE_COUNT,
	CAPTURE_INTERFACE,
	CAPTURE_SNAP,
	CAPTURE_AT, // points
	CAPTURE_SIZE,
	CAPTURE_FILES,
	CAPTURE_DURATION,
	CAPTURE_RING,
	CAPTURE_QUIET,
	CAPTURE_OPTIONS
};

// Captures as they say, until something ends it. An exit code, after it said what is wrong.
int capture_with(const char *const values[CAPTURE_OPTIONS], const char *filter);

// "rx,drop" as bits of enum tape_point. False: *wrong is there no point.
bool capture_points(const char *text, uint32_t *points, const char **wrong);
const char *capture_point_name(enum tape_point point);

// What became of a dropped packet: "DROP_NAME: sentence"; "" of one that was not, or of a reason
// that this tool does not know. Returns text.
#define CAPTURE_COMMENT_BYTES 320
const char *capture_comment(const struct shm_reader *reader, const struct packet *packet,
			    char text[CAPTURE_COMMENT_BYTES]);

// The time of day of a moment on the workers' clock, ns since 1970.
uint64_t capture_wall_ns(const struct tape_head *head, uint64_t time_ns);

// capture_line.c: a line for a packet, or a JSON object in a line.
void capture_line(const struct tape_head *head, const struct shm_reader *reader,
		  const struct packet *packet);
void capture_line_json(const struct tape_head *head, const struct shm_reader *reader,
		       const struct packet *packet);

// capture_file.c
struct capture_files {
	const char *path;    // as it was given; "-" is the output
	uint64_t bytes_max;  // of a file, then the next begins; 0: no limit
	uint32_t count_max;  // of files, then the oldest is overwritten; 0: no limit
	uint32_t count;      // so far
	struct pcapng *file; // the one that is being written
	const struct tape_head *head;
	uint64_t pkts[PORTS_MAX + 1];                       // in it, of each interface
	uint64_t lost;                                      // packets that were lost since it began
	uint64_t last_ns;                                   // of the latest packet, since 1970
	_Alignas(8) uint8_t made[64 + TAPE_SNAP_BYTES_MAX]; // a frame for one that has none
};

// Nobody reads what is written any more, which is an end like any other.
#define CAPTURE_LEFT (-1)

// 0, CAPTURE_LEFT, or an exit code after it said what is wrong. head stays the caller's, and must.
int capture_files_open(struct capture_files *files, const struct tape_head *head);
int capture_files_write(struct capture_files *files, const struct shm_reader *reader,
			const struct packet *packet);
int capture_files_flush(struct capture_files *files);
int capture_files_close(struct capture_files *files);
