// SPDX-License-Identifier: BSD-3-Clause
// Where the next record of a tape goes. Called by pkt/taping.c for each packet that is captured, on
// the worker's thread; readers learn by sync/overrun.h what they may believe. Never waits: what is
// oldest is overwritten.
#include "base/assert.h"
#include "observe/tape.h"

// The rest of a page, which the record does not fit in.
static void fill_page(struct tape *tape, uint64_t at, uint32_t bytes)
{
	struct tape_record *filler = (void *)(tape_bytes(tape) + (at & (tape->ring_bytes - 1)));

	*filler = (struct tape_record){.record_bytes = bytes, .number = tape->pkts};
}

struct tape_record *tape_next(struct tape *tape, uint32_t bytes)
{
	uint64_t at = tape->place.written;
	uint32_t left = TAPE_PAGE_BYTES - (uint32_t)(at % TAPE_PAGE_BYTES);
	uint32_t whole =
		(uint32_t)bits_round_up(sizeof(struct tape_record) + bytes, CACHE_LINE_BYTES);
	uint32_t skipped = whole > left ? left : 0;

	DCHECK(bytes <= TAPE_SNAP_BYTES_MAX);
	overrun_begin(&tape->place, at + skipped + whole);
	if (UNLIKELY(skipped))
		fill_page(tape, at, skipped);
	struct tape_record *record =
		(void *)(tape_bytes(tape) + ((at + skipped) & (tape->ring_bytes - 1)));

	record->record_bytes = whole;
	record->number = tape->pkts + 1;
	return record;
}

void tape_done(struct tape *tape, const struct tape_record *record)
{
	tape->pkts = record->number;
	overrun_done(&tape->place);
}
