// SPDX-License-Identifier: BSD-3-Clause
// What of the send queue has arrived, is lost, or was sent again: marks on its descriptors.
//
//	una                                                          nxt
//	 | lost | sacked | sacked | resent | sacked | fresh | fresh | unsent ...
//	                                              ^ t->fresh: in front of it nothing is both
//	                                                missing and sent only once
//
// A descriptor of a region may cover many segments: it is cut in two where a mark begins or ends.
// Cuts take descriptors from those all share, so there is a limit; what cannot be cut keeps the
// mark it has, and text is sent once more than need be. Called by loss.c and rack.c.
#pragma once

#include "tcp/sendq.h"
#include "tcp/trouble.h"

void scoreboard_begin(const struct conn *c, struct trouble *t);

// All marks off.
void scoreboard_clear(struct tcp *tcp, struct conn *c, struct trouble *t);

// Descriptors that lie below una, which is about to move there.
void scoreboard_acked(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t una);

// [start, end) has arrived, all of it outstanding. Returns how many bytes were not known to have.
uint32_t scoreboard_sack(struct tcp *tcp, struct conn *c, struct trouble *t,
			 const struct range *block);

// The descriptor is lost. False: part of it was never sent, and it could not be cut.
bool scoreboard_lose(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index);

// The oldest len bytes are lost, as far as they are not already. is_known: and not only taken for
// lost, so that who samples the rate hears of it.
void scoreboard_lose_first(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t len,
			   bool is_known);

// All that is outstanding is lost which left at sent_ns or before, and the oldest in any case; what
// was sacked is not.
void scoreboard_lose_sent_by(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t sent_ns);

// The descriptor is lost for the first time; or it is the rest of one, less than a segment, that
// could not be cut from what left again.
static inline bool scoreboard_lost_once(const struct conn *c, const struct send_desc *d)
{
	return !(d->flags & DESC_RETRANSMITTED) || d->len < c->mss_bytes;
}

// How much of [start, end) is lost once, as far as it is easily found.
uint32_t scoreboard_lost_in(const struct tcp *tcp, const struct conn *c, const struct trouble *t,
			    uint64_t start, uint64_t end);

// What was found lost may arrive after all: nothing is lost.
void scoreboard_lose_nothing(struct tcp *tcp, struct conn *c, struct trouble *t);

// The peer has thrown away what it had sacked (RFC 2018 8).
void scoreboard_reneged(struct tcp *tcp, struct conn *c, struct trouble *t);

// The lost text to be sent next, a segment at most. An empty range: none is lost.
struct range scoreboard_next(const struct tcp *tcp, const struct conn *c, const struct trouble *t);

// The last segment of what is outstanding, about to leave again by itself: the rest keeps its time.
// Of a packet's descriptor what it has, of a region as much as a segment takes.
struct range scoreboard_tail(struct tcp *tcp, struct conn *c, struct trouble *t);

// It has left again.
void scoreboard_resent(struct tcp *tcp, struct conn *c, struct trouble *t, const struct range *r);

void scoreboard_check(const struct tcp *tcp, const struct conn *c);
