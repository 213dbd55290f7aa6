// SPDX-License-Identifier: BSD-3-Clause
// prism sim and, by its name as the first argument, prism replay over the checked engine: the same
// commands, DCHECK in the stack, each packet a block of the heap. What the suite and make soak run.
#include <string.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	static char name[] = "sim"; // as main.c names it: options are looked up by it

	if (argc > 1 && strcmp(argv[1], "replay") == 0)
		return cmd_replay(argc - 1, argv + 1);
	argv[0] = name;
	return cmd_sim(argc, argv);
}
