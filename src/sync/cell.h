// SPDX-License-Identifier: BSD-3-Clause
// Atomic cells, by what they are for. All atomics of the project go through sync/.
//
// A single-writer cell has one thread that stores and any that load; the writer may therefore
// read-modify-write without a lock prefix. Relaxed: a reader sees some recent value, never a torn
// one, and nothing else is published by it.
#pragma once

#include <stdint.h>

#include "sync/atomic.h"

static inline uint64_t cell_get(const uint64_t *cell)
{
	return atomic_get(cell, RELAXED);
}

static inline void cell_set(uint64_t *cell, uint64_t value)
{
	atomic_set(cell, value, RELAXED);
}

// The same of half the size.
static inline uint32_t cell32_get(const uint32_t *cell)
{
	return atomic_get(cell, RELAXED);
}

static inline void cell32_set(uint32_t *cell, uint32_t value)
{
	atomic_set(cell, value, RELAXED);
}

// A cell of several writers: a count that threads add to now and then, each seeing all additions
// before its own. Wait-free; a locked instruction.
static inline uint64_t shared_add(uint64_t *cell, uint64_t amount)
{
	return __atomic_fetch_add(cell, amount, __ATOMIC_ACQ_REL);
}

// Only the cell's one writer may call this.
static inline void cell_add(uint64_t *cell, uint64_t amount)
{
	atomic_set(cell, *cell + amount, RELAXED);
}

// A token: with it a thread says that it is done with something and another may have it. Who sees
// the token passed sees all that was done before, and what he does comes after it.
static inline void token_pass(uint64_t *token, uint64_t value)
{
	atomic_set(token, value, RELEASE);
}

static inline uint64_t token_see(const uint64_t *token)
{
	return atomic_get(token, ACQUIRE);
}
