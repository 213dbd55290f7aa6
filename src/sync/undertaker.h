// SPDX-License-Identifier: BSD-3-Clause
// undertaker: buries the visitors of an epoch (epoch_visit) whose thread ended without leaving, so
// that what waits for them is reclaimed after all. Called now and then by one thread, the control
// thread; no worker ever does. What a thread's number means and what time it is are inputs.
//
// Who writes, who reads. The undertaker reads visitor and seen of every reader; its own notes are
// its own. It writes (by epoch_bury) only to a reader whose thread has ended: nobody else does.
//
// Why never a living one. A deadline alone would not do: a thread may be stopped for any time and
// then go on with its reference. So the thread must be gone, and the reader must be its still: a
// visitor that leaves clears its number before its thread ends, so who finds it there after having
// found the thread gone knows that it never left. The number of visits in the same word tells it
// from a later visitor by a thread of the same number. A number that another thread of this process
// has since is taken for the dead one's for as long as that thread lives: later, not wrong.
//
// What it cannot see: a thread that ends in the few instructions in which it joins or leaves, which
// costs one reader's number and holds up nothing. Progress: wait-free but for the kernel's answer.
#pragma once

#include "base/time.h"
#include "sync/epoch.h"

// How long a visitor must have done nothing before the kernel is asked about it.
#define UNDERTAKER_PATIENCE_NS NS_PER_S

struct undertaker { // zeroed at first
	struct {
		uint64_t visitor, seen; // when they last changed
		uint64_t since_ns;
	} reader[EPOCH_READERS_MAX];
};

// Returns how many it buried. gone: the thread of this number is not, or no longer, one of ours.
uint32_t undertaker_look(struct undertaker *undertaker, struct epoch *epoch, uint64_t now_ns,
			 bool (*gone)(uint32_t thread));
