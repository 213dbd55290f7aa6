// SPDX-License-Identifier: BSD-3-Clause
// Where packet memory can come from: the kernel's huge pages, and what to do without them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "port/platform.h"

struct hugepages {
	uint32_t page_kib; // 0: this kernel has none
	uint64_t free_count;
	uint64_t total_count;
};

// The page size whose free pages hold most.
struct hugepages memory_hugepages(void);
