// SPDX-License-Identifier: BSD-3-Clause
// prism version: of Prism and of the DPDK it runs with. What a report of a
// fault should begin with. Nothing is started: DPDK's version is a constant of its runtime, so the
// command works on a machine where nothing else does.

#include <stdio.h>

#include "cli/cli.h"
#include "port/platform.h"

int cmd_version(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];

	if (cli_options(argc, argv, values) < 0)
		return CLI_USAGE;
	printf("prism %s\n%s\n", PRISM_VERSION, platform_version());
	return CLI_OK;
}
