// SPDX-License-Identifier: BSD-3-Clause
// What all subcommands share: options by the table of commands.c (getopt_long does the work),
// errors in one shape on stderr (what, cause, remedy), colour. Nothing here ends the process: every
// subcommand returns its exit code to main.c.

#include "cli/cli.h"

#include <getopt.h>
#include <prismnet/error.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/suggest.h"
#include "control/units.h"

bool cli_color(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && !(no_color && no_color[0]) && term &&
	       strcmp(term, "dumb") != 0;
}

static void print_error(const char *message, const char *cause, const char *remedy)
{
	bool color = cli_color(stderr);

	fprintf(stderr, "prism: %s%s%s\n", color ? "\033[1;31m" : "", message,
		color ? "\033[0m" : "");
	if (cause && cause[0])
		fprintf(stderr, "  cause:  %s\n", cause);
	if (remedy && remedy[0])
		fprintf(stderr, "  remedy: %s\n", remedy);
}

int cli_error(enum cli_exit code, const char *cause, const char *remedy, const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	print_error(message, cause, remedy);
	return code;
}

int cli_last_error(enum cli_exit code)
{
	struct prism_error error = prism_last_error();
	char remedy[1024];

	snprintf(remedy, sizeof remedy, "%s (prism explain %s)", error.remedy, error.name);
	print_error(error.message, error.cause, error.name[0] ? remedy : NULL);
	return code;
}

bool cli_time(const char *option, const char *text, uint64_t *value_ns)
{
	if (units_time(text, value_ns) == UNITS_OK && *value_ns > 0)
		return true;
	cli_error(CLI_USAGE, NULL,
		  "write a number and one of " UNITS_TIME_NAMES ", for example 10s",
		  "`%s` is not a time for --%s", text, option);
	return false;
}

// getopt_long's tables from ours. short_options begins with '+': options end at the first argument
// only where the command says so; here they may stand anywhere, so it is left out.
static void build_tables(const struct cli_command *command, struct option *longs, char *shorts)
{
	*shorts++ = ':'; // a missing value is told from an unknown option
	for (uint32_t i = 0; i < command->option_count; i++) {
		const struct cli_option *o = &command->options[i];

		longs[i] = (struct option){o->name, o->value ? required_argument : no_argument,
					   NULL, 256 + (int)i};
		if (!o->letter)
			continue;
		*shorts++ = o->letter;
		if (o->value)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static int refuse_option(const struct cli_command *command, int found, char **argv)
{
	const char *written = argv[optind - 1];
	char remedy[256];

	if (found == ':') {
		snprintf(remedy, sizeof remedy, "see prism help %s", command->name);
		cli_error(CLI_USAGE, NULL, remedy, "%s needs a value", written);
		return -1;
	}
	struct suggest suggest = {.word = strncmp(written, "--", 2) == 0 ? written + 2 : ""};
	for (uint32_t i = 0; i < command->option_count && suggest.word[0]; i++)
		suggest_offer(&suggest, command->options[i].name);
	if (suggest.best)
		snprintf(remedy, sizeof remedy, "did you mean --%s?", suggest.best);
	else
		snprintf(remedy, sizeof remedy, "see prism help %s", command->name);
	if (optopt && optopt < 256)
		cli_error(CLI_USAGE, NULL, remedy, "prism %s has no option -%c", command->name,
			  optopt);
	else
		cli_error(CLI_USAGE, NULL, remedy, "prism %s has no option %s", command->name,
			  written);
	return -1;
}

static uint32_t option_index(const struct cli_command *command, int found)
{
	if (found >= 256)
		return (uint32_t)found - 256;
	for (uint32_t i = 0; i < command->option_count; i++)
		if (command->options[i].letter == found)
			return i;
	abort(); // getopt only returns what build_tables put in
}

int cli_options(int argc, char **argv, const char *values[CLI_OPTIONS_MAX])
{
	const struct cli_command *command = cli_command_find(argv[0]);
	struct option longs[CLI_OPTIONS_MAX + 1] = {0};
	char shorts[2 * CLI_OPTIONS_MAX + 2];
	int found;

	memset(values, 0, CLI_OPTIONS_MAX * sizeof values[0]);
	build_tables(command, longs, shorts);
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			return refuse_option(command, found, argv);
		uint32_t i = option_index(command, found);
		values[i] = command->options[i].value ? optarg : "";
	}
	return optind;
}

bool cli_join(char **words, int count, char text[CLI_FILTER_BYTES])
{
	size_t at = 0;

	text[0] = '\0';
	for (int i = 0; i < count && at < CLI_FILTER_BYTES; i++)
		at += (size_t)snprintf(text + at, CLI_FILTER_BYTES - at, "%s%s", i ? " " : "",
				       words[i]);
	if (at < CLI_FILTER_BYTES)
		return true;
	cli_error(CLI_USAGE, NULL, "write it shorter: networks instead of hosts",
		  "the filter is longer than %d characters", CLI_FILTER_BYTES - 1);
	return false;
}
