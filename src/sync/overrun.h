// SPDX-License-Identifier: BSD-3-Clause
// overrun: how far the writer of a ring that is overwritten has come, so that who copies from it
// knows what of the copy is good. One writer, any number of readers, in other processes too. Places
// are bytes (or whatever) ever written; the ring has the last so many of them.
//
// Who writes, who reads. The writer says begun before it writes, and written after it. A reader
// reads written, copies what it wants before that, and reads begun: what lies a whole ring or more
// before begun may have been overwritten while it copied, the rest is good.
//
// Why that is enough. In the writer the fence puts begun before the bytes; in the reader the fence
// puts the bytes before begun. So who copied a byte of the new round sees a begun that says so. It
// is the sequence lock of H.-J. Boehm, "Can Seqlocks Get Along With Programming Language Memory
// Models?" (MSPC 2012), with a place instead of a count: an overtaken reader keeps what was not
// reached.
//
// Progress: the writer is wait-free, by two stores and no locked instruction. A reader never waits;
// one that is too slow keeps nothing.
#pragma once

#include <stdint.h>

#include "sync/atomic.h"

struct overrun {
	uint64_t begun, written;
};

// The writer's: it is about to write as far as this place.
static inline void overrun_begin(struct overrun *o, uint64_t place)
{
	atomic_set(&o->begun, place, RELAXED);
	__atomic_thread_fence(RELEASE);
}

// It has.
static inline void overrun_done(struct overrun *o)
{
	atomic_set(&o->written, o->begun, RELEASE);
}

// A reader's: what lies before this place may be copied.
static inline uint64_t overrun_end(const struct overrun *o)
{
	return atomic_get(&o->written, ACQUIRE);
}

// A reader in another process copies and reads with pread(2): this goes between the two. That the
// kernel copies an aligned word whole, and in the order of the calls, is what it stands on.
static inline void overrun_copied(void)
{
	__atomic_thread_fence(ACQUIRE);
}

// After it copied from a ring of so many: the first place of which the copy is good. Later than
// what was copied: nothing is.
static inline uint64_t overrun_good_from(const struct overrun *o, uint64_t ring)
{
	__atomic_thread_fence(ACQUIRE);
	uint64_t begun = atomic_get(&o->begun, RELAXED);

	return begun > ring ? begun - ring : 0;
}
