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
//	takes back as much as left ◄──── ring ──────── a free slot and free descriptors for it
//
// No segment overtakes it. Who finds the new value hands to the new owner; the new owner, before he
// has read the note, hands to the old one; he finds the new value too, and what he hands on lies
// behind the note in the same ring.
//
// What publishes. The old owner's stores come before the replaced value (a read-modify-write with
// release, which find acquires) and before the note (the ring's release). So who sees the new value
// sees `in transit`, and who reads the note sees the whole connection.
//
// Slots and descriptors are exchanged, or a worker to whom connections come would end up with all.
// The two workers' clocks differ by what a turn takes; the new owner's is not behind the note's.
#include "tcp/move.h"

#include "base/err.h"
#include "observe/trace.h"
#include "pkt/pool.h"
#include "port/mesh.h"
#include "tcp/deliver.h"
#include "tcp/early.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/state.h"
#include "tcp/timers.h"

struct note {
	uint64_t now_ns;
	uint32_t conn; // that comes; of HANDED_BACK a free slot, or NO_INDEX
	uint32_t desc_count;
	uint32_t desc_head, desc_tail; // of HANDED_BACK: free ones, linked
	uint32_t kept_pkts;
	uint32_t early_pkts; // of them, queued
	bool waited;         // for room
};

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
	conn_set(c, CONN_MOVING);
	c->moves_to = (uint8_t)to;
	conn_mark(tcp, c);
	return 0;
}

static bool may_leave(const struct tcp *tcp, const struct conn *c)
{
	return !c->news && !conn_is(c, CONN_IN_READY | CONN_IN_FLUSH) &&
	       c->rcv.charged == c->early_bytes && // neither undelivered nor with the application
	       hands_have_room(tcp->env, c->moves_to);
}

// Descriptors of the queue, and received packets that it and what came early hold.
static void count_held(const struct tcp *tcp, const struct conn *c, struct note *note)
{
	struct pkt *p = c->early;

	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		note->desc_count++;
		if (!(tcp->desc[i].flags & DESC_REGION))
			note->kept_pkts += pkt_own(tcp->desc[i].pkt)->kept_pkts;
	}
	if (!p)
		return;
	do {
		note->kept_pkts += pkt_own(p)->kept_pkts;
		note->early_pkts++;
		p = pkt_own(p)->queue_next;
	} while (p != c->early);
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

static void leave(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	struct flow_key16 key = conn_key(c);
	uint32_t value = owner_value(tcp, OWNER_CONN, conn_index(tcp, c)), to = c->moves_to;
	uint32_t moved = (value & ~tcp->worker_mask) | to << tcp->shared->index_bits;
	struct note *note = pkt_append(p, sizeof(*note));

	*note = (struct note){.now_ns = tcp->env->now_ns, .conn = conn_index(tcp, c)};
	count_held(tcp, c, note);
	note->waited = room_leave(tcp, c);
	early_leave(tcp, c);
	if (timer_armed(&c->timer))
		wheel_stop(tcp->wheel, &c->timer);
	account(tcp, c, note, false);
	c->path.generation = 0; // neighbours are each worker's own
	conn_unset(c, CONN_MOVING);
	trace_add(tcp->env, EVENT_TCP_MOVED, conn_index(tcp, c), tcp->worker, to);
	counter_add(tcp->env, COUNTER_tcp_moved, 1);
	c->flush_next = tcp->worker;
	set_worker(c, CONN_IN_TRANSIT);
	ASSERT(table16_replace(tcp->table, &key, table16_hash(tcp->table, &key), value, moved) ==
	       0);
	counter_add(tcp->env, COUNTER_originated_pkts, 1);
	hands_give(tcp->env, p, to, mesh_word(HANDED_CONN, 0, tcp->worker));
	hands_flush(tcp->env);
}

void move_step(struct tcp *tcp, struct conn *c)
{
	struct pkt *p = may_leave(tcp, c) ? pkt_alloc(tcp->env->pool[POOL_CTRL]) : NULL;

	if (p)
		leave(tcp, c, p);
	else
		conn_mark(tcp, c);
}

// As many free descriptors as came, if there are so many, and a free slot.
static void put_together(struct tcp *tcp, struct note *note)
{
	uint32_t count = MIN(note->desc_count, tcp->config.send_descs_max - tcp->desc_count);

	note->desc_count = count;
	note->desc_head = note->desc_tail = NO_INDEX;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = tcp->desc_free;

		tcp->desc_free = tcp->desc[index].next;
		tcp->desc[index].next = note->desc_head;
		if (i == 0)
			note->desc_tail = index;
		note->desc_head = index;
	}
	tcp->config.send_descs_max -= count;
	note->conn = tcp->conn_free;
	if (note->conn != NO_INDEX)
		tcp->conn_free = tcp->conn[note->conn].flush_next;
}

// The note goes back with something in return; when there is no room for it, it is kept.
static void give_back(struct tcp *tcp, struct pkt *p, uint32_t to)
{
	if (!hands_have_room(tcp->env, to)) {
		pkt_consume(tcp->env, p);
		return;
	}
	put_together(tcp, pkt_at(p, 0));
	hands_give(tcp->env, p, to, mesh_word(HANDED_BACK, 0, tcp->worker));
}

static void arrive(struct tcp *tcp, struct pkt *p, uint32_t from)
{
	const struct note *note = pkt_at(p, 0);
	struct conn *c = &tcp->conn[note->conn];

	tcp->env->now_ns = MAX(tcp->env->now_ns, note->now_ns);
	c->flush_next = NO_INDEX;
	set_worker(c, tcp->worker);
	account(tcp, c, note, true);
	early_join(tcp, c);
	if (conn_earliest_ns(c) != TIME_NEVER_NS)
		timers_arm(tcp, c, conn_earliest_ns(c));
	deliver_news(tcp, c, NEWS_MOVED | (note->waited ? (unsigned)NEWS_WRITABLE : 0u));
	conn_mark(tcp, c);
	conn_check(tcp, c);
	give_back(tcp, p, from);
}

static void take_back(struct tcp *tcp, struct pkt *p)
{
	const struct note *note = pkt_at(p, 0);

	if (note->conn != NO_INDEX) {
		tcp->conn[note->conn].flush_next = tcp->conn_free;
		tcp->conn_free = note->conn;
	}
	if (note->desc_count) {
		tcp->desc[note->desc_tail].next = tcp->desc_free;
		tcp->desc_free = note->desc_head;
		tcp->config.send_descs_max += note->desc_count;
	}
	pkt_consume(tcp->env, p);
}

void tcp_note(struct tcp *tcp, struct pkt *p, uint16_t word)
{
	if (mesh_what(word) == HANDED_CONN)
		arrive(tcp, p, mesh_from(word));
	else
		take_back(tcp, p);
}
