// SPDX-License-Identifier: BSD-3-Clause
// Text that may leave and waits for more to go with it. Called by output.c and timers.c; what is
// asked for is tune.c's.
//
//	Nagle   the last segment, short, waits while anything is in flight (RFC 9293 3.7.4)
//	cork    it waits in any case, until the cork is pulled, 200 ms at most as in Linux
//
// Neither holds back what a FIN follows. RFC 9293 MUST-60: the first ends with an ACK or a timeout,
// the second by the connection's token. Retransmissions and probes are not asked: a tail probe may
// take held text with it, which is then the better probe (RFC 8985 7.3).
#include "tcp/hold.h"

#include "observe/counter.h"
#include "tcp/timers.h"

#define CORK_NS_MAX (200 * NS_PER_MS)

static uint32_t now_ms(const struct tcp *tcp)
{
	return (uint32_t)(tcp->env->now_ns / NS_PER_MS) | 1; // never 0
}

static bool cork_is_over(const struct tcp *tcp, const struct tuning *t)
{
	return t->held_since_ms && (now_ms(tcp) - t->held_since_ms) * NS_PER_MS >= CORK_NS_MAX;
}

// Holds it, if it is to be held; what goes before it leaves: whole bytes of it.
static bool is_held(const struct tcp *tcp, const struct conn *c, const struct tuning *t,
		    uint64_t whole)
{
	if (conn_is(c, CONN_FIN_QUEUED))
		return false;
	if (t->corked && !cork_is_over(tcp, t))
		return true;
	return t->nagle && (whole || conn_outstanding(c));
}

COLD uint64_t hold_what_is_short(struct tcp *tcp, struct conn *c, uint64_t len)
{
	struct tuning *t = tuning_of(tcp, c);
	uint64_t whole = len - len % c->mss_bytes;

	if (whole == len || !is_held(tcp, c, t, whole)) {
		t->held_since_ms = 0;
		return len;
	}
	if (t->held_since_ms == 0 || whole) {
		t->held_since_ms = now_ms(tcp);
		counter_add(tcp->env, COUNTER_tcp_holds, 1);
		if (t->corked)
			timers_arm(tcp, c, tcp->env->now_ns + CORK_NS_MAX);
	}
	return whole;
}

COLD void hold_fires(struct tcp *tcp, struct conn *c)
{
	const struct tuning *t = tuning_of(tcp, c);

	if (!conn_in(c, STATES_SYNCHRONIZED)) // the time is another's then (tune.h)
		return;
	uint64_t held_ns = (now_ms(tcp) - t->held_since_ms) * NS_PER_MS;

	if (!t->corked || t->held_since_ms == 0)
		return;
	if (held_ns >= CORK_NS_MAX)
		conn_mark(tcp, c);
	else // the token was another's
		timers_arm(tcp, c, tcp->env->now_ns + CORK_NS_MAX - held_ns);
}

// What was held is looked at again.
static void choose(struct tcp *tcp, struct conn *c, struct tuning *t)
{
	c->holds_short = t->nagle || t->corked;
	if (conn_in(c, STATES_SYNCHRONIZED)) // before, the place is that of a SYN's text (tune.h)
		t->held_since_ms = 0;
	conn_mark(tcp, c);
}

// RFC 9293 MUST-17
void hold_choose_nagle(struct tcp *tcp, struct conn *c, bool nagle)
{
	struct tuning *t = tune(tcp, c);

	t->nagle = nagle;
	choose(tcp, c, t);
}

void hold_choose_cork(struct tcp *tcp, struct conn *c, bool corked)
{
	struct tuning *t = tune(tcp, c);

	t->corked = corked;
	choose(tcp, c, t);
}
