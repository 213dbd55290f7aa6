// SPDX-License-Identifier: BSD-3-Clause
// What we tell the peer of what came early (RFC 2018 3 and 4) or twice (RFC 2883 4). Called by
// input.c and early.c, which know what came, and by control.c, which writes the ACK.
//
// Kept are the runs of early text that grew last, the latest first. Text that joins two of them
// makes one. A run that is older than all of these is not told again until it grows: each run was
// told of in as many ACKs as there are places, when it was young (RFC 2018 4). Where a burst makes
// more of them than one ACK has room for, another leaves before the first is forgotten.
//
// Blocks go in ACKs without text: whatever comes early is answered by one at once, so text need
// not make room for them.
#include "tcp/sack.h"

#include <string.h>

#include "net/net.h"
#include "tcp/output.h"

static void forget(struct trouble *t, uint32_t i)
{
	if (i < t->untold)
		t->untold--;
	t->block_count--;
	memmove(&t->block[i], &t->block[i + 1], (t->block_count - i) * sizeof(t->block[0]));
}

// All that one ACK has room for is news. RFC 2018 4.
static void tell_before_more_comes(struct tcp *tcp, struct conn *c, const struct trouble *t)
{
	uint32_t fit = conn_is(c, CONN_TS) ? SACK_BLOCKS_MAX - 1 : SACK_BLOCKS_MAX;
	uint32_t news = t->untold + (t->dsack.end ? 1u : 0u);
	bool repeated;

	if (LIKELY(news < fit))
		return;
	if (UNLIKELY(!net_has_room(tcp->net, &c->path)))
		return;
	DCHECK(conn_is(c, CONN_EARLY)); // so the record stays
	repeated = t->dsack.end && t->untold >= fit;
	if (output_ack(tcp, c) && c->early_acks > 1)
		c->early_acks--;
	if (UNLIKELY(repeated)) // that took the place of a block
		output_ack(tcp, c);
}

// RFC 2018 R2, R3, R7, R8: the run comes first, with all it touches
void sack_early(struct tcp *tcp, struct conn *c, uint64_t start, uint64_t end)
{
	struct trouble *t =
		conn_is(c, CONN_SACK) && start < end ? trouble_get_to_tell(tcp, c) : NULL;
	struct range run = {start, end};

	if (!t)
		return;
	for (uint32_t i = 0; i < t->block_count;) {
		const struct range *b = &t->block[i];

		if (b->start > run.end || b->end < run.start) {
			i++;
			continue;
		}
		run.start = MIN(run.start, b->start);
		run.end = MAX(run.end, b->end);
		forget(t, i);
	}
	tell_before_more_comes(tcp, c, t);
	t->block_count = (uint8_t)MIN(t->block_count, (uint8_t)(SACK_BLOCKS_MAX - 1));
	memmove(&t->block[1], &t->block[0], t->block_count * sizeof(t->block[0]));
	t->block[0] = run;
	t->block_count++;
	t->untold++;
}

// RFC 2883 R4, R5, R6
void sack_duplicate(struct tcp *tcp, struct conn *c, uint64_t start, uint64_t end)
{
	struct trouble *t =
		conn_is(c, CONN_SACK) && start < end ? trouble_get_to_tell(tcp, c) : NULL;

	if (!t)
		return;
	t->dsack = (struct range){start, end};
	for (uint32_t i = 1; i < t->block_count; i++) { // RFC 2883 4.2: its block comes second
		struct range b = t->block[i];

		if (b.start > start || b.end < end)
			continue;
		memmove(&t->block[1], &t->block[0], i * sizeof(b));
		t->block[0] = b;
		if (t->untold && i >= t->untold)
			t->untold++;
	}
}

// RFC 2018 4: a block lies above the acknowledgment. RFC 2018 R9.
void sack_advanced(struct tcp *tcp, struct conn *c)
{
	struct trouble *t;

	if (!conn_is(c, CONN_TROUBLE))
		return;
	t = trouble_of(tcp, c);
	for (uint32_t i = 0; i < t->block_count;) {
		if (t->block[i].end <= c->rcv.nxt)
			forget(t, i);
		else
			i++;
	}
	trouble_end_if_over(tcp, c);
}

// RFC 2018 R16
void sack_given_up(struct tcp *tcp, struct conn *c, uint64_t start)
{
	struct trouble *t;

	if (!conn_is(c, CONN_TROUBLE))
		return;
	t = trouble_of(tcp, c);
	for (uint32_t i = 0; i < t->block_count;) {
		t->block[i].end = MIN(t->block[i].end, start);
		if (t->block[i].start >= t->block[i].end)
			forget(t, i);
		else
			i++;
	}
	trouble_end_if_over(tcp, c);
}

// RFC 2018 R4, R5; RFC 2883 R1, R7
uint32_t sack_write(const struct tcp *tcp, const struct conn *c, uint8_t *at, uint32_t room_bytes)
{
	struct range told[SACK_BLOCKS_MAX + 1];
	const struct trouble *t;
	uint32_t count = 0, fit = options_sack_blocks(room_bytes);

	if (LIKELY(!conn_is(c, CONN_TROUBLE)))
		return 0;
	t = trouble_of(tcp, c);
	if (t->dsack.end) // RFC 2883 4: the first block, once
		told[count++] = t->dsack;
	for (uint32_t i = 0; i < t->block_count; i++)
		told[count++] = t->block[i];
	count = MIN(count, fit);
	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		options_write_sack(at, i, (uint32_t)told[i].start, (uint32_t)told[i].end);
	return options_begin_sack(at, count);
}

// RFC 2883 R2, R3: whether its ACK had room for it or not
void sack_told(struct tcp *tcp, struct conn *c)
{
	if (LIKELY(!conn_is(c, CONN_TROUBLE)))
		return;
	trouble_of(tcp, c)->untold = 0;
	trouble_of(tcp, c)->dsack = (struct range){0};
	trouble_end_if_over(tcp, c);
}

void sack_passed_over(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);

	t->dsack = (struct range){0};
	if (t->untold)
		output_ack(tcp, c);
	else
		trouble_end_if_over(tcp, c);
}
