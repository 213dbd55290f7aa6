// SPDX-License-Identifier: BSD-3-Clause
// What prism run's two threads share: the worker's loop (run.c) and the monitor (monitor.c).
#pragma once

#include <prismnet/stack.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/config.h"
#include "control/server.h"
#include "service/service.h"
#include "sync/undertaker.h"

enum run_stop { RUN_GO, RUN_DRAIN, RUN_END };

struct run {
	struct config *config;
	struct prism *prism;
	struct prism_worker *worker;
	struct service *services[CONFIG_SERVICES_MAX];
	uint32_t service_count;
	bool quiet;
	uint64_t duration_ns; // 0: until a signal
	uint64_t stop;        // cell, enum run_stop; the monitor writes, the worker reads
	uint64_t ended;       // cell; the worker writes, the monitor reads

	pthread_t monitor;
	struct undertaker undertaker; // the monitor's
	struct server server;         // the control socket; its descriptor is -1 without one
	int signal_fd;                // SIGINT, SIGTERM
	int wake_fd;                  // the worker ended
};

// Blocks the signals (before anything makes a thread), then starts the thread. 0, or an exit code.
int monitor_prepare(struct run *run);
int monitor_start(struct run *run);
void monitor_stop(struct run *run);
