// SPDX-License-Identifier: BSD-3-Clause
// Request targets and the paths they mean.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/http_path.h"

static const char *resolved(const char *target)
{
	static char out[512];
	size_t len = http_path_resolve(target, strlen(target), out);

	assert_true(len <= strlen(target) || strncmp(target, "http", 4) == 0);
	out[len] = 0;
	return out;
}

static void a_target_has_one_normal_form(void **state)
{
	static const char *const pairs[][2] = {
		{"/", "/"},
		{"/a", "/a"},
		{"/a/", "/a/"},
		{"//a///b", "/a/b"},
		{"/a/./b", "/a/b"},
		{"/a/b/../c", "/a/c"},
		{"/a/b/..", "/a/"},
		{"/a/.", "/a/"},
		{"/a/..", "/"},
		{"/.", "/"},
		{"/a.", "/a."},
		{"/a..", "/a.."},
		{"/...", "/..."},
		{"/a/.../b", "/a/.../b"},
		{"/.hidden", "/.hidden"},
		{"/a?x=/../..", "/a"},
		{"/a#f", "/a"},
		{"/%61%2Fb", "/a/b"},
		{"/a%20b", "/a b"},
		{"/%C3%A4", "/\xc3\xa4"},
		{"http://host:80/x", "/x"},
		{"HTTP://host", "/"},
		{"http://host?q", "/"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(resolved(pairs[i][0]), pairs[i][1]);
}

static void no_target_climbs_above_the_root(void **state)
{
	static const char *const wrong[] = {"/..",           "/../etc/passwd", "/a/../../b",
					    "/%2e%2e/x",     "/%2E%2E%2Fx",    "/.%2e/",
					    "/a/b/../../..", "http://h/..",    "//../x"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_string_equal(resolved(wrong[i]), "");
}

static void what_is_no_target_is_refused(void **state)
{
	static const char *const wrong[] = {"",        "*",         "a",     "ftp://h/x",
					    "http:/x", "/%",        "/%4",   "/%zz",
					    "/%00",    "/a%0d%0ab", "/\x7f", "host:80"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_string_equal(resolved(wrong[i]), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_has_one_normal_form),
		cmocka_unit_test(no_target_climbs_above_the_root),
		cmocka_unit_test(what_is_no_target_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
