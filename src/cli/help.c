// SPDX-License-Identifier: BSD-3-Clause
// What is made from the table of subcommands: help, the manual page (scdoc source), completion
// for bash, zsh and fish. Called by main.c for prism help and prism completion, and so by the build
// for what is installed. Nothing here knows a command by name.

#include <string.h>

#include "cli/cli.h"

static const char about[] = "kernel bypass that anyone can use";

static void print_wrapped(const char *text, int indent, FILE *out)
{
	const int columns = 79;
	int at = fprintf(out, "%*s", indent, "");

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > columns)
			at = fprintf(out, "\n%*s", indent, "") - 1;
		else if (at > indent)
			at += fprintf(out, " ");
		at += fprintf(out, "%.*s", len, text);
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

void help_print(FILE *out)
{
	fprintf(out, "prism: %s\n\nusage: prism COMMAND [OPTION...] [ARGUMENT...]\n\n", about);
	for (uint32_t i = 0; i < cli_command_count; i++)
		fprintf(out, "  %-11s %s\n", cli_commands[i].name, cli_commands[i].sentence);
	fputs("\nprism help COMMAND says more. Begin with:\n"
	      "  prism run examples/hello.yaml\n",
	      out);
}

static void option_text(const struct cli_option *o, char text[64])
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof letter, "-%c, ", o->letter);
	snprintf(text, 64, "%s--%s%s%s", letter, o->name, o->value ? "=" : "",
		 o->value ? o->value : "");
}

void help_print_command(const struct cli_command *c, FILE *out)
{
	fprintf(out, "usage: prism %s%s%s%s\n\n", c->name, c->option_count ? " [OPTION...]" : "",
		c->arguments[0] ? " " : "", c->arguments);
	print_wrapped(c->sentence, 2, out);
	if (c->more) {
		fputc('\n', out);
		print_wrapped(c->more, 2, out);
	}
	if (c->option_count)
		fputc('\n', out);
	for (uint32_t i = 0; i < c->option_count; i++) {
		char text[64];

		option_text(&c->options[i], text);
		fprintf(out, "  %-22s %s\n", text, c->options[i].sentence);
	}
}

// scdoc(5): _ and * mark, \ protects.
static void print_scdoc(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (strchr("_*\\[]<>#~", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_manual_command(const struct cli_command *c, FILE *out)
{
	fprintf(out, "*prism %s* ", c->name);
	print_scdoc(c->option_count ? "[OPTION...] " : "", out);
	print_scdoc(c->arguments, out);
	fputs("\n\t", out);
	print_scdoc(c->sentence, out);
	fputs(".", out);
	if (c->more) {
		fputs(" ", out);
		print_scdoc(c->more, out);
	}
	fputs("\n\n", out);
	for (uint32_t i = 0; i < c->option_count; i++) {
		const struct cli_option *o = &c->options[i];

		fputs("\t", out);
		if (o->letter)
			fprintf(out, "*-%c*, ", o->letter);
		fprintf(out, "*--%s*%s%s: ", o->name, o->value ? "=" : "",
			o->value ? o->value : "");
		print_scdoc(o->sentence, out);
		fputs("\n\n", out);
	}
}

void help_print_manual(FILE *out)
{
	fprintf(out,
		"prism(1)\n\n# NAME\n\nprism - %s\n\n# SYNOPSIS\n\n*prism* _COMMAND_ "
		"\\[OPTION...\\] \\[ARGUMENT...\\]\n\n# COMMANDS\n\n",
		about);
	for (uint32_t i = 0; i < cli_command_count; i++)
		print_manual_command(&cli_commands[i], out);
	fputs("# EXIT STATUS\n\n"
	      "*0*\n\tdone\n\n*1*\n\tit was tried and did not work\n\n"
	      "*2*\n\tthe command line or the configuration is wrong\n\n"
	      "*3*\n\tthis machine, as it is, cannot do it; *prism doctor* says why\n\n"
	      "# ENVIRONMENT\n\n"
	      "*NO_COLOR*\n\tset to anything: no colour\n\n"
	      "*XDG_RUNTIME_DIR*\n\twhere shared memory of instances without root lies\n\n"
	      "# SEE ALSO\n\n*prism.yaml*(5), *prismnet*(7)\n",
	      out);
}

static void print_words(const struct cli_command *c, FILE *out)
{
	if (c->words && strcmp(c->words, "FILE") != 0)
		fprintf(out, "%s ", c->words);
	for (uint32_t i = 0; i < c->option_count; i++)
		fprintf(out, "--%s ", c->options[i].name);
}

static void print_bash(FILE *out)
{
	fputs("# bash completion for prism; made by: prism completion bash\n"
	      "_prism()\n{\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} words\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\twords='",
	      out);
	for (uint32_t i = 0; i < cli_command_count; i++)
		fprintf(out, "%s%s", i ? " " : "", cli_commands[i].name);
	fputs("'\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n", out);
	for (uint32_t i = 0; i < cli_command_count; i++) {
		if (cli_commands[i].run == cmd_explain)
			continue; // its words are asked for when they are needed
		fprintf(out, "\t\t%s) words='", cli_commands[i].name);
		print_words(&cli_commands[i], out);
		fputs("--help' ;;\n", out);
	}
	fputs("\t\texplain) words=\"$(prism explain --list 2>/dev/null) --list --help\" ;;\n"
	      "\t\tesac\n\tfi\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\n"
	      "complete -o bashdefault -o default -F _prism prism\n",
	      out);
}

// Single quotes inside zsh's and fish's single quotes.
static void print_quoted(const char *text, FILE *out)
{
	for (; *text; text++)
		fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, out);
}

static void print_zsh(FILE *out)
{
	fputs("#compdef prism\n# made by: prism completion zsh\n"
	      "_prism() {\n\tlocal -a commands\n\tcommands=(\n",
	      out);
	for (uint32_t i = 0; i < cli_command_count; i++) {
		fprintf(out, "\t\t'%s:", cli_commands[i].name);
		print_quoted(cli_commands[i].sentence, out);
		fputs("'\n", out);
	}
	fputs("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n"
	      "\tfi\n\tcase $words[2] in\n",
	      out);
	for (uint32_t i = 0; i < cli_command_count; i++) {
		fprintf(out, "\t%s) compadd -- ", cli_commands[i].name);
		print_words(&cli_commands[i], out);
		fputs("--help ;;\n", out);
	}
	fputs("\tesac\n\t_files\n}\ncompdef _prism prism\n", out);
}

static void print_fish(FILE *out)
{
	fputs("# fish completion for prism; made by: prism completion fish\n", out);
	for (uint32_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		fprintf(out, "complete -c prism -n __fish_use_subcommand -f -a %s -d '", c->name);
		print_quoted(c->sentence, out);
		fputs("'\n", out);
		if (c->words && strcmp(c->words, "FILE") != 0)
			fprintf(out,
				"complete -c prism -n '__fish_seen_subcommand_from %s' -f -a "
				"'%s'\n",
				c->name, c->words);
		for (uint32_t o = 0; o < c->option_count; o++) {
			fprintf(out,
				"complete -c prism -n '__fish_seen_subcommand_from %s' -l %s%s"
				" -d '",
				c->name, c->options[o].name, c->options[o].value ? " -r" : "");
			print_quoted(c->options[o].sentence, out);
			fputs("'\n", out);
		}
	}
}

bool help_print_completion(const char *shell, FILE *out)
{
	if (strcmp(shell, "bash") == 0)
		print_bash(out);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(out);
	else if (strcmp(shell, "fish") == 0)
		print_fish(out);
	else
		return false;
	return true;
}

int cmd_help(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	if (values[0]) {
		help_print_manual(stdout);
		return CLI_OK;
	}
	if (at == argc) {
		help_print(stdout);
		return CLI_OK;
	}
	const struct cli_command *command = cli_command_find(argv[at]);
	if (!command)
		return cli_error(CLI_USAGE, NULL, "prism help lists them",
				 "there is no command `%s`", argv[at]);
	help_print_command(command, stdout);
	return CLI_OK;
}

int cmd_completion(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	if (at + 1 != argc || !help_print_completion(argv[at], stdout))
		return cli_error(CLI_USAGE, NULL, "prism completion bash, zsh or fish",
				 "for which shell?");
	return CLI_OK;
}
