// SPDX-License-Identifier: BSD-3-Clause
// Refusals: what is recorded, for whom, and that the list is complete.
#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void refusal_returns_its_errno_and_keeps_the_facts(void **state)
{
	assert_int_equal(err_set(ERR_NO_CREDIT, "connection %d, %u bytes", 7, 42u), -EAGAIN);
	assert_int_equal(err_last()->id, ERR_NO_CREDIT);
	assert_string_equal(err_last()->message, "connection 7, 42 bytes");
	err_clear();
	assert_int_equal(err_last()->id, ERR_NONE);
	assert_string_equal(err_last()->message, "");
}

static void long_facts_are_cut_and_terminated(void **state)
{
	char text[2 * ERR_TEXT_BYTES];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(ERR_INVALID_ARGUMENT, "%s", text);
	assert_int_equal(strlen(err_last()->message), ERR_TEXT_BYTES - 1);
}

static void *look(void *seen)
{
	*(enum err *)seen = err_last()->id;
	return NULL;
}

static void another_thread_does_not_see_it(void **state)
{
	enum err seen = ERR_NO_CREDIT;
	pthread_t thread;

	err_set(ERR_INVALID_ARGUMENT, "mine");
	assert_int_equal(pthread_create(&thread, NULL, look, &seen), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(seen, ERR_NONE);
}

static void every_error_has_a_name_a_number_and_words(void **state)
{
	for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
		assert_non_null(err_infos[i].name);
		assert_true(err_infos[i].number > 0);
		assert_true(strlen(err_infos[i].sentence) > 0);
		assert_true(strlen(err_infos[i].cause) > 0);
		assert_true(strlen(err_infos[i].remedy) > 0);
		for (int k = ERR_NONE; k < i; k++)
			assert_string_not_equal(err_infos[i].name, err_infos[k].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_returns_its_errno_and_keeps_the_facts),
		cmocka_unit_test(long_facts_are_cut_and_terminated),
		cmocka_unit_test(another_thread_does_not_see_it),
		cmocka_unit_test(every_error_has_a_name_a_number_and_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
