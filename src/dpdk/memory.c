// SPDX-License-Identifier: BSD-3-Clause
// Facts about huge pages from sysfs, and large pages for plain memory. Called by eal.c at start
// and by probe.c for prism doctor.
#include "dpdk/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>

#include "dpdk/compat.h"

#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 // linux/mman.h since 6.1; older C libraries do not have it
#endif

static uint64_t read_count(uint32_t page_kib, const char *what)
{
	char path[128];
	unsigned long long count = 0;

	snprintf(path, sizeof(path), HUGEPAGES_DIR "/hugepages-%ukB/%s", page_kib, what);
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &count) != 1)
		count = 0;
	fclose(file);
	return count;
}

struct hugepages memory_hugepages(void)
{
	struct hugepages best = {0};
	DIR *dir = opendir(HUGEPAGES_DIR);

	if (!dir)
		return best;
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct hugepages found = {0};

		if (sscanf(entry->d_name, "hugepages-%ukB", &found.page_kib) != 1)
			continue;
		uint64_t reserved_count = read_count(found.page_kib, "resv_hugepages");

		found.free_count = read_count(found.page_kib, "free_hugepages");
		found.total_count = read_count(found.page_kib, "nr_hugepages");
		found.free_count -=
			reserved_count < found.free_count ? reserved_count : found.free_count;
		if (!best.page_kib ||
		    found.free_count * found.page_kib > best.free_count * best.page_kib)
			best = found;
	}
	closedir(dir);
	return best;
}

struct extent {
	char *start;
	size_t bytes;
};

static int first_list(const struct rte_memseg_list *list, void *opaque)
{
	struct extent *extent = opaque;

	if (list->external)
		return 0;
	*extent = (struct extent){list->base_va, list->len};
	return 1;
}

// Only pages that are there can be gathered; what EAL wrote already stays.
static void touch(char *start, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 4096) {
		volatile char *page = start + at;

		*page = *page;
	}
}

uint32_t memory_collapse(void)
{
	const size_t step_bytes = 2 << 20;
	struct extent extent = {0};
	uint32_t done_mib = 0;

	if (rte_memseg_list_walk(first_list, &extent) != 1)
		return 0;
	for (size_t at = 0; at + step_bytes <= extent.bytes; at += step_bytes) {
		touch(extent.start + at, step_bytes);
		if (madvise(extent.start + at, step_bytes, MADV_COLLAPSE) == 0)
			done_mib += step_bytes >> 20;
	}
	return done_mib;
}
