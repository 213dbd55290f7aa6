// SPDX-License-Identifier: BSD-3-Clause
// What prism run's threads share: the workers' loops (run_worker.c) and the monitor (monitor.c).
#pragma once

#include <prismnet/stack.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/rebalance.h"
#include "control/config.h"
#include "control/server.h"
#include "observe/instance.h"
#include "service/service.h"
#include "sync/undertaker.h"

enum run_stop { RUN_GO, RUN_DRAIN, RUN_END };

struct run;

// One worker's thread and what it drives.
struct run_worker {
	struct run *run;
	struct prism_worker *worker;
	struct service *services[CONFIG_SERVICES_MAX];
	uint32_t service_count;
	pthread_t thread;
	bool drained; // all it had has ended: it is counted in run->drained

	uint64_t order;        // cell, rebalance.h; the monitor writes, the worker reads
	uint64_t order_seen;   // the last it took up,
	uint32_t order_left;   // connections of that which are still to go,
	uint64_t order_end_ns; // and when it ends, whatever is left
};

struct run {
	struct config *config;
	struct prism *prism;
	struct run_worker workers[PRISM_WORKERS_MAX];
	uint32_t worker_count;
	struct service *peers[CONFIG_SERVICES_MAX][PRISM_WORKERS_MAX]; // by entry, then worker
	bool quiet;
	uint64_t duration_ns; // 0: until a signal
	uint64_t stop;        // cell, enum run_stop; the monitor writes, the workers read
	uint64_t drained;     // counts workers whose connections have ended
	uint64_t ended;       // cell; the first worker writes, the monitor reads

	pthread_t monitor;
	struct undertaker undertaker; // the monitor's,
	struct rebalance rebalance;   // and this
	struct server server;         // the control socket and the web's port, and this
	char socket_path[INSTANCE_PATH_BYTES + INSTANCE_NAME_BYTES]; // where the file names none
	int signal_fd;                                               // SIGINT, SIGTERM
	int wake_fd;                                                 // the workers ended
};

// Blocks the signals (before anything makes a thread), then starts the thread. 0, or an exit code.
int monitor_prepare(struct run *run);
int monitor_start(struct run *run);
void monitor_stop(struct run *run);

// Starts the services on every worker. 0, or a negative errno with prism_last_error.
int workers_prepare(struct run *run);

// Drives the workers, the first on this thread, until they are told to stop and have drained. An
// exit code.
int workers_drive(struct run *run);

// A turn of a worker that was told to stop: its services drain, and what still comes does.
// Returns how many events there were.
int workers_drain_turn(struct run_worker *worker);

// Ends the services.
void workers_finish(struct run *run);
