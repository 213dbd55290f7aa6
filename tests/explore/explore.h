// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving: runs a few threads of real code, one at a time, on one core, and switches
// between them only at explore_point, which is at every atomic access (sync/atomic.h). All
// schedules are tried, depth first, that leave a thread at most `preemptions` times while it could
// go on (Musuvathi and Qadeer 2007: few are needed for nearly every bug). Memory is sequentially
// consistent here; what weaker orders do is for ThreadSanitizer.
//
// The code between points must not depend on anything but memory that setup makes afresh.
#pragma once

#include <stdint.h>

#define EXPLORE_THREADS_MAX 4

struct exploration {
	const char *name;
	void (*setup)(void);                       // before each execution
	void (*thread[EXPLORE_THREADS_MAX])(void); // NULL: no more
	void (*check)(void);                       // after each execution, all threads ended
	uint32_t preemptions;
};

// Returns how many executions there were. Fails by ASSERT in the code or in check; the schedule
// that led there is printed.
uint64_t explore(const struct exploration *what);

// Thread 0 stops for ever at its first point, then (afresh) at its second, and so on through all of
// its way; each time thread 1 runs whole meanwhile. Returns at how many points it was stopped.
uint64_t explore_stalls(const struct exploration *what);

void explore_point(void);

// Steps of all threads so far in this execution: a clock for histories.
uint64_t explore_now(void);
