// SPDX-License-Identifier: BSD-3-Clause
// What only the heap allocator can do, for tests.
#pragma once

#include <stdint.h>

// From now on requests for packets, of any pool, are refused by chance; 0: none is.
void pool_heap_fail(uint32_t ppm, uint64_t seed);
