// SPDX-License-Identifier: BSD-3-Clause
// Birth and death of rings; what happens between is inline in the header, with its argument.
// Called when workers are created and when they have ended: never while a thread uses the ring,
// so nothing here needs an order. Calls mem_map.
#include "sync/ring.h"

#include <assert.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

static_assert(offsetof(struct ring, tail) - offsetof(struct ring, head) == 2 * CACHE_LINE_BYTES,
	      "producer and consumer write lines that are not fetched together");
static_assert(offsetof(struct ring, mask) - offsetof(struct ring, tail) == 2 * CACHE_LINE_BYTES,
	      "what both read is written by neither");

static size_t ring_bytes(uint64_t capacity)
{
	return sizeof(struct ring) + capacity * sizeof(void *);
}

struct ring *ring_spsc_create(uint32_t capacity)
{
	struct ring *r;

	if (!bits_is_pow2(capacity)) {
		err_set(ERR_INVALID_ARGUMENT, "a ring of %u slots: not a power of two", capacity);
		return NULL;
	}
	r = mem_map("ring", ring_bytes(capacity));
	if (r)
		r->mask = capacity - 1;
	return r;
}

void ring_spsc_destroy(struct ring *r)
{
	if (r)
		mem_unmap(r, ring_bytes(r->mask + 1));
}
