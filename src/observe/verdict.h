// SPDX-License-Identifier: BSD-3-Clause
// The flight recorder: what became of packets, with the first bytes of each, always on. Rings of
// records a worker writes and any tool may read from the shared-memory file, while it runs or after
// it died. Old records are overwritten; a reader sees by the number of records what it missed.
//
// All drops are in one ring; in the other are samples of what came and left, one packet in so many
// (port/sample.c). So a flood of either does not push the other out.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/env.h"
#include "sync/cell.h"

// Of a packet: ethernet with a tag (18), IPv6 (40) and TCP with timestamps (32) fit, or IPv4 with
// all its options.
#define VERDICT_HEAD_BYTES 96

enum verdict_head {
	VERDICT_HEAD_FRAME = 1, // it begins with an ethernet header
	VERDICT_HEAD_IP,        // with an IP header: it never got its frame
	VERDICT_HEAD_TRANSPORT, // with a transport header, or it is no packet of a wire
};

enum verdict_way { VERDICT_DROPPED, VERDICT_CAME, VERDICT_LEFT };

#define VERDICT_NO_PORT UINT8_MAX // it was on its way out, or is no packet of a wire

struct verdict {
	uint64_t time_ns;   // of the turn, on the workers' clock
	uint64_t journey;   // which received packet it is, or answers in its buffer; 0: made here
	uint32_t len;       // bytes of the whole packet, from the head's first on
	uint16_t reason;    // enum drop; of a sample DROP_OK
	uint8_t port;       // index of the one it came in by, or VERDICT_NO_PORT; that it left by
	uint8_t head_kind;  // enum verdict_head
	uint8_t head_bytes; // of head
	uint8_t way;        // enum verdict_way
	uint8_t spare[6];
	uint8_t head[VERDICT_HEAD_BYTES];
};

static_assert(sizeof(struct verdict) == 128, "two cache lines, none across three");

// Records of a worker's ring, powers of two: in the shared-memory file (2 MiB each), and in the
// private memory of one that has no such file, where only tests look.
#define VERDICT_RECORDS 16384
#define VERDICT_RECORDS_PRIVATE 256

// The records follow.
struct verdicts {
	uint64_t written; // ever; the next goes to written % of how many there are
	uint64_t spare[7];
};

static inline struct verdict *verdict_records(struct verdicts *verdicts)
{
	return (struct verdict *)(verdicts + 1);
}

// The record to be filled in next; verdict_done shows it to readers. The worker's.
static inline struct verdict *verdict_next(struct verdicts *verdicts, uint64_t mask)
{
	return verdict_records(verdicts) + (verdicts->written & mask);
}

static inline void verdict_done(struct verdicts *verdicts)
{
	token_pass(&verdicts->written, verdicts->written + 1);
}
