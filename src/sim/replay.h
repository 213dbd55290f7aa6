// SPDX-License-Identifier: BSD-3-Clause
// A captured connection again: the peer's segments as they were captured, and what Prism answers.
#pragma once

#include "sim/dissect.h"
#include "sim/world.h"

struct replay_config {
	const struct segment_list *segments; // of one connection, by time, from its SYN on
	bool as_server;                      // Prism takes the place of who did not open
	bool ip6;
	uint16_t port[2]; // of who opened, and of the other
	uint64_t tolerance_ns;
	bool strict;
};

// What became of a captured segment, or what Prism sent in no segment's place.
enum replay_kind {
	REPLAY_FED,     // the peer's: it was given to Prism
	REPLAY_SAME,    // an answer as captured
	REPLAY_DIFFERS, // an answer in the place of the captured one, not quite like it
	REPLAY_MISSING, // captured, and Prism sent none
	REPLAY_EXTRA,   // Prism sent one, and none was captured
};

#define REPLAY_HOW_BYTES 200

struct replay_line {
	enum replay_kind kind;
	uint64_t time_ns;           // from the first segment on
	struct tcp_segment segment; // EXTRA: Prism's; else the captured one
	uint32_t seq, ack;          // relative to the first of their direction
	char how[REPLAY_HOW_BYTES]; // DIFFERS: how
};

struct replay {
	struct replay_line *line; // by time
	uint32_t count, count_max;
	uint32_t kinds[REPLAY_EXTRA + 1];
	const char *failure; // it could not be done, or NULL
};

bool replay_run(struct replay *replay, const struct replay_config *config);
void replay_free(struct replay *replay);

// ---- between the files of the replay

// One direction's numbers, captured and Prism's.
struct replay_side {
	uint32_t captured_isn, isn; // isn: of Prism's, once it is known
	bool isn_known;
};

struct replay_under_way {
	const struct replay_config *config;
	struct replay *replay;
	struct world *world;
	uint64_t base_ns, first_ns; // virtual time, and the capture's, of the first segment
	struct replay_side own, peer;
	struct segment_list sent; // by Prism
	uint32_t answers;         // captured ones whose time has come
	uint32_t echoed;          // captured segments before it have no echo to come
	// the application
	prism_conn conn;
	bool open, closing, closed;
	uint8_t *stream; // what it writes
	uint64_t stream_bytes, want_bytes, sent_bytes;
	bool want_close;
};

// Segment s as a frame from the peer, its numbers Prism's (replay_frame.c). Returns its length.
#define REPLAY_FRAME_BYTES_MAX 9400
uint32_t replay_frame(struct replay_under_way *r, const struct tcp_segment *s,
		      uint8_t frame[REPLAY_FRAME_BYTES_MAX]);

// Of which so many are TCP's options.
uint32_t replay_options_bytes(const struct tcp_segment *s);

// Prism's segments beside the captured ones: fills replay's lines (replay_compare.c).
bool replay_compare(struct replay_under_way *r);

static inline bool replay_is_own(const struct replay_config *config, const struct tcp_segment *s)
{
	return s->from_opener != config->as_server;
}
