// SPDX-License-Identifier: BSD-3-Clause
// Numbers for people: three digits and a prefix.
#pragma once

#define HUMAN_BYTES 32

// 950, "1.23 k", "45.6 M": powers of 1000. Returns text.
const char *human_count(double value, char text[HUMAN_BYTES]);
