// SPDX-License-Identifier: BSD-3-Clause
// Connections: slots, handles, birth and death, invariants. Called by every file of tcp/.
//
// A slot is freed only when nothing refers to it any more: its state is CLOSED, the application
// was told, it is on no list. Its generation then changes, so that an old handle is recognised.
#include "tcp/conn.h"

#include <string.h>

#include "net/net.h"
#include "observe/counter.h"
#include "tcp/early.h"
#include "tcp/flow.h"
#include "tcp/room.h"
#include "tcp/scoreboard.h"
#include "tcp/sendq.h"
#include "tcp/show.h"
#include "tcp/tune.h"

// The first offset of a stream: its low 32 bits are the wire's number, and "before the first" is
// still positive.
#define OFFSET_BASE (UINT64_C(1) << 32)

// Fields that do not start at zero; the slot is zero elsewhere (conn_reap, or fresh memory).
static void set_defaults(struct tcp *tcp, struct conn *c, enum state state)
{
	ASSERT(!(c->generation & 1));
	cell32_set(&c->generation, c->generation + 1);
	cell32_set(&c->flags, (tcp->worker + 1) << CONN_WORKER_SHIFT);
	c->state = state; // birth: the one other place that writes it
	c->flush_next = NO_INDEX;
	c->ready_next = NO_INDEX;
	c->sendq.head = c->sendq.tail = c->sendq.next = NO_INDEX;
	c->retransmit_ns = c->ack_ns = c->idle_ns = TIME_NEVER_NS;
	c->timer.kind = TIMER_TCP;
	c->quick_acks = CONN_QUICK_ACKS;
	c->cc_kind = (uint8_t)tcp->config.congestion;
	c->paced = tcp->config.paces;
	c->ecn_agreed = state != SYN_RECEIVED && tcp->config.ecn == PRISM_ECN_ON; // it asks
	if (UNLIKELY(tcp->config.user_timeout_ns))
		tune(tcp, c);
}

static bool enter_or_replace(struct tcp *tcp, const struct conn_birth *birth, uint32_t value)
{
	const struct flow f = {&birth->path->local, &birth->path->remote, birth->local_port,
			       birth->remote_port};

	if (birth->instead_of == OWNER_NONE)
		return flow_enter(tcp, &f, &value) == 0;
	return flow_replace(tcp, &f, birth->instead_of, value);
}

struct conn *conn_create(struct tcp *tcp, const struct conn_birth *birth)
{
	uint32_t index = tcp->conn_free;
	struct conn *c;

	if (UNLIKELY(index == NO_INDEX))
		return NULL;
	c = &tcp->conn[index];
	if (UNLIKELY(!enter_or_replace(tcp, birth, owner_value(tcp, OWNER_CONN, index))))
		return NULL;
	tcp->conn_free = c->flush_next;
	tcp->conn_count++;
	set_defaults(tcp, c, birth->state);
	c->path = *birth->path; // RFC 9293 MUST-45: the local address stays
	net_path_hold(tcp->net, c->path.source_route);
	c->local_port = birth->local_port;
	c->remote_port = birth->remote_port;
	show_came(tcp, index);
	return c;
}

void conn_start_send(struct conn *c, uint32_t isn)
{
	c->snd.una = OFFSET_BASE + isn;
	c->snd.nxt = c->snd.una;
	c->snd.end = c->snd.una + 1; // text begins behind the SYN
}

void conn_start_receive(struct conn *c, uint32_t irs)
{
	c->rcv.nxt = OFFSET_BASE + irs + 1;
	c->snd.wl1 = OFFSET_BASE + irs;
}

// Others may look at the two cells meanwhile; nobody at the rest.
static void clear(struct conn *c)
{
	static_assert(offsetof(struct conn, flush_next) == 2 * sizeof(uint32_t),
		      "flags and generation come first");
	cell32_set(&c->generation, c->generation + 1);
	cell32_set(&c->flags, 0);
	memset(&c->flush_next, 0, sizeof(*c) - offsetof(struct conn, flush_next));
	c->state = CLOSED;
}

void conn_reap(struct tcp *tcp, struct conn *c)
{
	if (!conn_in(c, CLOSED) || c->news || conn_is(c, CONN_IN_FLUSH | CONN_IN_READY))
		return;
	ASSERT(!timer_armed(&c->timer));
	ASSERT(c->sendq.head == NO_INDEX);
	ASSERT(!c->early);
	ASSERT(!conn_is(c, CONN_TROUBLE));
	ASSERT(!conn_is(c, CONN_SAMPLED));
	net_path_release(tcp->net, c->path.source_route);
	show_ended(tcp, conn_index(tcp, c));
	clear(c);
	c->flush_next = tcp->conn_free;
	tcp->conn_free = conn_index(tcp, c);
	tcp->conn_count--;
}

#ifdef PRISM_DCHECK
static void check_send(const struct tcp *tcp, const struct conn *c)
{
	ASSERT(c->snd.una <= c->snd.nxt);
	ASSERT(c->snd.nxt <= c->snd.end + 1);
	ASSERT(c->snd.nxt <= c->snd.end || conn_is(c, CONN_FIN_QUEUED) || conn_in(c, SYN_SENT));
	ASSERT(c->stalled_ms == 0 || c->backoff > 0);
	ASSERT(!conn_in(c, STATES_SYNCHRONIZED) || c->cc.cwnd_bytes >= c->mss_bytes);
	ASSERT(!conn_in(c, STATES_SYNCHRONIZED) || c->mss_bytes > 0);
	ASSERT(!conn_is(c, CONN_RECOVERY) || conn_is(c, CONN_TROUBLE));
	ASSERT(!conn_is(c, CONN_PTO) || !conn_is(c, CONN_PERSIST));
	ASSERT(c->cc_phase > CC_CONSERVATIVE || c->cc_kind == PRISM_CONGESTION_NONE ||
	       !conn_in(c, STATES_SYNCHRONIZED) || c->ssthresh_bytes == UINT32_MAX);
	ASSERT(conn_is(c, CONN_SAMPLED) == (c->cc_phase == CC_SAMPLED));
	ASSERT(!conn_is(c, CONN_SAMPLED) || c->paced);
	sendq_check(tcp, c);
	if (conn_is(c, CONN_TROUBLE))
		scoreboard_check(tcp, c);
}

static void check_receive(const struct tcp *tcp, const struct conn *c)
{
	ASSERT((c->early != NULL) == conn_is(c, CONN_EARLY));
	early_check(tcp, c);
	if (!c->early)
		return;
	ASSERT(c->rcv.charged >= c->early_bytes);
	ASSERT(tcp->conn[c->early_next].early_prev == conn_index(tcp, c));
}

static void check_timers(const struct conn *c)
{
	uint64_t earliest = conn_earliest_ns(c);

	ASSERT(earliest == TIME_NEVER_NS || timer_armed(&c->timer));
	ASSERT(!timer_armed(&c->timer) || c->timer.deadline_ns <= earliest);
	ASSERT(!conn_is(c, CONN_WINDOW_PROBE) || conn_is(c, CONN_PERSIST));
	// RFC 6298 5.1: something outstanding, so the timer runs.
	ASSERT(conn_in(c, CLOSED) || conn_outstanding(c) == 0 || c->retransmit_ns != TIME_NEVER_NS);
}

void conn_check(const struct tcp *tcp, const struct conn *c)
{
	ASSERT(bits_is_pow2(c->state));
	if (conn_in(c, CLOSED)) {
		ASSERT(c->sendq.head == NO_INDEX);
		ASSERT(!c->early);
		ASSERT(!room_waits(tcp, c));
		return;
	}
	check_send(tcp, c);
	check_receive(tcp, c);
	check_timers(c);
}
#endif
