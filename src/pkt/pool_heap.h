// SPDX-License-Identifier: BSD-3-Clause
// What only the heap allocator can do, for tests.
#pragma once

#include <stdint.h>

// From now on every n-th request for packets, of any pool, is refused; 0: none is.
void pool_heap_fail_every(uint32_t n);
