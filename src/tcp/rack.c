// SPDX-License-Identifier: BSD-3-Clause
// What is lost, told by time (RFC 8985): a segment is, when one that left later was delivered and
// the reordering window has passed since. Called by scoreboard.c for what is delivered, by loss.c
// with each ACK that tells something and when a timer fires.
//
// Segments that left once left in the stream's order, so for them "later" is "further on", and a
// look at those from t->fresh on finds all that are lost. Those that were sent again stand in a
// list by time. Both looks end at the first that left too late.
//
// A descriptor that left in parts has the last one's time (DESC_PARTS). That is late for the rest
// of it, so it measures nothing, and is lost a little later than could be known, never earlier.
//
// A departure: an echo tells a copy from the original only of what una moves over. Where a hole
// before it is still open the receiver echoes what came before that hole (RFC 7323 4.3), and a
// copy would never count.
#include "tcp/rack.h"

#include "tcp/isn.h"
#include "tcp/rate.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"

// Of what lies further apart timestamps differ (RFC 7323 4.1; isn.c).
#define ONE_TICK_NS_MAX (UINT64_C(2) << 20)

#define DUPACK_THRESHOLD 3
#define REORDER_STEPS_MAX 31
#define REORDER_PERSIST 16

// Descriptors that are looked at for one ACK; the next goes on where those end that are judged.
#define JUDGED_MAX 1024

// Where a flight takes a few microseconds, a probe after two of them would be asked for at each
// hiccup of a core. Of the configured least timeout; 5 ms of 200.
#define PROBES_A_TIMEOUT 40

// What was sent at sent_ns need not be what was delivered.
#define UNSURE (DESC_RETRANSMITTED | DESC_PARTS)

static uint64_t end_of(const struct send_desc *d)
{
	return d->offset + d->len;
}

static bool left_before(const struct send_desc *d, uint64_t sent_ns, uint64_t end)
{
	return d->sent_ns < sent_ns || (d->sent_ns == sent_ns && end_of(d) < end);
}

// RFC 8985 6.2, step 2: the ACK may be for what was sent first. RFC 8985 R6.
static bool may_be_the_original(const struct tcp *tcp, const struct trouble *t,
				const struct send_desc *d)
{
	int32_t later = (int32_t)(tcp->ack_echo - isn_ts_at(tcp->env, d->sent_ns));

	if (tcp->ack_echo && later < 0)
		return true;
	if (tcp->ack_echo && (later > 0 || t->rack.min_rtt_ns > ONE_TICK_NS_MAX))
		return false;
	return tcp->env->now_ns - d->sent_ns < t->rack.min_rtt_ns;
}

// Of one that left in parts, what was delivered left no earlier than the first of it, and hardly
// two round trips ago. Too late would be worse than too early: what left before would be lost.
static uint64_t left_at(const struct tcp *tcp, const struct conn *c, const struct send_desc *d)
{
	uint64_t now_ns = tcp->env->now_ns, trip_ns = c->rtt.srtt_us * NS_PER_US;

	if (!(d->flags & DESC_PARTS))
		return d->sent_ns;
	return MIN(d->sent_ns, MAX(sendq_begun_ns(d), now_ns - MIN(now_ns, 2 * trip_ns)));
}

// RFC 8985 6.2, steps 1 to 3; RFC 8985 R4, R5, R7
void rack_delivered(struct tcp *tcp, struct conn *c, struct trouble *t, const struct send_desc *d)
{
	uint64_t sent_ns = left_at(tcp, c, d);
	bool again = d->flags & DESC_RETRANSMITTED;

	if (again && may_be_the_original(tcp, t, d))
		return;
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		rate_delivered(tcp, c, d);
	if (!again && end_of(d) < t->high)
		c->reordered = true;
	if (!again)
		t->high_fresh = MAX(t->high_fresh, end_of(d));
	if (!(d->flags & DESC_PARTS) && !sendq_left_now(tcp, sent_ns))
		t->rack.rtt_ns = tcp->env->now_ns - sent_ns;
	if (!(d->flags & UNSURE) && !sendq_left_now(tcp, sent_ns))
		t->rack.min_rtt_ns = t->rack.min_rtt_ns ? MIN(t->rack.min_rtt_ns, t->rack.rtt_ns)
							: t->rack.rtt_ns;
	if (t->rack.sent_ns < sent_ns || (t->rack.sent_ns == sent_ns && t->rack.end < end_of(d))) {
		t->rack.sent_ns = sent_ns;
		t->rack.end = end_of(d);
	}
}

// RFC 8985 6.2, step 4. 0: none, order tells it. RFC 2018 R15; RFC 8985 R8, R9, R10, R11.
static uint64_t window_ns(const struct conn *c, const struct trouble *t)
{
	uint64_t steps = c->reorder_steps + 1u;

	if (!c->reordered && (conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO) ||
			      t->sacked_bytes >= DUPACK_THRESHOLD * (uint32_t)c->mss_bytes ||
			      c->dupacks >= DUPACK_THRESHOLD))
		return 0;
	return MIN(steps * t->rack.min_rtt_ns / 4,
		   c->rtt.srtt_us ? c->rtt.srtt_us * NS_PER_US : t->rack.rtt_ns);
}

// It left before what was delivered. True when it is lost; otherwise it is waited for.
// RFC 8985 R12
static bool judge(const struct tcp *tcp, struct trouble *t, const struct send_desc *d,
		  uint64_t wait_ns)
{
	uint64_t until_ns = d->sent_ns + t->rack.rtt_ns + wait_ns;
	bool in_order = !(d->flags & DESC_RESENT) && end_of(d) <= t->high_fresh;

	if (until_ns <= tcp->env->now_ns || (wait_ns == 0 && in_order))
		return true;
	t->rack.reorder_ns =
		t->rack.reorder_ns == TIME_NEVER_NS ? until_ns : MAX(t->rack.reorder_ns, until_ns);
	return false;
}

// RFC 4821 7.6.2: that a probe for the path's MTU is lost says nothing of congestion.
static bool is_mtu_probe(const struct conn *c, const struct trouble *t, const struct send_desc *d)
{
	return t->pmtu.len && scoreboard_lost_once(c, d) && d->offset >= t->pmtu.start &&
	       end_of(d) <= t->pmtu.start + t->pmtu.len;
}

static bool lose(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index)
{
	bool is_lost = scoreboard_lose(tcp, c, t, index);

	if (is_lost && UNLIKELY(conn_is(c, CONN_SAMPLED)) && !is_mtu_probe(c, t, &tcp->desc[index]))
		rate_lost(tcp, c, &tcp->desc[index]);
	return is_lost;
}

static void judge_resent(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t wait_ns)
{
	uint32_t index = t->resent.head;

	for (uint32_t steps = 0; steps < JUDGED_MAX && index != NO_INDEX; steps++) {
		const struct send_desc *d = &tcp->desc[index];
		uint32_t next = d->after;

		if (!left_before(d, t->rack.sent_ns, t->rack.end))
			return;
		if (judge(tcp, t, d, wait_ns))
			lose(tcp, c, t, index);
		index = next;
	}
}

static void judge_fresh(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t wait_ns)
{
	uint32_t index = t->fresh == NO_INDEX ? c->sendq.head : t->fresh;
	bool all_judged = true;

	for (uint32_t steps = 0; steps < JUDGED_MAX && index != NO_INDEX; steps++) {
		const struct send_desc *d = &tcp->desc[index];

		if (!(d->flags & (DESC_SACKED | DESC_LOST | DESC_RESENT))) {
			if (d->offset >= c->snd.nxt ||
			    (end_of(d) > t->high_fresh &&
			     !left_before(d, t->rack.sent_ns, t->rack.end)))
				break;
			if (!judge(tcp, t, d, wait_ns) || !lose(tcp, c, t, index))
				all_judged = false;
		}
		if (all_judged)
			t->fresh = index;
		index = tcp->desc[index].next;
	}
	if (all_judged && index != NO_INDEX)
		t->fresh = index;
}

void rack_detect(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	uint64_t wait_ns = window_ns(c, t);

	t->rack.reorder_ns = TIME_NEVER_NS;
	if (t->rack.sent_ns == 0 || conn_outstanding(c) == 0)
		return;
	judge_resent(tcp, c, t, wait_ns);
	judge_fresh(tcp, c, t, wait_ns);
}

// RFC 8985 R10
void rack_dsack(struct conn *c, struct trouble *t)
{
	if (c->snd.una < t->rack.dsack_round)
		return;
	t->rack.dsack_round = c->snd.nxt;
	c->reorder_persist = REORDER_PERSIST;
	if (c->reorder_steps < REORDER_STEPS_MAX)
		c->reorder_steps++;
}

// RFC 8985 R10
void rack_recovered(struct conn *c)
{
	if (c->reorder_persist)
		c->reorder_persist--;
	else
		c->reorder_steps = 0;
}

// RFC 8985 R14
uint64_t rack_overdue_ns(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	uint64_t rtt_ns = t->rack.rtt_ns ? t->rack.rtt_ns : c->rtt.srtt_us * NS_PER_US;
	uint64_t heard_ns = rtt_ns + window_ns(c, t);

	return tcp->env->now_ns - MIN(heard_ns, tcp->env->now_ns);
}

// RFC 8985 R16, R17
uint64_t rack_probe_timeout_ns(const struct tcp *tcp, const struct conn *c)
{
	uint64_t timeout_ns = 2 * c->rtt.srtt_us * NS_PER_US;

	timeout_ns = MAX(timeout_ns, tcp->config.rto_ns_min / PROBES_A_TIMEOUT);
	if (conn_outstanding(c) <= c->mss_bytes)
		timeout_ns += RACK_ACK_DELAY_NS_MAX;
	return MIN(timeout_ns, rtt_rto_ns(tcp, c));
}
