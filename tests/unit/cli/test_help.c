// SPDX-License-Identifier: BSD-3-Clause
// What is made from the table of subcommands: complete, and readable by those it is for.

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

static void bash(FILE *out)
{
	assert_true(help_print_completion("bash", out));
}

static void zsh(FILE *out)
{
	assert_true(help_print_completion("zsh", out));
}

static void fish(FILE *out)
{
	assert_true(help_print_completion("fish", out));
}

static void expect_everything(const char *text)
{
	for (uint32_t c = 0; c < cli_command_count; c++) {
		assert_non_null(strstr(text, cli_commands[c].name));
		for (uint32_t o = 0; o < cli_commands[c].option_count; o++)
			assert_non_null(strstr(text, cli_commands[c].options[o].name));
	}
}

static void every_command_and_option_is_everywhere(void **state)
{
	void (*const prints[])(FILE *) = {help_print_manual, bash, zsh, fish};

	for (size_t p = 0; p < sizeof prints / sizeof prints[0]; p++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		prints[p](out);
		fclose(out);
		expect_everything(text);
		free(text);
	}
}

static void the_table_is_sound(void **state)
{
	for (uint32_t c = 0; c < cli_command_count; c++) {
		const struct cli_command *command = &cli_commands[c];

		assert_non_null(command->run);
		assert_ptr_equal(cli_command_find(command->name), command);
		assert_true(command->option_count <= CLI_OPTIONS_MAX);
		for (uint32_t o = 1; o < command->option_count; o++)
			for (uint32_t p = 0; p < o; p++) {
				const struct cli_option *a = &command->options[o];
				const struct cli_option *b = &command->options[p];

				assert_string_not_equal(a->name, b->name);
				assert_true(!a->letter || a->letter != b->letter);
			}
	}
	assert_null(cli_command_find("nothing"));
}

static void pipe_into(const char *program, void (*print)(FILE *out))
{
	FILE *out = popen(program, "w");

	assert_non_null(out);
	print(out);
	assert_int_equal(pclose(out), 0);
}

static void bash_reads_its_completion(void **state)
{
	pipe_into("bash -n", bash);
}

static void zsh_reads_its_completion(void **state)
{
	if (system("command -v zsh >/dev/null") != 0)
		skip();
	pipe_into("zsh -n /dev/stdin", zsh);
}

static void fish_reads_its_completion(void **state)
{
	if (system("command -v fish >/dev/null") != 0)
		skip();
	pipe_into("fish -n /dev/stdin", fish);
}

static void scdoc_reads_the_manual(void **state)
{
	if (system("command -v scdoc >/dev/null") != 0)
		skip();
	pipe_into("scdoc >/dev/null", help_print_manual);
}

static void bash_completes_a_command_and_its_options(void **state)
{
	static const char script[] =
		"COMP_WORDS=(prism ch); COMP_CWORD=1; _prism; echo \"${COMPREPLY[*]}\"\n"
		"COMP_WORDS=(prism run --q); COMP_CWORD=2; _prism; echo \"${COMPREPLY[*]}\"\n";
	char path[] = "/tmp/prism-completion-XXXXXX", command[128], line[64];
	FILE *file = fdopen(mkstemp(path), "w");

	bash(file);
	fputs(script, file);
	fclose(file);
	snprintf(command, sizeof command, "bash %s 2>&1", path);
	FILE *in = popen(command, "r");
	assert_string_equal(fgets(line, sizeof line, in), "check\n");
	assert_string_equal(fgets(line, sizeof line, in), "--quiet\n");
	pclose(in);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_and_option_is_everywhere),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(bash_reads_its_completion),
		cmocka_unit_test(zsh_reads_its_completion),
		cmocka_unit_test(fish_reads_its_completion),
		cmocka_unit_test(scdoc_reads_the_manual),
		cmocka_unit_test(bash_completes_a_command_and_its_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
