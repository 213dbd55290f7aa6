// SPDX-License-Identifier: BSD-3-Clause
// Objects of one size, all had at start. The last one put is the next one got, so few objects in
// use touch little memory. A free object's second word links to the next: the first is its handler
// (service.h), and who comes with an event of before must still find it.
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "base/mem.h"

struct slab {
	char *memory;
	void *free;
	size_t object_bytes;
	uint32_t capacity;
	uint32_t fresh; // objects below this index were in use at some time
	uint32_t used;
};

// 0, or -1 with err_set.
static inline int slab_init(struct slab *slab, const char *what, size_t object_bytes,
			    uint32_t count)
{
	*slab = (struct slab){.object_bytes = bits_round_up(object_bytes, 16), .capacity = count};
	slab->memory = mem_map(what, slab->object_bytes * count);
	return slab->memory ? 0 : -1;
}

static inline void slab_fini(struct slab *slab)
{
	if (slab->memory)
		mem_unmap(slab->memory, slab->object_bytes * slab->capacity);
	slab->memory = NULL;
}

static inline void *slab_link(void *object)
{
	return (char *)object + sizeof(void *);
}

// The object of this index, in use or not.
static inline void *slab_at(const struct slab *slab, uint32_t index)
{
	return slab->memory + index * slab->object_bytes;
}

// Its content is what it was, but for the second word; NULL when all are in use.
static inline void *slab_get(struct slab *slab)
{
	void *object = slab->free;

	if (object)
		memcpy(&slab->free, slab_link(object), sizeof(slab->free));
	else if (slab->fresh < slab->capacity)
		object = slab_at(slab, slab->fresh++);
	if (object)
		slab->used++;
	return object;
}

static inline void slab_put(struct slab *slab, void *object)
{
	memcpy(slab_link(object), &slab->free, sizeof(slab->free));
	slab->free = object;
	slab->used--;
}
