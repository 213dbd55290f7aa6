// SPDX-License-Identifier: BSD-3-Clause
// A port with a queue for each of several workers on top of one without: which queue a packet goes
// to is drawn, so that every packet may come to any worker. The worst card there can be.
#pragma once

#include "base/limits.h"
#include "base/rand.h"
#include "port/port.h"

#define SPREAD_QUEUES_MAX 4

struct spread;

struct spread_queue {
	struct port port;
	struct spread *spread;
	struct pkt *waiting[BURST_PKTS];
	uint32_t first, count;
};

struct spread {
	struct port *below;
	struct rng rng;
	uint32_t queue_count;
	struct spread_queue queue[SPREAD_QUEUES_MAX];
};

void spread_init(struct spread *s, struct port *below, uint32_t queue_count, uint64_t seed);

// Releases what waits.
void spread_fini(struct spread *s);

// Packets wait in this queue.
bool spread_waits(const struct spread *s, uint32_t queue);
