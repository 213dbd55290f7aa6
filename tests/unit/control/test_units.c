// SPDX-License-Identifier: BSD-3-Clause
// Numbers with units: what is taken, what is refused and as what.

#include "control/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_time_needs_its_unit(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(units_time("40ms", &ns), UNITS_OK);
	assert_int_equal(ns, 40000000);
	assert_int_equal(units_time("2 min", &ns), UNITS_OK);
	assert_int_equal(ns, UINT64_C(120000000000));
	assert_int_equal(units_time("0", &ns), UNITS_OK);
	assert_int_equal(ns, 0);
	assert_int_equal(units_time("60", &ns), UNITS_MISSING);
	assert_int_equal(units_time("60 sec", &ns), UNITS_UNKNOWN);
	assert_int_equal(units_time("1.5s", &ns), UNITS_NOT_A_NUMBER);
	assert_int_equal(units_time("-1s", &ns), UNITS_NOT_A_NUMBER);
	assert_int_equal(units_time("", &ns), UNITS_NOT_A_NUMBER);
	assert_int_equal(units_time("5124096h", &ns), UNITS_TOO_LARGE); // 2^64 ns and a little
}

static void sizes_know_binary_and_decimal_prefixes(void **state)
{
	uint64_t bytes = 0;

	assert_int_equal(units_size("4MiB", &bytes), UNITS_OK);
	assert_int_equal(bytes, 4 << 20);
	assert_int_equal(units_size("4MB", &bytes), UNITS_OK);
	assert_int_equal(bytes, 4000000);
	assert_int_equal(units_size("7B", &bytes), UNITS_OK);
	assert_int_equal(bytes, 7);
	assert_int_equal(units_size("4M", &bytes), UNITS_UNKNOWN);
	assert_int_equal(units_size("4mib", &bytes), UNITS_UNKNOWN);
	assert_int_equal(units_size("99999999999GiB", &bytes), UNITS_TOO_LARGE);
}

static void what_is_written_reads_back(void **state)
{
	static const uint64_t values[] = {1,      999,     1000,      1024,          4096,
					  262144, 1000000, 600000000, 3600000000000, 12345678901};
	char text[UNITS_TEXT_BYTES];

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		uint64_t back = 0;

		assert_int_equal(units_time(units_time_format(values[i], text), &back), UNITS_OK);
		assert_int_equal(back, values[i]);
		assert_int_equal(units_size(units_size_format(values[i], text), &back), UNITS_OK);
		assert_int_equal(back, values[i]);
	}
	assert_string_equal(units_time_format(60000000000, text), "60s");
	assert_string_equal(units_size_format(4 << 20, text), "4MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_needs_its_unit),
		cmocka_unit_test(sizes_know_binary_and_decimal_prefixes),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
