// SPDX-License-Identifier: BSD-3-Clause
// gate: one thread passes through a section millions of times a second; rarely, another needs it
// empty. The passer pays two plain stores and a load and never waits; the other pays a system call.
//
// Who writes: the passer writes inside, the keeper writes shut. The danger is the store-load pair
// of Dekker's algorithm: the passer stores inside, then loads shut; the keeper stores shut, then
// loads inside; both loads may be early and miss the other's store. The keeper's membarrier makes
// every running thread of the process pass a full barrier between its two accesses, so that either
// the passer's store is seen by the keeper, or the keeper's store by the passer. The passer's own
// accesses need only compiler order. leave releases: what was done inside is visible to a keeper
// that acquires inside == 0. No ABA: both words are flags. Progress: the passer is wait-free; the
// keeper waits for the passer, never the other way round.
#pragma once

#include <linux/membarrier.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"

struct gate {
	uint32_t shut;   // keeper writes
	uint32_t inside; // passer writes
} CACHE_ALIGNED;

// Once a process, before any gate is used. False when the kernel has no such barrier.
static inline bool gate_ready(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

// True: the passer is inside until gate_leave. False: the gate is shut, go on with something else.
static inline bool gate_enter(struct gate *g)
{
	__atomic_store_n(&g->inside, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (LIKELY(!__atomic_load_n(&g->shut, __ATOMIC_ACQUIRE)))
		return true;
	__atomic_store_n(&g->inside, 0, __ATOMIC_RELEASE);
	return false;
}

static inline void gate_leave(struct gate *g)
{
	__atomic_store_n(&g->inside, 0, __ATOMIC_RELEASE);
}

// Afterwards nobody is inside and nobody comes in until gate_open.
static inline void gate_shut(struct gate *g)
{
	__atomic_store_n(&g->shut, 1, __ATOMIC_RELAXED);
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	while (__atomic_load_n(&g->inside, __ATOMIC_ACQUIRE))
		sched_yield();
}

static inline void gate_open(struct gate *g)
{
	__atomic_store_n(&g->shut, 0, __ATOMIC_RELEASE);
}
