// SPDX-License-Identifier: BSD-3-Clause
// Copies packets to the tapes of captures. Called by port/sample.c (what comes and leaves),
// pkt/record.c (drops), tcp/ and net/ (what is delivered), on the worker's thread; each looks first
// whether there is any capture (tape_wants). Never waits: a tape that nobody reads is
// overwritten. What is copied here is a sight of the packet, no payload on its way (COUNTER
// captured_bytes, not the copy ledger).
#include "pkt/taping.h"

// A packet as it is to be seen: a head of its own, that may begin elsewhere than the packet's.
struct sight {
	struct pkt pkt;
	enum verdict_head kind;
	struct tape_record record; // what is known before it is written
};

static bool matches(const struct taping *taping, const struct sight *sight)
{
	if (taping->all)
		return true;
	const struct match *match = sight->kind == VERDICT_HEAD_FRAME ? taping->frame
				    : sight->kind == VERDICT_HEAD_IP  ? taping->ip
								      : NULL;

	return match && match_packet(match, &sight->pkt);
}

// Returns how many there were.
static uint32_t copy(uint8_t *to, const struct sight *sight, uint32_t bytes)
{
	uint32_t n = 0;

	for (const struct pkt *s = &sight->pkt; s && n < bytes; s = pkt_next(s)) {
		uint32_t len = MIN((uint32_t)pkt_seg_len(s), bytes - n);

		memcpy(to + n, pkt_data(s), len);
		n += len;
	}
	return n;
}

static void write_record(const struct env *env, const struct taping *taping, struct tape *tape,
			 const struct sight *sight)
{
	uint32_t bytes = MIN(sight->record.len, taping->snap_bytes);
	struct tape_record *record = tape_next(tape, bytes);

	record->len = sight->record.len;
	record->reason = sight->record.reason;
	record->point = sight->record.point;
	record->port = sight->record.port;
	record->time_ns = env->now_ns;
	record->journey = sight->record.journey;
	record->head_kind = (uint8_t)sight->kind;
	record->bytes = copy((uint8_t *)(record + 1), sight, bytes);
	tape_done(tape, record);
	counter_add(env, COUNTER_captured_pkts, 1);
	counter_add(env, COUNTER_captured_bytes, bytes);
}

// One without bytes would be taken for what fills up a page.
static void write_all(const struct env *env, const struct sight *sight)
{
	const struct tapings *c = env->tapings;

	for (uint32_t i = 0; i < c->count && sight->record.len; i++)
		if (c->of[i].taping->points & 1u << sight->record.point &&
		    matches(c->of[i].taping, sight))
			write_record(env, c->of[i].taping, c->of[i].tape, sight);
}

static void begin(struct sight *sight, const struct pkt *p, enum tape_point point, uint8_t port)
{
	sight->pkt = *p;
	sight->kind = VERDICT_HEAD_FRAME;
	sight->record = (struct tape_record){
		.len = pkt_len(p),
		.reason = DROP_OK,
		.point = (uint8_t)point,
		.port = port,
		.journey = pkt_origin(p) >> 16,
	};
}

// Puts back in front what was taken off a received frame. False when it is not there.
static bool unstrip(struct sight *sight)
{
	struct rte_mbuf *m = &sight->pkt.mbuf;
	uint32_t stripped;

	if (!record_find_frame(&sight->pkt, &stripped))
		return false;
	m->data_off = (uint16_t)(m->data_off - stripped);
	m->data_len = (uint16_t)(m->data_len + stripped);
	m->pkt_len += stripped;
	sight->record.len = m->pkt_len;
	return true;
}

// A header that is in no packet, as a segment before the others.
static void put_in_front(struct sight *sight, const struct pkt *p, const struct record_head *head)
{
	struct rte_mbuf *m = &sight->pkt.mbuf;

	m->buf_addr = (void *)(uintptr_t)head->header;
	m->data_off = 0;
	m->data_len = head->len;
	m->pkt_len += head->len;
	m->nb_segs++;
	m->next = (struct rte_mbuf *)(uintptr_t)&p->mbuf;
	sight->record.len = m->pkt_len;
}

WARM void tape_frame(const struct env *env, const struct pkt *p, enum tape_point point,
		     uint16_t port_index)
{
	struct sight sight;

	begin(&sight, p, point, (uint8_t)port_index);
	write_all(env, &sight);
}

WARM void tape_delivered(const struct env *env, const struct pkt *p)
{
	struct sight sight;

	begin(&sight, p, TAPE_DELIVERED, (uint8_t)(pkt_origin(p) >> 16));
	if (unstrip(&sight))
		write_all(env, &sight);
}

WARM void tape_dropped(const struct env *env, const struct pkt *p, enum drop reason,
		       const struct record_head *head)
{
	struct sight sight;

	begin(&sight, p, TAPE_DROPPED, VERDICT_NO_PORT);
	sight.record.reason = (uint16_t)reason;
	if (head->kind == VERDICT_HEAD_TRANSPORT && unstrip(&sight)) {
		sight.record.port = (uint8_t)(pkt_origin(p) >> 16);
	} else {
		sight.kind = head->kind;
		if (head->header)
			put_in_front(&sight, p, head);
	}
	write_all(env, &sight);
}
