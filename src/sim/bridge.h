// SPDX-License-Identifier: BSD-3-Clause
// A switch of the simulation: learns who is where by source addresses, floods what it does not
// know.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

#define BRIDGE_PORTS_MAX 16
#define BRIDGE_STATIONS_MAX 64

// Whose address is whose, and who is cut off from whom: the same for all switches.
struct bridge_hosts {
	uint8_t mac[BRIDGE_PORTS_MAX][6];
	uint32_t count;
	uint32_t apart; // a bit a host: these do not reach the others, nor the others them
};

struct bridge {
	struct port *port[BRIDGE_PORTS_MAX];
	int host[BRIDGE_PORTS_MAX]; // at the other end of the link, or -1: another switch
	uint32_t port_count;
	struct pool *pool; // where its frames lie
	const struct bridge_hosts *hosts;
	// Sees each frame that arrives; true: it goes no further. NULL: nobody looks.
	bool (*look)(void *context, uint32_t port, const uint8_t *frame, uint32_t len);
	void *look_context;
	uint64_t parted; // frames not handed on because of hosts->apart
	struct {
		uint8_t mac[6];
		uint32_t port;
	} station[BRIDGE_STATIONS_MAX];
	uint32_t station_count;
};

// Hands on what has arrived. True when there was any.
bool bridge_turn(struct bridge *b);
