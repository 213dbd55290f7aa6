// SPDX-License-Identifier: BSD-3-Clause
// Two strengths of assertion, and one for the compiler.
//
// ASSERT stays in every build: it is for facts that are cheap to test on data already loaded.
// DCHECK exists in test, simulation and fuzz builds only (-DPRISM_DCHECK): hot paths, O(n) walks.
#pragma once

#include <assert.h>

// Prints place and condition, dumps what the hook knows (the workers' last trace events), aborts.
_Noreturn void assert_failed(const char *file, int line, const char *condition);

// What assert_failed calls before it aborts; NULL for nothing. Set by core/start.c.
void assert_set_hook(void (*hook)(void));

#define ASSERT(condition) \
	(__builtin_expect(!!(condition), 1) ? (void)0 \
					    : assert_failed(__FILE__, __LINE__, #condition))

#ifdef PRISM_DCHECK
#define DCHECK(condition) ASSERT(condition)
#else
#define DCHECK(condition) ((void)sizeof(!(condition)))
#endif
