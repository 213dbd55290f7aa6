// SPDX-License-Identifier: BSD-3-Clause
// An instance's numbers as tools show them, from its shared memory: by stable names, as JSON, as
// metrics. Nothing here needs the instance to be alive.
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "observe/shm_reader.h"

enum stats_state {
	STATS_STARTING,
	STATS_RUNNING,
	STATS_STUCK, // the process lives, a worker makes no turns
	STATS_STOPPING,
	STATS_ENDED, // in order: every worker has written its last numbers
	STATS_DEAD,  // the process is gone and could not clean up
};

// A worker publishes every 10 ms; one that did not for so long does not turn.
#define STATS_STUCK_NS 1000000000

const char *stats_state_name(enum stats_state state);

// Takes new copies until every worker was seen to turn, or STATS_STUCK_NS passed. A short wait on
// a healthy instance. Blocks.
enum stats_state stats_look(struct shm_reader *reader);

struct stats_value {
	char name[128]; // "rx_pkts", "drop.TCP_CHECKSUM", "port.p0.rx_bytes"
	uint64_t value;
	bool gauge;
	const char *unit;
	const char *sentence;
};

// Calls each for every number, summed over workers where a worker does not matter.
void stats_each(const struct shm_reader *reader,
		void (*each)(void *context, const struct stats_value *value), void *context);

// New references.
json_t *stats_json(const struct shm_reader *reader, enum stats_state state);
json_t *stats_ports_json(const struct shm_reader *reader);

// Prometheus text format 0.0.4.
void stats_metrics(const struct shm_reader *reader, enum stats_state state, FILE *out);

// The instance called name, or the only one there is when name is NULL. NULL with err_set, whose
// message lists them when there are several.
struct shm_reader *stats_open(const char *name);
