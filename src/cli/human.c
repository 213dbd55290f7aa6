// SPDX-License-Identifier: BSD-3-Clause
// Numbers for people: three digits say enough about a rate that changes every second. Used by
// whatever prints to a terminal (summary, top, stats); JSON and metrics get the exact numbers.
// Powers of 1000, as network rates are counted.

#include "cli/human.h"

#include <stdio.h>

const char *human_count(double value, char text[HUMAN_BYTES])
{
	static const char prefixes[] = " kMGTP";
	int prefix = 0;

	for (; value >= 999.5 && prefix < 5; prefix++)
		value /= 1000;
	if (prefix == 0 && value == (double)(int)value)
		snprintf(text, HUMAN_BYTES, "%.0f", value);
	else
		snprintf(text, HUMAN_BYTES, "%.*f%s%c",
			 value < 9.995   ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, prefix ? " " : "", prefixes[prefix]);
	for (char *end = text; *end; end++)
		if (end[0] == ' ' && end[1] == '\0')
			*end = '\0';
	return text;
}
