// SPDX-License-Identifier: BSD-3-Clause
// A row of numbers that one thread writes now and then and anybody reads whole, another process as
// well (a sequence lock: Boehm, Can Seqlocks Get Along With Programming Language Memory Models?,
// MSPC 2012). The first word is the row's version: odd while the rest is being written.
//
//	writer   version odd │ words, each a release │ version even, a release
//	reader   version, an acquire │ words, each an acquire │ version again
//
// One thread writes. A reader takes what it read if the version was even and the same before and
// behind. A word that a write brought was released after that write's odd version; so who acquires
// the word sees that version, or a later one, behind it, and takes nothing. A word that an earlier
// write brought is no older than the even version that was read first, which that write released
// behind its words. ABA: a version only grows, in 64 bits. Progress: the writer is wait-free and
// never looks whether somebody reads; a reader that finds the row being written says so, and its
// caller looks again or goes without. A writer that is stopped in between, or dead, leaves the
// version odd for ever.
//
// Who reads a copy that somebody else takes of memory (a file's content, by pread) has the same
// with three copies, one after the other: versions of the first, words of the second, versions of
// the third (observe/shm_reader_conns.c).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/atomic.h"

// The row's words behind its version. Only the row's one writer may call this.
static inline void row_write(uint64_t *row, const uint64_t *words, uint32_t count)
{
	uint64_t version = atomic_get(row, RELAXED);

	atomic_set(row, version + 1, RELAXED);
	for (uint32_t i = 0; i < count; i++)
		atomic_set(row + 1 + i, words[i], RELEASE);
	atomic_set(row, version + 2, RELEASE);
}

// One of them, in place.
static inline void row_write_one(uint64_t *row, uint32_t index, uint64_t word)
{
	uint64_t version = atomic_get(row, RELAXED);

	atomic_set(row, version + 1, RELAXED);
	atomic_set(row + 1 + index, word, RELEASE);
	atomic_set(row, version + 2, RELEASE);
}

// The version was read before and behind the words, and they are of one moment.
static inline bool row_is_whole(uint64_t before, uint64_t behind)
{
	return before == behind && !(before & 1);
}

// False: it is being written; words are not to be used. Any thread.
static inline bool row_read(const uint64_t *row, uint64_t *words, uint32_t count)
{
	uint64_t version = atomic_get(row, ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		words[i] = atomic_get(row + 1 + i, ACQUIRE);
	return row_is_whole(version, atomic_get(row, RELAXED));
}
