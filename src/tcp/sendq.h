// SPDX-License-Identifier: BSD-3-Clause
// Bytes until the peer has them: descriptors from snd.una to snd.end.
#pragma once

#include "pkt/pkt.h"
#include "tcp/conn.h"

enum desc_flag {
	DESC_REGION = 1 << 0,        // bytes of a region, not of a packet
	DESC_COOKIE = 1 << 1,        // SENT is owed when all of it is acknowledged
	DESC_RETRANSMITTED = 1 << 2, // Karn: no round trip is measured on it
	DESC_PARTS = 1 << 3,         // its bytes did not leave all at the same time
	DESC_SHARES = 1 << 4,        // its packet is counted by the descriptor it was cut from
	DESC_SHARED = 1 << 9,        // ... and this is that one: the next goes on counting it
	DESC_SACKED = 1 << 5,        // the rest are the scoreboard's
	DESC_LOST = 1 << 6,
	DESC_RESENT = 1 << 7,
	DESC_CUT = 1 << 10,    // begins where one was cut
	DESC_UNTIMED = 1 << 8, // sent_ns is not when it left, or not what is acknowledged now
};

// A run of queued bytes. Of a packet: at most one buffer. Of a region: at most DESC_BYTES_MAX,
// covering several segments, because one send of a file would otherwise cost a descriptor a
// segment. These are the scoreboard of loss recovery too (scoreboard.h), and are cut there where a
// SACK block cuts them, which only happens under loss.
struct send_desc {
	uint64_t offset;  // stream offset of the first byte
	uint64_t sent_ns; // when its last byte left most recently
	union {
		struct pkt *pkt; // one reference is ours
		const uint8_t *bytes;
	};
	uint64_t cookie;
	uint32_t next; // toward snd.end, or the free list
	uint32_t len;
	uint32_t before, after; // of those that are lost, sent again, or sacked (scoreboard.c)
	uint16_t cost;          // room.h
	uint16_t spread;        // with DESC_PARTS: from the first of them to the last (ticks)
	uint16_t buffer_offset; // of the first byte in the packet's buffer
	uint16_t flags;         // enum desc_flag
};
static_assert(sizeof(struct send_desc) <= CACHE_LINE_BYTES, "a descriptor fits a line");

// A reference's length is 16 bits; 32 KiB is a dozen or two segments.
#define DESC_BYTES_MAX 32768u
#define DESCS_OF(bytes) ((uint32_t)((bytes) / DESC_BYTES_MAX + 1))

// Bytes in front of a payload for ethernet with a VLAN tag (18), IPv6 (40), TCP with all the
// options of a SYN (60), rounded up to words: below that a packet cannot carry its own headers.
// With a source route they are 18, 60 and 32, and a SYN with text has none (fast_client.c).
#define SENDQ_HEADERS_BYTES_MAX 120

void sendq_init(struct tcp *tcp);

// Queues a one-segment packet behind snd.end; takes it. A descriptor must be free.
void sendq_add_pkt(struct tcp *tcp, struct conn *c, struct pkt *p);

// Queues region bytes; the descriptors must be free.
void sendq_add_region(struct tcp *tcp, struct conn *c, const uint8_t *bytes, uint32_t len);

// SENT with this cookie is owed once all that is queued now is acknowledged.
void sendq_set_cookie(struct tcp *tcp, struct conn *c, uint64_t cookie);

// What left early in a turn (port_tx) may be answered in the same, whose time is one: the answer
// says nothing of how long it took.
static inline bool sendq_left_now(const struct tcp *tcp, uint64_t sent_ns)
{
	return sent_ns == tcp->env->now_ns;
}

// What an ACK finished.
struct sendq_acked {
	uint64_t sent_ns; // of the youngest run; 0: none, or one of them was sent again
	bool cookie;      // c->sent_cookie changed
};

// Cuts a descriptor in two at a place inside it. False: none is free to do it.
bool sendq_cut(struct tcp *tcp, struct conn *c, uint32_t index, uint64_t at);

// The first len bytes are acknowledged and will not be sent any more.
static inline void sendq_trim(struct send_desc *d, uint32_t len)
{
	DCHECK(len < d->len);
	d->offset += len;
	d->len -= len;
	if (d->flags & DESC_REGION)
		d->bytes += len;
	else
		d->buffer_offset = (uint16_t)(d->buffer_offset + len);
}

// The account of a packet that was cut goes to the part that stays.
void sendq_hand_on(struct tcp *tcp, struct send_desc *d);

static inline void sendq_release(struct tcp *tcp, struct conn *c, uint32_t index)
{
	struct send_desc *d = &tcp->desc[index];

	if (UNLIKELY(d->flags & DESC_SHARED))
		sendq_hand_on(tcp, d);
	else if (!(d->flags & DESC_REGION))
		pkt_unkeep(tcp->env, d->pkt);
	if (!(d->flags & DESC_REGION))
		pkt_free_seg(d->pkt);
	tcp->cost -= d->cost;
	c->sendq.cost -= d->cost;
	d->next = tcp->desc_free;
	tcp->desc_free = index;
	tcp->desc_count--;
}

// Releases every descriptor that lies below una. RFC 2018 R14; RFC 6298 R6: only una lets go of
// text.
static inline struct sendq_acked sendq_ack(struct tcp *tcp, struct conn *c, uint64_t una)
{
	struct sendq_acked acked = {0};
	uint32_t seen = 0;

	while (c->sendq.head != NO_INDEX) {
		uint32_t index = c->sendq.head;
		struct send_desc *d = &tcp->desc[index];

		if (d->offset + d->len > una)
			break;
		acked.sent_ns = d->sent_ns;
		seen |= d->flags;
		if (d->flags & DESC_COOKIE) {
			c->sent_cookie = d->cookie;
			acked.cookie = true;
		}
		c->sendq.head = d->next;
		if (c->sendq.next == index)
			c->sendq.next = c->sendq.head;
		sendq_release(tcp, c, index);
	}
	if (c->sendq.head == NO_INDEX)
		c->sendq.tail = c->sendq.next = NO_INDEX;
	// Karn's algorithm, RFC 9293 MUST-18: what was sent twice measures nothing. Nor does what
	// came after it was lost and waited for it at the receiver.
	if (UNLIKELY(seen & (DESC_RETRANSMITTED | DESC_UNTIMED)) ||
	    UNLIKELY(sendq_left_now(tcp, acked.sent_ns)))
		acked.sent_ns = 0;
	return acked;
}

// What lies below end measures no round trip.
void sendq_untime(struct tcp *tcp, const struct conn *c, uint64_t end);

// Releases all.
void sendq_clear(struct tcp *tcp, struct conn *c);

// The packet for len bytes from offset on, which are queued, with room for headers in front of its
// first byte; what follows is chained. At most segs_max segments; *len is cut to what they hold.
// NULL when POOL_HEAD is empty.
struct pkt *sendq_segment(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t *len,
			  uint16_t segs_max);

// The run's packet can be part of a packet on the wire itself: nobody else holds it, and the
// segment has all of it from its first byte on.
static inline bool sendq_usable_itself(const struct send_desc *d, uint64_t offset)
{
	return !(d->flags & DESC_REGION) && offset == d->offset && pkt_refs(d->pkt) == 1;
}

// And its headers fit in front, over bytes that belong to nobody any more.
static inline bool sendq_usable_as_head(const struct send_desc *d, uint64_t offset)
{
	return sendq_usable_itself(d, offset) && d->buffer_offset >= SENDQ_HEADERS_BYTES_MAX;
}

// Ticks of 2^14 ns, rounded up; the most is as much or more.
#define SENDQ_SPREAD_SHIFT 14
#define SENDQ_SPREAD_MAX UINT16_MAX

static inline void sendq_note_part(struct send_desc *d, uint64_t now_ns)
{
	uint64_t ticks = d->flags & DESC_PARTS ? d->spread : 0;

	ticks += ((now_ns - d->sent_ns) >> SENDQ_SPREAD_SHIFT) + 1;
	d->spread = (uint16_t)MIN(ticks, (uint64_t)SENDQ_SPREAD_MAX);
	d->flags |= DESC_PARTS;
}

// When the first of what left in parts did, at the earliest.
static inline uint64_t sendq_begun_ns(const struct send_desc *d)
{
	uint64_t spread_ns = (uint64_t)d->spread << SENDQ_SPREAD_SHIFT;

	return d->spread == SENDQ_SPREAD_MAX ? 0 : d->sent_ns - MIN(spread_ns, d->sent_ns);
}

// Remembers that these bytes leave now; first when they are new, again otherwise. RFC 8985 R2, R3.
static inline void sendq_note_sent(struct tcp *tcp, const struct conn *c, struct send_desc *d,
				   uint64_t offset)
{
	if (offset < c->snd.nxt)
		d->flags |= DESC_RETRANSMITTED;
	if (offset <= d->offset) {
		d->flags &= (uint16_t)~DESC_PARTS;
	} else if (d->sent_ns != tcp->env->now_ns) {
		sendq_note_part(d, tcp->env->now_ns);
	}
	d->sent_ns = tcp->env->now_ns;
}

// The segment is one run's own packet: nothing to allocate, nothing to link.
static inline struct pkt *sendq_run_itself(struct tcp *tcp, struct conn *c, uint32_t index,
					   uint64_t offset, uint32_t len)
{
	struct send_desc *d = &tcp->desc[index];

	pkt_set_view(d->pkt, d->buffer_offset, (uint16_t)len);
	pkt_clear_offload(d->pkt);
	pkt_hold(d->pkt);
	sendq_note_sent(tcp, c, d, offset);
	if (offset + len > c->snd.nxt)
		c->sendq.next = index;
	return d->pkt;
}

// The same for new text, from snd.nxt on: mostly it is a packet of the application's, whole.
HOT_INLINE struct pkt *sendq_new_segment(struct tcp *tcp, struct conn *c, uint32_t *len,
					 uint16_t segs_max)
{
	uint32_t index = c->sendq.next;
	uint64_t offset = c->snd.nxt;

	if (LIKELY(index != NO_INDEX && *len <= tcp->desc[index].len &&
		   sendq_usable_as_head(&tcp->desc[index], offset)))
		return sendq_run_itself(tcp, c, index, offset, *len);
	return sendq_segment(tcp, c, offset, len, segs_max);
}

void sendq_check(const struct tcp *tcp, const struct conn *c);
