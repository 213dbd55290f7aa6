// SPDX-License-Identifier: BSD-3-Clause
// Starts the platform before main and stops it after, so that a unit test written for the heap runs
// unchanged on DPDK's pools: without hugepages, files or privileges.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "port/platform.h"

__attribute__((constructor)) static void ground_start(void)
{
	char instance[32];
	struct platform_report report;

	snprintf(instance, sizeof(instance), "test-%d", (int)getpid());
	const struct platform_config config = {
		.instance = instance,
		.memory = MEMORY_PLAIN,
		.memory_mib = 256,
		.main_core = -1,
	};

	if (platform_start(&config, &report) == 0)
		return;
	fprintf(stderr, "platform_start: %s\n", err_last()->message);
	exit(1);
}

__attribute__((destructor)) static void ground_stop(void)
{
	platform_stop();
}
