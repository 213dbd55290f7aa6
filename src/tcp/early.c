// SPDX-License-Identifier: BSD-3-Clause
// What came early (RFC 9293 3.10.7.4, seventh: out-of-order segments are held, SHLD-31): packets
// sorted by offset, disjoint, linked through their own fields, where they lie. Called by input.c.
//
//   rcv.nxt ---hole--- [ first ]--[ ... ]---hole---[ c->early ] -> first   (circular, last known)
//
// What is held first stays; a newcomer is cut to the hole it fills. Held packets are charged with
// their true size, so the connection's limit bounds them. Most newcomers belong behind the last, a
// little before it, or into the first holes, so their place is looked for from both ends; one that
// belongs deep in the middle of many is not kept, or a peer could have us walk for each segment.
//
// Peers that leave a hole open for ever may hold what they have as long as nobody else wants it:
// when received buffers are short, the last text of whoever holds most gives way.
#include "tcp/early.h"

#include "observe/counter.h"
#include "tcp/deliver.h"
#include "tcp/sack.h"

#define EARLY_FIN 1 // pkt_own.flags: the peer's FIN stands behind this packet's text

// Steps from each end. Whatever lies deeper is sent again when the holes before it are filled.
#define EARLY_STEPS_MAX 64

// So many holders are looked at for the one that gives way, a line each, as a segment's own way
// costs about; and so many packets give way to one segment.
#define HOLDERS_LOOKED_AT 8
#define GIVEN_PKTS_MAX 8

static uint64_t begin_of(struct pkt *p)
{
	return pkt_own(p)->offset;
}

static uint64_t end_of(struct pkt *p)
{
	return pkt_own(p)->offset + pkt_len(p);
}

struct pkt *early_trim_front(struct pkt *p, uint32_t len)
{
	while (UNLIKELY(len >= pkt_seg_len(p) && pkt_next(p))) {
		struct pkt *next = pkt_next(p);
		uint32_t left = pkt_len(p) - pkt_seg_len(p);

		len -= pkt_seg_len(p);
		pkt_set_chain(next, (uint16_t)(pkt_seg_count(p) - 1), left);
		pkt_free_seg(p);
		p = next;
	}
	pkt_strip(p, (uint16_t)len);
	return p;
}

static void drop(struct tcp *tcp, struct pkt *p)
{
	pkt_drop(tcp->env, p, DROP_TCP_OLD_DATA);
}

// The one after which a packet at this offset belongs, or the last when it is to become the first.
// NULL when that lies too deep.
static struct pkt *place_for(struct tcp *tcp, struct conn *c, uint64_t offset)
{
	struct pkt *back = c->early, *front = c->early;

	for (uint32_t steps = 0; steps < EARLY_STEPS_MAX; steps++) {
		if (LIKELY(begin_of(back) <= offset))
			return back;
		if (begin_of(pkt_own(front)->queue_next) > offset)
			return front;
		back = pkt_own(back)->queue_prev;
		front = pkt_own(front)->queue_next;
		counter_add(tcp->env, COUNTER_tcp_early_steps, 1);
	}
	return NULL;
}

static void join_holders(struct tcp *tcp, struct conn *c)
{
	uint32_t index = conn_index(tcp, c);

	if (tcp->early_hand == NO_INDEX)
		tcp->early_hand = c->early_prev = index;
	c->early_next = tcp->early_hand;
	c->early_prev = tcp->conn[c->early_next].early_prev;
	tcp->conn[c->early_prev].early_next = index;
	tcp->conn[c->early_next].early_prev = index;
}

static void leave_holders(struct tcp *tcp, struct conn *c)
{
	uint32_t index = conn_index(tcp, c);

	tcp->conn[c->early_prev].early_next = c->early_next;
	tcp->conn[c->early_next].early_prev = c->early_prev;
	if (tcp->early_hand == index)
		tcp->early_hand = c->early_next == index ? NO_INDEX : c->early_next;
}

static void hold(struct tcp *tcp, struct conn *c, struct pkt *p, struct pkt *before)
{
	struct pkt_own *own = pkt_own(p);

	c->rcv.charged += own->charge_bytes;
	c->early_bytes += own->charge_bytes;
	pkt_keep(tcp->env, p);
	counter_add(tcp->env, COUNTER_queued_pkts, 1);
	if (!before) {
		own->queue_next = own->queue_prev = p;
		c->early = p;
		conn_set(c, CONN_EARLY);
		join_holders(tcp, c);
		return;
	}
	own->queue_next = pkt_own(before)->queue_next;
	own->queue_prev = before;
	pkt_own(own->queue_next)->queue_prev = p;
	pkt_own(before)->queue_next = p;
	if (before == c->early && begin_of(p) >= begin_of(before))
		c->early = p;
}

bool early_add(struct tcp *tcp, struct conn *c, struct pkt *p, uint64_t offset, bool fin)
{
	uint64_t end = offset + pkt_len(p), kept_end;
	struct pkt *before, *after;

	pkt_own(p)->offset = offset;
	pkt_own(p)->flags = fin ? EARLY_FIN : 0;
	if (!c->early) {
		pkt_own(p)->charge_bytes = deliver_true_bytes(p);
		hold(tcp, c, p, NULL);
		sack_early(tcp, c, offset, end);
		return true;
	}
	before = place_for(tcp, c, offset);
	if (UNLIKELY(!before)) {
		pkt_drop(tcp->env, p, DROP_TCP_EARLY_DEEP);
		return false;
	}
	if (begin_of(before) <= offset && end_of(before) > offset) {
		uint64_t overlap = MIN(end_of(before), end) - offset;

		sack_duplicate(tcp, c, offset, offset + overlap);
		offset += overlap;
		if (offset == end && !(fin && end_of(before) == end)) {
			drop(tcp, p);
			return false;
		}
		p = early_trim_front(p, (uint32_t)overlap);
	}
	after = before == c->early && begin_of(before) <= offset ? NULL
								 : pkt_own(before)->queue_next;
	kept_end = after ? MIN(end, begin_of(after)) : end;
	if (kept_end < end) {
		sack_duplicate(tcp, c, kept_end, MIN(end, end_of(after)));
		fin = false;
	}
	if (kept_end <= offset && !fin) {
		drop(tcp, p);
		return false;
	}
	pkt_truncate(p, (uint32_t)(kept_end - offset));
	pkt_own(p)->offset = offset;
	pkt_own(p)->flags = fin ? EARLY_FIN : 0;
	pkt_own(p)->charge_bytes = deliver_true_bytes(p);
	hold(tcp, c, p, before);
	sack_early(tcp, c, offset, kept_end);
	return true;
}

// p leaves the list.
static struct pkt *unlink_pkt(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	struct pkt *next = pkt_own(p)->queue_next, *prev = pkt_own(p)->queue_prev;

	pkt_own(prev)->queue_next = next;
	pkt_own(next)->queue_prev = prev;
	if (next == p) {
		c->early = NULL;
		conn_unset(c, CONN_EARLY);
		leave_holders(tcp, c);
	} else if (p == c->early) {
		c->early = prev;
	}
	c->rcv.charged -= pkt_own(p)->charge_bytes;
	c->early_bytes -= pkt_own(p)->charge_bytes;
	pkt_unkeep(tcp->env, p);
	counter_sub(tcp->env, COUNTER_queued_pkts, 1);
	return p;
}

static struct pkt *unlink_first(struct tcp *tcp, struct conn *c)
{
	return unlink_pkt(tcp, c, pkt_own(c->early)->queue_next);
}

// Of a few holders the one that holds most, if that is more than floor_bytes. The next look begins
// behind them, so none stays unseen.
static struct conn *most_of_a_few(struct tcp *tcp, uint32_t floor_bytes)
{
	struct conn *most = NULL;

	for (uint32_t i = 0; i < HOLDERS_LOOKED_AT && tcp->early_hand != NO_INDEX; i++) {
		struct conn *c = &tcp->conn[tcp->early_hand];

		tcp->early_hand = c->early_next;
		if (c->early_bytes <= floor_bytes)
			continue;
		floor_bytes = c->early_bytes;
		most = c;
	}
	return most;
}

static bool one_gives_way(struct tcp *tcp, uint32_t floor_bytes)
{
	struct conn *c = most_of_a_few(tcp, floor_bytes);

	if (!c)
		return false;
	struct pkt *p = unlink_pkt(tcp, c, c->early);

	sack_given_up(tcp, c, begin_of(p));
	pkt_drop(tcp->env, p, DROP_TCP_EARLY_SHORT);
	return true;
}

COLD bool early_has_place(struct tcp *tcp, const struct conn *c, const struct pkt *p)
{
	if (pkt_early_short(tcp->env))
		one_gives_way(tcp, c->early_bytes + deliver_true_bytes(p));
	return !pkt_early_short(tcp->env);
}

COLD bool early_gives_way(struct tcp *tcp)
{
	for (uint32_t i = 0; i < GIVEN_PKTS_MAX && pkt_short(tcp->env); i++)
		if (!one_gives_way(tcp, 0))
			break;
	return !pkt_short(tcp->env);
}

bool early_drain(struct tcp *tcp, struct conn *c)
{
	while (c->early && begin_of(pkt_own(c->early)->queue_next) <= c->rcv.nxt) {
		struct pkt *p = unlink_first(tcp, c);
		bool fin = pkt_own(p)->flags & EARLY_FIN;
		uint64_t end = end_of(p);
		uint64_t old = MIN(c->rcv.nxt - begin_of(p), (uint64_t)pkt_len(p));

		if (end > c->rcv.nxt) {
			deliver_text(tcp, c, early_trim_front(p, (uint32_t)old));
		} else if (fin && end == c->rcv.nxt) {
			pkt_consume(tcp->env, p);
		} else {
			drop(tcp, p);
			continue;
		}
		if (fin)
			return true;
	}
	return false;
}

void early_clear(struct tcp *tcp, struct conn *c, enum drop reason)
{
	if (!c->early)
		return;
	while (c->early)
		pkt_drop(tcp->env, unlink_first(tcp, c), reason);
	sack_given_up(tcp, c, 0);
}

void early_leave(struct tcp *tcp, struct conn *c)
{
	if (c->early)
		leave_holders(tcp, c);
}

void early_join(struct tcp *tcp, struct conn *c)
{
	if (c->early)
		join_holders(tcp, c);
}
