// SPDX-License-Identifier: BSD-3-Clause
// Captures: copying packets at the places they pass to tapes (observe/tape.h), those a filter says
// yes to. A worker that takes part in none has env->tapings NULL and pays a comparison a burst.
#pragma once

#include "observe/counter.h"
#include "observe/tape.h"
#include "pkt/match.h"
#include "pkt/pkt.h"
#include "pkt/record.h"

#define TAPINGS_MAX 8 // of an instance at a time

// Made and unmade by a control thread (core/tapings.c), the same for all workers, who read it.
struct taping {
	struct match *frame, *ip; // of packets that begin with these; NULL: none matches,
	bool all;                 // unless there is no filter at all
	uint32_t points;          // a bit for each enum tape_point
	uint32_t snap_bytes;      // of a packet, at most
	struct tape_file *file;
};

// Those that a worker takes part in, its own.
struct tapings {
	uint32_t points; // of them all
	uint32_t count;
	struct {
		const struct taping *taping;
		struct tape *tape;
	} of[TAPINGS_MAX];
};

// Somebody wants what passes here.
static inline bool tape_wants(const struct env *env, enum tape_point point)
{
	return UNLIKELY(env->tapings) && env->tapings->points & 1u << point;
}

// Its frame is whole; it came by the port with this index, or leaves by it. The worker's.
void tape_frame(const struct env *env, const struct pkt *p, enum tape_point point,
		   uint16_t port_index);

// The same of one that goes to the application; its headers may have been taken off.
void tape_delivered(const struct env *env, const struct pkt *p);

// The same of one about to be dropped; as record_drop has it.
void tape_dropped(const struct env *env, const struct pkt *p, enum drop reason,
		     const struct record_head *head);
