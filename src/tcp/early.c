// SPDX-License-Identifier: BSD-3-Clause
// What came early (RFC 9293 3.10.7.4, seventh: out-of-order segments are held, SHLD-31): packets,
// disjoint, in a binary tree by offset, linked through their own fields, where they lie. Called by
// input.c. What is held first stays; a newcomer is cut to the hole it fills. Held packets are
// charged with their true size, so the connection's limit bounds them.
//
//   rcv.nxt --hole-- [ a ]--[ b ] --hole-- [ c ] --hole-- [ d ]       c->early = b
//                                                                       left /   \ right
//                                                                           a     d
//                                                                           left /
//                                                                               c
//
// The tree is a treap (Seidel and Aragon 1996): whoever has the higher priority stands above, and
// priorities are a hash of the offset under the secret. So in whatever order a peer sends, its form
// is that of packets that came in random order, and the place of a newcomer between thousands of
// holes is some fifteen steps away. Only the first and the last are ever taken out.
//
// Peers that leave a hole open for ever may hold what they have as long as nobody else wants it:
// when received buffers are short, the last text of whoever holds most gives way.
#include "tcp/early.h"

#include <string.h>

#include "base/hash.h"
#include "observe/counter.h"
#include "tcp/deliver.h"
#include "tcp/sack.h"

#define EARLY_FIN 1 // pkt_own.flags: the peer's FIN stands behind this packet's text

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

// All workers have the same secret, so the order holds when the connection moves. One
// multiplication would not do: under some secrets the hashes of offsets at equal distances rise and
// fall in long rows.
static uint64_t priority_of(const struct env *env, struct pkt *p)
{
	uint64_t secret[2], words[2] = {begin_of(p), 0};

	memcpy(secret, env->secret, sizeof(secret));
	struct hash_key key = hash_key_of(secret);
	return hash_words(&key, words, ARRAY_COUNT(words));
}

// Between which two an offset lies: the last that begins there or before, and the one behind it.
struct place {
	struct pkt *before, *after; // NULL: there is none
	uint32_t steps;
};

static struct place place_of(const struct conn *c, uint64_t offset)
{
	struct place place = {0};

	for (struct pkt *p = c->early; p; place.steps++) {
		if (begin_of(p) <= offset) {
			place.before = p;
			p = pkt_own(p)->right;
		} else {
			place.after = p;
			p = pkt_own(p)->left;
		}
	}
	return place;
}

// Makes two trees of one: of those that begin at offset or before, and of the others.
static void split(struct pkt *tree, uint64_t offset, struct pkt **before, struct pkt **after)
{
	while (tree) {
		struct pkt_own *own = pkt_own(tree);

		if (own->offset <= offset) {
			*before = tree;
			before = &own->right;
			tree = own->right;
		} else {
			*after = tree;
			after = &own->left;
			tree = own->left;
		}
	}
	*before = *after = NULL;
}

// Its offset stays what it is until it is taken out. Where two begin at one (a FIN, and text that a
// peer sends behind it all the same), the second is on the right of the first.
static void link_pkt(const struct env *env, struct conn *c, struct pkt *p)
{
	uint64_t priority = priority_of(env, p), offset = begin_of(p);
	struct pkt **link = &c->early;

	while (*link && priority_of(env, *link) >= priority) {
		struct pkt_own *above = pkt_own(*link);

		link = above->offset <= offset ? &above->right : &above->left;
	}
	split(*link, offset, &pkt_own(p)->left, &pkt_own(p)->right);
	*link = p;
}

static struct pkt **first_link(struct conn *c)
{
	struct pkt **link = &c->early;

	while (pkt_own(*link)->left)
		link = &pkt_own(*link)->left;
	return link;
}

static struct pkt **last_link(struct conn *c)
{
	struct pkt **link = &c->early;

	while (pkt_own(*link)->right)
		link = &pkt_own(*link)->right;
	return link;
}

static struct pkt *first_of(struct pkt *tree)
{
	while (tree && pkt_own(tree)->left)
		tree = pkt_own(tree)->left;
	return tree;
}

struct pkt *early_first(const struct conn *c)
{
	return first_of(c->early);
}

struct pkt *early_after(const struct conn *c, struct pkt *p)
{
	struct pkt *right = pkt_own(p)->right;

	return right ? first_of(right) : place_of(c, begin_of(p)).after;
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

static void hold(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	struct pkt_own *own = pkt_own(p);

	own->charge_bytes = deliver_true_bytes(p);
	c->rcv.charged += own->charge_bytes;
	c->early_bytes += own->charge_bytes;
	pkt_keep(tcp->env, p);
	counter_add(tcp->env, COUNTER_queued_pkts, 1);
	if (!c->early) {
		conn_set(c, CONN_EARLY);
		join_holders(tcp, c);
	}
	link_pkt(tcp->env, c, p);
}

// What of r there is a hole for. What is held of it came twice.
static struct range cut_to_hole(struct tcp *tcp, struct conn *c, const struct place *place,
				struct range r)
{
	struct pkt *before = place->before, *after = place->after;

	if (before && end_of(before) > r.start) {
		uint64_t held_end = MIN(end_of(before), r.end);

		sack_duplicate(tcp, c, r.start, held_end);
		r.start = held_end;
	}
	if (after && begin_of(after) < r.end) {
		sack_duplicate(tcp, c, begin_of(after), MIN(r.end, end_of(after)));
		r.end = begin_of(after);
	}
	return r;
}

// A FIN that brings no text is held where nothing says the same and no text goes on: many at one
// offset would be of one priority, and a list instead of a tree.
static bool fin_is_new(const struct place *place, uint64_t offset)
{
	struct pkt *before = place->before, *after = place->after;

	if (before && end_of(before) == offset && pkt_own(before)->flags & EARLY_FIN)
		return false;
	return !(before && end_of(before) > offset) && !(after && begin_of(after) == offset);
}

bool early_add(struct tcp *tcp, struct conn *c, struct pkt *p, uint64_t offset, bool fin)
{
	struct place place = place_of(c, offset);
	uint64_t end = offset + pkt_len(p);
	struct range hole = cut_to_hole(tcp, c, &place, (struct range){offset, end});

	counter_add(tcp->env, COUNTER_tcp_early_steps, place.steps);
	fin &= hole.end == end;
	if (hole.start == hole.end && !(fin && fin_is_new(&place, end))) {
		drop(tcp, p);
		return false;
	}
	if (hole.start > offset)
		p = early_trim_front(p, (uint32_t)(hole.start - offset));
	pkt_truncate(p, (uint32_t)(hole.end - hole.start));
	pkt_own(p)->offset = hole.start;
	pkt_own(p)->flags = fin ? EARLY_FIN : 0;
	hold(tcp, c, p);
	sack_early(tcp, c, hole.start, hole.end);
	return true;
}

// p leaves the tree, the first of it or the last: one child at most takes its place.
static struct pkt *unlink_pkt(struct tcp *tcp, struct conn *c, struct pkt **link)
{
	struct pkt *p = *link;
	struct pkt_own *own = pkt_own(p);

	DCHECK(!own->left || !own->right);
	*link = own->left ? own->left : own->right;
	if (!c->early) {
		conn_unset(c, CONN_EARLY);
		leave_holders(tcp, c);
	}
	c->rcv.charged -= own->charge_bytes;
	c->early_bytes -= own->charge_bytes;
	pkt_unkeep(tcp->env, p);
	counter_sub(tcp->env, COUNTER_queued_pkts, 1);
	return p;
}

// The first when it is next in order.
static struct pkt *unlink_due(struct tcp *tcp, struct conn *c)
{
	struct pkt **first = c->early ? first_link(c) : NULL;

	return first && begin_of(*first) <= c->rcv.nxt ? unlink_pkt(tcp, c, first) : NULL;
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
	struct pkt *p = unlink_pkt(tcp, c, last_link(c));

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
	struct pkt *p;

	while ((p = unlink_due(tcp, c)) != NULL) {
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
		pkt_drop(tcp->env, unlink_pkt(tcp, c, first_link(c)), reason);
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

#ifdef PRISM_DCHECK
static void check_below(const struct env *env, struct pkt *p, struct pkt *child)
{
	ASSERT(!child || priority_of(env, p) >= priority_of(env, child));
}

void early_check(const struct tcp *tcp, const struct conn *c)
{
	uint64_t at = c->rcv.nxt;
	uint32_t bytes = 0;

	for (struct pkt *p = early_first(c); p; p = early_after(c, p)) {
		ASSERT(begin_of(p) >= at);
		check_below(tcp->env, p, pkt_own(p)->left);
		check_below(tcp->env, p, pkt_own(p)->right);
		at = end_of(p);
		bytes += pkt_own(p)->charge_bytes;
	}
	ASSERT(bytes == c->early_bytes);
}
#endif
