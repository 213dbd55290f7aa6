// SPDX-License-Identifier: BSD-3-Clause
// The clock: nanoseconds since some start, from the time-stamp counter where it is constant, from
// CLOCK_MONOTONIC otherwise. Read once a turn by the loop; nothing below core/ may call it.
#pragma once

#include <stdint.h>

struct clock {
	uint64_t base_cycles;
	uint64_t base_ns;
	uint64_t ns_per_cycle_q32; // nanoseconds a cycle, 32 fractional bits; 0: no usable counter
};

// Measures the counter against the kernel's clock for about 20 ms.
void clock_init(struct clock *clock);

// The kernel's monotonic clock: a call into the vDSO.
uint64_t clock_kernel_ns(void);

static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static inline uint64_t clock_ns(const struct clock *clock)
{
	if (__builtin_expect(clock->ns_per_cycle_q32 == 0, 0))
		return clock_kernel_ns();
	unsigned __int128 ns =
		(unsigned __int128)(clock_cycles() - clock->base_cycles) * clock->ns_per_cycle_q32;
	return clock->base_ns + (uint64_t)(ns >> 32);
}
