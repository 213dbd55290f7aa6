// SPDX-License-Identifier: BSD-3-Clause
// What the control socket of prism run shows besides numbers: connections, drops, why.
#pragma once

#include "observe/shm_reader.h"

// Names of hosts in filters are looked up in files alone from now on, by the whole process: the
// control socket waits for no name server.
void run_show_begin(void);

// Of control/answer.h. path: "/v1/conns", "/v1/drops" or "/v1/why"; query: behind the '?',
// "filter=tcp%20port%2080".
char *run_show(struct shm_reader *reader, const char *path, const char *query, bool *bad);
