// SPDX-License-Identifier: BSD-3-Clause
// Atomic accesses of the lock-free files, by C11's names for orders. Under PRISM_EXPLORE each of
// them is a point at which the test's scheduler may go on with another thread (tests/explore/).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef PRISM_EXPLORE
void explore_point(void);
#else
#define explore_point() ((void)0)
#endif

#define RELAXED __ATOMIC_RELAXED
#define ACQUIRE __ATOMIC_ACQUIRE
#define RELEASE __ATOMIC_RELEASE
#define ACQ_REL __ATOMIC_ACQ_REL
#define SEQ_CST __ATOMIC_SEQ_CST

// A value is computed before the point: what it reads is an access of its own.
#define atomic_get(p, order) (explore_point(), __atomic_load_n(p, order))
#define atomic_set(p, value, order) \
	({ \
		__typeof__(*(p)) atomic_value_ = (value); \
		explore_point(); \
		__atomic_store_n(p, atomic_value_, order); \
	})
#define atomic_add(p, value, order) \
	({ \
		__typeof__(*(p)) atomic_value_ = (value); \
		explore_point(); \
		__atomic_fetch_add(p, atomic_value_, order); \
	})

// True: *p was *expected and is value now. False: *expected is what *p was, read with ACQUIRE.
#define atomic_cas(p, expected, value, order) \
	({ \
		__typeof__(*(p)) atomic_value_ = (value); \
		explore_point(); \
		__atomic_compare_exchange_n(p, expected, atomic_value_, false, order, ACQUIRE); \
	})
