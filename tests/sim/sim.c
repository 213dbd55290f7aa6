// SPDX-License-Identifier: BSD-3-Clause
// prism sim over the checked engine: the same command, DCHECK in the stack, each packet a block of
// the heap. What the suite and make soak run.
#include "cli/cli.h"

int main(int argc, char **argv)
{
	static char name[] = "sim"; // as main.c names it: options are looked up by it

	argv[0] = name;
	return cmd_sim(argc, argv);
}
