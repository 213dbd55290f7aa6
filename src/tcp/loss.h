// SPDX-License-Identifier: BSD-3-Clause
// What is lost, and what that means for how much may fly until it is repaired.
#pragma once

#include "tcp/segment.h"
#include "tcp/trouble.h"

// Sequence space that counts as being in the network (RFC 6675's pipe): outstanding, less what has
// arrived out of order and what is lost and not yet sent again.
static inline uint64_t loss_in_flight(const struct tcp *tcp, const struct conn *c)
{
	const struct trouble *t;

	if (LIKELY(!conn_is(c, CONN_TROUBLE)))
		return conn_outstanding(c);
	t = trouble_of(tcp, c);
	return conn_outstanding(c) - t->lost_bytes - t->sacked_bytes;
}

// What flew before this ACK took acked_bytes of it, had each ACK of this turn been answered at
// once: they are all heard before anything may leave. Where a full segment waits, and half of cwnd
// or more was in use, that is the window; unless it was buffers or ports that let nothing out.
// RFC 5681 3.2, step 2: what the first two duplicates let out beyond cwnd does not count.
static inline uint32_t loss_flight_bytes(const struct tcp *tcp, const struct conn *c,
					 uint64_t acked_bytes)
{
	uint64_t flight = conn_outstanding(c) + acked_bytes;
	bool waits =
		c->snd.end >= c->snd.nxt + c->mss_bytes && !c->pace_waits && !tcp->flush_failed;

	if (waits && !conn_is(c, CONN_APP_LIMITED))
		flight = MAX(flight, (uint64_t)c->snd.wnd);
	return (uint32_t)MIN(flight, (uint64_t)c->cc.cwnd_bytes);
}

// What an ACK said, from before it is taken to after.
struct loss_news {
	uint32_t acked_bytes;     // una moves by this
	uint32_t delivered_bytes; // of all that arrived, as far as it was not known
};

// Something is wrong, or this ACK says so.
static inline bool loss_concerns(const struct conn *c, const struct segment *s)
{
	return conn_is(c, CONN_IN_TROUBLE) || s->sack_count;
}

// Before una moves to s->ack, and after. The latter is true when cwnd is recovery's for this ACK.
void loss_ack_comes(struct tcp *tcp, struct conn *c, const struct segment *s,
		    struct loss_news *news);
bool loss_ack_came(struct tcp *tcp, struct conn *c, const struct segment *s,
		   struct loss_news *news);

// una did not move, but the ACK has blocks, or is a duplicate by RFC 5681's definition.
void loss_ack_again(struct tcp *tcp, struct conn *c, const struct segment *s, bool duplicate);

// The retransmission timer fired: what is outstanding counts as lost.
void loss_timeout(struct tcp *tcp, struct conn *c);

// What was missing had time enough to come (RFC 8985 6.2, step 5).
void loss_reorder_timeout(struct tcp *tcp, struct conn *c);

// A flight's tail is not acknowledged: a probe is due (RFC 8985 7.3).
void loss_probe_timeout(struct tcp *tcp, struct conn *c);

// Everything outstanding must be sent again, and not because of congestion: the path's MTU fell, or
// a closed window took what was sent beyond it.
void loss_resend_all(struct tcp *tcp, struct conn *c);

// What is to be sent next of what is lost. An empty range: nothing.
struct range loss_next(const struct tcp *tcp, const struct conn *c);

// It was sent.
void loss_resent(struct tcp *tcp, struct conn *c, const struct range *r);

// So much text left, new or old. RFC 9937 R10.
static inline void loss_text_sent(struct tcp *tcp, struct conn *c, uint64_t bytes)
{
	if (UNLIKELY(conn_is(c, CONN_RECOVERY)))
		trouble_of(tcp, c)->prr.out += bytes;
}
