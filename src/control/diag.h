// SPDX-License-Identifier: BSD-3-Clause
// Diagnostics of one text file: every finding with its place, collected, printed together in the
// order of the file.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// A span of the file, counted from 1. line 0: the file as a whole.
struct place {
	uint32_t line, column;
	uint32_t len; // bytes to underline, at least 1
};

// More than a screenful helps nobody; the rest is counted.
#define DIAG_MAX 20
#define DIAG_MESSAGE_BYTES 240
#define DIAG_HINT_BYTES 240

struct diag {
	struct place place;
	char message[DIAG_MESSAGE_BYTES];
	char hint[DIAG_HINT_BYTES]; // what to do; "" for none
};

struct diags {
	const char *path;   // as the user gave it
	const char *source; // the file's text, or NULL when it could not be read
	uint32_t count;     // found in all; the first DIAG_MAX are kept
	struct diag item[DIAG_MAX];
};

// Adds a finding and returns it, so that diag_hint can follow. Never NULL.
struct diag *diag_add(struct diags *diags, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diag_hint(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

void diags_sort(struct diags *diags);

// FILE:LINE:COL: error: message, the line, a caret under it, the hint.
void diags_print(const struct diags *diags, FILE *out, bool color);

// "FILE:LINE:COL: message" of the first finding, for callers that have room for one only.
void diags_first(const struct diags *diags, char *text, size_t text_bytes);
