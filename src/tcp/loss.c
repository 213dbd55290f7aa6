// SPDX-License-Identifier: BSD-3-Clause
// What is lost, and what follows. Called by ack.c and timers.c; marks descriptors
// (scoreboard.c) that output.c sends again.
//
//	in order ──► recovery ──► in order       something is lost; una has reached recover
//	    └──────► after RTO ──┘               the timer fired; likewise
//
// Which: RACK says (rack.c) where the peer sends blocks; where it does not, the third duplicate ACK
// does, and each partial one (RFC 6582). Its duplicates stand for a segment each that arrived, so
// that all the rest is the same for both (RFC 9937 6.2.2). How far cwnd falls cc_*.c says; how it
// gets there, PRR (prr.c), or whose rate is sampled, its congestion control.
//
// A recovery was for nothing when all it sent again was there already, or when the ACK that ends
// it echoes a timestamp from before that (RFC 4015, RFC 3522). Then cwnd is what it was.
//
// Without a record (trouble.h) text goes again when the timer says, a segment with each ACK.
#include "tcp/loss.h"

#include "observe/counter.h"
#include "observe/trace.h"
#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/pmtu.h"
#include "tcp/probe.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/rate.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/timers.h"

#define DUPACK_THRESHOLD 3

// acked_bytes: what una moved by just now, which was in flight until then.
static struct cc_sample sample_now(const struct tcp *tcp, const struct conn *c,
				   uint32_t acked_bytes)
{
	return (struct cc_sample){
		.in_flight_bytes = loss_flight_bytes(tcp, c, acked_bytes),
		.now_ns = tcp->env->now_ns,
	};
}

// ---- the beginning and the end of it

static void remember(const struct conn *c, struct trouble *t)
{
	t->undo.una = c->snd.una;
	t->undo.until = c->snd.nxt;
	t->undo.cwnd_bytes = c->cc.cwnd_bytes;
	t->undo.ssthresh_bytes = c->ssthresh_bytes;
	t->undo.resent = 0;
	t->undo.first_ts = 0;
}

// What was sent again before may come twice, too: it says nothing of what the timer sends again.
static void remember_for_timeout(const struct conn *c, struct trouble *t)
{
	uint32_t copies = conn_is(c, CONN_RECOVERY) ? t->undo.resent : 0;

	remember(c, t);
	t->undo.resent = copies + (t->tlp.end && t->tlp.len);
}

// RFC 9937 R1, R8; RFC 6582 R3
static void enter_recovery(struct tcp *tcp, struct conn *c, struct trouble *t,
			   const struct loss_news *news)
{
	struct cc_sample s = sample_now(tcp, c, news->acked_bytes);

	counter_add(tcp->env, COUNTER_tcp_fast_retransmits, 1);
	remember(c, t);
	prr_begin(tcp, c, t, news);
	// RFC 3168 6.1.2: once; RFC 8511 R4. What is lost begins at una: the segment with CWR is of
	// the next window already.
	if (!cc_window_was_marked(c, c->snd.una + 1))
		cc_of(c)->on_loss(c, &s);
	ecn_reduced(c);
	if (LIKELY(!conn_is(c, CONN_SAMPLED)))
		c->cc.cwnd_bytes = (uint32_t)MAX(loss_in_flight(tcp, c), (uint64_t)c->mss_bytes);
	t->recover = c->snd.nxt;
	probe_recovery_begins(tcp, c, t);
	conn_set(c, CONN_RECOVERY | CONN_RTX_NOW); // RFC 5681 3.2, step 3: the first at once
	conn_mark(tcp, c);
}

// RFC 6582 R4
static void leave_recovery(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	struct cc_sample s = {.in_flight_bytes = loss_in_flight(tcp, c),
			      .now_ns = tcp->env->now_ns};

	conn_unset(c, CONN_RECOVERY);
	t->undo.until = c->snd.nxt;
	rack_recovered(c);
	cc_of(c)->on_recovered(c, &s);
}

// It was for nothing (RFC 4015 3.2, RFC 8985 9.1 for the marks). RFC 9438 R12.
static void take_back(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	counter_add(tcp->env, COUNTER_tcp_spurious_recoveries, 1);
	c->cc.cwnd_bytes = MAX(c->cc.cwnd_bytes, t->undo.cwnd_bytes);
	c->ssthresh_bytes = MAX(c->ssthresh_bytes, t->undo.ssthresh_bytes);
	t->undo.una = 0;
	cc_of(c)->on_spurious(c);
	conn_unset(c, CONN_RECOVERY | CONN_AFTER_RTO | CONN_RTX_NOW);
	scoreboard_lose_nothing(tcp, c, t);
	conn_mark(tcp, c);
}

// RFC 3522 3.2, (5): the echo is older than what was sent again first.
static bool echoes_the_original(const struct conn *c, const struct trouble *t,
				const struct segment *s)
{
	return t->undo.una && t->undo.first_ts && s->ack > t->undo.una && s->has_ts &&
	       conn_is(c, CONN_TS) && (int32_t)(s->ts_echo - t->undo.first_ts) < 0;
}

// ---- what the ACK says

// RFC 2883 5: the first block lies below the acknowledgment, or inside the second.
// RFC 2883 R8, R9
static bool is_dsack(const struct range *first, const struct range *second, uint64_t ack)
{
	return first->end <= ack ||
	       (second && first->start >= second->start && first->end <= second->end);
}

static void dsack_comes(struct tcp *tcp, struct conn *c, struct trouble *t,
			const struct range *block)
{
	counter_add(tcp->env, COUNTER_tcp_dsacks_in, 1);
	if (probe_came_twice(t, block))
		return;
	if (!t->tlp.was_oldest) // order has nothing to do with that one
		rack_dsack(c, t);
	t->tlp.was_oldest = false;
	if (!t->undo.una || block->start < t->undo.una || block->end > t->undo.until)
		return;
	if (t->undo.resent)
		t->undo.resent--;
	if (t->undo.resent == 0 && t->undo.first_ts)
		take_back(tcp, c, t);
}

static struct range block_of(const struct conn *c, const struct segment *s, uint32_t i)
{
	return (struct range){offset_near(c->snd.una, s->sack[i].start),
			      offset_near(c->snd.una, s->sack[i].end)};
}

// What is not text of ours that is outstanding says nothing (RFC 2018 5 has no such block).
static bool block_is_good(const struct conn *c, const struct segment *s, const struct range *b)
{
	return b->start < b->end && b->start > s->ack && b->end <= c->snd.nxt;
}

static bool begins_with_dsack(const struct conn *c, const struct segment *s)
{
	bool several = s->sack_count > 1;
	struct range first = block_of(c, s, 0), second = block_of(c, s, several);

	return first.start < first.end && is_dsack(&first, several ? &second : NULL, s->ack);
}

// In the stream's order: one whose own ACK was lost is news together with one that lies further on,
// and would look as if it had come late (RFC 8985 6.2, step 3). RFC 2018 R2
static uint32_t blocks_come(struct tcp *tcp, struct conn *c, struct trouble *t,
			    const struct segment *s)
{
	struct range block[SACK_OPTION_BLOCKS_MAX];
	uint32_t newly = 0, count = conn_is(c, CONN_SACK) ? s->sack_count : 0;
	uint32_t first = count && begins_with_dsack(c, s);

	for (uint32_t i = 0; i < count; i++)
		block[i] = block_of(c, s, i);
	if (first)
		dsack_comes(tcp, c, t, &block[0]);
	ranges_sort(block + first, count - first);
	for (uint32_t i = first; i < count; i++) {
		if (block_is_good(c, s, &block[i]))
			newly += scoreboard_sack(tcp, c, t, &block[i]);
		else
			counter_add(tcp->env, COUNTER_tcp_sacks_ignored, 1);
	}
	return newly;
}

// RFC 9937 6.2.2: of a peer without blocks each duplicate stands for a segment that arrived, and no
// more can than were sent. RFC 9937 R9.
static uint32_t duplicate_stands_for(const struct conn *c, struct trouble *t)
{
	uint64_t missing = conn_outstanding(c) - t->lost_bytes - t->sacked_bytes;
	uint32_t bytes = (uint32_t)MIN(missing, (uint64_t)c->mss_bytes);

	t->sacked_bytes += bytes;
	return bytes;
}

// And una moves over them and the segment that was missing in front of them. RFC 9937 R9.
static uint32_t duplicates_end(const struct conn *c, struct trouble *t, uint32_t acked_bytes)
{
	uint32_t behind = acked_bytes - MIN(acked_bytes, (uint32_t)c->mss_bytes);
	uint32_t known = MIN(behind, t->sacked_bytes);
	uint64_t missing = conn_outstanding(c) - acked_bytes - t->lost_bytes;

	t->sacked_bytes = (uint32_t)MIN((uint64_t)t->sacked_bytes - known, missing);
	return acked_bytes - known;
}

// ---- what follows

// RFC 6582 3.2, steps 2 and 3: without blocks. RFC 6582 R1, R2, R5.
static void count_duplicates(struct tcp *tcp, struct conn *c, struct trouble *t,
			     const struct loss_news *news)
{
	bool third = !conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO) &&
		     c->dupacks == DUPACK_THRESHOLD && c->snd.una > t->recover;
	bool partial = conn_is(c, CONN_RECOVERY) && news->acked_bytes && c->snd.una < t->recover;
	uint64_t missing;

	if (!third && !partial)
		return;
	scoreboard_lose_first(tcp, c, t, c->mss_bytes, true);
	missing = conn_outstanding(c) - t->lost_bytes;
	t->sacked_bytes = (uint32_t)MIN((uint64_t)t->sacked_bytes, missing);
	if (partial)
		conn_set(c, CONN_RTX_NOW);
}

// RFC 8985 R1
static void find_lost(struct tcp *tcp, struct conn *c, struct trouble *t,
		      const struct loss_news *news)
{
	if (conn_is(c, CONN_SACK))
		rack_detect(tcp, c, t);
	else
		count_duplicates(tcp, c, t, news);
}

// What could not be cut, nor marked therefore, goes again an ACK at a time; not what left lately.
static bool is_stuck(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	uint32_t head = c->sendq.head;

	return conn_outstanding(c) && t->lost.head == NO_INDEX && t->resent.head == NO_INDEX &&
	       t->sacked_bytes == 0 &&
	       (head == NO_INDEX || tcp->desc[head].sent_ns <= rack_overdue_ns(tcp, c, t));
}

// What was known is known better; recovery begins, goes on, ends. True when cwnd is its own.
static bool conclude(struct tcp *tcp, struct conn *c, struct trouble *t,
		     const struct loss_news *news)
{
	uint32_t lost_before = t->lost_bytes, probe_before = pmtu_lost(tcp, c, t);
	bool reducing = conn_is(c, CONN_RECOVERY);

	if (conn_is(c, CONN_RECOVERY) && c->snd.una >= t->recover)
		leave_recovery(tcp, c, t);
	if (conn_is(c, CONN_AFTER_RTO) && (c->snd.una > t->recover || conn_outstanding(c) == 0))
		conn_unset(c, CONN_AFTER_RTO);
	find_lost(tcp, c, t, news);
	if (pmtu_hears(tcp, c, t, lost_before, probe_before))
		conn_set(c, CONN_RTX_NOW);
	else if (t->lost_bytes > lost_before && !conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO))
		enter_recovery(tcp, c, t, news);
	if (conn_is(c, CONN_AFTER_RTO) && is_stuck(tcp, c, t))
		conn_set(c, CONN_RTX_NOW);
	reducing |= conn_is(c, CONN_RECOVERY);
	if (conn_is(c, CONN_RECOVERY) && LIKELY(!conn_is(c, CONN_SAMPLED)))
		prr_reduce(tcp, c, t, news, t->lost_bytes > lost_before);
	conn_mark(tcp, c);
	return reducing;
}

// ---- without a record

// All there was is missing now that there is one.
static struct trouble *record_of(struct tcp *tcp, struct conn *c)
{
	bool late = conn_is(c, CONN_AFTER_RTO) && !conn_is(c, CONN_TROUBLE);
	struct trouble *t = trouble_get(tcp, c);

	if (t && late && conn_outstanding(c)) {
		scoreboard_lose_sent_by(tcp, c, t, tcp->env->now_ns);
		t->recover = c->snd.nxt;
	}
	return t;
}

static bool go_on_without(struct tcp *tcp, struct conn *c)
{
	if (!conn_is(c, CONN_AFTER_RTO))
		return false;
	if (conn_outstanding(c))
		conn_set(c, CONN_RTX_NOW);
	else
		conn_unset(c, CONN_AFTER_RTO);
	conn_mark(tcp, c);
	return true;
}

// ---- what happened

// RFC 9937 R3
COLD void loss_ack_comes(struct tcp *tcp, struct conn *c, const struct segment *s,
			 struct loss_news *news)
{
	struct trouble *t = record_of(tcp, c);
	uint32_t sacked_before;

	news->acked_bytes = news->delivered_bytes = (uint32_t)(s->ack - c->snd.una);
	if (!t)
		return;
	tcp->ack_echo = conn_is(c, CONN_TS) && s->has_ts ? s->ts_echo : 0;
	if (echoes_the_original(c, t, s))
		take_back(tcp, c, t);
	sacked_before = t->sacked_bytes;
	scoreboard_acked(tcp, c, t, s->ack);
	if (conn_is(c, CONN_SACK))
		news->delivered_bytes -= MIN(sacked_before - t->sacked_bytes, news->acked_bytes);
	else
		news->delivered_bytes = duplicates_end(c, t, news->acked_bytes);
}

COLD bool loss_ack_came(struct tcp *tcp, struct conn *c, const struct segment *s,
			struct loss_news *news)
{
	struct trouble *t;
	bool reducing;

	if (!conn_is(c, CONN_TROUBLE)) {
		if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
			rate_arrived(tcp, c, news->delivered_bytes);
		return go_on_without(tcp, c);
	}
	t = trouble_of(tcp, c);
	tcp->ack_echo = 0;
	news->delivered_bytes += blocks_come(tcp, c, t, s);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		rate_arrived(tcp, c, news->delivered_bytes);
	probe_answered(tcp, c, t, s->ack);
	reducing = conclude(tcp, c, t, news);
	trouble_end_if_over(tcp, c);
	return reducing;
}

COLD void loss_ack_again(struct tcp *tcp, struct conn *c, const struct segment *s, bool duplicate)
{
	struct cc_sample sample = {.now_ns = tcp->env->now_ns};
	struct trouble *t = trouble_get(tcp, c);
	struct loss_news news = {0};

	if (!t)
		return;
	news.delivered_bytes = blocks_come(tcp, c, t, s);
	if (!conn_is(c, CONN_SACK))
		news.delivered_bytes = duplicate_stands_for(c, t);
	if ((news.delivered_bytes || !conn_is(c, CONN_SACK)) && c->dupacks < CONN_DUPACKS_MAX)
		c->dupacks++;
	probe_duplicate(t, s, duplicate);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		rate_arrived(tcp, c, news.delivered_bytes);
	conclude(tcp, c, t, &news);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		rate_acked(tcp, c, &sample);
	timers_may_be_reordered(tcp, c, news.delivered_bytes);
	trouble_end_if_over(tcp, c);
}

// RFC 2018 8: the oldest was sacked, and yet una does not move. RFC 2018 R12, R13.
static bool has_reneged(const struct tcp *tcp, const struct conn *c)
{
	return c->sendq.head != NO_INDEX && tcp->desc[c->sendq.head].flags & DESC_SACKED;
}

// RFC 6582 R8
void loss_timeout(struct tcp *tcp, struct conn *c)
{
	struct cc_sample s = sample_now(tcp, c, 0);
	struct trouble *t = trouble_get(tcp, c);
	uint32_t lost_before = t ? t->lost_bytes : 0;

	if (t && !conn_is(c, CONN_AFTER_RTO))
		remember_for_timeout(c, t);
	cc_of(c)->on_rto(c, &s);
	ecn_reduced(c);
	c->min_rtt_ticks = RTT_MIN_NONE;
	conn_unset(c, CONN_RECOVERY);
	conn_set(c, CONN_AFTER_RTO | CONN_RTX_NOW);
	c->dupacks = 0;
	conn_mark(tcp, c);
	if (!t)
		return;
	t->recover = c->snd.nxt; // RFC 6582 3.2, step 4
	t->tlp.end = 0;
	t->tlp.is_due = false;
	if (!conn_is(c, CONN_SACK))
		t->sacked_bytes = 0;
	else if (has_reneged(tcp, c))
		scoreboard_reneged(tcp, c, t);
	scoreboard_lose_sent_by(
		tcp, c, t, conn_is(c, CONN_SACK) ? rack_overdue_ns(tcp, c, t) : tcp->env->now_ns);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)) && t->lost_bytes > lost_before)
		rate_lost_bytes(tcp, c, t->lost_bytes - lost_before);
}

COLD void loss_reorder_timeout(struct tcp *tcp, struct conn *c)
{
	struct loss_news nothing = {0};
	struct trouble *t = trouble_of(tcp, c);

	counter_add(tcp->env, COUNTER_tcp_reorder_timeouts, 1);
	conclude(tcp, c, t, &nothing);
	timers_may_be_reordered(tcp, c, false);
}

COLD void loss_probe_timeout(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = record_of(tcp, c);

	if (!t)
		return;
	t->tlp.is_due = !has_reneged(tcp, c);
	if (!t->tlp.is_due) { // the timeout sees to it
		t->tlp.end = c->snd.nxt;
		t->tlp.len = 0;
	}
	conn_mark(tcp, c);
}

COLD void loss_resend_all(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_get(tcp, c);

	if (!t) {
		conn_set(c, CONN_AFTER_RTO | CONN_RTX_NOW);
		return;
	}
	if (!conn_is(c, CONN_SACK))
		t->sacked_bytes = 0;
	t->recover = MAX(t->recover, c->snd.una);
	scoreboard_lose_sent_by(tcp, c, t, tcp->env->now_ns);
}

struct range loss_next(const struct tcp *tcp, const struct conn *c)
{
	struct range r = {0};

	if (conn_is(c, CONN_TROUBLE))
		r = scoreboard_next(tcp, c, trouble_of(tcp, c));
	if (r.start == r.end && conn_is(c, CONN_RTX_NOW) && conn_outstanding(c)) {
		r.start = c->snd.una;
		r.end = MIN(c->snd.una + c->mss_bytes, c->snd.nxt);
	}
	return r;
}

void loss_resent(struct tcp *tcp, struct conn *c, const struct range *r)
{
	struct trouble *t;

	if (!conn_is(c, CONN_TROUBLE))
		return;
	t = trouble_of(tcp, c);
	scoreboard_resent(tcp, c, t, r);
	t->undo.resent++;
	if (t->undo.first_ts == 0)
		t->undo.first_ts = isn_ts_now(tcp->env) ? isn_ts_now(tcp->env) : 1;
}
