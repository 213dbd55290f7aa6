// SPDX-License-Identifier: BSD-3-Clause
// The ground of raw_echo and raw_load: a port without a stack on it.
#include "raw.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "pkt/pool.h"
#include "port/platform.h"

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = number;
}

bool raw_stopped(void)
{
	return stopped != 0;
}

static void die(struct raw *raw)
{
	fprintf(stderr, "%s: %s\n", err_infos[err_last()->id].name, err_last()->message);
	raw_close(raw);
	exit(1);
}

void raw_open(struct raw *raw, const char *device, int core)
{
	const char *room = getenv("RAW_ROOM_BYTES");
	char instance[32];
	struct platform_report ground;
	struct port_report report;

	snprintf(instance, sizeof(instance), "raw-%d", core);
	struct platform_config platform = {.instance = instance,
					   .memory_mib = 128,
					   .main_core = core,
					   .memory =
						   getenv("RAW_PLAIN") ? MEMORY_PLAIN : MEMORY_AUTO,
					   .extra_args = getenv("RAW_EAL_ARGS")};
	struct pool_config pool = {.name = "raw",
				   .pkts = 8191,
				   .room_bytes = room ? (uint16_t)atoi(room) : 2176,
				   .numa_node = -1};

	memset(raw, 0, sizeof(*raw));
	raw->env.counters = &raw->counters;
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	if (platform_start(&platform, &ground))
		die(raw);
	raw->pool = pool_create(&pool);
	struct port_config config = {.name = "raw", .device = device, .rx_pool = raw->pool};

	if (!raw->pool || port_open(&config, &raw->port, &report))
		die(raw);
	fprintf(stderr, "%s; %s\n", report.chosen, ground.sentence);
}

void raw_close(struct raw *raw)
{
	port_close(raw->port);
	if (raw->pool)
		pool_destroy(raw->pool);
	platform_stop();
}

uint64_t raw_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
