// SPDX-License-Identifier: BSD-3-Clause
// Marks on the descriptors of what is outstanding (scoreboard.h; RFC 2018 8, RFC 6675 4, RFC 8985
// 5.1). A descriptor that is lost or was sent again is in the list of those, so that neither is
// looked for: what goes next is at the head of one, what RACK judges first at the head of the
// other. Called by loss.c; calls rack.c for each descriptor that was delivered.
//
// Not here: when something is lost (rack.c, loss.c), and what that means for cwnd (loss.c).
#include "tcp/scoreboard.h"

#include <string.h>

#include "observe/counter.h"
#include "tcp/rack.h"
#include "tcp/rate.h"
#include "tcp/room.h"

// Descriptors and runs of sacked ones that are looked at for a block. What lies further on stays
// unmarked, and may be sent again; a peer cannot have us walk without end.
#define SACK_STEPS_MAX 1024

#define LOOKED_AT_MAX 1024u

#define MARKS (DESC_SACKED | DESC_LOST | DESC_RESENT)

static uint64_t end_of(const struct send_desc *d)
{
	return d->offset + d->len;
}

// ---- lists

static const struct desc_list empty = {NO_INDEX, NO_INDEX};

static void list_add(struct tcp *tcp, struct desc_list *list, uint32_t index)
{
	struct send_desc *d = &tcp->desc[index];

	d->after = NO_INDEX;
	d->before = list->tail;
	if (list->tail == NO_INDEX)
		list->head = index;
	else
		tcp->desc[list->tail].after = index;
	list->tail = index;
}

static void list_remove(struct tcp *tcp, struct desc_list *list, uint32_t index)
{
	const struct send_desc *d = &tcp->desc[index];

	if (d->before == NO_INDEX)
		list->head = d->after;
	else
		tcp->desc[d->before].after = d->after;
	if (d->after == NO_INDEX)
		list->tail = d->before;
	else
		tcp->desc[d->after].before = d->before;
}

// Behind one that is in it.
static void list_insert(struct tcp *tcp, struct desc_list *list, uint32_t index, uint32_t behind)
{
	struct send_desc *d = &tcp->desc[index];

	d->before = behind;
	d->after = tcp->desc[behind].after;
	if (d->after == NO_INDEX)
		list->tail = index;
	else
		tcp->desc[d->after].before = index;
	tcp->desc[behind].after = index;
}

// ---- marks

void scoreboard_begin(const struct conn *c, struct trouble *t)
{
	t->lost = t->resent = empty;
	t->fresh = c->sendq.head;
	t->high = t->high_fresh = c->snd.una;
	for (uint32_t i = 0; i < SACK_BLOCKS_MAX; i++)
		t->hint[i] = NO_INDEX;
}

// Whatever it was, it is not any more.
static void unmark(struct tcp *tcp, struct trouble *t, uint32_t index)
{
	struct send_desc *d = &tcp->desc[index];

	if (d->flags & DESC_SACKED)
		t->sacked_bytes -= d->len;
	if (d->flags & DESC_RESENT)
		list_remove(tcp, &t->resent, index);
	if (d->flags & DESC_LOST) {
		list_remove(tcp, &t->lost, index);
		t->lost_bytes -= d->len;
	}
	d->flags &= (uint16_t)~MARKS;
}

// Segments end where they end: two cuts of one run are a segment apart, whatever a peer says it
// has.
static bool makes_crumbs(const struct tcp *tcp, const struct conn *c, const struct send_desc *d,
			 uint64_t at)
{
	bool ends_at_cut = d->next != NO_INDEX && tcp->desc[d->next].flags & DESC_CUT;

	return (d->flags & DESC_CUT && at - d->offset < c->mss_bytes) ||
	       (ends_at_cut && end_of(d) - at < c->mss_bytes);
}

// The place where a descriptor is to be cut lies in it. Both parts have its marks.
static bool cut_at(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index, uint64_t at)
{
	const struct send_desc *d = &tcp->desc[index];

	if (!sendq_cut(tcp, c, index, at))
		return false;
	tcp->desc[d->next].flags |= DESC_CUT;
	if (d->flags & DESC_LOST)
		list_insert(tcp, &t->lost, d->next, index);
	if (d->flags & DESC_RESENT)
		list_insert(tcp, &t->resent, d->next, index);
	return true;
}

static bool cut(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index, uint64_t at)
{
	if (!makes_crumbs(tcp, c, &tcp->desc[index], at) && cut_at(tcp, c, t, index, at))
		return true;
	counter_add(tcp->env, COUNTER_tcp_uncut, 1);
	return false;
}

// Where a segment that leaves again ends: segments may have become smaller since. Eight in the
// place of one at most, however often.
static bool cut_segment(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index,
			uint64_t at)
{
	const struct send_desc *d = &tcp->desc[index];

	if (at - d->offset >= c->mss_bytes / 8u && end_of(d) - at >= c->mss_bytes / 8u)
		return cut_at(tcp, c, t, index, at);
	return cut(tcp, c, t, index, at);
}

void scoreboard_clear(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next)
		tcp->desc[i].flags &= (uint16_t)~MARKS;
	t->lost = t->resent = empty;
	t->lost_bytes = t->sacked_bytes = 0;
}

// The oldest descriptor begins where una will be, if it has a mark that counts its bytes.
static void trim_oldest(struct tcp *tcp, struct trouble *t, uint32_t index, uint64_t una)
{
	struct send_desc *d = &tcp->desc[index];
	uint32_t len;

	if (!(d->flags & (DESC_SACKED | DESC_LOST)) || d->offset >= una)
		return;
	len = (uint32_t)(una - d->offset);
	if (d->flags & DESC_SACKED)
		t->sacked_bytes -= len;
	else
		t->lost_bytes -= len;
	sendq_trim(d, len);
}

static void forget_hint(struct trouble *t, uint32_t index)
{
	for (uint32_t i = 0; i < SACK_BLOCKS_MAX; i++)
		if (t->hint[i] == index)
			t->hint[i] = NO_INDEX;
}

void scoreboard_acked(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t una)
{
	uint32_t index = c->sendq.head;

	while (index != NO_INDEX && end_of(&tcp->desc[index]) <= una) {
		uint32_t next = tcp->desc[index].next;

		if (!(tcp->desc[index].flags & DESC_SACKED))
			rack_delivered(tcp, c, t, &tcp->desc[index]);
		unmark(tcp, t, index);
		if (t->fresh == index)
			t->fresh = next;
		forget_hint(t, index);
		index = next;
	}
	if (index != NO_INDEX)
		trim_oldest(tcp, t, index, una);
	t->high = MAX(t->high, una);
}

static uint32_t sack(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index)
{
	struct send_desc *d = &tcp->desc[index];

	rack_delivered(tcp, c, t, d);
	unmark(tcp, t, index);
	d->flags |= DESC_SACKED | DESC_UNTIMED;
	d->after = NO_INDEX;
	t->sacked_bytes += d->len;
	t->high = MAX(t->high, end_of(d));
	return d->len;
}

// Sacked descriptors that follow each other are passed in one step: where one of them was come to
// first, its link says how far that went. They are in no list that would need it.
static uint32_t pass_run(struct tcp *tcp, uint32_t first, uint32_t index)
{
	if (tcp->desc[index].after != NO_INDEX)
		index = tcp->desc[index].after;
	if (index != first)
		tcp->desc[first].after = index;
	return index;
}

// As much of the descriptor as the block has; what follows a cut is looked at next. RFC 2018 R10.
static uint32_t sack_part(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index,
			  const struct range *block)
{
	const struct send_desc *d = &tcp->desc[index];

	if (end_of(d) <= block->start)
		return 0;
	if (d->offset < block->start) {
		cut(tcp, c, t, index, block->start);
		return 0;
	}
	if (end_of(d) > block->end && !cut(tcp, c, t, index, block->end))
		return 0;
	return sack(tcp, c, t, index);
}

// Where to begin to look: the furthest of the last places that is not beyond start.
static uint32_t place_before(const struct tcp *tcp, const struct conn *c, const struct trouble *t,
			     uint64_t start)
{
	uint32_t place = c->sendq.head;

	for (uint32_t i = 0; i < ARRAY_COUNT(t->hint); i++) {
		uint32_t index = t->hint[i];

		if (index != NO_INDEX && tcp->desc[index].offset <= start &&
		    tcp->desc[index].offset > tcp->desc[place].offset)
			place = index;
	}
	return place;
}

// It becomes the first; the one that was longest ago is forgotten.
static void keep_hint(struct trouble *t, uint32_t index)
{
	uint32_t i = 0;

	while (i < ARRAY_COUNT(t->hint) - 1 && t->hint[i] != index)
		i++;
	memmove(&t->hint[1], &t->hint[0], i * sizeof(t->hint[0]));
	t->hint[0] = index;
}

uint32_t scoreboard_sack(struct tcp *tcp, struct conn *c, struct trouble *t,
			 const struct range *block)
{
	uint32_t index = place_before(tcp, c, t, block->start), place = index, run = NO_INDEX;
	uint32_t newly = 0;

	for (uint32_t steps = 0; steps < SACK_STEPS_MAX && index != NO_INDEX; steps++) {
		const struct send_desc *d = &tcp->desc[index];

		if (d->offset >= block->end)
			break;
		if (d->offset <= block->start)
			place = index;
		if (!(d->flags & DESC_SACKED))
			newly += sack_part(tcp, c, t, index, block);
		run = d->flags & DESC_SACKED ? (run == NO_INDEX ? index : run) : NO_INDEX;
		if (run != NO_INDEX)
			index = pass_run(tcp, run, index);
		index = tcp->desc[index].next;
	}
	if (place != NO_INDEX)
		keep_hint(t, place);
	return newly;
}

bool scoreboard_lose(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t index)
{
	struct send_desc *d = &tcp->desc[index];

	if (end_of(d) <= c->snd.una)
		return false;
	if (end_of(d) > c->snd.nxt && !cut(tcp, c, t, index, c->snd.nxt))
		return false;
	if (d->offset < c->snd.una)
		sendq_trim(d, (uint32_t)(c->snd.una - d->offset));
	unmark(tcp, t, index);
	d->flags |= DESC_LOST;
	t->lost_bytes += d->len;
	list_add(tcp, &t->lost, index);
	return true;
}

void scoreboard_lose_first(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t len,
			   bool is_known)
{
	uint64_t end = MIN(c->snd.una + len, c->snd.nxt);

	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		struct send_desc *d = &tcp->desc[i];

		if (d->offset >= end)
			return;
		if (d->flags & (DESC_LOST | DESC_SACKED))
			continue;
		if (end_of(d) > end)
			cut(tcp, c, t, i, end);
		if (scoreboard_lose(tcp, c, t, i) && is_known && conn_is(c, CONN_SAMPLED))
			rate_lost(tcp, c, d);
	}
}

// RFC 2018 R13; RFC 8985 R14
void scoreboard_lose_sent_by(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t sent_ns)
{
	t->lost = empty; // anew, so that it is in the stream's order
	t->lost_bytes = 0;
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		struct send_desc *d = &tcp->desc[i];
		bool lost = d->flags & DESC_LOST || d->sent_ns <= sent_ns || i == c->sendq.head;

		if (d->offset >= c->snd.nxt)
			return;
		d->flags &= (uint16_t)~DESC_LOST;
		if (lost && !(d->flags & DESC_SACKED))
			scoreboard_lose(tcp, c, t, i);
	}
}

uint32_t scoreboard_lost_in(const struct tcp *tcp, const struct conn *c, const struct trouble *t,
			    uint64_t start, uint64_t end)
{
	uint32_t i = t->lost.head;
	uint64_t bytes = 0;

	for (uint32_t steps = 0; steps < LOOKED_AT_MAX && i != NO_INDEX;
	     steps++, i = tcp->desc[i].after) {
		const struct send_desc *d = &tcp->desc[i];

		if (scoreboard_lost_once(c, d) && d->offset < end && end_of(d) > start)
			bytes += MIN(end_of(d), end) - MAX(d->offset, start);
	}
	return (uint32_t)bytes;
}

void scoreboard_lose_nothing(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	while (t->lost.head != NO_INDEX)
		unmark(tcp, t, t->lost.head);
	t->fresh = c->sendq.head;
}

void scoreboard_reneged(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next)
		tcp->desc[i].flags &= (uint16_t)~DESC_SACKED;
	t->sacked_bytes = 0;
	t->high = t->high_fresh = c->snd.una;
	t->fresh = c->sendq.head;
}

// ---- sending again

// Descriptors that follow each other and are all lost go in one segment. RFC 2018 R11.
struct range scoreboard_next(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	struct range r = {0};
	uint32_t index = t->lost.head;

	if (index == NO_INDEX)
		return r;
	r.start = r.end = tcp->desc[index].offset;
	while (index != NO_INDEX && tcp->desc[index].flags & DESC_LOST &&
	       r.end - r.start < c->mss_bytes) {
		r.end = end_of(&tcp->desc[index]);
		index = tcp->desc[index].next;
	}
	r.end = MIN(r.end, r.start + c->mss_bytes);
	return r;
}

struct range scoreboard_tail(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	uint64_t text_end = MIN(c->snd.nxt, c->snd.end); // without the FIN
	struct range r = {text_end - MIN(text_end - c->snd.una, (uint64_t)c->mss_bytes),
			  c->snd.nxt};
	uint32_t index = c->sendq.head;

	while (index != NO_INDEX && end_of(&tcp->desc[index]) < text_end)
		index = tcp->desc[index].next;
	if (index == NO_INDEX)
		return r;
	r.start = MAX(r.start, MIN(tcp->desc[index].offset, r.end));
	if (tcp->desc[index].offset < r.start)
		cut(tcp, c, t, index, r.start);
	return r;
}

void scoreboard_resent(struct tcp *tcp, struct conn *c, struct trouble *t, const struct range *r)
{
	uint32_t index = t->lost.head;

	while (index != NO_INDEX && tcp->desc[index].offset < r->end) {
		struct send_desc *d = &tcp->desc[index];

		// What cannot be cut counts as sent: RACK finds the rest lost again.
		if (end_of(d) > r->end)
			cut_segment(tcp, c, t, index, r->end);
		unmark(tcp, t, index);
		d->flags |= DESC_RESENT;
		list_add(tcp, &t->resent, index);
		index = d->next;
	}
}

// ---- invariants

#ifdef PRISM_DCHECK
void scoreboard_check(const struct tcp *tcp, const struct conn *c)
{
	const struct trouble *t = trouble_of(tcp, c);
	uint32_t sacked_bytes = 0, lost_bytes = 0, listed = 0;

	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		const struct send_desc *d = &tcp->desc[i];

		ASSERT(!(d->flags & MARKS) || end_of(d) <= c->snd.nxt);
		ASSERT(!(d->flags & DESC_SACKED) || !(d->flags & (DESC_LOST | DESC_RESENT)));
		ASSERT(!(d->flags & DESC_LOST) || !(d->flags & DESC_RESENT));
		ASSERT(!(d->flags & DESC_SACKED) || d->after == NO_INDEX ||
		       (tcp->desc[d->after].flags & DESC_SACKED &&
			tcp->desc[d->after].offset > d->offset));
		sacked_bytes += d->flags & DESC_SACKED ? d->len : 0;
		lost_bytes += d->flags & DESC_LOST ? d->len : 0;
		listed += (d->flags & (DESC_LOST | DESC_RESENT)) != 0;
	}
	for (uint32_t i = t->lost.head; i != NO_INDEX; i = tcp->desc[i].after, listed--)
		ASSERT(tcp->desc[i].flags & DESC_LOST);
	for (uint32_t i = t->resent.head; i != NO_INDEX; i = tcp->desc[i].after, listed--)
		ASSERT(tcp->desc[i].flags & DESC_RESENT);
	ASSERT(listed == 0);
	ASSERT(lost_bytes == t->lost_bytes);
	ASSERT(sacked_bytes == t->sacked_bytes || !conn_is(c, CONN_SACK));
	ASSERT(t->lost_bytes + t->sacked_bytes <= conn_outstanding(c));
}
#endif
