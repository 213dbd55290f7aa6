// SPDX-License-Identifier: BSD-3-Clause
// Everything that has a name and a text.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct explanation {
	const char *kind; // "drop reason"
	const char *name;
	const char *sentence;
	const char *cause, *remedy, *source, *unit; // "" where there is none
};

// The n-th of all; false after the last.
bool explain_at(uint32_t n, struct explanation *out);

// "DONE", of an enum prism_close_reason; "?" of another version's.
const char *explain_close_name(uint64_t reason);

// Prints all that are called name, case aside. How many there were.
uint32_t explain_print(const char *name);
