// SPDX-License-Identifier: BSD-3-Clause
// What only pools of plain heap can do, for tests and simulations.
#pragma once

#include <stdint.h>

// From now on requests for packets, of any plain pool, are refused by chance; 0: none is.
void pool_heap_fail(uint32_t ppm, uint64_t seed);

// From now on requests are counted, and number n is refused, alone; 0: no more. How many there were
// since it was asked last. One thread's; only where every pool is plain heap.
uint64_t pool_heap_fail_nth(uint64_t n);
