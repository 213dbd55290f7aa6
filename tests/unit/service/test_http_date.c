// SPDX-License-Identifier: BSD-3-Clause
// Dates of HTTP against the C library's calendar, and the three forms a recipient must read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "service/http_date.h"

static void a_date_is_written_as_the_library_writes_it(void **state)
{
	// A step that is no multiple of a day, across leap years, centuries and month ends.
	for (uint64_t s = 0; s < UINT64_C(253402300799); s += 6700417) {
		char ours[HTTP_DATE_BYTES], theirs[64];
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_write(ours, s);
		assert_memory_equal(ours, theirs, HTTP_DATE_BYTES);
	}
}

static void what_was_written_is_read_back(void **state)
{
	for (uint64_t s = 0; s < UINT64_C(253402300799); s += 9000011) {
		char text[HTTP_DATE_BYTES];
		uint64_t back = 1;

		http_date_write(text, s);
		assert_true(http_date_read(text, sizeof(text), &back));
		assert_int_equal(back, s);
	}
}

static uint64_t read_or_zero(const char *text)
{
	uint64_t s = 0;

	return http_date_read(text, strlen(text), &s) ? s : 0;
}

static void all_three_forms_mean_the_same_second(void **state)
{
	// RFC 9110 5.6.7's own examples.
	assert_int_equal(read_or_zero("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(read_or_zero("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
	assert_int_equal(read_or_zero("Sun Nov  6 08:49:37 1994"), 784111777);
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const wrong[] = {"",
					    "x",
					    "Sun",
					    "Sun,",
					    "Sun, 06 Nov 1994",
					    "Sun, 06 Nov 1994 08:49:37 CET",
					    "Sun, 06 Nov 1994 08:49:37 GMT ",
					    "Sun, 06 Nuv 1994 08:49:37 GMT",
					    "Sun, 00 Nov 1994 08:49:37 GMT",
					    "Sun, 32 Nov 1994 08:49:37 GMT",
					    "Sun, 06 Nov 1969 08:49:37 GMT",
					    "Sun, 06 Nov 1994 24:49:37 GMT",
					    "Sun, 06 Nov 1994 08:60:37 GMT",
					    "Sun Nov  6 08:49:37 199x",
					    "784111777"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(read_or_zero(wrong[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_date_is_written_as_the_library_writes_it),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(all_three_forms_mean_the_same_second),
		cmocka_unit_test(what_is_no_date_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
