// SPDX-License-Identifier: BSD-3-Clause
// prism explain knows everything that has a name.

#include "cli/explain.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <prismnet/types.h>
#include <cmocka.h>

#include "base/err.h"
#include "cli/cli.h"
#include "observe/counter.h"
#include "observe/trace.h"

static bool known(const char *kind, const char *name)
{
	struct explanation e;

	for (uint32_t n = 0; explain_at(n, &e); n++)
		if (strcmp(e.name, name) == 0 && strcmp(e.kind, kind) == 0)
			return true;
	return false;
}

static void every_name_of_every_list_is_known(void **state)
{
	for (int i = DROP_OK + 1; i < DROP_COUNT; i++)
		assert_true(known("drop reason", drop_infos[i].name));
	for (int i = ERR_NONE + 1; i < ERR_COUNT; i++)
		assert_true(known("error", err_infos[i].name));
	for (int i = 0; i < COUNTER_COUNT; i++)
		assert_true(known(counter_infos[i].kind, counter_infos[i].name));
	for (int i = EVENT_NONE + 1; i < EVENT_COUNT; i++)
		assert_true(known("trace event", event_infos[i].name));
	assert_true(known("close reason", "DONE"));
	assert_true(known("close reason", "SHUTDOWN"));
	assert_true(known("gauge", "unaccounted"));
}

static void every_explanation_says_something(void **state)
{
	struct explanation e;
	uint32_t closes = 0;

	for (uint32_t n = 0; explain_at(n, &e); n++) {
		assert_non_null(e.name);
		assert_true(strlen(e.sentence) > 5);
		assert_false(e.sentence[strlen(e.sentence) - 1] == '.');
		closes += strcmp(e.kind, "close reason") == 0;
		if (strcmp(e.kind, "error") == 0 || strcmp(e.kind, "drop reason") == 0) {
			assert_true(strlen(e.cause) > 3);
			assert_true(strlen(e.remedy) > 3); // some say: none
		}
	}
	assert_int_equal(closes, PRISM_CLOSE_USER_TIMEOUT); // all but NONE
}

static void case_and_prefix_do_not_matter(void **state)
{
	char written[80] = "";

	for (size_t i = 0; drop_infos[1].name[i]; i++)
		written[i] = (char)tolower((unsigned char)drop_infos[1].name[i]);
	assert_true(explain_print(written) >= 1);
	snprintf(written, sizeof written, "drop.%s", drop_infos[1].name);
	assert_true(explain_print(written) >= 1);
	snprintf(written, sizeof written, "DROP_%s", drop_infos[1].name);
	assert_true(explain_print(written) >= 1);
	assert_int_equal(explain_print("no such name"), 0);
}

// getopt permutes the array, never the texts.
static char **writable(const char **argv)
{
	return (char **)(uintptr_t)argv;
}

static void an_unknown_name_fails(void **state)
{
	const char *argv[] = {"explain", "rx_pkt", NULL};

	assert_int_equal(cmd_explain(2, writable(argv)), CLI_FAILED);
	argv[1] = "RX_PKTS";
	assert_int_equal(cmd_explain(2, writable(argv)), CLI_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_every_list_is_known),
		cmocka_unit_test(every_explanation_says_something),
		cmocka_unit_test(case_and_prefix_do_not_matter),
		cmocka_unit_test(an_unknown_name_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
