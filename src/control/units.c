// SPDX-License-Identifier: BSD-3-Clause
// Numbers with units. A bare number for a time or a size is refused: whether 60 means seconds or
// milliseconds is exactly what a reader of the file could not tell. Decimal and binary prefixes
// are both known and mean what IEC 80000-13 says: 1 KB = 1000 B, 1 KiB = 1024 B.

#include "control/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{"h", 3600000000000}, {"min", 60000000000}, {"s", 1000000000},
	{"ms", 1000000},      {"us", 1000},         {"ns", 1},
};

static const struct unit size_units[] = {
	{"GiB", UINT64_C(1) << 30},
	{"MiB", UINT64_C(1) << 20},
	{"KiB", UINT64_C(1) << 10},
	{"GB", 1000000000},
	{"MB", 1000000},
	{"KB", 1000},
	{"B", 1},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

// The digits at the front of text; *rest is what follows.
static enum units_result digits(const char *text, uint64_t *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return UNITS_NOT_A_NUMBER;
	errno = 0;
	*value = strtoull(text, &end, 10);
	*rest = end;
	return errno == ERANGE ? UNITS_TOO_LARGE : UNITS_OK;
}

static enum units_result with_unit(const char *text, const struct unit *units, size_t unit_count,
				   uint64_t *value)
{
	const char *rest;
	uint64_t number;
	enum units_result result = digits(text, &number, &rest);

	if (result != UNITS_OK)
		return result;
	while (*rest == ' ')
		rest++;
	if (*rest == '\0')
		return UNITS_MISSING;
	for (size_t i = 0; i < unit_count; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		return __builtin_mul_overflow(number, units[i].factor, value) ? UNITS_TOO_LARGE
									      : UNITS_OK;
	}
	return isalpha((unsigned char)*rest) ? UNITS_UNKNOWN : UNITS_NOT_A_NUMBER;
}

enum units_result units_count(const char *text, uint64_t *value)
{
	const char *rest;
	enum units_result result = digits(text, value, &rest);

	if (result != UNITS_OK)
		return result;
	return *rest == '\0' ? UNITS_OK : UNITS_NOT_A_NUMBER;
}

enum units_result units_time(const char *text, uint64_t *value_ns)
{
	if (strcmp(text, "0") == 0) {
		*value_ns = 0;
		return UNITS_OK;
	}
	return with_unit(text, time_units, COUNT_OF(time_units), value_ns);
}

enum units_result units_size(const char *text, uint64_t *value_bytes)
{
	return with_unit(text, size_units, COUNT_OF(size_units), value_bytes);
}

static const char *format(uint64_t value, const struct unit *units, char text[UNITS_TEXT_BYTES])
{
	while (units->factor > 1 && (value == 0 || value % units->factor != 0))
		units++;
	snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64 "%s", value / units->factor, units->name);
	return text;
}

const char *units_time_format(uint64_t value_ns, char text[UNITS_TEXT_BYTES])
{
	// Minutes and hours only from an hour on: 60s reads better than 1min.
	const struct unit *from = value_ns < time_units[0].factor ? &time_units[2] : time_units;

	return value_ns ? format(value_ns, from, text) : strcpy(text, "0");
}

const char *units_size_format(uint64_t value_bytes, char text[UNITS_TEXT_BYTES])
{
	return format(value_bytes, size_units, text);
}
