// SPDX-License-Identifier: BSD-3-Clause
// What a failed assertion leaves behind: its line on stderr, the hook called once, SIGABRT.
#include "base/assert.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void say_hook(void)
{
	if (write(STDERR_FILENO, "hook\n", 5) != 5)
		_exit(9);
}

static void failing_hook(void)
{
	say_hook();
	ASSERT(!"hook failed too");
}

static int fail_an_assertion(void (*hook)(void), char *text, size_t size)
{
	int pipe_fd[2], status;
	size_t len = 0;
	ssize_t got;

	assert_int_equal(pipe(pipe_fd), 0);
	pid_t child = fork();

	if (child == 0) {
		signal(SIGABRT, SIG_DFL); // cmocka's handler is not what is tested
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		dup2(pipe_fd[1], STDERR_FILENO);
		assert_set_hook(hook);
		ASSERT(1 + 1 == 3);
		_exit(0);
	}
	close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], text + len, size - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(pipe_fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void it_names_place_and_condition_and_aborts(void **state)
{
	char text[512];
	int status = fail_an_assertion(NULL, text, sizeof(text));

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "test_assert.c:"));
	assert_non_null(strstr(text, ": assertion failed: 1 + 1 == 3\n"));
	assert_int_equal(strncmp(text, "prism: bug: ", 12), 0);
}

static void hook_is_called_once_even_when_it_fails_itself(void **state)
{
	char text[512];
	int status = fail_an_assertion(failing_hook, text, sizeof(text));
	char *first = strstr(text, "hook\n");

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(first);
	assert_null(strstr(first + 1, "hook\n"));
	assert_non_null(strstr(text, "hook failed too"));
}

static void a_true_assertion_evaluates_once_and_goes_on(void **state)
{
	int calls = 0;

	ASSERT(++calls == 1);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_names_place_and_condition_and_aborts),
		cmocka_unit_test(hook_is_called_once_even_when_it_fails_itself),
		cmocka_unit_test(a_true_assertion_evaluates_once_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
