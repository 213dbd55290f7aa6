// SPDX-License-Identifier: BSD-3-Clause
// The ground of tests, simulator and fuzzers: plain heap, nothing to start, nothing to stop.
// Called by core/start.c as its counterpart in production, dpdk/eal.c, is; which of the two is
// chosen when linking. Deliberately not here: hugepages, cores, devices.
#include "port/platform.h"

#include <string.h>

int platform_start(const struct platform_config *config, struct platform_report *report)
{
	*report = (struct platform_report){.page_kib = 4};
	strcpy(report->sentence, "plain heap, for tests: no device but pair: can be opened");
	return 0;
}

void platform_stop(void)
{
}

const char *platform_version(void)
{
	return "plain heap, no DPDK";
}
