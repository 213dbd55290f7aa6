// SPDX-License-Identifier: BSD-3-Clause
// What a failed assertion leaves on stderr besides its own line: the last events of each worker.
#pragma once

#include "observe/instance.h"
#include "observe/trace.h"

// A worker of this process. Control thread, as all calls here but the last.
struct last_words {
	char instance[INSTANCE_NAME_BYTES];
	const struct trace *trace;
	struct last_words *next;
};

void last_words_add(struct last_words *words, const char *instance, const struct trace *trace);
void last_words_remove(struct last_words *words); // one that was never added is fine

// assert_set_hook's. Any thread; a worker that goes on meanwhile may spoil a line, no more.
void last_words_say(void);
