// SPDX-License-Identifier: BSD-3-Clause
// Errors of requests (the control path): a negative errno, and in words what happened, why and
// what to do. The list of names is base/err.def; `prism explain NAME` prints its long text.
#pragma once

#include <stdint.h>

enum err {
	ERR_NONE,
#define ERR(name, number, sentence, cause, remedy) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_COUNT,
};

struct err_info {
	const char *name;     // "PORT_UNKNOWN_DEVICE"
	int number;           // a positive errno
	const char *sentence; // what happened
	const char *cause;    // the likely reason
	const char *remedy;   // what to do
};

extern const struct err_info err_infos[ERR_COUNT];

#define ERR_TEXT_BYTES 768

// The last refusal on this thread. Text lives until the next err_set on the same thread.
struct err_last {
	enum err id;
	char message[ERR_TEXT_BYTES]; // the place and the facts of this very case
};

// Records the refusal for this thread and returns -errno of its kind, so `return err_set(...)`.
// The format gives the place and the measured facts; cause and remedy come from the list.
int err_set(enum err id, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The same without facts: for a refusal that belongs to the data path's ordinary course.
int err_set_bare(enum err id);

const struct err_last *err_last(void);
void err_clear(void);
