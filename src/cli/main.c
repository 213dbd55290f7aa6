// SPDX-License-Identifier: BSD-3-Clause
// The prism command: finds the subcommand in the table of commands.c, answers --help itself, and
// runs the rest. The exit code is the subcommand's (enum cli_exit), or a failure when its output
// could not be written.

#include <string.h>

#include "cli/cli.h"
#include "control/suggest.h"

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int unknown_command(const char *name)
{
	struct suggest suggest = {.word = name};
	char remedy[128] = "prism help lists all commands";

	for (uint32_t i = 0; i < cli_command_count; i++)
		suggest_offer(&suggest, cli_commands[i].name);
	if (suggest.best)
		snprintf(remedy, sizeof remedy, "did you mean prism %s?", suggest.best);
	return cli_error(CLI_USAGE, NULL, remedy, "there is no command `%s`", name);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help_print(stderr);
		return CLI_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	const struct cli_command *command = cli_command_find(name);
	if (!command)
		return unknown_command(name);
	if (asks_for_help(argc - 1, argv + 1) && command->run != cmd_help) {
		help_print_command(command, stdout);
		return CLI_OK;
	}
	argv[1] = (char *)(uintptr_t)command->name;
	int code = command->run(argc - 1, argv + 1);
	// A full disk or a closed pipe must not look like success.
	if (fflush(stdout) != 0 && code == CLI_OK)
		code = CLI_FAILED;
	return code;
}
