// SPDX-License-Identifier: BSD-3-Clause
// TIME-WAIT (RFC 9293 3.6.1, 3.10.7.4; RFC 1122 4.2.2.13; RFC 6191): one cache line instead of a
// connection. All records wait equally long, so they lie in a ring in the order in which they end;
// one that ends early leaves a gap. One timer serves the oldest. Called by close.c and input.c.
//
// When the ring is full the oldest record ends before its time, which is counted: RFC 9293 MUST-13
// holds as long as limits.time_wait is above the rate of closing times 2 MSL. An exact RST ends a
// record too (RFC 9293 3.10.7.4), so an old segment can, by way of our answer and a peer that knows
// nothing any more (RFC 1337): without it a client that comes back would wait for the record's end.
#include "tcp/timewait.h"

#include "observe/counter.h"
#include "tcp/close.h"
#include "tcp/flow.h"
#include "tcp/isn.h"
#include "tcp/output.h"
#include "tcp/stranger.h"

static struct time_wait *at(struct tcp *tcp, uint32_t index)
{
	return &tcp->time_wait[index & tcp->time_wait_mask];
}

// The record is a gap; its key stays in the table.
static void leave_gap(struct tcp *tcp, struct time_wait *t)
{
	net_path_release(tcp->net, t->source_route);
	t->expires_ns = 0;
	tcp->time_wait_count--;
}

static struct flow flow_of(const struct time_wait *t)
{
	return (struct flow){&t->local, &t->remote, t->local_port, t->remote_port};
}

static void forget(struct tcp *tcp, struct time_wait *t)
{
	const struct flow f = flow_of(t);

	flow_leave(tcp, &f);
	leave_gap(tcp, t);
}

static bool empty(const struct tcp *tcp)
{
	return tcp->time_wait_head == tcp->time_wait_tail;
}

static void skip_gaps(struct tcp *tcp)
{
	while (!empty(tcp) && at(tcp, tcp->time_wait_head)->expires_ns == 0)
		tcp->time_wait_head++;
}

static void arm(struct tcp *tcp)
{
	skip_gaps(tcp);
	if (!empty(tcp) && !timer_armed(&tcp->time_wait_timer))
		wheel_arm(tcp->wheel, &tcp->time_wait_timer,
			  at(tcp, tcp->time_wait_head)->expires_ns);
}

// Records ended in one call, so that a full ring that ends at once does not stop the ports.
#define EXPIRED_MAX 256

static void fire(void *context, struct timer *timer, uint64_t now_ns)
{
	struct tcp *tcp = context;

	(void)timer;
	for (int i = 0; i < EXPIRED_MAX; i++) {
		skip_gaps(tcp);
		if (empty(tcp) || at(tcp, tcp->time_wait_head)->expires_ns > now_ns)
			break;
		forget(tcp, at(tcp, tcp->time_wait_head));
	}
	arm(tcp);
}

void timewait_init(struct tcp *tcp)
{
	tcp->time_wait_timer.kind = TIMER_TCP_TIME_WAIT;
	wheel_set_kind(tcp->wheel, TIMER_TCP_TIME_WAIT, fire, tcp);
}

// The next place in the ring, empty.
static struct time_wait *next_record(struct tcp *tcp, uint32_t *index)
{
	if (tcp->time_wait_tail - tcp->time_wait_head > tcp->time_wait_mask) {
		struct time_wait *oldest = at(tcp, tcp->time_wait_head);

		if (oldest->expires_ns) {
			counter_add(tcp->env, COUNTER_tcp_time_wait_evicted, 1);
			forget(tcp, oldest);
		}
		tcp->time_wait_head++;
	}
	*index = tcp->time_wait_tail++ & tcp->time_wait_mask;
	tcp->time_wait_count++;
	return &tcp->time_wait[*index];
}

#define ANSWER_SHIFT 29 // what a record does not know, it answers once in 0.54 s

// The record takes the key's place in the table, where `from_value` has it now.
static void enter(struct tcp *tcp, const struct time_wait *from, uint32_t from_value)
{
	struct time_wait record = *from; // from may be the very place
	const struct flow f = flow_of(&record);
	uint32_t index;
	struct time_wait *t = next_record(tcp, &index);

	net_path_hold(tcp->net, record.source_route);
	*t = record;
	t->expires_ns = tcp->env->now_ns + tcp->config.time_wait_ns;
	t->answered = (uint8_t)(tcp->env->now_ns >> ANSWER_SHIFT) - 1; // not yet
	ASSERT(flow_replace(tcp, &f, from_value, owner_value(tcp, OWNER_TIME_WAIT, index)));
	arm(tcp);
}

// RFC 9293 MUST-13: 2 MSL from here.
void timewait_add(struct tcp *tcp, struct conn *c)
{
	struct time_wait t = {
		.local = c->path.local,
		.remote = c->path.remote,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.snd_nxt = (uint32_t)c->snd.nxt,
		.rcv_nxt = (uint32_t)c->rcv.nxt,
		.ts_recent = c->rcv.ts_recent,
		.has_ts = conn_is(c, CONN_TS),
		.wnd_units = (uint16_t)MIN(c->rcv.wnd >> c->rcv_scale, UINT32_C(65535)),
		.source_route = c->path.source_route,
	};

	enter(tcp, &t, owner_value(tcp, OWNER_CONN, conn_index(tcp, c)));
}

// By the way of its connection (RFC 9293 MUST-53), whatever way is named by who asks.
static bool acknowledge(struct tcp *tcp, const struct time_wait *t)
{
	struct net_path path = {
		.local = t->local, .remote = t->remote, .source_route = t->source_route};
	struct bare b = {
		.path = &path,
		.local_port = t->local_port,
		.remote_port = t->remote_port,
		.seq = t->snd_nxt,
		.ack = t->rcv_nxt,
		.flags = TCP_ACK,
		.wnd_units = t->wnd_units,
		.has_ts = t->has_ts,
		.ts_echo = t->ts_recent,
	};

	return net_path_refresh(tcp->net, &path) && output_bare(tcp, &b);
}

// RFC 6191 2: a later timestamp is a new connection; where it tells nothing RFC 1122 4.2.2.13: a
// later sequence number. A SYN with a timestamp cannot be of a connection that had none, and what
// still comes of that one is not taken without (RFC 7323 3.2). RFC 6191 R1, R2, R3, R4, R5.
static bool syn_is_new(const struct time_wait *t, const struct segment *s)
{
	if (t->has_ts && s->has_ts && s->ts_value != t->ts_recent)
		return (int32_t)(s->ts_value - t->ts_recent) > 0;
	if (s->has_ts && !t->has_ts)
		return true;
	return (int32_t)(s->raw_seq - t->rcv_nxt) > 0;
}

// The peer's FIN, again; a forged one has another number.
static bool is_known_fin(const struct time_wait *t, const struct segment *s)
{
	return (s->flags & (TCP_FIN | TCP_SYN)) == TCP_FIN &&
	       s->raw_seq + segment_space(s) == t->rcv_nxt;
}

// Each time costs a place in the ring, where the others wait: so a peer that repeats itself without
// end may have only so many within one wait.
#define AGAIN_MAX 64

static void wait_again(struct tcp *tcp, struct time_wait *t)
{
	uint64_t began_ns = t->expires_ns - tcp->config.time_wait_ns;
	struct time_wait again = *t;

	if (tcp->env->now_ns - began_ns < tcp->config.time_wait_ns / AGAIN_MAX)
		return;
	leave_gap(tcp, t);
	enter(tcp, &again, owner_value(tcp, OWNER_TIME_WAIT, (uint32_t)(t - tcp->time_wait)));
}

// What it does not know is answered (RFC 9293 3.10.7.4, first), so that a peer whose new connection
// meets the record can end it; once in a while each, so that two sides cannot go on answering each
// other. RFC 6191 R6. Apart from the worker's limit of challenge ACKs: a client that comes back
// with ten thousand connections meets as many records.
static void answer_unknown(struct tcp *tcp, struct time_wait *t)
{
	uint8_t stretch = (uint8_t)(tcp->env->now_ns >> ANSWER_SHIFT);

	if (t->answered == stretch)
		return;
	t->answered = stretch;
	if (acknowledge(tcp, t))
		counter_add(tcp->env, COUNTER_tcp_time_wait_answers, 1);
}

// Far enough above all that the old connection sent.
#define ISN_STEP 65536u

// Only for a SYN that nothing stands against any more: if it were dropped, it would come again as a
// stranger, and its connection's numbers might lie among the old one's. Whether another worker has
// a connection left is not known here.
static void make_way(struct tcp *tcp, struct time_wait *t, struct segment *s, uint32_t to)
{
	uint32_t isn_floor = t->snd_nxt + ISN_STEP;
	enum drop reason = stranger_refusal(tcp, s, to);

	if (reason != DROP_OK) {
		pkt_drop(tcp->env, s->pkt, reason);
		return;
	}
	forget(tcp, t);
	stranger_after_wait(tcp, s, to, isn_floor);
}

// RFC 9293 3.10.7.4, second: TIME-WAIT
static void reset_arrives(struct tcp *tcp, struct time_wait *t, struct segment *s)
{
	if (s->raw_seq != t->rcv_nxt) {
		pkt_drop(tcp->env, s->pkt, DROP_TCP_RST_OUTSIDE_WINDOW);
		return;
	}
	forget(tcp, t);
	pkt_consume(tcp->env, s->pkt);
}

// RFC 9293 MUST-13: without a listener, of whatever worker, nothing begins, and TIME-WAIT goes on.
static uint32_t who_begins_anew(struct tcp *tcp, const struct time_wait *t, const struct segment *s)
{
	if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN || !syn_is_new(t, s))
		return STRANGER_NOBODY;
	return stranger_listener(tcp, s->arrival, t->local_port);
}

COLD void timewait_input(struct tcp *tcp, uint32_t index, struct segment *s)
{
	struct time_wait *t = &tcp->time_wait[index];
	uint32_t to = who_begins_anew(tcp, t, s);

	if (to != STRANGER_NOBODY) {
		make_way(tcp, t, s, to);
	} else if (s->flags & TCP_RST) {
		reset_arrives(tcp, t, s);
	} else if (is_known_fin(t, s)) { // RFC 9293 3.10.7.4, eighth: acknowledge, 2 MSL again
		(void)acknowledge(tcp, t);
		wait_again(tcp, t);
		pkt_consume(tcp->env, s->pkt);
	} else if (segment_space(s) == 0 && s->raw_seq == t->rcv_nxt) {
		pkt_consume(tcp->env, s->pkt); // an ACK of nothing new
	} else {
		answer_unknown(tcp, t);
		pkt_drop(tcp->env, s->pkt, DROP_TCP_TIME_WAIT);
	}
}

// With timestamps the peer can tell the new connection from the old (RFC 6191 R7); the clock must
// have ticked since.
bool timewait_reuse(struct tcp *tcp, uint32_t index, uint32_t *isn_floor)
{
	struct time_wait *t = &tcp->time_wait[index];
	uint64_t began_ns = t->expires_ns - tcp->config.time_wait_ns;

	if (!t->has_ts || began_ns >> 20 == tcp->env->now_ns >> 20)
		return false;
	*isn_floor = t->snd_nxt + ISN_STEP;
	forget(tcp, t);
	return true;
}
