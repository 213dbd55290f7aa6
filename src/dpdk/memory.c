// SPDX-License-Identifier: BSD-3-Clause
// Facts about huge pages from sysfs: their size, how many there are and how many are free. Called
// by eal.c at start, which decides from them whether DPDK is given huge pages or plain ones.
// Nothing is reserved or mounted here.
#include "dpdk/memory.h"

#include <dirent.h>
#include <stdio.h>

#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"

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
