// SPDX-License-Identifier: BSD-3-Clause
// What requests are answered, without a socket: numbers, orders and their refusals, and that nobody
// changes anything who may only look.
#include "control/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "observe/shm.h"
#include "sync/cell.h"

static char folder[] = "/tmp/prism-answer-XXXXXX";

// What an instance would do: 0, or why not.
struct asked {
	char word[16];
	char path[32], query[32];
	int answer;
};

static int note_word(void *context, const char *word)
{
	struct asked *asked = context;

	snprintf(asked->word, sizeof asked->word, "%s", word);
	if (asked->answer == -EINVAL)
		err_set(ERR_INVALID_ARGUMENT, "there is one worker");
	return asked->answer;
}

static char *make(void *context, const char *path, const char *query, bool *bad)
{
	struct asked *asked = context;

	if (strcmp(path, "/v1/thing") != 0)
		return NULL;
	snprintf(asked->path, sizeof asked->path, "%s", path);
	snprintf(asked->query, sizeof asked->query, "%s", query);
	*bad = asked->answer != 0;
	if (*bad)
		err_set(ERR_INVALID_ARGUMENT, "no such thing");
	return *bad ? NULL : strdup("{\"made\": 1}");
}

static char *show(struct shm_reader *reader, const char *path, const char *query, bool *bad)
{
	char *text = NULL;

	if (strcmp(path, "/v1/thing") != 0)
		return NULL;
	return asprintf(&text, "{\"query\": \"%s\"}", query) < 0 ? NULL : text;
}

struct bench {
	struct shm *shm;
	struct asked asked;
	struct answerer answerer;
	struct answer answer; // the latest
};

static int set_up(void **state)
{
	static struct bench bench;
	struct shm_config config = {.instance = "asked", .run_dir = folder, .worker_count = 2};

	memset(&bench, 0, sizeof bench);
	bench.shm = shm_create(&config);
	if (!bench.shm)
		return -1;
	bench.answerer = (struct answerer){
		.reader = shm_reader_open(shm_path(bench.shm)),
		.orders = {.rebalance = note_word,
			   .recorder = note_word,
			   .context = &bench.asked,
			   .show = show,
			   .make = make},
	};
	*state = &bench;
	return bench.answerer.reader ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	free(b->answer.body);
	shm_reader_close(b->answerer.reader);
	shm_destroy(b->shm);
	return 0;
}

static uint32_t ask_as(struct bench *b, const char *method, const char *target, bool may_change)
{
	const struct request request = {
		.method = method, .target = target, .may_change = may_change};

	b->asked = (struct asked){.answer = b->asked.answer};
	free(b->answer.body);
	answer_request(&b->answerer, &request, &b->answer);
	assert_non_null(b->answer.body);
	assert_non_null(b->answer.type);
	return b->answer.status;
}

static uint32_t ask(struct bench *b, const char *method, const char *target)
{
	return ask_as(b, method, target, true);
}

static bool says(const struct bench *b, const char *text)
{
	return strstr(b->answer.body, text) != NULL;
}

static void numbers_are_shown_by_get_and_head(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask(b, "GET", "/v1/stats"), 200);
	assert_string_equal(b->answer.type, "application/json");
	assert_true(says(b, "\"instance\": \"asked\""));
	assert_int_equal(ask(b, "GET", "/v1/stats?x=1"), 200);
	assert_int_equal(ask(b, "HEAD", "/v1/ports"), 200);
	assert_string_equal(b->answer.body, "[]");
	assert_int_equal(ask(b, "GET", "/metrics"), 200);
	assert_non_null(strstr(b->answer.type, "version=0.0.4"));
	assert_true(says(b, "# TYPE "));
}

// Who asks is told at once: whether workers turn is looked for meanwhile.
static void a_worker_that_does_not_turn_is_told_as_stuck(void **state)
{
	struct bench *b = *state;

	shm_set_state(b->shm, SHM_RUNNING);
	answerer_watch(&b->answerer);
	assert_int_equal(ask(b, "GET", "/v1/stats"), 200);
	assert_true(says(b, "\"state\": \"running\""));
	b->answerer.moved_ns[1] = 1; // long ago
	assert_int_equal(ask(b, "GET", "/v1/stats"), 200);
	assert_true(says(b, "\"state\": \"stuck\""));
	assert_int_equal(ask(b, "GET", "/metrics"), 200);
	assert_true(says(b, "\nprism_up 0\n"));
	cell_set(&shm_worker(b->shm, 1)->heartbeat_ns, 5);
	assert_int_equal(ask(b, "GET", "/metrics"), 200);
	assert_true(says(b, "\nprism_up 1\n"));
}

static void other_requests_are_told_what_there_is(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask(b, "GET", "/"), 404);
	assert_true(says(b, "/v1/stats"));
	assert_int_equal(ask(b, "GET", "/metricsx"), 404);
	assert_int_equal(ask(b, "GET", ""), 404);
	assert_int_equal(ask(b, "POST", "/v1/stats"), 405);
	assert_string_equal(b->answer.allow, "GET, HEAD");
	assert_int_equal(ask(b, "OPTIONS", "*"), 405);
	b->answerer.orders = (struct answer_orders){0};
	assert_int_equal(ask(b, "POST", "/v1/rebalance/on"), 405); // nobody to ask
	assert_int_equal(ask(b, "GET", "/v1/thing"), 404);
}

static void the_rebalancer_is_asked_by_post_and_shown_by_get(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask(b, "POST", "/v1/rebalance/on"), 200);
	assert_string_equal(b->asked.word, "on");
	assert_true(says(b, "\"on\": false"));
	cell_set(&shm_control(b->shm)->rebalance, 1);
	cell_set(&shm_counters(b->shm, 1)->value[COUNTER_rebalance_conns], 7);
	assert_int_equal(ask(b, "GET", "/v1/rebalance"), 200);
	assert_string_equal(b->asked.word, "");
	assert_true(says(b, "\"on\": true") && says(b, "\"connections\": 7"));
	assert_int_equal(ask(b, "HEAD", "/v1/rebalance"), 200);
	assert_int_equal(ask(b, "DELETE", "/v1/rebalance"), 405);
	assert_string_equal(b->answer.allow, "GET, HEAD, POST");
	assert_string_equal(b->asked.word, "");
}

static void what_the_rebalancer_refuses_is_said(void **state)
{
	struct bench *b = *state;

	b->asked.answer = -EINVAL;
	assert_int_equal(ask(b, "POST", "/v1/rebalance/now"), 409);
	assert_true(says(b, "there is one worker"));
	b->asked.answer = -ENOENT;
	assert_int_equal(ask(b, "POST", "/v1/rebalance/sideways"), 404);
	assert_string_equal(b->asked.word, "sideways");
	assert_true(says(b, "/on, /off or /now"));
	assert_int_equal(ask(b, "POST", "/v1/rebalance/longer-than-a-word"), 404);
	assert_string_equal(b->asked.word, "");
}

static void the_recorder_takes_a_rate_by_post_and_tells_it_by_get(void **state)
{
	struct bench *b = *state;

	cell_set(&shm_control(b->shm)->sample_one_in, 64);
	cell_set(&shm_worker(b->shm, 0)->sample_one_in, 64);
	cell_set(&shm_samples(b->shm, 1)->written, 9);
	cell_set(&shm_verdicts(b->shm, 0)->written, 5);
	assert_int_equal(ask(b, "POST", "/v1/recorder/64?why=not"), 200);
	assert_string_equal(b->asked.word, "64");
	assert_true(says(b, "\"sample_one_in\": 64") && says(b, "\"samples\": 9") &&
		    says(b, "\"drops\": 5"));
	assert_true(says(b, "\"everywhere\": false")); // the second worker has not yet
	cell_set(&shm_worker(b->shm, 1)->sample_one_in, 64);
	assert_int_equal(ask(b, "GET", "/v1/recorder"), 200);
	assert_true(says(b, "\"everywhere\": true"));
	assert_string_equal(b->asked.word, "");
	assert_int_equal(ask(b, "GET", "/v1/recorder/5"), 404);
	assert_int_equal(ask(b, "POST", "/v1/recorderx"), 405);
	assert_string_equal(b->asked.word, "");
}

static void what_owners_show_and_make_has_path_and_query(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask(b, "GET", "/v1/thing?filter=tcp%20port%2080"), 200);
	assert_true(says(b, "{\"query\": \"filter=tcp%20port%2080\"}"));
	assert_int_equal(ask(b, "POST", "/v1/thing?a=1"), 200);
	assert_string_equal(b->asked.path, "/v1/thing");
	assert_string_equal(b->asked.query, "a=1");
	assert_true(says(b, "{\"made\": 1}"));
	b->asked.answer = -1;
	assert_int_equal(ask(b, "POST", "/v1/thing"), 400);
	assert_true(says(b, "no such thing"));
	assert_string_equal(b->asked.query, "");
	assert_int_equal(ask(b, "PUT", "/v1/thing"), 405);
}

static void who_may_only_look_changes_nothing(void **state)
{
	static const char *const targets[] = {"/v1/rebalance/on", "/v1/recorder/1", "/v1/thing",
					      "/v1/stats"};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		assert_int_equal(ask_as(b, "POST", targets[i], false), 401);
		assert_string_equal(b->asked.word, "");
		assert_string_equal(b->asked.path, "");
	}
	assert_int_equal(ask_as(b, "DELETE", "/v1/stats", false), 401);
	assert_int_equal(ask_as(b, "GET", "/v1/recorder", false), 200);
	assert_int_equal(ask_as(b, "HEAD", "/metrics", false), 200);
}

static int begin(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(numbers_are_shown_by_get_and_head),
		T(a_worker_that_does_not_turn_is_told_as_stuck),
		T(other_requests_are_told_what_there_is),
		T(the_rebalancer_is_asked_by_post_and_shown_by_get),
		T(what_the_rebalancer_refuses_is_said),
		T(the_recorder_takes_a_rate_by_post_and_tells_it_by_get),
		T(what_owners_show_and_make_has_path_and_query),
		T(who_may_only_look_changes_nothing),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
