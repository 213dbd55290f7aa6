// SPDX-License-Identifier: BSD-3-Clause
// What the raw programs share: a platform, one pool, one port, and a clock.
#pragma once

#include "port/port.h"

struct raw {
	struct env env;
	struct counters counters;
	struct pool *pool;
	struct port *port;
};

// Pins the caller to core (-1: stays), starts the platform and opens the device; ends the program
// with the error's words when that fails. RAW_ROOM_BYTES in the environment is a packet's room with
// headroom, 2176 without it; RAW_EAL_ARGS goes to DPDK.
void raw_open(struct raw *raw, const char *device, int core);
void raw_close(struct raw *raw);

uint64_t raw_now_ns(void);

// True once SIGINT or SIGTERM arrived.
bool raw_stopped(void);
