// SPDX-License-Identifier: BSD-3-Clause
// What a connection keeps while something is wrong: text of its own is lost or out of order, or the
// peer's came early. In good weather there is none of it, so an idle connection does not pay.
//
// Records come from a pool of the worker's, one for every sixteen connections. Who finds none goes
// on without: the peer is told of no blocks, and what was lost is sent again one segment a round
// trip (loss.c). All numbers are stream offsets.
#pragma once

#include "tcp/conn.h"

// RFC 2018 3: beside timestamps three blocks have room, without them four.
#define SACK_BLOCKS_MAX 4

struct range {
	uint64_t start, end;
};

static inline void ranges_sort(struct range *range, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct range r = range[i];
		uint32_t at = i;

		for (; at > 0 && range[at - 1].start > r.start; at--)
			range[at] = range[at - 1];
		range[at] = r;
	}
}

// Descriptors in a list, through their before and after.
struct desc_list {
	uint32_t head, tail;
};

struct trouble {
	// The scoreboard (scoreboard.h).
	union {
		uint32_t next;  // free records
		uint32_t fresh; // no descriptor before it was sent only once and is missing
	};
	uint32_t lost_bytes, sacked_bytes; // of what is outstanding; neither is in the network
	struct desc_list lost;             // to be sent again, in the order it was found lost
	struct desc_list resent;           // and not acknowledged, in the order it left
	uint32_t hint[SACK_BLOCKS_MAX];    // where the last blocks began, the latest first
	uint8_t block_count;               // of block, below
	uint8_t untold;      // of these, the first ones grew since an ACK told of them
	uint64_t high;       // one past the highest that was sacked
	uint64_t high_fresh; // of those that were sent once

	// RFC 8985 (rack.c).
	struct {
		uint64_t sent_ns, end; // of the segment sent last of those delivered; 0: none
		uint64_t rtt_ns;       // of it
		uint64_t min_rtt_ns;
		uint64_t dsack_round; // the window grows once a round trip: not before una is here
		uint64_t reorder_ns;  // what is missing now may come until then; TIME_NEVER_NS
		uint64_t rto_ns;      // the timer that waits behind that one
	} rack;
	struct {
		uint64_t end;          // of what was outstanding with the probe; 0: none under way
		uint64_t timeout_ns;   // in recovery: no probe after that
		uint32_t flight_bytes; // in flight when it left
		uint16_t len;          // of the old text it was, the last there was; 0: new text
		bool is_due : 1;       // it is to leave
		bool may_begin : 1;    // recovery began, and none was thought of yet
		bool was_oldest : 1;   // a DSACK may be for one in recovery, or before it
	} tlp;

	// The search for a path's MTU (pmtu.c).
	struct {
		uint64_t start; // of the last probe's text
		uint16_t len;   // of that, until una is beyond it; 0: no probe is under way
		uint16_t size;  // of its IP packet; 0: it is lost
		uint16_t high;  // the largest packet that may pass; 0: no search
		uint8_t tries;  // of this size were lost
		bool halves;    // the first size has failed
	} pmtu;

	// Recovery (loss.c).
	uint64_t recover; // RFC 6582: one past the highest sent when loss was found
	struct {
		uint64_t delivered, out; // bytes since it began (RFC 9937 6.1)
		uint64_t flight;         // RecoverFS
	} prr;
	struct {
		uint64_t una;   // where it began; 0: nothing to take back
		uint64_t until; // after it: nobody takes it back once una is beyond
		uint32_t cwnd_bytes, ssthresh_bytes;
		uint32_t resent;   // segments sent again that no DSACK has named yet
		uint32_t first_ts; // timestamp of the first of them; 0: none yet
	} undo;

	// What the peer is told (sack.c).
	struct range block[SACK_BLOCKS_MAX]; // what came early, the latest first
	struct range dsack;                  // what came twice; empty: nothing
};

static inline struct trouble *trouble_of(const struct tcp *tcp, const struct conn *c)
{
	DCHECK(conn_is(c, CONN_TROUBLE));
	return &tcp->trouble[c->trouble];
}

void trouble_init(struct tcp *tcp);

// How many records a worker has.
uint32_t trouble_records(const struct tcp_config *config);

// Its record, a new one if there is none yet. NULL when all are in use; for what the peer is told
// of early text already when half are, so that peers who leave gaps do not keep others from
// recovery.
struct trouble *trouble_get(struct tcp *tcp, struct conn *c);
struct trouble *trouble_get_to_tell(struct tcp *tcp, struct conn *c);

// Gives the record back when nothing in it is needed any more, or in any case.
void trouble_end_if_over(struct tcp *tcp, struct conn *c);
void trouble_end(struct tcp *tcp, struct conn *c);

// Around a move between workers: the record becomes a copy, a copy becomes a record of ours.
void trouble_leave(struct tcp *tcp, struct conn *c, struct trouble *copy);
void trouble_join(struct tcp *tcp, struct conn *c, const struct trouble *copy);
