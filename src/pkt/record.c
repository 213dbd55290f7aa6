// SPDX-License-Identifier: BSD-3-Clause
// The writer of the flight recorder. Called by pkt_drop and port/sample.c, out of line: what is
// neither dropped nor drawn pays the note of its origin (port_rx) and nothing else.
//
// Floors take headers off as they read them, and a packet is dropped by whichever floor had it. Its
// origin says where the frame began, and those bytes are still in front of what is left. A received
// buffer may leave again with an answer in it: then its origin says which packet that answers, and
// nothing of where the answer begins.
#include "pkt/record.h"

#include "pkt/taping.h"

struct bytes {
	const uint8_t *at;
	uint32_t len;
};

// What is left of a frame in its first segment, and what was stripped from it.
static bool find_frame(const struct pkt *p, struct bytes *out)
{
	uint32_t stripped;

	if (!record_find_frame(p, &stripped))
		return false;
	*out = (struct bytes){pkt_data(p) - stripped, pkt_seg_len(p) + stripped};
	return true;
}

// Nearly all are longer, and a copy of a fixed length is a dozen instructions.
static uint32_t copy_head(uint8_t *to, const struct bytes *from)
{
	if (LIKELY(from->len >= VERDICT_HEAD_BYTES)) {
		memcpy(to, from->at, VERDICT_HEAD_BYTES);
		return VERDICT_HEAD_BYTES;
	}
	memcpy(to, from->at, from->len);
	return from->len;
}

static COLD uint32_t copy_behind(uint8_t *to, const struct record_head *head,
				 const struct bytes *from)
{
	uint32_t len = MIN(from->len, (uint32_t)VERDICT_HEAD_BYTES - head->len);

	memcpy(to, head->header, head->len);
	memcpy(to + head->len, from->at, len);
	return head->len + len;
}

WARM void record_drop(const struct env *env, const struct pkt *p, enum drop reason,
		      const struct record_head *head)
{
	struct verdict *v = verdict_next(env->verdicts, env->verdict_mask);
	struct bytes bytes = {pkt_data(p), pkt_seg_len(p)};
	uint64_t origin = pkt_origin(p);
	bool received = head->kind == VERDICT_HEAD_TRANSPORT && find_frame(p, &bytes);

	v->time_ns = env->now_ns;
	v->journey = origin >> 16;
	v->len = pkt_len(p) + bytes.len - pkt_seg_len(p) + head->len;
	v->reason = (uint16_t)reason;
	v->port = received ? (uint8_t)(origin >> 16) : VERDICT_NO_PORT;
	v->head_kind = (uint8_t)(received ? VERDICT_HEAD_FRAME : head->kind);
	v->head_bytes = (uint8_t)(UNLIKELY(head->header) ? copy_behind(v->head, head, &bytes)
							 : copy_head(v->head, &bytes));
	v->way = VERDICT_DROPPED;
	verdict_done(env->verdicts);
	if (tape_wants(env, TAPE_DROPPED))
		tape_dropped(env, p, reason, head);
}

WARM void record_sample(const struct env *env, const struct pkt *p, enum verdict_way way,
			uint16_t port_index)
{
	struct verdict *v = verdict_next(env->samples, env->verdict_mask);
	struct bytes bytes = {pkt_data(p), pkt_seg_len(p)};

	v->time_ns = env->now_ns;
	v->journey = pkt_origin(p) >> 16;
	v->len = pkt_len(p);
	v->reason = DROP_OK;
	v->port = (uint8_t)port_index;
	v->head_kind = VERDICT_HEAD_FRAME;
	v->head_bytes = (uint8_t)copy_head(v->head, &bytes);
	v->way = (uint8_t)way;
	verdict_done(env->samples);
}
