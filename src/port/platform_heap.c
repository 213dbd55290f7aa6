// SPDX-License-Identifier: BSD-3-Clause
// The ground of tests, simulator and fuzzers: plain heap, nothing to start, nothing to stop.
// Its counterpart in production is dpdk/eal.c.
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
