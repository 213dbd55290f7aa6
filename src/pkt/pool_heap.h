// SPDX-License-Identifier: BSD-3-Clause
// What only the heap allocator can do, for tests.
#pragma once

#include <stdint.h>

// From now on requests for packets, of any pool, are refused by chance; 0: none is.
void pool_heap_fail(uint32_t ppm, uint64_t seed);

// From now on requests are counted, and number n is refused, alone; 0: no more. How many there were
// since it was asked last. One thread's.
uint64_t pool_heap_fail_nth(uint64_t n);
