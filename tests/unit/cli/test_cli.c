// SPDX-License-Identifier: BSD-3-Clause
// Options, exit codes and numbers for people.

#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/human.h"

static const char *values[CLI_OPTIONS_MAX];

// getopt permutes the array, never the texts.
static char **writable(const char **argv)
{
	return (char **)(uintptr_t)argv;
}

static void options_are_found_wherever_they_stand(void **state)
{
	const char *argv[] = {"run", "file.yaml", "-q", "--duration", "10s", NULL};
	int at = cli_options(5, writable(argv), values);

	assert_int_equal(at, 4);
	assert_string_equal(argv[at], "file.yaml");
	assert_string_equal(values[0], "10s");
	assert_string_equal(values[1], "");
}

static void absent_options_have_no_value(void **state)
{
	const char *argv[] = {"run", "file.yaml", NULL};

	assert_int_equal(cli_options(2, writable(argv), values), 1);
	assert_null(values[0]);
	assert_null(values[1]);
}

static void everything_behind_two_dashes_is_an_argument(void **state)
{
	const char *argv[] = {"run", "--", "--quiet", NULL};

	assert_int_equal(cli_options(3, writable(argv), values), 2);
	assert_null(values[1]);
}

static void unknown_and_unfinished_options_are_refused(void **state)
{
	const char *unknown[] = {"run", "--quite", NULL};
	const char *letter[] = {"run", "-z", NULL};
	const char *unfinished[] = {"run", "--duration", NULL};

	assert_int_equal(cli_options(2, writable(unknown), values), -1);
	assert_int_equal(cli_options(2, writable(letter), values), -1);
	assert_int_equal(cli_options(2, writable(unfinished), values), -1);
}

static void usage_errors_end_with_two(void **state)
{
	const char *check[] = {"check", NULL}, *config[] = {"config", "shema", NULL};
	const char *run[] = {"run", "--duration=10", "x.yaml", NULL};
	const char *missing[] = {"check", "/no/such/file.yaml", NULL};
	const char *shell[] = {"completion", "tcsh", NULL};

	assert_int_equal(cmd_check(1, writable(check)), CLI_USAGE);
	assert_int_equal(cmd_config(2, writable(config)), CLI_USAGE);
	assert_int_equal(cmd_run(3, writable(run)), CLI_USAGE); // 10 of what?
	assert_int_equal(cmd_check(2, writable(missing)), CLI_USAGE);
	assert_int_equal(cmd_completion(2, writable(shell)), CLI_USAGE);
}

static void no_color_is_obeyed(void **state)
{
	FILE *file = fopen("/dev/null", "w");

	assert_false(cli_color(file)); // not a terminal
	fclose(file);
	setenv("NO_COLOR", "1", 1);
	assert_false(cli_color(stdout));
	unsetenv("NO_COLOR");
}

static void expect_count(double value, const char *text)
{
	char found[HUMAN_BYTES];

	assert_string_equal(human_count(value, found), text);
}

static void counts_have_three_digits_and_a_prefix(void **state)
{
	expect_count(0, "0");
	expect_count(7, "7");
	expect_count(999, "999");
	expect_count(0.25, "0.25");
	expect_count(1000, "1.00 k");
	expect_count(1234, "1.23 k");
	expect_count(45678, "45.7 k");
	expect_count(999600, "1.00 M");
	expect_count(3.2e6, "3.20 M");
	expect_count(58.1e9, "58.1 G");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_found_wherever_they_stand),
		cmocka_unit_test(absent_options_have_no_value),
		cmocka_unit_test(everything_behind_two_dashes_is_an_argument),
		cmocka_unit_test(unknown_and_unfinished_options_are_refused),
		cmocka_unit_test(usage_errors_end_with_two),
		cmocka_unit_test(no_color_is_obeyed),
		cmocka_unit_test(counts_have_three_digits_and_a_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
