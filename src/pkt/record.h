// SPDX-License-Identifier: BSD-3-Clause
// Writing the flight recorder (observe/verdict.h): a packet's first bytes, and what became of it.
#pragma once

#include "observe/counter.h"
#include "observe/verdict.h"
#include "pkt/pkt.h"

// How a dropped packet begins. TRANSPORT: nobody says, so a received one is recorded as its frame
// came, whatever was stripped since; the others are on their way out, and begin where they do now.
struct record_head {
	enum verdict_head kind;
	uint16_t len;       // of header
	const void *header; // in front of the packet's bytes, in the record alone; or NULL
};

// Whether a packet's frame is in its first segment still, and how much of it was stripped. A
// reference's bytes may be another's frame from the middle on.
static inline bool record_find_frame(const struct pkt *p, uint32_t *stripped)
{
	uint16_t front = (uint16_t)pkt_origin(p);

	if (!front || !pkt_is_direct(p) || p->mbuf.data_off < front)
		return false;
	*stripped = (uint32_t)p->mbuf.data_off - front;
	return true;
}

// It came by the port with this index, or leaves by it; its frame is whole. The worker's;
// env->samples is there.
void record_sample(const struct env *env, const struct pkt *p, enum verdict_way way,
		   uint16_t port_index);

// The packet is about to be dropped. The worker's; env->verdicts is there.
void record_drop(const struct env *env, const struct pkt *p, enum drop reason,
		 const struct record_head *head);
