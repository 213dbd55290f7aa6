// SPDX-License-Identifier: BSD-3-Clause
// The prism command: one table of subcommands from which help, the manual page and the shells'
// completions are made, and what the subcommands share.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,      // it was tried and did not work
	CLI_USAGE = 2,       // the command line or the configuration is wrong
	CLI_ENVIRONMENT = 3, // this machine, as it is, cannot do it
	CLI_FOUND = 4,       // prism why: something was dropped
};

#define CLI_OPTIONS_MAX 32

struct cli_option {
	const char *name;  // "duration"
	char letter;       // 'd', or 0
	const char *value; // "TIME", or NULL for a flag
	const char *sentence;
};

struct cli_command {
	const char *name;
	const char *arguments; // "FILE", "NAME...", ""
	const char *words;     // what completes the first argument, a space between: "schema init
			       // show"; "FILE" for files, NULL for nothing
	const char *sentence;  // one line, in lists
	const char *more;      // the rest, for help and the manual page
	const struct cli_option *options;
	uint32_t option_count;
	int (*run)(int argc, char **argv); // argv[0] is the subcommand; returns enum cli_exit
};

extern const struct cli_command cli_commands[];
extern const uint32_t cli_command_count;

const struct cli_command *cli_command_find(const char *name);

// Reads argv by the options of the command called argv[0]: values[i] is the i-th option's value,
// "" for a flag that was given, NULL when absent. Returns the index of the first argument, or -1
// after it said what is wrong.
int cli_options(int argc, char **argv, const char *values[CLI_OPTIONS_MAX]);

// "prism: message", the cause and the remedy, to stderr; NULL leaves one out. Returns code.
int cli_error(enum cli_exit code, const char *cause, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

// The same from prism_last_error().
int cli_last_error(enum cli_exit code);

// Colour and redrawing: a terminal, and neither NO_COLOR nor TERM=dumb.
bool cli_color(FILE *out);

// A time as option value ("10s"); false after it said what is wrong.
bool cli_time(const char *option, const char *text, uint64_t *value_ns);

// The words of the command line with a space between: filters are written as tcpdump takes them.
// False after it said that they are too many.
#define CLI_FILTER_BYTES 16384
bool cli_join(char **words, int count, char text[CLI_FILTER_BYTES]);

// What is made from the table (cli/help.c).
void help_print(FILE *out);
void help_print_command(const struct cli_command *command, FILE *out);
void help_print_manual(FILE *out); // scdoc(5)
bool help_print_completion(const char *shell, FILE *out);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_conns(int argc, char **argv);
int cmd_drops(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_rebalance(int argc, char **argv);
int cmd_recorder(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_extcap(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);
