// SPDX-License-Identifier: BSD-3-Clause
// Captures of an instance, from the control thread's side: begun, told to workers, ended when
// nobody holds their tape any more. Workers look when they publish, some ten milliseconds later; no
// call here waits for one.
#pragma once

#include "pkt/taping.h"

struct prism;
struct prism_worker;

// Places of captures. The control thread's, but for what says token.
struct taping_set {
	struct taping place[TAPINGS_MAX];
	struct {
		uint64_t ended;    // the change with which workers are told to leave it, 0: none
		uint64_t begun_ns; // on the kernel's monotonic clock
		bool held;         // somebody held its tape once
	} state[TAPINGS_MAX];
	uint64_t active;   // token: a bit a place; passed before change
	uint64_t change;   // token: how often active was changed
	char run_dir[256]; // empty: the instance has no shared memory, and no captures
};

struct taping_wish {
	const struct match_step *frame, *ip; // libpcap's programs for frames and for IP packets
	uint32_t frame_count, ip_count; // steps; frame 0: all packets; ip 0: none without frame
	const char *text;               // of the filter, or ""
	uint32_t points;                // a bit for each enum tape_point
	uint32_t snap_bytes;            // 1 to TAPE_SNAP_BYTES_MAX
	uint64_t ring_bytes;            // of each worker's tape, to TAPE_RING_BYTES_MAX
};

// The tape's path, valid until the capture is over; NULL with err_set: ERR_CAPTURES_MANY, ERR_TAPE,
// ERR_FILTER, ERR_OUT_OF_MEMORY. Who wants it holds it within a few seconds (tape_reader_open).
// Blocks: file system.
const char *taping_begin(struct prism *prism, const struct taping_wish *wish);

// Ends those that nobody holds, and takes apart those that every worker has left. Returns how many
// there are. To be called every second or so while there are any.
uint32_t taping_tend(struct prism *prism);

// No worker is left: takes all apart.
void taping_end_all(struct prism *prism);

// Removes tapes that a process of the same name left when it died; before any capture.
void taping_clean(struct prism *prism);

// The worker's: takes up what changed.
void taping_look(struct prism_worker *worker);
