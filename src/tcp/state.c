// SPDX-License-Identifier: BSD-3-Clause
// The state diagram (RFC 9293 3.3.2, figure 5, with its notes; 3.10 for what the figure leaves
// out). conn_enter is called wherever a state changes and by nobody else is c->state written: it
// checks the step, counts and traces it. What else a change entails stands where it happens.
#include "tcp/state.h"

#include "observe/counter.h"
#include "observe/trace.h"

static uint32_t row_of(enum state state)
{
	return (uint32_t)__builtin_ctz(state);
}

// Where each state may lead, in the order of the bits. All may end at once: reset, abort, timeout.
static const uint16_t may_follow[STATE_COUNT] = {
	/* CLOSED       */ LISTEN | SYN_SENT,
	/* LISTEN       */ SYN_RECEIVED | SYN_SENT | CLOSED,
	/* SYN_SENT     */ ESTABLISHED | SYN_RECEIVED | CLOSED,
	/* SYN_RECEIVED */ ESTABLISHED | FIN_WAIT_1 | LISTEN | CLOSE_WAIT | CLOSED,
	/* ESTABLISHED  */ FIN_WAIT_1 | CLOSE_WAIT | CLOSED,
	/* FIN_WAIT_1   */ FIN_WAIT_2 | CLOSING | TIME_WAIT | CLOSED,
	/* FIN_WAIT_2   */ TIME_WAIT | CLOSED,
	/* CLOSE_WAIT   */ LAST_ACK | CLOSED,
	/* CLOSING      */ TIME_WAIT | CLOSED,
	/* LAST_ACK     */ CLOSED,
	/* TIME_WAIT    */ CLOSED,
};

static const char *const names[STATE_COUNT] = {
	"CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
};

bool state_may_follow(enum state from, enum state to)
{
	return (may_follow[row_of(from)] & to) != 0;
}

const char *state_name(enum state state)
{
	return names[row_of(state)];
}

void conn_enter(struct tcp *tcp, struct conn *c, enum state to)
{
	const struct env *env = tcp->env;
	const unsigned counted = ESTABLISHED | CLOSE_WAIT; // as tcpCurrEstab, RFC 4022

	ASSERT(bits_is_pow2(to));
	ASSERT(state_may_follow(c->state, to));
	if (!conn_in(c, counted) && (to & counted))
		counter_add(env, COUNTER_tcp_curr_estab, 1);
	if (conn_in(c, counted) && !(to & counted))
		counter_sub(env, COUNTER_tcp_curr_estab, 1);
	trace_add(env, EVENT_TCP_STATE, conn_index(tcp, c), row_of(c->state), row_of(to));
	c->state = to;
}
