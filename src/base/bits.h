// SPDX-License-Identifier: BSD-3-Clause
// Small things that every file needs: bounds, alignment, branch hints.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))
#define NOINLINE __attribute__((noinline))
#define WARM __attribute__((noinline, hot)) // only COLD code calls it, and it is to be fast
#define HOT_INLINE static inline __attribute__((always_inline))
#define PACKED __attribute__((packed))
#define CACHE_LINE_BYTES 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE_BYTES)))
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

// Each argument is evaluated once. The names differ at each use, so that MIN(MIN(a, b), c) shadows
// nothing.
#define BITS_PASTE_(a, b) a##b
#define BITS_CHOOSE_(a, b, less, x, y) \
	({ \
		__auto_type x = (a); \
		__auto_type y = (b); \
		x less y ? x : y; \
	})
#define BITS_NAMED_(a, b, less, n) \
	BITS_CHOOSE_(a, b, less, BITS_PASTE_(bits_a_, n), BITS_PASTE_(bits_b_, n))
#define MIN(a, b) BITS_NAMED_(a, b, <, __COUNTER__)
#define MAX(a, b) BITS_NAMED_(a, b, >, __COUNTER__)

static inline bool bits_is_pow2(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

// The smallest power of two that is not below x; x must be 1..2^63.
static inline uint64_t bits_ceil_pow2(uint64_t x)
{
	return x <= 1 ? 1 : (uint64_t)1 << (64 - __builtin_clzll(x - 1));
}

// x rounded up to a multiple of step, a power of two.
static inline uint64_t bits_round_up(uint64_t x, uint64_t step)
{
	return (x + step - 1) & ~(step - 1);
}

static inline void bits_prefetch(const void *p)
{
	__builtin_prefetch(p, 0, 3);
}

// The same for what will be written: the line comes without the copies other cores have of it.
static inline void bits_prefetch_write(const void *p)
{
#if defined(__x86_64__)
	// Compilers know the instruction only for newer processors; older ones take it for a no-op.
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1, 3);
#endif
}
