// SPDX-License-Identifier: BSD-3-Clause
// Memory had at start, straight from the kernel. Called by every create, never by the data path.
//
// From 2 MiB on a mapping is aligned and advised for transparent huge pages: a table of a million
// connections then needs hundreds of TLB entries instead of a hundred thousand. All pages are
// touched here, so that lack of memory is a refused create and not a death in the middle of a
// turn, and no page fault is left for the data path.
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "base/err.h"

#define PAGE_BYTES ((size_t)4096)
#define HUGE_BYTES ((size_t)2 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif

static size_t page_bytes(size_t bytes)
{
	return bytes >= HUGE_BYTES ? HUGE_BYTES : PAGE_BYTES;
}

static size_t mapped_bytes(size_t bytes)
{
	return bits_round_up(bytes, page_bytes(bytes));
}

static void *map(size_t size)
{
	void *raw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return raw == MAP_FAILED ? NULL : raw;
}

// Maps a page more than asked for, where pages are larger than the kernel's, and gives back what
// lies before and after the aligned part.
static void *map_aligned(size_t size, size_t align)
{
	if (align <= PAGE_BYTES)
		return map(size);
	char *raw = map(size + align);

	if (!raw)
		return NULL;
	size_t before = -(uintptr_t)raw & (align - 1);
	char *start = raw + before;

	if (before)
		munmap(raw, before);
	munmap(start + size, align - before);
	return start;
}

void *mem_map(const char *what, size_t bytes)
{
	size_t size = mapped_bytes(bytes);
	void *memory = NULL;

	if (bytes > 0 && bytes <= SIZE_MAX - 2 * HUGE_BYTES)
		memory = map_aligned(size, page_bytes(bytes));
	if (!memory)
		goto fail;
	if (bytes >= HUGE_BYTES)
		madvise(memory, size,
			MADV_HUGEPAGE); // advice: without huge pages it is only slower
	// An older kernel does not know the call (EINVAL) and fills pages when they are first used.
	if (madvise(memory, size, MADV_POPULATE_WRITE) < 0 && errno != EINVAL) {
		munmap(memory, size);
		goto fail;
	}
	return memory;
fail:
	err_set(ERR_OUT_OF_MEMORY, "%zu bytes for %s", bytes, what);
	return NULL;
}

void mem_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, mapped_bytes(bytes));
}
