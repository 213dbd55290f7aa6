// SPDX-License-Identifier: BSD-3-Clause
// Memory of one input's stack for the next one's: mapping, filling and unmapping some thirty tables
// takes milliseconds, ten times what most inputs do with them. Linked in place of base/mem.h
// (--wrap).
//
// What was given back is poisoned until somebody asks for as much again, so that AddressSanitizer
// sees who still uses it, as the kernel would have.
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <string.h>

#define KEPT_MAX 128

void *__real_mem_map(const char *what, size_t bytes);
void __real_mem_unmap(void *memory, size_t bytes);
void *__wrap_mem_map(const char *what, size_t bytes);
void __wrap_mem_unmap(void *memory, size_t bytes);

static struct {
	void *memory;
	size_t bytes;
} kept[KEPT_MAX];
static size_t kept_count;

void *__wrap_mem_map(const char *what, size_t bytes)
{
	for (size_t i = 0; i < kept_count; i++) {
		void *memory = kept[i].memory;

		if (kept[i].bytes != bytes)
			continue;
		kept[i] = kept[--kept_count];
		__asan_unpoison_memory_region(memory, bytes);
		return memset(memory, 0, bytes);
	}
	return __real_mem_map(what, bytes);
}

void __wrap_mem_unmap(void *memory, size_t bytes)
{
	if (!memory)
		return;
	if (kept_count == KEPT_MAX) {
		__real_mem_unmap(memory, bytes);
		return;
	}
	__asan_poison_memory_region(memory, bytes);
	kept[kept_count].memory = memory;
	kept[kept_count++].bytes = bytes;
}
