// SPDX-License-Identifier: BSD-3-Clause
// Calibrating the time-stamp counter. Called by core/start.c and by measuring tools; the loop then
// reads the counter only. Without an invariant counter (cpuid 0x80000007, edx bit 8) the kernel's
// clock is used for every turn, which costs about 20 ns more.
#include "core/clock.h"

#include <stdbool.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/time.h"

#define CALIBRATION_NS (20 * NS_PER_MS)

uint64_t clock_kernel_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool counter_is_invariant(void)
{
#if defined(__x86_64__)
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
#else
	return false;
#endif
}

// The pair of readings that lie closest together out of several.
static void read_both(uint64_t *cycles, uint64_t *ns)
{
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = clock_cycles();
		uint64_t kernel_ns = clock_kernel_ns();
		uint64_t width = clock_cycles() - before;

		if (width < narrowest) {
			narrowest = width;
			*cycles = before + width / 2;
			*ns = kernel_ns;
		}
	}
}

void clock_init(struct clock *clock)
{
	uint64_t cycles = 0, ns = 0;

	*clock = (struct clock){0};
	if (!counter_is_invariant())
		return;
	read_both(&clock->base_cycles, &clock->base_ns);
	do
		read_both(&cycles, &ns);
	while (ns - clock->base_ns < CALIBRATION_NS);
	clock->ns_per_cycle_q32 = (uint64_t)(((unsigned __int128)(ns - clock->base_ns) << 32) /
					     (cycles - clock->base_cycles));
}
