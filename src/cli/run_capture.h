// SPDX-License-Identifier: BSD-3-Clause
// Captures over the control socket of prism run.
#pragma once

#include <stdbool.h>

// Of control/answer.h, context a struct run. POST
// /v1/capture?filter=tcp+port+80&points=rx,drop&snap=96 &ring=16777216: begins a capture and says
// where its tape is. The monitor's thread.
char *run_capture(void *context, const char *path, const char *query, bool *bad);
