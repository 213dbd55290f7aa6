// SPDX-License-Identifier: BSD-3-Clause
// ring_spsc: hand-over of pointers between two threads, in bursts. One thread puts, one takes; a
// mesh of rings stands where others have a many-to-many queue.
//
//	slot:   . . [t] t+1 ... h-1 [h] . .        tail t <= head h <= t + capacity
//	            taken from      put at
//
// Who writes, who reads. The producer alone writes `head` and the slots h .. t+capacity-1; the
// consumer alone writes `tail` and reads the slots t .. h-1. These ranges are disjoint, so no slot
// is accessed by both. Both indices count from 0 for ever (2^64 hand-overs at one a nanosecond last
// 584 years), so equal means empty, a difference of the capacity means full, and no value comes
// back: there is no ABA.
//
// What publishes. put writes slots, then stores head with release; take loads head with acquire.
// A take that sees head = h therefore sees all slots below h, and all that the producer wrote
// before: what the pointers point at. In the other direction take reads slots, then stores tail
// with release; put loads tail with acquire, so that its next writes to those slots come after
// these reads. Each side reads its own index relaxed: it is the only writer.
//
// What may be stale. Each side keeps the last value it saw of the other's index and loads anew only
// when that one does not suffice: a hand-over then costs no shared cache line but the slots'.
// Indices only grow, so an old value is a safe one: the producer thinks less is free, the consumer
// less is there, than is true. When a side answers "full" or "empty" it has just loaded the index.
//
// What is apart. A side's line is two lines from the other's: processors fetch lines in pairs, and
// a side that waits would have the other's line taken away with the one it looks at. A side that
// moves nothing stores nothing.
//
// Progress: wait-free. put and take are loops over the burst and nothing else; a thread stopped at
// any instruction leaves the ring whole, and what it has not published as if it had not begun.
#pragma once

#include <stdint.h>

#include "base/bits.h"
#include "sync/atomic.h"

#define RING_APART __attribute__((aligned(2 * CACHE_LINE_BYTES)))

struct ring {
	// the producer's line
	uint64_t head RING_APART; // the consumer loads it
	uint64_t tail_seen;
	// the consumer's line
	uint64_t tail RING_APART; // the producer loads it
	uint64_t head_seen;
	// written once
	uint64_t mask RING_APART;
	void *slot[] CACHE_ALIGNED;
};

// capacity: a power of two, 1..2^31. NULL with err_set.
struct ring *ring_spsc_create(uint32_t capacity);
void ring_spsc_destroy(struct ring *ring);

// Most bursts lie in one piece: those are copied four at a time, without a mask for each.
static inline void ring_copy(void **to, void *const *from, uint32_t count)
{
	uint32_t i = 0;

	for (; i + 4 <= count; i += 4) {
		to[i] = from[i];
		to[i + 1] = from[i + 1];
		to[i + 2] = from[i + 2];
		to[i + 3] = from[i + 3];
	}
	for (; i < count; i++)
		to[i] = from[i];
}

// Slots from the index `at` on: how many there are before the array begins again.
static inline uint32_t ring_piece(const struct ring *r, uint64_t at, uint32_t count)
{
	return (uint32_t)MIN(r->mask + 1 - (at & r->mask), (uint64_t)count);
}

static inline void ring_write(struct ring *r, uint64_t head, void *const *items, uint32_t count)
{
	uint32_t piece;

	if (count == 1) {
		r->slot[head & r->mask] = items[0];
		return;
	}
	piece = ring_piece(r, head, count);
	ring_copy(&r->slot[head & r->mask], items, piece);
	ring_copy(r->slot, items + piece, count - piece);
}

static inline void ring_read(const struct ring *r, uint64_t tail, void **items, uint32_t count)
{
	uint32_t piece;

	if (count == 1) {
		items[0] = r->slot[tail & r->mask];
		return;
	}
	piece = ring_piece(r, tail, count);
	ring_copy(items, &r->slot[tail & r->mask], piece);
	ring_copy(items + piece, r->slot, count - piece);
}

// Puts the first n of count items and returns n; less than count only when it is full.
// The producer's thread.
static inline uint32_t ring_spsc_put(struct ring *r, void *const *items, uint32_t count)
{
	uint64_t head = atomic_get(&r->head, RELAXED);
	uint64_t room = r->tail_seen + r->mask + 1 - head;

	if (UNLIKELY(room < count)) {
		r->tail_seen = atomic_get(&r->tail, ACQUIRE);
		room = r->tail_seen + r->mask + 1 - head;
		if (room < count)
			count = (uint32_t)room;
		if (count == 0)
			return 0;
	}
	ring_write(r, head, items, count);
	atomic_set(&r->head, head + count, RELEASE);
	return count;
}

// Takes up to count items in the order they were put and returns how many; less than count only
// when no more are there. The consumer's thread.
static inline uint32_t ring_spsc_take(struct ring *r, void **items, uint32_t count)
{
	uint64_t tail = atomic_get(&r->tail, RELAXED);
	uint64_t there = r->head_seen - tail;

	if (there < count) {
		r->head_seen = atomic_get(&r->head, ACQUIRE);
		there = r->head_seen - tail;
		if (UNLIKELY(there < count))
			count = (uint32_t)there;
		if (count == 0)
			return 0;
	}
	ring_read(r, tail, items, count);
	atomic_set(&r->tail, tail + count, RELEASE);
	return count;
}

// How many were taken in all: to who puts, a number that moves while the other side does.
static inline uint64_t ring_spsc_taken(const struct ring *r)
{
	return atomic_get(&r->tail, ACQUIRE);
}

// How many items wait: exact for either side when the other is quiet, at some recent moment else.
static inline uint32_t ring_spsc_count(const struct ring *r)
{
	uint64_t tail = atomic_get(&r->tail, ACQUIRE);
	uint64_t head = atomic_get(&r->head, RELAXED);

	return (uint32_t)MIN(head - tail, r->mask + 1);
}
