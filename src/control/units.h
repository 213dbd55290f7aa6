// SPDX-License-Identifier: BSD-3-Clause
// Numbers with units as people write them: 40ms, 4MiB, 16384.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum units_result {
	UNITS_OK,
	UNITS_NOT_A_NUMBER,
	UNITS_MISSING, // a bare number where the unit matters
	UNITS_UNKNOWN, // a number, but no unit of this kind
	UNITS_TOO_LARGE,
};

#define UNITS_TIME_NAMES "ns, us, ms, s, min or h"
#define UNITS_SIZE_NAMES "B, KiB, MiB, GiB, KB, MB or GB"

enum units_result units_count(const char *text, uint64_t *value);
enum units_result units_time(const char *text, uint64_t *value_ns); // 0 needs no unit
enum units_result units_size(const char *text, uint64_t *value_bytes);

#define UNITS_TEXT_BYTES 32

// The shortest exact form, as units_time and units_size read it.
const char *units_time_format(uint64_t value_ns, char text[UNITS_TEXT_BYTES]);
const char *units_size_format(uint64_t value_bytes, char text[UNITS_TEXT_BYTES]);
