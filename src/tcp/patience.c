// SPDX-License-Identifier: BSD-3-Clause
// The user timeout (RFC 9293 3.9.1.1, 3.10.8; RFC 5482 2 for what it limits; the meaning is that of
// Linux's TCP_USER_TIMEOUT): a connection ends when for so long nothing of what it has in flight
// was acknowledged, or the peer's window was closed with text before it, whatever the peer answers
// to probes. Called by timers.h and timers.c.
//
//	waits_since_ms   what was sent first, or the window closed     the clock runs
//	                 una advanced and something is left            it starts again
//	                 nothing is left, or the window opened         it stops
//
// While the window is closed an octet that a probe got through starts nothing again. R2 (RFC 9293
// 3.8.3) is not asked meanwhile: the application said how long it waits, be it less or more.
//
// The token is not moved when the clock is: it fires, sees, and is armed for what is left. Not
// here: the option of RFC 5482, by which two sides tell each other. It is advice that a peer may
// pass over, and that hardly anyone gives: it is neither sent nor, as an unknown one, heard.
#include "tcp/patience.h"

#include "observe/counter.h"
#include "tcp/close.h"
#include "tcp/timers.h"

// Never 0. A clock of 32 bits goes round in 49 days, a user timeout is a day at most.
static uint32_t now_ms(const struct tcp *tcp)
{
	return (uint32_t)(tcp->env->now_ns / NS_PER_MS) | 1;
}

static uint32_t waited_ms(const struct tcp *tcp, const struct tuning *t)
{
	return now_ms(tcp) - t->waits_since_ms;
}

static void come_again(struct tcp *tcp, struct conn *c, const struct tuning *t)
{
	uint64_t left_ms = t->user_timeout_ms - MIN(waited_ms(tcp, t), t->user_timeout_ms);

	timers_arm(tcp, c, tcp->env->now_ns + left_ms * NS_PER_MS);
}

COLD void patience_begins(struct tcp *tcp, struct conn *c)
{
	struct tuning *t = tuning_of(tcp, c);

	if (t->user_timeout_ms == 0 || t->waits_since_ms)
		return;
	t->waits_since_ms = now_ms(tcp);
	come_again(tcp, c, t);
}

COLD void patience_progress(struct tcp *tcp, struct conn *c)
{
	struct tuning *t = tuning_of(tcp, c);

	if (t->waits_since_ms == 0)
		return;
	if (conn_outstanding(c) == 0 && (c->snd.wnd || c->snd.una >= c->snd.end))
		t->waits_since_ms = 0;
	else if (c->snd.wnd)
		t->waits_since_ms = now_ms(tcp);
}

COLD void patience_window_opened(struct tcp *tcp, struct conn *c)
{
	struct tuning *t = tuning_of(tcp, c);

	if (t->waits_since_ms)
		t->waits_since_ms = conn_outstanding(c) ? now_ms(tcp) : 0;
}

// RFC 9293 3.10.8. A peer that is there, and takes nothing, hears of it by a reset.
static void patience_ends(struct tcp *tcp, struct conn *c)
{
	counter_add(tcp->env, COUNTER_tcp_user_timeouts, 1);
	if (conn_in(c, SYN_SENT | SYN_RECEIVED))
		close_now(tcp, c, c->reason ? c->reason : PRISM_CLOSE_CONNECT_TIMEOUT);
	else
		close_abort(tcp, c, PRISM_CLOSE_USER_TIMEOUT);
}

COLD void patience_fires(struct tcp *tcp, struct conn *c)
{
	const struct tuning *t = tuning_of(tcp, c);

	if (t->waits_since_ms == 0 || t->user_timeout_ms == 0)
		return;
	if (waited_ms(tcp, t) >= t->user_timeout_ms)
		patience_ends(tcp, c);
	else
		come_again(tcp, c, t);
}

bool patience_ends_probing(const struct tcp *tcp, const struct conn *c, uint64_t silent_ns)
{
	return patience_rules(tcp, c) &&
	       silent_ns >= tuning_of(tcp, c)->user_timeout_ms * NS_PER_MS;
}

// What waits already does so from now on.
void patience_choose(struct tcp *tcp, struct conn *c, uint32_t user_timeout_ms)
{
	struct tuning *t = tune(tcp, c);

	t->user_timeout_ms = user_timeout_ms;
	t->waits_since_ms = 0;
	if (!conn_in(c, CLOSED) && (conn_outstanding(c) || conn_is(c, CONN_PERSIST)))
		patience_begins(tcp, c);
}
