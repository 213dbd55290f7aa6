// SPDX-License-Identifier: BSD-3-Clause
// Bytes until the peer has them. Requests add runs, output.c asks for segments of them, ack.c
// releases them. No byte is copied: a segment is a fresh header packet and references to the runs,
// or, when a run is a packet nobody else holds, that packet itself with headers in front of its
// payload.
//
//   desc:  [ pkt A ][ pkt B ][ region, 32 KiB        ]
//          ^una         ^next: the run with snd.nxt in it
//
// While a packet that was sent itself is with the driver (its count is above one) its header is
// never touched: a retransmission in that time takes a header packet of its own. The driver may
// leave stale links in a packet it gives back, so the view is set anew before each use.
#include "tcp/sendq.h"

#include "tcp/room.h"
#include "tcp/trouble.h"

void sendq_init(struct tcp *tcp)
{
	uint32_t first = tcp->worker * tcp->config.send_descs_max;
	uint32_t end = first + tcp->config.send_descs_max;

	for (uint32_t i = first; i < end; i++)
		tcp->desc[i].next = i + 1 < end ? i + 1 : NO_INDEX;
	tcp->desc_free = first;
}

// A free descriptor at the end of the queue, len bytes long.
static struct send_desc *append(struct tcp *tcp, struct conn *c, uint32_t len, uint32_t cost)
{
	uint32_t index = tcp->desc_free;
	ASSERT(index != NO_INDEX);
	struct send_desc *d = &tcp->desc[index];

	tcp->desc_free = d->next;
	tcp->desc_count++;
	tcp->cost += cost;
	c->sendq.cost += cost;
	d->next = NO_INDEX;
	d->offset = c->snd.end;
	d->len = len;
	d->cost = (uint16_t)cost;
	if (c->sendq.head == NO_INDEX)
		c->sendq.head = index;
	else
		tcp->desc[c->sendq.tail].next = index;
	c->sendq.tail = index;
	if (c->sendq.next == NO_INDEX)
		c->sendq.next = index;
	c->snd.end += len;
	return d;
}

void sendq_add_pkt(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	// What is kept is of POOL_RX, which has an account of its own.
	struct send_desc *d = append(tcp, c, pkt_seg_len(p), pkt_is_kept(p) ? 1 : tcp->tx_cost);

	DCHECK(pkt_seg_count(p) == 1);
	d->pkt = p;
	d->buffer_offset = pkt_headroom(p);
	d->flags = 0;
}

void sendq_add_region(struct tcp *tcp, struct conn *c, const uint8_t *bytes, uint32_t len)
{
	while (len) {
		uint32_t run = MIN(len, DESC_BYTES_MAX);
		struct send_desc *d = append(tcp, c, run, 1);

		d->bytes = bytes;
		d->flags = DESC_REGION;
		bytes += run;
		len -= run;
	}
}

void sendq_set_cookie(struct tcp *tcp, struct conn *c, uint64_t cookie)
{
	struct send_desc *last = &tcp->desc[c->sendq.tail];

	last->cookie = cookie;
	last->flags |= DESC_COOKIE;
}

COLD void sendq_hand_on(struct tcp *tcp, struct send_desc *d)
{
	struct send_desc *rest = &tcp->desc[d->next];
	uint16_t cost = d->cost;

	DCHECK(rest->flags & DESC_SHARES && rest->pkt == d->pkt);
	d->cost = rest->cost;
	rest->cost = cost;
	rest->flags &= (uint16_t)~DESC_SHARES;
}

// What is left is for those who queue: a send finds its descriptors (room.h).
COLD bool sendq_cut(struct tcp *tcp, struct conn *c, uint32_t index, uint64_t at)
{
	struct send_desc *d = &tcp->desc[index], *rest;
	uint32_t len = (uint32_t)(at - d->offset);

	DCHECK(at > d->offset && len < d->len);
	if (!room_has_descs(tcp))
		return false;
	rest = &tcp->desc[tcp->desc_free];
	uint32_t rest_index = tcp->desc_free, next = d->next;

	tcp->desc_free = rest->next;
	tcp->desc_count++;
	tcp->cost++;
	c->sendq.cost++;
	*rest = *d;
	rest->cost = 1;
	sendq_trim(rest, len);
	if (!(d->flags & DESC_REGION)) {
		pkt_hold(d->pkt);
		rest->flags |= DESC_SHARES;
		d->flags |= DESC_SHARED;
	}
	d->len = len;
	d->next = rest_index;
	d->flags &= (uint16_t)~DESC_COOKIE;
	if (d->flags & DESC_PARTS)
		d->flags |= DESC_UNTIMED;
	rest->next = next;
	if (c->sendq.tail == index)
		c->sendq.tail = rest_index;
	if (c->sendq.next == index && at <= c->snd.nxt)
		c->sendq.next = rest_index;
	return true;
}

// RFC 9293 MUST-18
COLD void sendq_untime(struct tcp *tcp, const struct conn *c, uint64_t end)
{
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next)
		if (tcp->desc[i].offset < end)
			tcp->desc[i].flags |= DESC_UNTIMED;
}

void sendq_clear(struct tcp *tcp, struct conn *c)
{
	sendq_ack(tcp, c, UINT64_MAX);
}

// Where old text is looked for: what is lost first, or the oldest.
static COLD uint32_t near_old(const struct tcp *tcp, const struct conn *c, uint64_t offset)
{
	uint32_t lost = conn_is(c, CONN_TROUBLE) ? trouble_of(tcp, c)->lost.head : NO_INDEX;

	return lost != NO_INDEX && tcp->desc[lost].offset <= offset ? lost : c->sendq.head;
}

// The descriptor with this offset in it. New data is found at once.
static uint32_t find(const struct tcp *tcp, const struct conn *c, uint64_t offset)
{
	uint32_t index = c->sendq.next;

	if (index == NO_INDEX || tcp->desc[index].offset > offset)
		index = near_old(tcp, c, offset);
	while (tcp->desc[index].offset + tcp->desc[index].len <= offset)
		index = tcp->desc[index].next;
	return index;
}

// len bytes of the run from offset on, as a packet of one segment, or NULL.
static struct pkt *take_run(struct tcp *tcp, const struct send_desc *d, uint64_t offset,
			    uint32_t len)
{
	uint32_t skip = (uint32_t)(offset - d->offset);

	if (d->flags & DESC_REGION)
		return pkt_ref_region(tcp->env->pool[POOL_HEAD], d->bytes + skip, (uint16_t)len);
	if (sendq_usable_itself(d, offset)) {
		pkt_set_view(d->pkt, d->buffer_offset, (uint16_t)len);
		pkt_clear_offload(d->pkt);
		pkt_hold(d->pkt);
		return d->pkt;
	}
	return pkt_ref_buffer(tcp->env->pool[POOL_HEAD], d->pkt,
			      (uint16_t)(d->buffer_offset + skip), (uint16_t)len);
}

// A segment of several runs, or of a part of one: a header packet and references, or the first
// run's packet and what follows it.
static struct pkt *gather(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t *len,
			  uint16_t segs_max)
{
	uint32_t index = find(tcp, c, offset);
	struct send_desc *d = &tcp->desc[index];
	uint64_t end = offset + *len;
	struct pkt *head = NULL, *last = NULL;
	uint16_t segs = 0;
	uint32_t total = 0;

	if (!sendq_usable_as_head(d, offset)) {
		head = last = pkt_alloc(tcp->env->pool[POOL_HEAD]);
		if (UNLIKELY(!head))
			return NULL;
		segs = 1;
	}
	for (; offset < end && segs < segs_max; segs++) {
		uint32_t run = (uint32_t)(MIN(end, d->offset + d->len) - offset);
		struct pkt *p = take_run(tcp, d, offset, run);

		if (UNLIKELY(!p))
			break;
		sendq_note_sent(tcp, c, d, offset);
		if (!head)
			head = p;
		else
			pkt_link(last, p);
		last = p;
		total += run;
		offset += run;
		if (offset < end) {
			index = d->next;
			d = &tcp->desc[index];
		}
	}
	if (UNLIKELY(total == 0)) {
		pkt_free(head);
		return NULL;
	}
	if (offset > c->snd.nxt)
		c->sendq.next = index;
	pkt_set_chain(head, segs, total);
	*len = total;
	return head;
}

struct pkt *sendq_segment(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t *len,
			  uint16_t segs_max)
{
	uint32_t index = find(tcp, c, offset);
	struct send_desc *d = &tcp->desc[index];

	if (LIKELY(*len <= d->len && sendq_usable_as_head(d, offset)))
		return sendq_run_itself(tcp, c, index, offset, *len);
	return gather(tcp, c, offset, len, segs_max);
}

void sendq_check(const struct tcp *tcp, const struct conn *c)
{
	uint32_t cost = 0;
	uint64_t at;

	if (c->sendq.head == NO_INDEX) {
		ASSERT(c->sendq.tail == NO_INDEX);
		ASSERT(c->sendq.next == NO_INDEX);
		ASSERT(c->sendq.cost == 0);
		return;
	}
	at = tcp->desc[c->sendq.head].offset;
	ASSERT(at <= c->snd.una || conn_in(c, SYN_SENT | SYN_RECEIVED));
	for (uint32_t i = c->sendq.head; i != NO_INDEX; i = tcp->desc[i].next) {
		ASSERT(tcp->desc[i].offset == at);
		ASSERT(tcp->desc[i].len > 0);
		at += tcp->desc[i].len;
		cost += tcp->desc[i].cost;
		ASSERT((i == c->sendq.tail) == (tcp->desc[i].next == NO_INDEX));
	}
	ASSERT(at == c->snd.end);
	ASSERT(cost == c->sendq.cost);
	ASSERT(cost <= tcp->cost);
}
