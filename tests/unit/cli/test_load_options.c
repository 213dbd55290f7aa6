// SPDX-License-Identifier: BSD-3-Clause
// The command line of prism load: what is no number, no target or no file is refused at once.

#include "cli/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "cli/cli.h"

static struct load_options options;
static struct prism_options stack;

// getopt permutes the array, never the texts.
static int read_with(const char *option, const char *value)
{
	const char *argv[] = {"load",   "http",      "http://198.18.0.2/", "--port",
			      "pair:a", "--address", "198.18.0.1/24",      option,
			      value,    NULL};

	memset(&options, 0, sizeof(options));
	return load_options_read(option ? 9 : 7, (char **)(uintptr_t)argv, &options, &stack);
}

static void refuses_each(const char *option, const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (read_with(option, values[i]) != CLI_USAGE)
			fail_msg("%s %s", option, values[i]);
}

static void without_options_it_stays_on_any_core_at_any_rate(void **state)
{
	assert_int_equal(read_with(NULL, NULL), CLI_OK);
	assert_int_equal(stack.core, -1);
	assert_true(options.rate_hz == 0);
}

static void a_rate_is_a_number_and_nothing_else(void **state)
{
	static const char *const wrong[] = {"5k", "nan", "inf", "0", "-1", "", "1e300", "x"};

	refuses_each("--rate", wrong, ARRAY_COUNT(wrong));
	assert_int_equal(read_with("--rate", "0.5"), CLI_OK);
	assert_true(options.rate_hz == 0.5);
}

static void a_core_is_a_whole_number(void **state)
{
	static const char *const wrong[] = {"abc", "1x", "-1", "", "4096"};

	refuses_each("--core", wrong, ARRAY_COUNT(wrong));
	assert_int_equal(read_with("--core", "0"), CLI_OK);
	assert_int_equal(stack.core, 0);
}

static void a_file_that_cannot_be_read_is_no_expectation(void **state)
{
	static const char *const wrong[] = {"/no/such/file", "/tmp", ""};

	refuses_each("--expect-file", wrong, ARRAY_COUNT(wrong));
	assert_int_equal(read_with("--expect-file", "/proc/self/exe"), CLI_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_it_stays_on_any_core_at_any_rate),
		cmocka_unit_test(a_rate_is_a_number_and_nothing_else),
		cmocka_unit_test(a_core_is_a_whole_number),
		cmocka_unit_test(a_file_that_cannot_be_read_is_no_expectation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
