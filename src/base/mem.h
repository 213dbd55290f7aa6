// SPDX-License-Identifier: BSD-3-Clause
// Memory at start: zeroed, page-aligned, on huge pages where the kernel gives them. Nothing on the
// data path allocates; every table and slab is had here once and given back at the end.
#pragma once

#include <stddef.h>

// bytes of zeroed memory, or NULL with err_set(ERR_OUT_OF_MEMORY) naming what.
void *mem_map(const char *what, size_t bytes);
void mem_unmap(void *memory, size_t bytes);
