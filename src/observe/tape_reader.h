// SPDX-License-Identifier: BSD-3-Clause
// Reading the packets of a capture while workers write on (observe/tape.h): of all workers by time.
// With reads, not a mapping, as shm_reader.h says why. What a hostile file says is checked.
#pragma once

#include "observe/tape.h"

struct tape_reader;

// Holds the tape: an instance ends a capture that nobody holds. NULL with err_set: ERR_TAPE_GONE,
// ERR_TAPE_DAMAGED. One thread's.
struct tape_reader *tape_reader_open(const char *path);
void tape_reader_close(struct tape_reader *reader);

const struct tape_head *tape_reader_head(const struct tape_reader *reader);

// The capture has not ended, and the process that writes is there still.
bool tape_reader_is_fed(const struct tape_reader *reader);

// How many workers have not begun to copy yet: one that stands still has not.
uint32_t tape_reader_awaited(const struct tape_reader *reader);

// What is written from now on is not handed out any more.
void tape_reader_stop(struct tape_reader *reader);

// The oldest packet that was not asked for yet, of those not later than until_ns on the workers'
// clock; valid until the next call. NULL: there is none now, or the file is damaged, with *error a
// negative errno and err_set, else 0. Of one worker always in order; of several so, unless one
// wrote later than the others by more than until_ns lets him.
const struct tape_record *tape_reader_next(struct tape_reader *reader, uint64_t until_ns,
					   uint32_t *worker, int *error);

static inline const uint8_t *tape_record_bytes(const struct tape_record *record)
{
	return (const uint8_t *)(record + 1);
}

// Packets of a worker that were overwritten before they were read, so far. Those behind the last
// one read are not known of yet.
uint64_t tape_reader_lost(const struct tape_reader *reader, uint32_t worker);
