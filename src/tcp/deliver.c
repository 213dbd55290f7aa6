// SPDX-License-Identifier: BSD-3-Clause
// News for the application: who has some is remembered here, tcp_deliver writes it as events after
// the burst. Called by all that goes on in tcp/, and by the worker's turn.
//
// Three queues in this order: births (ACCEPTED, CONNECTED), text of all connections in the order it
// came, and the rest (EOF, SENT, WRITABLE, CLOSED). So a connection is announced before its text,
// and ends after it; no connection needs a receive queue of its own.
#include "tcp/deliver.h"

#include "observe/counter.h"
#include "tcp/output.h"

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
}

void deliver_news(struct tcp *tcp, struct conn *c, unsigned news)
{
	c->news = (uint16_t)(c->news | news);
	if (!conn_is(c, CONN_IN_READY))
		push(tcp, news & NEWS_BIRTH ? &tcp->births : &tcp->ready, c);
}

static void queue_text(struct tcp *tcp, struct pkt *p, uint64_t handle)
{
	struct pkt_own *own = pkt_own(p);

	own->queue_next = NULL;
	own->owner = handle;
	if (tcp->data.head)
		pkt_own(tcp->data.tail)->queue_next = p;
	else
		tcp->data.head = p;
	tcp->data.tail = p;
}

// A chain becomes packets of one segment each: an event is one run of bytes.
static COLD void queue_chain(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	uint64_t handle = conn_handle(tcp, c);

	while (p) {
		struct pkt *next = pkt_next(p);

		pkt_set_view(p, pkt_headroom(p), pkt_seg_len(p));
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

void deliver_text(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	uint32_t len = pkt_len(p);

	c->rcv.nxt += len;
	c->rcv.wnd -= MIN(c->rcv.wnd, len);
	c->rcv.unacked += len;
	counter_add(tcp->env, COUNTER_consumed_pkts, 1);
	if (UNLIKELY(pkt_seg_count(p) > 1)) {
		queue_chain(tcp, c, p);
		return;
	}
	pkt_own(p)->charge_bytes = pkt_true_bytes(p);
	c->rcv.charged += pkt_true_bytes(p);
	queue_text(tcp, p, conn_handle(tcp, c));
}

// True when an event was written.
static bool text_event(struct tcp *tcp, struct pkt *p, struct prism_event *e)
{
	uint64_t handle = pkt_own(p)->owner;
	struct conn *c = conn_of(tcp, handle);

	if (UNLIKELY(!c || conn_is(c, CONN_DISCARD))) {
		pkt_free_seg(p);
		return false;
	}
	*e = (struct prism_event){
		.type = PRISM_EVENT_DATA,
		.len = pkt_len(p),
		.user = c->user,
		.conn = {handle},
		.data = pkt_data(p),
		.buf = (struct prism_buf *)p,
	};
	return true;
}

// The next thing a connection has to say, in this order.
static void next_event(const struct tcp *tcp, struct conn *c, struct prism_event *e)
{
	static const uint32_t types[] = {
		PRISM_EVENT_ACCEPTED, PRISM_EVENT_CONNECTED, PRISM_EVENT_EOF,
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
	c->news = (uint16_t)(c->news & (c->news - 1));
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

static int deliver_data(struct tcp *tcp, struct prism_event *events, int count)
{
	int n = 0;

	while (tcp->data.head && n < count) {
		struct pkt *p = tcp->data.head;

		tcp->data.head = pkt_own(p)->queue_next;
		if (tcp->data.head)
			bits_prefetch(tcp->data.head);
		n += text_event(tcp, p, &events[n]);
	}
	return n;
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

int tcp_deliver(struct tcp *tcp, struct prism_event *events, int count)
{
	int n = deliver_births(tcp, events, count);

	// The application gives a new connection its own user before anything else is said of it.
	if (n > 0 || tcp->births.head != NO_INDEX)
		return n;
	n = deliver_data(tcp, events, count);
	if (!tcp->data.head)
		n += deliver_rest(tcp, events + n, count - n);
	return n;
}

void tcp_uncharge(struct tcp *tcp, struct pkt *p)
{
	struct pkt_own *own = pkt_own(p);
	struct conn *c = conn_of(tcp, own->owner);

	own->owner = 0;
	if (UNLIKELY(!c || conn_in(c, CLOSED)))
		return;
	DCHECK(c->rcv.charged >= own->charge_bytes);
	c->rcv.charged -= own->charge_bytes;
	if (UNLIKELY(output_window_update_due(tcp, c))) {
		conn_set(c, CONN_ACK_NOW);
		conn_mark(tcp, c);
	}
}
