// SPDX-License-Identifier: BSD-3-Clause
// News for the application: who has some is remembered here, tcp_deliver writes it as events after
// the burst. Called by all that goes on in tcp/, and by the worker's turn.
//
// Three queues in this order: text of all connections in the order it came, the rest (EOF, SENT,
// WRITABLE, CLOSED), and births (ACCEPTED, CONNECTED). Text of a connection not announced yet is
// passed over until the next delivery. So a connection is announced before its text and ends after
// it, and no stream of new connections keeps the others waiting; no connection needs a receive
// queue of its own.
#include "tcp/deliver.h"

#include "observe/counter.h"
#include "pkt/taping.h"
#include "tcp/output.h"
#include "tcp/room.h"
#include "tcp/window.h"

static void push(struct tcp *tcp, struct conn_list *list, struct conn *c)
{
	uint32_t index = conn_index(tcp, c);

	conn_set(c, CONN_IN_READY);
	c->ready_next = NO_INDEX;
	if (list->head == NO_INDEX)
		list->head = index;
	else
		tcp->conn[list->tail].ready_next = index;
	list->tail = index;
}

static void pop(struct tcp *tcp, struct conn_list *list)
{
	struct conn *c = &tcp->conn[list->head];

	list->head = c->ready_next;
	conn_unset(c, CONN_IN_READY);
	conn_look_again(tcp, c);
}

void deliver_news(struct tcp *tcp, struct conn *c, unsigned news)
{
	c->news = (uint8_t)(c->news | news);
	if (!conn_is(c, CONN_IN_READY))
		push(tcp, news & NEWS_BIRTH ? &tcp->births : &tcp->ready, c);
}

static void pkts_append(struct pkt_list *list, struct pkt *p)
{
	pkt_own(p)->queue_next = NULL;
	if (list->head)
		pkt_own(list->tail)->queue_next = p;
	else
		list->head = p;
	list->tail = p;
}

static void queue_text(struct tcp *tcp, struct pkt *p, uint64_t handle)
{
	pkt_own(p)->owner = handle;
	pkt_keep(tcp->env, p);
	pkts_append(&tcp->data, p);
}

// A chain becomes packets of one segment each: an event is one run of bytes.
static COLD void queue_chain(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	uint64_t handle = conn_handle(tcp, c);
	uint32_t handed = 0;

	while (p) {
		struct pkt *next = pkt_next(p);

		pkt_set_view(p, pkt_headroom(p), pkt_seg_len(p));
		if (handed++)
			pkt_forget_origin(p); // no frame begins in it
		if (pkt_seg_len(p) == 0) {
			pkt_free_seg(p);
		} else {
			pkt_own(p)->charge_bytes = pkt_true_bytes(p);
			c->rcv.charged += pkt_true_bytes(p);
			queue_text(tcp, p, handle);
		}
		p = next;
	}
}

static inline void advance(struct conn *c, uint32_t len)
{
	c->rcv.nxt += len;
	c->rcv.wnd -= MIN(c->rcv.wnd, len);
	c->rcv.unacked += len;
}

COLD bool deliver_packed(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	struct pkt *last = tcp->data.head ? tcp->data.tail : NULL;
	uint16_t len = pkt_seg_len(p);

	if (!last || pkt_own(last)->owner != conn_handle(tcp, c) || pkt_seg_count(p) > 1 ||
	    pkt_refs(last) > 1 || !pkt_is_direct(last) ||
	    !pkt_copy(tcp->env, last, pkt_data(p), len, COPY_PACK))
		return false;
	advance(c, len);
	pkt_consume(tcp->env, p);
	return true;
}

void deliver_text(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	advance(c, pkt_len(p));
	counter_add(tcp->env, COUNTER_consumed_pkts, 1);
	if (UNLIKELY(pkt_seg_count(p) > 1)) {
		queue_chain(tcp, c, p);
		return;
	}
	pkt_own(p)->charge_bytes = pkt_true_bytes(p);
	c->rcv.charged += pkt_true_bytes(p);
	queue_text(tcp, p, conn_handle(tcp, c));
}

static void text_event(const struct tcp *tcp, struct pkt *p, const struct conn *c,
		       struct prism_event *e)
{
	*e = (struct prism_event){
		.type = PRISM_EVENT_DATA,
		.len = pkt_len(p),
		.user = c->user,
		.conn = {pkt_own(p)->owner},
		.data = pkt_data(p),
		.buf = (struct prism_buf *)p,
	};
	if (tape_wants(tcp->env, TAPE_DELIVERED))
		tape_delivered(tcp->env, p);
}

// The next thing a connection has to say, in this order.
static void next_event(const struct tcp *tcp, struct conn *c, struct prism_event *e)
{
	static const uint32_t types[] = {
		PRISM_EVENT_ACCEPTED, PRISM_EVENT_CONNECTED, PRISM_EVENT_MOVED,  PRISM_EVENT_EOF,
		PRISM_EVENT_SENT,     PRISM_EVENT_WRITABLE,  PRISM_EVENT_CLOSED,
	};
	uint32_t which = (uint32_t)__builtin_ctz(c->news);

	*e = (struct prism_event){
		.type = types[which],
		.user = c->user,
		.conn = {conn_handle(tcp, c)},
	};
	if (e->type == PRISM_EVENT_SENT)
		e->cookie = c->sent_cookie;
	if (e->type == PRISM_EVENT_CLOSED)
		e->reason = c->reason;
	c->news = (uint8_t)(c->news & (c->news - 1));
}

static int deliver_births(struct tcp *tcp, struct prism_event *events, int count)
{
	int n = 0;

	while (tcp->births.head != NO_INDEX && n < count) {
		struct conn *c = &tcp->conn[tcp->births.head];

		next_event(tcp, c, &events[n++]);
		pop(tcp, &tcp->births);
		if (c->news)
			push(tcp, &tcp->ready, c);
	}
	return n;
}

static COLD void forget_text(struct tcp *tcp, struct pkt *p)
{
	pkt_unkeep(tcp->env, p);
	pkt_free_seg(p);
}

// Text of connections that are announced; that of the others goes to unborn.
static int deliver_data(struct tcp *tcp, struct prism_event *events, int count,
			struct pkt_list *unborn)
{
	int n = 0;

	while (tcp->data.head && n < count) {
		struct pkt *p = tcp->data.head;
		struct conn *c = conn_of(tcp, pkt_own(p)->owner);

		tcp->data.head = pkt_own(p)->queue_next;
		if (tcp->data.head)
			bits_prefetch(tcp->data.head);
		if (UNLIKELY(!c || conn_is(c, CONN_DISCARD)))
			forget_text(tcp, p);
		else if (UNLIKELY(c->news & NEWS_BIRTH))
			pkts_append(unborn, p);
		else
			text_event(tcp, p, c, &events[n++]);
	}
	return n;
}

// Puts the text that was passed over back in front.
static void pass_over(struct tcp *tcp, const struct pkt_list *unborn)
{
	if (LIKELY(!unborn->head))
		return;
	pkt_own(unborn->tail)->queue_next = tcp->data.head;
	if (!tcp->data.head)
		tcp->data.tail = unborn->tail;
	tcp->data.head = unborn->head;
}

static int deliver_rest(struct tcp *tcp, struct prism_event *events, int count)
{
	int n = 0;

	while (tcp->ready.head != NO_INDEX && n < count) {
		struct conn *c = &tcp->conn[tcp->ready.head];

		if (c->news)
			next_event(tcp, c, &events[n++]);
		if (c->news)
			continue;
		pop(tcp, &tcp->ready);
		conn_reap(tcp, c);
	}
	return n;
}

static NOINLINE int deliver_all(struct tcp *tcp, struct prism_event *events, int count)
{
	struct pkt_list unborn = {0};
	int n = deliver_data(tcp, events, count, &unborn);

	if (room_due(tcp))
		room_deliver(tcp);
	if (!tcp->data.head)
		n += deliver_rest(tcp, events + n, count - n);
	pass_over(tcp, &unborn);
	// The application gives a new connection its own user before anything else is said of it:
	// what follows comes with the next delivery.
	return n + deliver_births(tcp, events + n, count - n);
}

int tcp_deliver(struct tcp *tcp, struct prism_event *events, int count)
{
	bool news = tcp->data.head || tcp->ready.head != NO_INDEX || tcp->births.head != NO_INDEX;

	return news || room_due(tcp) ? deliver_all(tcp, events, count) : 0;
}

void tcp_uncharge(struct tcp *tcp, struct pkt *p)
{
	pkt_unkeep(tcp->env, p);
	deliver_uncharge(tcp, p);
}

void deliver_uncharge(struct tcp *tcp, struct pkt *p)
{
	struct pkt_own *own = pkt_own(p);
	uint64_t owner = own->owner;

	own->owner = 0;
	tcp_uncharge_bytes(tcp, owner, own->charge_bytes);
}

void tcp_uncharge_bytes(struct tcp *tcp, uint64_t owner, uint32_t charge_bytes)
{
	struct conn *c = conn_of(tcp, owner);

	if (UNLIKELY(!c || conn_in(c, CLOSED)))
		return;
	DCHECK(c->rcv.charged >= charge_bytes);
	c->rcv.charged -= charge_bytes;
	conn_look_again(tcp, c);
	if (UNLIKELY(window_update_due(tcp, c))) {
		conn_set(c, CONN_ACK_NOW);
		conn_mark(tcp, c);
	}
}
