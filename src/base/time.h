// SPDX-License-Identifier: BSD-3-Clause
// Time is 64-bit nanoseconds since some start; it is an input (struct env), never read below core/.
#pragma once

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define TIME_NEVER_NS UINT64_MAX
