// SPDX-License-Identifier: BSD-3-Clause
// Asking a running instance over its control socket.
#pragma once

#define ASK_ANSWER_BYTES_MAX 4096

// Of the instance of this name (NULL: the only one): how it is, at path; with a word, that it be
// so. The body of its answer is in answer. CLI_OK, or CLI_FAILED after it was said why.
int ask_instance(const char *instance, const char *path, const char *word, char *answer);

// The same of a POST to a target, path?query.
int ask_to_make(const char *instance, const char *target, char *answer);
