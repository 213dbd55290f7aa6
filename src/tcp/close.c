// SPDX-License-Identifier: BSD-3-Clause
// How connections end: FIN both ways, reset, abort (RFC 9293 3.6, 3.10.4, 3.10.5; RFC 5961). Called
// by input.c, timers.c and request.c; calls sendq.c, early.c and the table to release. What stays
// of a connection that closed first is timewait.c's.
#include "tcp/close.h"

#include "observe/counter.h"
#include "observe/trace.h"
#include "tcp/cc.h"
#include "tcp/deliver.h"
#include "tcp/early.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/output.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/timewait.h"
#include "tcp/trouble.h"

// RFC 5961 7, and CVE-2016-5696: a limit an attacker can count is a side channel, so it is random.
#define CHALLENGES_A_SECOND 1000

// RFC 5961 R8
bool close_challenge_allowed(struct tcp *tcp)
{
	uint64_t second = tcp->env->now_ns / NS_PER_S;

	if (second != tcp->challenge.second) {
		tcp->challenge.second = second;
		tcp->challenge.left = CHALLENGES_A_SECOND / 2 +
				      (uint32_t)rng_below(&tcp->env->rng, CHALLENGES_A_SECOND);
	}
	if (tcp->challenge.left == 0)
		return false;
	tcp->challenge.left--;
	counter_add(tcp->env, COUNTER_tcp_challenge_acks, 1);
	return true;
}

// Everything but the table entry and the slot.
static void release(struct tcp *tcp, struct conn *c, enum prism_close_reason reason)
{
	timers_closed(tcp, c);
	if (conn_is(c, CONN_TROUBLE))
		trouble_end(tcp, c);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		cc_of(c)->end(tcp, c);
	sendq_clear(tcp, c);
	room_forget(tcp, c);
	early_clear(tcp, c, DROP_TCP_CLOSED);
	conn_enter(tcp, c, CLOSED);
	static_assert(PRISM_CLOSE_USER_TIMEOUT < 1 << 4, "a reason fits its field");
	c->reason = (uint8_t)reason & 15;
	trace_add(tcp->env, EVENT_TCP_CLOSED, conn_index(tcp, c), reason, 0);
	deliver_news(tcp, c, NEWS_CLOSED);
}

static COLD void connect_failed(struct tcp *tcp, struct conn *c, enum prism_close_reason reason)
{
	counter_add(tcp->env, COUNTER_tcp_attempt_fails, 1);
	fast_ends(tcp, c, reason == PRISM_CLOSE_RESET);
}

void close_now(struct tcp *tcp, struct conn *c, enum prism_close_reason reason)
{
	const struct flow f = conn_flow(c);

	ASSERT(!conn_in(c, CLOSED));
	if (conn_in(c, SYN_SENT | SYN_RECEIVED))
		connect_failed(tcp, c, reason);
	flow_leave(tcp, &f);
	release(tcp, c, reason);
}

void close_abort(struct tcp *tcp, struct conn *c, enum prism_close_reason reason)
{
	// RFC 9293 3.10.5: in SYN-SENT the peer knows nothing yet; in LAST-ACK and CLOSING both
	// sides have said all there is.
	if (conn_in(c, SYN_RECEIVED | ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2 | CLOSE_WAIT))
		output_reset(tcp, c);
	if (conn_in(c, ESTABLISHED | CLOSE_WAIT))
		counter_add(tcp->env, COUNTER_tcp_estab_resets, 1);
	close_now(tcp, c, reason);
}

// TIME-WAIT needs no connection: the record answers for it from here on.
static void enter_time_wait(struct tcp *tcp, struct conn *c)
{
	conn_enter(tcp, c, TIME_WAIT);
	if (conn_is(c, CONN_ACK_NOW)) // the FIN came just now; after CLOSING it is answered already
		output_ack(tcp, c);
	timewait_add(tcp, c);
	release(tcp, c, PRISM_CLOSE_DONE);
}

// RFC 9293 3.10.4
void close_request(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, SYN_SENT)) {
		close_now(tcp, c, PRISM_CLOSE_ABORTED);
		return;
	}
	if (conn_is(c, CONN_FIN_QUEUED))
		return;
	conn_set(c, CONN_FIN_QUEUED);
	room_forget(tcp, c);
	conn_mark(tcp, c);
	if (conn_in(c, ESTABLISHED)) // SYN-RECEIVED: once it is (input.c)
		conn_enter(tcp, c, FIN_WAIT_1);
	else if (conn_in(c, CLOSE_WAIT))
		conn_enter(tcp, c, LAST_ACK);
}

// RFC 9293 3.10.7.4, eighth
void close_fin_received(struct tcp *tcp, struct conn *c)
{
	c->rcv.nxt++;
	c->rcv.unacked++;
	c->rcv.wnd -= MIN(c->rcv.wnd, 1u);
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
	// Nothing comes after a FIN, but the same FIN may have come early twice.
	early_clear(tcp, c, DROP_TCP_OLD_DATA);
	deliver_news(tcp, c, NEWS_EOF);
	if (conn_in(c, ESTABLISHED))
		conn_enter(tcp, c, CLOSE_WAIT);
	else if (conn_in(c, FIN_WAIT_1)) // our FIN is not acknowledged, or it would be FIN-WAIT-2
		conn_enter(tcp, c, CLOSING);
	else if (conn_in(c, FIN_WAIT_2))
		enter_time_wait(tcp, c);
}

bool close_fin_acked(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, FIN_WAIT_1)) {
		conn_enter(tcp, c, FIN_WAIT_2);
		timers_fin_wait_2(tcp, c);
		return true;
	}
	if (conn_in(c, CLOSING)) {
		enter_time_wait(tcp, c);
		return false;
	}
	if (conn_in(c, LAST_ACK)) {
		close_now(tcp, c, PRISM_CLOSE_DONE);
		return false;
	}
	return true;
}

// RFC 5961 R1, R2, R3
enum drop close_reset_received(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	// RFC 5961 3.2: only the exact number resets; anything else in the window is asked about.
	if (s->seq != c->rcv.nxt) {
		if (s->seq < c->rcv.nxt || s->seq >= c->rcv.nxt + MAX(c->rcv.wnd, 1u))
			return DROP_TCP_RST_OUTSIDE_WINDOW;
		if (close_challenge_allowed(tcp)) {
			conn_set(c, CONN_ACK_NOW);
			conn_mark(tcp, c);
		}
		return DROP_TCP_RST_CHALLENGED;
	}
	if (conn_in(c, ESTABLISHED | CLOSE_WAIT))
		counter_add(tcp->env, COUNTER_tcp_estab_resets, 1);
	// RFC 9293 MUST-12: the application is told whether the connection was closed or aborted.
	// What the peer has not acknowledged when it resets may never have reached it.
	if (conn_in(c, CLOSING | LAST_ACK) && c->snd.una >= c->snd.end)
		close_now(tcp, c, PRISM_CLOSE_DONE);
	else
		close_now(tcp, c,
			  conn_in(c, SYN_RECEIVED) && !fast_is_pending(tcp, c) ? PRISM_CLOSE_REFUSED
									       : PRISM_CLOSE_RESET);
	return DROP_OK;
}
