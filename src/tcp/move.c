// SPDX-License-Identifier: BSD-3-Clause
// A connection goes from one worker to another: its slot and its descriptors stay where they are in
// the memory of all workers, and change their owner. Called by tcp.c's flush (leaving) and
// core/stack.c (a note arrives); calls port/mesh.h.
//
//	old owner                                      new owner
//	nothing of it waits here: no news, no text
//	the application holds, no flush
//	out of lists, wheel and accounts
//	in transit: whose it was stands in it
//	table: its value becomes the new owner's
//	note ──────────── ring ──────────────────────► into lists, wheel and accounts; MOVED
//	takes back as much as left ◄──── ring ──────── free slots and descriptors for it
//
// No segment overtakes it. What the old owner sent is with the device, or before the note in the
// ring to who has a queue. Who finds the new value hands to the new owner; the new owner, before he
// has read the note, hands to the old one; he finds the new value too, and what he hands on lies
// behind the note in the same ring.
//
// What was sent before the move may be overtaken by what is sent after it, where the two leave by
// different ways: each owner by a queue of his own, or neither has one and a third worker sends for
// both, who takes from the ring of the one or of the other first. The peer then sees segments in
// another order, as from any network, and loses none. To wait for the device or for the third
// worker would keep a connection with much to send where it is.
//
// What publishes. The old owner's stores come before the replaced value (a read-modify-write with
// release, which find acquires) and before the note (the ring's release). So who sees the new value
// sees `in transit`, and who reads the note sees the whole connection.
//
// Slots and descriptors are exchanged, or a worker to whom connections come would end up with all.
// Who has none free, or no room in the ring, owes them, to each worker apart, and pays when he has;
// a connection that goes the other way takes its share of the debt with it. While half of what a
// worker began with is owed to him, no more leaves. So moves starve nobody, and in the end each has
// what he began with.
//
// What waits for the connection's own news and text is looked at again when they are gone; what
// waits for another worker, after a while. So no worker is kept awake by what cannot leave.
//
// The two workers' clocks differ by what a turn takes; the new owner's is not behind the note's.
#include "tcp/move.h"

#include "base/err.h"
#include "observe/trace.h"
#include "pkt/pool.h"
#include "port/mesh.h"
#include "tcp/bbr.h"
#include "tcp/deliver.h"
#include "tcp/early.h"
#include "tcp/flow.h"
#include "tcp/homeless.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/show.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/trouble.h"

// Of HANDED_CONN.
struct note {
	uint64_t now_ns;
	uint32_t conn; // that comes
	uint32_t desc_count;
	uint32_t kept_pkts;
	uint32_t early_pkts;    // of them, queued
	struct debt owed;       // for it
	bool waited;            // for room
	struct trouble trouble; // with CONN_TROUBLE
	struct bbr_copy bbr;    // with CONN_SAMPLED
};

// Of HANDED_BACK: free ones, linked.
struct payment {
	struct debt paid;
	uint32_t conn_head, conn_tail;
	uint32_t desc_head, desc_tail;
};

static_assert(sizeof(struct note) <= 640,
	      "a control packet takes it: an ICMP error with its quote does");
static_assert(sizeof(struct payment) <= sizeof(struct note), "a note's packet takes what is paid");

// Until one is looked at again that waits for another worker: about as long as he may be without
// his core.
#define LOOK_AGAIN_NS NS_PER_MS

int tcp_move(struct tcp *tcp, prism_conn conn, uint32_t to)
{
	struct conn *c = conn_of(tcp, conn.id);

	if (!c)
		return conn_refuse(tcp, conn);
	if (to >= tcp->shared->worker_count || to == tcp->worker)
		return err_set(ERR_INVALID_ARGUMENT, "move to worker %u of %u from worker %u", to,
			       tcp->shared->worker_count, tcp->worker);
	if (!conn_in(c, STATES_SYNCHRONIZED) || conn_in(c, TIME_WAIT))
		return err_set(ERR_NOT_CONNECTED, "move in %s", state_name(c->state));
	if (c->path.source_route) // whose table is this worker's
		return err_set(ERR_SOURCE_ROUTE_STAYS, "worker %u", tcp->worker);
	conn_set(c, CONN_MOVING);
	c->moves_to = to & (WORKERS_MAX - 1);
	conn_mark(tcp, c);
	return 0;
}

// Its own news, or text that is undelivered or with the application.
static bool waits_for_itself(const struct conn *c)
{
	return c->news || conn_is(c, CONN_IN_READY | CONN_IN_FLUSH) ||
	       c->rcv.charged != c->early_bytes;
}

// Half of what this worker began with stays.
static bool may_lend(const struct tcp *tcp, const struct debt *more)
{
	const struct tcp_config *began = &tcp->shared->config;

	return tcp->lent_conns + more->conns <= MAX(began->connections_max / 2, 1u) &&
	       (!more->descs || tcp->lent_descs + more->descs <= began->send_descs_max / 2);
}

// Descriptors of the queue, and received packets that it and what came early hold.
static void count_held(const struct tcp *tcp, const struct conn *c, struct note *note)
{
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		note->desc_count++;
		if (!(tcp->desc[i].flags & (DESC_REGION | DESC_SHARES)))
			note->kept_pkts += pkt_own(tcp->desc[i].pkt)->kept_pkts;
	}
	for (struct pkt *p = early_first(c); p; p = early_after(c, p)) {
		note->kept_pkts += pkt_own(p)->kept_pkts;
		note->early_pkts++;
	}
}

// Into this worker's accounts, or out of them.
static void account(struct tcp *tcp, const struct conn *c, const struct note *note, bool comes)
{
	uint32_t sign = comes ? 1 : UINT32_MAX;

	tcp->conn_count += sign;
	tcp->cost += sign * c->sendq.cost;
	tcp->desc_count += sign * note->desc_count;
	tcp->config.send_descs_max += sign * note->desc_count;
	tcp->env->kept_pkts += sign * note->kept_pkts;
	// What came early and waits is handed over with it.
	counter_add(tcp->env, COUNTER_queued_pkts, (uint64_t)(int32_t)sign * note->early_pkts);
	counter_add(tcp->env, comes ? COUNTER_handed_in_pkts : COUNTER_handed_out_pkts,
		    note->early_pkts);
	if (conn_in(c, ESTABLISHED | CLOSE_WAIT))
		counter_add(tcp->env, COUNTER_tcp_curr_estab, comes ? 1 : UINT64_MAX);
}

static void set_worker(struct conn *c, uint32_t worker)
{
	cell32_set(&c->flags, (c->flags & ((1u << CONN_WORKER_SHIFT) - 1)) |
				      (worker + 1) << CONN_WORKER_SHIFT);
}

static void set_owing(struct tcp *tcp, uint32_t to)
{
	const struct debt *debt = &tcp->debt[to];
	uint64_t bit = UINT64_C(1) << to;

	tcp->owing = debt->conns || debt->descs ? tcp->owing | bit : tcp->owing & ~bit;
}

// What the new owner will owe for it: as much as it takes along, less what he is owed himself.
static struct debt price(const struct tcp *tcp, const struct note *note, uint32_t to)
{
	const struct debt *ours = &tcp->debt[to];

	return (struct debt){1 - MIN(ours->conns, 1u),
			     note->desc_count - MIN(ours->descs, note->desc_count)};
}

static void lend(struct tcp *tcp, const struct note *note, uint32_t to)
{
	struct debt *ours = &tcp->debt[to];

	ours->conns -= 1 - note->owed.conns;
	ours->descs -= note->desc_count - note->owed.descs;
	set_owing(tcp, to);
	tcp->lent_conns += note->owed.conns;
	tcp->lent_descs += note->owed.descs;
}

static void leave(struct tcp *tcp, struct conn *c, struct note *note, struct pkt *p)
{
	const struct flow f = conn_flow(c);
	uint32_t value = owner_value(tcp, OWNER_CONN, conn_index(tcp, c)), to = c->moves_to;
	uint32_t moved = (value & ~tcp->worker_mask) | to << tcp->shared->index_bits;

	note->waited = room_leave(tcp, c);
	show_left(tcp, conn_index(tcp, c));
	early_leave(tcp, c);
	if (conn_is(c, CONN_TROUBLE))
		trouble_leave(tcp, c, &note->trouble);
	if (conn_is(c, CONN_SAMPLED))
		bbr_leave(tcp, c, &note->bbr);
	if (timer_armed(&c->timer))
		wheel_stop(tcp->wheel, &c->timer);
	account(tcp, c, note, false);
	lend(tcp, note, to);
	c->path.generation = 0; // neighbours are each worker's own
	conn_unset(c, CONN_MOVING);
	trace_add(tcp->env, EVENT_TCP_MOVED, conn_index(tcp, c), tcp->worker, to);
	counter_add(tcp->env, COUNTER_tcp_moved, 1);
	c->flush_next = tcp->worker;
	set_worker(c, CONN_IN_TRANSIT);
	ASSERT(flow_replace(tcp, &f, value, moved));
	*(struct note *)pkt_append(p, sizeof(*note)) = *note;
	counter_add(tcp->env, COUNTER_originated_pkts, 1);
	hands_give(tcp->env, p, to, mesh_word(HANDED_CONN, 0, tcp->worker));
	hands_flush(tcp->env);
}

void move_step(struct tcp *tcp, struct conn *c)
{
	struct note note = {.now_ns = tcp->env->now_ns, .conn = conn_index(tcp, c)};
	struct pkt *p = NULL;

	if (waits_for_itself(c))
		return;
	if (net_flush(tcp->net) && hands_have_room(tcp->env, c->moves_to)) {
		count_held(tcp, c, &note); // a walk
		note.owed = price(tcp, &note, c->moves_to);
		if (may_lend(tcp, &note.owed))
			p = pkt_alloc(tcp->env->pool[POOL_CTRL]);
	}
	if (p)
		leave(tcp, c, &note, p);
	else
		timers_arm(tcp, c, tcp->env->now_ns + LOOK_AGAIN_NS);
}

static void take_conns(struct tcp *tcp, struct payment *payment, uint32_t count)
{
	payment->conn_head = payment->conn_tail = NO_INDEX;
	for (; payment->paid.conns < count && tcp->conn_free != NO_INDEX; payment->paid.conns++) {
		struct conn *c = &tcp->conn[tcp->conn_free];
		uint32_t index = tcp->conn_free;

		tcp->conn_free = c->flush_next;
		show_left(tcp, index); // what was there may still have a row
		c->flush_next = payment->conn_head;
		if (payment->paid.conns == 0)
			payment->conn_tail = index;
		payment->conn_head = index;
	}
}

static void take_descs(struct tcp *tcp, struct payment *payment, uint32_t count)
{
	count = MIN(count, tcp->config.send_descs_max - tcp->desc_count);
	payment->desc_head = payment->desc_tail = NO_INDEX;
	for (; payment->paid.descs < count; payment->paid.descs++) {
		struct send_desc *d = &tcp->desc[tcp->desc_free];
		uint32_t index = tcp->desc_free;

		tcp->desc_free = d->next;
		d->next = payment->desc_head;
		if (payment->paid.descs == 0)
			payment->desc_tail = index;
		payment->desc_head = index;
	}
	tcp->config.send_descs_max -= count;
}

static bool can_pay(const struct tcp *tcp, uint32_t to)
{
	const struct debt *debt = &tcp->debt[to];

	return ((debt->conns && tcp->conn_free != NO_INDEX) ||
		(debt->descs && tcp->config.send_descs_max > tcp->desc_count)) &&
	       hands_have_room(tcp->env, to);
}

// All there is of what is owed, written into p, which is empty.
static void pay(struct tcp *tcp, struct pkt *p, uint32_t to)
{
	struct debt *debt = &tcp->debt[to];
	struct payment *payment = pkt_append(p, sizeof(*payment));

	payment->paid = (struct debt){0};
	take_conns(tcp, payment, debt->conns);
	take_descs(tcp, payment, debt->descs);
	debt->conns -= payment->paid.conns;
	debt->descs -= payment->paid.descs;
	set_owing(tcp, to);
	hands_give(tcp->env, p, to, mesh_word(HANDED_BACK, 0, tcp->worker));
	hands_flush(tcp->env); // before a relay puts what it sends in its place
}

void move_pay(struct tcp *tcp)
{
	for (uint64_t left = tcp->owing; left; left &= left - 1) {
		uint32_t to = (uint32_t)__builtin_ctzll(left);
		struct pkt *p = can_pay(tcp, to) ? pkt_alloc(tcp->env->pool[POOL_CTRL]) : NULL;

		if (!p)
			continue;
		counter_add(tcp->env, COUNTER_originated_pkts, 1);
		pay(tcp, p, to);
	}
}

// Of what left with connections so much came back, in kind or as a debt that ends.
static void came_back(struct tcp *tcp, uint32_t conns, uint32_t descs)
{
	ASSERT(tcp->lent_conns >= conns);
	ASSERT(tcp->lent_descs >= descs);
	tcp->lent_conns -= conns;
	tcp->lent_descs -= descs;
}

// Mostly at once, in the packet of the note.
static void owe(struct tcp *tcp, struct pkt *p, uint32_t to)
{
	const struct note *note = pkt_at(p, 0);
	struct debt *debt = &tcp->debt[to];

	// What is not owed for it, the other owed here.
	came_back(tcp, 1 - note->owed.conns, note->desc_count - note->owed.descs);
	debt->conns += note->owed.conns;
	debt->descs += note->owed.descs;
	set_owing(tcp, to);
	if (!can_pay(tcp, to)) {
		pkt_consume(tcp->env, p);
		return;
	}
	pkt_set_view(p, pkt_headroom(p), 0);
	pay(tcp, p, to);
}

static void arrive(struct tcp *tcp, struct pkt *p, uint32_t from)
{
	const struct note *note = pkt_at(p, 0);
	struct conn *c = &tcp->conn[note->conn];

	tcp->env->now_ns = MAX(tcp->env->now_ns, note->now_ns);
	c->flush_next = NO_INDEX;
	set_worker(c, tcp->worker);
	show_came(tcp, note->conn);
	account(tcp, c, note, true);
	early_join(tcp, c);
	if (conn_is(c, CONN_TROUBLE))
		trouble_join(tcp, c, &note->trouble);
	if (c->cc_phase == CC_SAMPLED)
		bbr_join(tcp, c, &note->bbr);
	if (conn_earliest_ns(c) != TIME_NEVER_NS)
		timers_arm(tcp, c, conn_earliest_ns(c));
	if (conn_is(c, CONN_TUNED)) // it may wait for what is in no deadline
		timers_arm(tcp, c, tcp->env->now_ns);
	deliver_news(tcp, c, NEWS_MOVED | (note->waited ? (unsigned)NEWS_WRITABLE : 0u));
	conn_mark(tcp, c);
	conn_check(tcp, c);
	owe(tcp, p, from);
	homeless_came(tcp, c);
}

static void take_back(struct tcp *tcp, struct pkt *p)
{
	const struct payment *payment = pkt_at(p, 0);

	if (payment->paid.conns) {
		tcp->conn[payment->conn_tail].flush_next = tcp->conn_free;
		tcp->conn_free = payment->conn_head;
	}
	if (payment->paid.descs) {
		tcp->desc[payment->desc_tail].next = tcp->desc_free;
		tcp->desc_free = payment->desc_head;
		tcp->config.send_descs_max += payment->paid.descs;
	}
	came_back(tcp, payment->paid.conns, payment->paid.descs);
	pkt_consume(tcp->env, p);
}

void tcp_note(struct tcp *tcp, struct pkt *p, uint16_t word)
{
	if (mesh_what(word) == HANDED_CONN)
		arrive(tcp, p, mesh_from(word));
	else
		take_back(tcp, p);
}
