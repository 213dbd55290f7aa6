// SPDX-License-Identifier: BSD-3-Clause
// What is known of a tail probe (RFC 8985 7.3, 7.4), in recovery too (docs/adr/0019). Called by
// loss.c with what ACKs say, and by output.c, which sends it; calls scoreboard.c for what goes
// again, and the congestion control where a probe repaired a loss.
//
// Not here: when one is due (timers.c, rack.c).
#include "tcp/probe.h"

#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"

void probe_recovery_begins(const struct tcp *tcp, const struct conn *c, struct trouble *t)
{
	t->tlp.was_oldest = t->tlp.end && t->tlp.len;
	t->undo.resent += t->tlp.was_oldest;
	t->tlp.end = 0;
	t->tlp.may_begin = true;
	t->tlp.timeout_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
}

void probe_is_oldest(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	if (t->lost.head == NO_INDEX) {
		scoreboard_lose_first(tcp, c, t, c->mss_bytes, false);
		t->tlp.was_oldest = true;
	}
	conn_set(c, CONN_RTX_NOW);
}

// RFC 8985 7.4.2; RFC 8985 R24
void probe_answered(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t ack)
{
	uint64_t flight = conn_outstanding(c) + t->tlp.flight_bytes;
	struct cc_sample sample = {.in_flight_bytes = MIN(flight, (uint64_t)c->cc.cwnd_bytes),
				   .now_ns = tcp->env->now_ns};

	if (conn_is(c, CONN_RECOVERY))
		t->tlp.end = 0; // it asked what is missing; there may be another
	if (t->tlp.end == 0 || ack < t->tlp.end)
		return;
	if (t->tlp.len && ack == t->tlp.end)
		return; // a duplicate of it may yet say that nothing was lost
	// Repaired by the probe alone: a loss all the same.
	if (t->tlp.len && !cc_window_was_marked(c, t->tlp.end)) {
		ecn_reduced(c);
		cc_of(c)->on_loss(c, &sample);
		cc_of(c)->on_recovered(c, &sample);
	}
	t->tlp.end = 0;
}

// RFC 8985 7.4.2, case 1; RFC 8985 R23
bool probe_came_twice(struct trouble *t, const struct range *block)
{
	bool of_probe = t->tlp.end && t->tlp.len && block->start >= t->tlp.end - t->tlp.len &&
			block->end <= t->tlp.end;

	if (of_probe && block->end == t->tlp.end)
		t->tlp.end = 0; // it was one too many; else it began before what was missing
	return of_probe;
}

// RFC 8985 7.4.2, case 2; RFC 8985 R23
void probe_duplicate(struct trouble *t, const struct segment *s, bool duplicate)
{
	if (duplicate && s->sack_count == 0 && s->ack == t->tlp.end)
		t->tlp.end = 0;
}
