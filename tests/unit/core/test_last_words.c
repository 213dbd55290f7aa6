// SPDX-License-Identifier: BSD-3-Clause
// What stands on stderr when an assertion fails while workers run.
#include "core/last_words.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <prismnet/prism.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/worker.h"

static struct trace trace;
static struct env env = {.trace = &trace};
static struct last_words words;

// All that a child says whose assertion fails.
static const char *what_a_failed_assertion_says(void)
{
	static char text[8192];
	int pipe_fd[2], status;
	size_t len = 0;
	ssize_t got;

	assert_int_equal(pipe(pipe_fd), 0);
	pid_t child = fork();

	if (child == 0) {
		signal(SIGABRT, SIG_DFL); // cmocka's handler is not what is tested
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		dup2(pipe_fd[1], STDERR_FILENO);
		ASSERT(1 + 1 == 3);
		_exit(0);
	}
	close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(pipe_fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	return text;
}

static int begin(void **state)
{
	memset(&trace, 0, sizeof(trace));
	last_words_add(&words, "hello", &trace);
	assert_set_hook(last_words_say);
	return 0;
}

static int end(void **state)
{
	last_words_remove(&words);
	return 0;
}

static void events_are_told_in_words(void **state)
{
	env.now_ns = 12000000034;
	trace_add(&env, EVENT_TCP_RETRANSMIT, 7, UINT64_MAX, 1460);
	trace_add(&env, EVENT_TCP_CLOSED, TRACE_NO_SUBJECT, 3, 0);
	const char *text = what_a_failed_assertion_says();

	assert_int_equal(strncmp(text, "prism: bug: ", 12), 0);
	assert_non_null(strstr(text, "\nprism: last events of hello:\n"
				     "  12.000000034 TCP_RETRANSMIT of 7: retransmitted 1460 bytes "
				     "from offset 18446744073709551615\n"
				     "  12.000000034 TCP_CLOSED: connection ended, reason 3\n"));
}

static void only_the_last_ones_are_told(void **state)
{
	char last[64];

	for (uint32_t i = 0; i < TRACE_RECORDS + 5; i++)
		trace_add(&env, EVENT_TCP_CLOSED, i, 0, 0);
	const char *text = what_a_failed_assertion_says();
	int lines = 0;

	for (const char *at = text; (at = strstr(at, "TCP_CLOSED")); at++)
		lines++;
	snprintf(last, sizeof(last), "of %d:", TRACE_RECORDS + 4);
	assert_int_equal(lines, 16);
	assert_non_null(strstr(text, last));
}

static void a_record_that_makes_no_sense_is_no_second_bug(void **state)
{
	trace_add(&env, EVENT_TCP_CLOSED, 0, 0, 0);
	trace.record[0].event = 0xdeadbeef;
	assert_non_null(
		strstr(what_a_failed_assertion_says(), "no event has the number 3735928559"));
}

static void a_worker_that_ended_says_nothing(void **state)
{
	last_words_remove(&words);
	last_words_remove(&words);
	assert_null(strstr(what_a_failed_assertion_says(), "last events"));
}

static void a_stack_that_is_open_has_last_words(void **state)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.instance = "opened";
	o.no_shared_memory = true;
	o.connections_max = 64;
	o.buffers = 1024;
	o.region_mib = 1;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = "pair:last-words";
	assert_set_hook(NULL);
	struct prism *prism = prism_open(&o);

	if (!prism && err_last()->id == ERR_EAL_ONCE)
		return; // on DPDK's pools the test itself has the one EAL
	assert_non_null(prism);
	trace_add(&prism_worker_get(prism, 0)->env, EVENT_TCP_CLOSED, 1, 2, 3);
	const char *text = what_a_failed_assertion_says();

	assert_non_null(strstr(text, "prism: last events of opened:\n"));
	assert_non_null(strstr(text, " TCP_CLOSED of 1: connection ended, reason 2\n"));
	prism_close(prism);
	assert_null(strstr(what_a_failed_assertion_says(), "opened"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_told_in_words),
		TEST(only_the_last_ones_are_told),
		TEST(a_record_that_makes_no_sense_is_no_second_bug),
		TEST(a_worker_that_ended_says_nothing),
		TEST(a_stack_that_is_open_has_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
