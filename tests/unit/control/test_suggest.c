// SPDX-License-Identifier: BSD-3-Clause
// "Did you mean".

#include "control/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void one_slip_is_one(void **state)
{
	assert_int_equal(suggest_distance("port", "port"), 0);
	assert_int_equal(suggest_distance("PORT", "port"), 0);
	assert_int_equal(suggest_distance("prot", "port"), 1); // a swap
	assert_int_equal(suggest_distance("por", "port"), 1);
	assert_int_equal(suggest_distance("poort", "port"), 1);
	assert_int_equal(suggest_distance("part", "port"), 1);
	assert_int_equal(suggest_distance("", "port"), 4);
	assert_int_equal(suggest_distance("port", ""), 4);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
}

static const char *meant(const char *word)
{
	static const char *const known[] = {"ports", "routes", "services", "tcp", "addresses"};
	struct suggest suggest = {.word = word};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		suggest_offer(&suggest, known[i]);
	return suggest.best ? suggest.best : "";
}

static void the_closest_word_is_meant(void **state)
{
	assert_string_equal(meant("port"), "ports");
	assert_string_equal(meant("adresses"), "addresses");
	assert_string_equal(meant("adreses"), "addresses"); // two slips in seven letters
	assert_string_equal(meant("Routes"), "routes");
	assert_string_equal(meant("serv"), "services"); // an abbreviation
}

static void a_far_word_means_nothing(void **state)
{
	assert_string_equal(meant("colour"), "");
	assert_string_equal(meant("porky"), ""); // two slips in five letters
	assert_string_equal(meant("x"), "");
}

static void a_very_long_word_is_cut_not_overrun(void **state)
{
	char word[1000];

	memset(word, 'a', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	assert_int_equal(suggest_distance(word, word), 0);
	assert_int_equal(suggest_distance(word, "b"), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_slip_is_one),
		cmocka_unit_test(the_closest_word_is_meant),
		cmocka_unit_test(a_far_word_means_nothing),
		cmocka_unit_test(a_very_long_word_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
