// SPDX-License-Identifier: BSD-3-Clause
// epoch: when may memory that was taken out of a shared structure be used again? When every thread
// that could have seen it has since passed a quiescent state, a moment at which it holds no
// reference. A worker passes one each turn; who reads between (a tool, the control thread) is
// online for the time of its walk. (Quiescent-state-based reclamation, as in RCU; McKenney and
// Slingwine 1998.)
//
// Who writes, who reads. `now` is moved by those who retire something, with a read-modify-write.
// `seen` of a reader is written by that reader alone (and by epoch_bury when it is dead); all who
// retire read it. 0: offline. `joined` only grows, before its reader goes online for the first
// time.
//
// What publishes. epoch_retire's read-modify-write of now comes after what took the thing out, and
// releases it; a reader's quiescent state loads now with acquire, so whatever it does after having
// seen the token has seen the thing gone. It then stores seen with release: whoever loads it with
// acquire in epoch_passed has all that reader's earlier reads behind it.
//
// Online is Dekker's pattern: the reader stores seen, then reads the structure; the other takes
// out, then reads seen. Both sides have a full fence between (sequentially consistent), so either
// the reader sees the thing gone, or the other sees the reader online and waits. That store
// releases, too: who sees it, and not the offline before it, has the walk before behind it as well,
// be it of this reader or of one that had the number before.
//
// No ABA: now only grows, in 64 bits. Progress: all of it is wait-free. A reader that stops while
// it is online holds up reclamation and nothing else. One that died would for ever: a thread that
// is no worker therefore joins as a visitor, by its number in the kernel, and sync/undertaker.h
// buries it. A worker that died is the end of the process.
#pragma once

#include "base/bits.h"
#include "base/limits.h"
#include "sync/atomic.h"

// Every worker of an instance, and as many visitors as anybody needs. It costs room only: nobody
// looks at numbers that none ever had.
#define EPOCH_VISITORS_MAX 32
#define EPOCH_READERS_MAX (WORKERS_MAX + EPOCH_VISITORS_MAX)

struct epoch_reader {
	uint64_t seen CACHE_ALIGNED; // 0: offline
	uint64_t visitor; // low half: the visitor's thread, 0: none; high half: visits so far
	uint32_t taken;   // claimed by a thread
};

struct epoch {
	uint64_t now CACHE_ALIGNED; // from 1 on
	uint32_t joined;            // no reader of this number or above ever was
	struct epoch_reader reader[EPOCH_READERS_MAX];
};

static inline void epoch_init(struct epoch *e)
{
	*e = (struct epoch){.now = 1};
}

// A reader's number, or -1 when all are taken. Offline at first. Any thread.
static inline int epoch_join(struct epoch *e)
{
	for (int id = 0; id < EPOCH_READERS_MAX; id++) {
		uint32_t free = 0, joined;

		if (!atomic_cas(&e->reader[id].taken, &free, 1u, ACQ_REL))
			continue;
		joined = atomic_get(&e->joined, RELAXED);
		while (joined <= (uint32_t)id &&
		       !atomic_cas(&e->joined, &joined, (uint32_t)id + 1, SEQ_CST))
			;
		return id;
	}
	return -1;
}

// The same for a thread that is no worker, known to the kernel as `thread`: when it ends without
// leaving, it is buried. Any thread but a worker's.
static inline int epoch_visit(struct epoch *e, uint32_t thread)
{
	int id = epoch_join(e);

	if (id >= 0) {
		uint64_t visits = (atomic_get(&e->reader[id].visitor, RELAXED) >> 32) + 1;

		atomic_set(&e->reader[id].visitor, visits << 32 | thread, RELEASE);
	}
	return id;
}

// From here on the reader may follow references. Its thread, and so in what follows.
static inline void epoch_online(struct epoch *e, int id)
{
	atomic_set(&e->reader[id].seen, atomic_get(&e->now, RELAXED), RELEASE);
	__atomic_thread_fence(SEQ_CST); // which makes of the load an acquire, too
}

// It holds no reference it had before. What a worker's turn costs: a load and a store.
static inline void epoch_quiescent(struct epoch *e, int id)
{
	atomic_set(&e->reader[id].seen, atomic_get(&e->now, ACQUIRE), RELEASE);
}

static inline void epoch_offline(struct epoch *e, int id)
{
	atomic_set(&e->reader[id].seen, 0, RELEASE);
}

static inline void epoch_leave(struct epoch *e, int id)
{
	uint64_t *visitor = &e->reader[id].visitor;

	epoch_offline(e, id);
	atomic_set(visitor, atomic_get(visitor, RELAXED) >> 32 << 32, RELEASE);
	atomic_set(&e->reader[id].taken, 0u, RELEASE);
}

// The reader's thread is known to have ended, wherever it was. By one who knows alone: the number
// may be another's as soon as this returns.
static inline void epoch_bury(struct epoch *e, int id)
{
	epoch_leave(e, id);
}

// After something was taken out: the token to ask for. Any thread.
static inline uint64_t epoch_retire(struct epoch *e)
{
	__atomic_thread_fence(SEQ_CST);
	return atomic_add(&e->now, 1, SEQ_CST) + 1;
}

// True: nobody holds a reference to what was taken out before the token was given.
static inline bool epoch_passed(const struct epoch *e, uint64_t token)
{
	uint32_t joined = atomic_get(&e->joined, SEQ_CST);

	for (uint32_t id = 0; id < joined; id++) {
		uint64_t seen = atomic_get(&e->reader[id].seen, SEQ_CST);

		if (seen && seen < token)
			return false;
	}
	return true;
}

// True: nobody who is online is behind. For who wonders whether to wait is worth it.
static inline bool epoch_settled(const struct epoch *e)
{
	return epoch_passed(e, atomic_get(&e->now, ACQUIRE));
}
