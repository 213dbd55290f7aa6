// SPDX-License-Identifier: BSD-3-Clause
// The control socket: who may have it, what it answers.

#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "observe/shm.h"
#include "sync/cell.h"

static char folder[] = "/tmp/prism-server-XXXXXX";
static char path[64];

static int connect_to_it(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static void the_socket_is_for_owner_and_group(void **state)
{
	struct server server;
	struct stat st;

	assert_int_equal(server_open(&server, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	server_close(&server);
	assert_int_equal(stat(path, &st), -1); // nothing stays behind
}

static void a_living_socket_is_refused_by_name(void **state)
{
	struct server first, second;

	assert_int_equal(server_open(&first, path), 0);
	assert_int_equal(server_open(&second, path), -EADDRINUSE);
	assert_int_equal(err_last()->id, ERR_CONTROL_SOCKET_TAKEN);
	server_close(&second); // which must not take the first one's away
	int fd = connect_to_it();
	assert_true(fd >= 0);
	close(fd);
	server_close(&first);
}

static void a_dead_socket_is_replaced(void **state)
{
	struct server dead, server;

	assert_int_equal(server_open(&dead, path), 0);
	close(dead.fd); // as if its process had died
	assert_int_equal(server_open(&server, path), 0);
	int fd = connect_to_it();
	assert_true(fd >= 0);
	close(fd);
	server_close(&server);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct server server;
	struct stat st;

	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_true(server_open(&server, path) < 0);
	assert_int_equal(err_last()->id, ERR_CONTROL_SOCKET_FAILED);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
}

static void a_missing_folder_is_said(void **state)
{
	struct server server;

	assert_true(server_open(&server, "/no/such/folder/c.sock") < 0);
	assert_non_null(strstr(err_last()->message, "No such file or directory"));
}

static void expect_status(const char *request, const char *status)
{
	struct server server = {.fd = -1};
	char *text = server_answer(&server, request);

	assert_int_equal(strncmp(text, status, strlen(status)), 0);
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
	free(text);
}

static void other_requests_are_told_what_there_is(void **state)
{
	expect_status("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	expect_status("GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	expect_status("POST /v1/stats HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ");
	expect_status("nonsense\r\n\r\n", "HTTP/1.1 400 ");
}

// What an instance would do: 0, or why not.
struct asked {
	char word[8];
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

static void the_rebalancer_is_asked_by_post_and_shown_by_get(void **state)
{
	struct shm_config config = {.instance = "asked", .run_dir = folder, .worker_count = 2};
	struct shm *shm = shm_create(&config);
	struct asked asked = {0};
	struct server server = {.fd = -1, .requests = {.rebalance = note_word, .context = &asked}};
	char *text;

	assert_non_null(shm);
	server.reader = shm_reader_open(shm_path(shm));
	text = server_answer(&server, "POST /v1/rebalance/on HTTP/1.1\r\n\r\n");
	assert_string_equal(asked.word, "on");
	assert_non_null(strstr(text, "HTTP/1.1 200 "));
	assert_non_null(strstr(text, "\"on\": false"));
	free(text);
	asked.word[0] = '\0';
	cell_set(&shm_control(shm)->rebalance, 1);
	cell_set(&shm_counters(shm, 1)->value[COUNTER_rebalance_conns], 7);
	text = server_answer(&server, "GET /v1/rebalance HTTP/1.1\r\n\r\n");
	assert_string_equal(asked.word, "");
	assert_non_null(strstr(text, "\"on\": true"));
	assert_non_null(strstr(text, "\"connections\": 7"));
	free(text);
	text = server_answer(&server, "HEAD /v1/rebalance HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 200 "));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	free(text);
	text = server_answer(&server, "DELETE /v1/rebalance HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 405 "));
	assert_non_null(strstr(text, "Allow: GET, HEAD, POST\r\n"));
	assert_string_equal(asked.word, "");
	free(text);
	shm_reader_close(server.reader);
	shm_destroy(shm);
}

static void what_the_rebalancer_refuses_is_said(void **state)
{
	struct asked asked = {.answer = -EINVAL};
	struct server server = {.fd = -1, .requests = {.rebalance = note_word, .context = &asked}};
	char *text = server_answer(&server, "POST /v1/rebalance/now HTTP/1.1\r\n\r\n");

	assert_non_null(strstr(text, "HTTP/1.1 409 "));
	assert_non_null(strstr(text, "there is one worker"));
	free(text);
	asked.answer = -ENOENT;
	text = server_answer(&server, "POST /v1/rebalance/sideways HTTP/1.1\r\n\r\n");
	assert_string_equal(asked.word, "sideway");
	assert_non_null(strstr(text, "HTTP/1.1 404 "));
	free(text);
	expect_status("POST /v1/rebalance/on HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "); // nobody to ask
}

static void the_recorder_takes_a_rate_by_post_and_tells_it_by_get(void **state)
{
	struct shm_config config = {.instance = "rate", .run_dir = folder, .worker_count = 2};
	struct shm *shm = shm_create(&config);
	struct asked asked = {0};
	struct server server = {.fd = -1, .requests = {.recorder = note_word, .context = &asked}};

	server.reader = shm_reader_open(shm_path(shm));
	cell_set(&shm_control(shm)->sample_one_in, 64);
	cell_set(&shm_worker(shm, 0)->sample_one_in, 64);
	cell_set(&shm_samples(shm, 1)->written, 9);
	cell_set(&shm_verdicts(shm, 0)->written, 5);
	char *text = server_answer(&server, "POST /v1/recorder/64 HTTP/1.1\r\n\r\n");

	assert_string_equal(asked.word, "64");
	assert_non_null(strstr(text, "\"sample_one_in\": 64"));
	assert_non_null(strstr(text, "\"samples\": 9"));
	assert_non_null(strstr(text, "\"drops\": 5"));
	assert_non_null(strstr(text, "\"everywhere\": false")); // the second worker has not yet
	free(text);
	cell_set(&shm_worker(shm, 1)->sample_one_in, 64);
	asked.word[0] = '\0';
	text = server_answer(&server, "GET /v1/recorder HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 200 "));
	assert_non_null(strstr(text, "\"everywhere\": true"));
	assert_string_equal(asked.word, "");
	free(text);
	text = server_answer(&server, "GET /v1/recorder/5 HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 404 "));
	free(text);
	text = server_answer(&server, "POST /v1/recorder HTTP/1.1\r\n\r\n"); // no word
	assert_string_equal(asked.word, "");
	free(text);
	expect_status("POST /v1/recorderx HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ");
	shm_reader_close(server.reader);
	shm_destroy(shm);
}

// A tool that connected to a part of it would find nobody, or somebody else.
static void a_socket_whose_path_no_address_holds_is_not_told(void **state)
{
	struct shm_config config = {.instance = "long", .run_dir = folder, .worker_count = 1};
	struct shm *shm = shm_create(&config);
	char whole[109] = "";

	memset(whole, 'x', sizeof(whole) - 1);
	assert_false(shm_set_socket(shm, whole));
	assert_string_equal(shm_control(shm)->socket, "");
	whole[107] = '\0';
	assert_true(shm_set_socket(shm, whole));
	assert_string_equal(shm_control(shm)->socket, whole);
	shm_destroy(shm);
}

static void *serve_one(void *argument)
{
	struct server *server = argument;

	while (access(path, F_OK) != 0)
		;
	server_serve(server);
	return NULL;
}

static void a_client_that_dribbles_its_request_is_answered(void **state)
{
	static const char request[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
	struct server server;
	char answer[256] = "";
	pthread_t thread;

	assert_int_equal(server_open(&server, path), 0);
	int fd = connect_to_it(); // waits in the backlog
	pthread_create(&thread, NULL, serve_one, &server);
	for (size_t i = 0; i < sizeof request - 1; i++)
		assert_int_equal(write(fd, &request[i], 1), 1);
	assert_true(read(fd, answer, sizeof answer - 1) > 0);
	assert_non_null(strstr(answer, "HTTP/1.1 404 Not Found"));
	pthread_join(thread, NULL);
	close(fd);
	server_close(&server);
}

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void *dribble(void *argument)
{
	const struct timespec pause = {.tv_nsec = 100 * NS_PER_MS};
	const int *fd = argument;

	for (int i = 0; i < 50 && send(*fd, "G", 1, MSG_NOSIGNAL) == 1; i++)
		nanosleep(&pause, NULL);
	return NULL;
}

static void a_client_that_never_comes_to_an_end_is_left_after_a_second(void **state)
{
	struct server server;
	pthread_t thread;

	assert_int_equal(server_open(&server, path), 0);
	int fd = connect_to_it();
	uint64_t begin_ns = clock_now_ns();
	pthread_create(&thread, NULL, dribble, &fd);
	server_serve(&server);
	assert_in_range(clock_now_ns() - begin_ns, NS_PER_S / 2, 3 * NS_PER_S);
	pthread_join(thread, NULL);
	close(fd);
	server_close(&server);
}

static int begin(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/c.sock", folder);
	return 0;
}

static int end(void **state)
{
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_socket_is_for_owner_and_group),
		cmocka_unit_test(a_living_socket_is_refused_by_name),
		cmocka_unit_test(a_dead_socket_is_replaced),
		cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_missing_folder_is_said),
		cmocka_unit_test(other_requests_are_told_what_there_is),
		cmocka_unit_test(the_rebalancer_is_asked_by_post_and_shown_by_get),
		cmocka_unit_test(what_the_rebalancer_refuses_is_said),
		cmocka_unit_test(the_recorder_takes_a_rate_by_post_and_tells_it_by_get),
		cmocka_unit_test(a_socket_whose_path_no_address_holds_is_not_told),
		cmocka_unit_test(a_client_that_dribbles_its_request_is_answered),
		cmocka_unit_test(a_client_that_never_comes_to_an_end_is_left_after_a_second),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
