// SPDX-License-Identifier: BSD-3-Clause
// What the wire's command line says.
#pragma once

#include <stdbool.h>

#include "way.h"

struct wire_options {
	const char *interface[2];
	struct way_config way[2]; // of what comes in at the first interface, and at the second
	uint64_t run_ns;          // 0: until SIGTERM
	bool realtime;            // before all other programs on its core
	int core;                 // -1: any
};

// False, with a message on stderr, when the line makes no sense.
bool options_read(struct wire_options *options, int argc, char **argv);
