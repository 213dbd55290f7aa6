// SPDX-License-Identifier: BSD-3-Clause
// The control socket and the web's port: who may have them, how they are spoken to, who is refused.
// What they answer is test_answer.c's.

#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <prismnet/addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
	struct server server = {0};
	struct stat st;

	assert_int_equal(server_open(&server, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	server_close(&server);
	assert_int_equal(stat(path, &st), -1); // nothing stays behind
}

static void a_living_socket_is_refused_by_name(void **state)
{
	struct server first = {0}, second = {0};

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
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	struct server server = {0};

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(dead, 1), 0);
	close(dead); // as when its process dies
	assert_int_equal(server_open(&server, path), 0);
	int fd = connect_to_it();
	assert_true(fd >= 0);
	close(fd);
	server_close(&server);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct server server = {0};
	struct stat st;

	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_true(server_open(&server, path) < 0);
	assert_int_equal(err_last()->id, ERR_CONTROL_SOCKET_FAILED);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
}

static void a_missing_folder_is_said(void **state)
{
	struct server server = {0};

	assert_true(server_open(&server, "/no/such/folder/c.sock") < 0);
	assert_non_null(strstr(err_last()->message, "No such file or directory"));
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

// The answer to these bytes, all that comes until the server closes; the server's turns between.
// wait: how many turns to let go by between two bytes.
static char *talk(struct server *server, int fd, const char *bytes, bool dribble)
{
	static char answer[8192];
	size_t len = 0, sent = 0, all = strlen(bytes);
	ssize_t got = -1;

	for (int turns = 0; got != 0 && turns < 5000 && len < sizeof answer - 1; turns++) {
		struct pollfd fds[3] = {{fd, POLLIN, 0}};
		uint32_t count = 1 + server_fds(server, &fds[1]);
		size_t piece = dribble ? 1 : all - sent;

		if (sent < all && send(fd, bytes + sent, piece, MSG_NOSIGNAL) == (ssize_t)piece)
			sent += piece;
		poll(fds, count, sent < all ? 0 : 1000);
		server_turn(server);
		got = recv(fd, answer + len, sizeof answer - 1 - len, MSG_DONTWAIT);
		len += got > 0 ? (size_t)got : 0;
	}
	answer[len] = '\0';
	return answer;
}

#define CLOSE "Host: localhost\r\nConnection: close\r\n\r\n"

static void a_client_is_answered_however_his_request_comes(void **state)
{
	static const char request[] = "GET /nothing HTTP/1.1\r\n" CLOSE;
	struct server server = {0};

	assert_int_equal(server_open(&server, path), 0);
	for (int dribble = 0; dribble < 2; dribble++) {
		int fd = connect_to_it();
		const char *answer = talk(&server, fd, request, dribble);

		assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
		assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
		assert_non_null(strstr(answer, "there is /v1/stats"));
		close(fd);
	}
	server_close(&server);
}

static void two_requests_of_a_connection_are_both_answered(void **state)
{
	struct server server = {0};

	assert_int_equal(server_open(&server, path), 0);
	int fd = connect_to_it();
	const char *answer = talk(&server, fd,
				  "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
				  "POST /two HTTP/1.1\r\nContent-Length: 4\r\n" CLOSE "body",
				  false);

	assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
	const char *second = strstr(answer + 1, "HTTP/1.1 405 ");

	assert_non_null(second);
	assert_non_null(strstr(second, "\r\nAllow: GET, HEAD\r\n"));
	close(fd);
	server_close(&server);
}

static void what_is_no_request_is_refused(void **state)
{
	static char long_target[40000];
	static const struct {
		const char *bytes, *answer;
	} requests[] = {
		{"nonsense\r\n\r\n", ""},                            // a closed connection
		{"GET /v1/stats HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "}, // no Host: RFC 9112 3.2
		{long_target, "HTTP/1.1 414 "},
	};
	struct server server = {0};

	memset(long_target, 'x', sizeof long_target - 1);
	memcpy(long_target, "GET /", 5);
	assert_int_equal(server_open(&server, path), 0);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		int fd = connect_to_it();
		const char *answer = talk(&server, fd, requests[i].bytes, false);

		assert_memory_equal(answer, requests[i].answer, strlen(requests[i].answer) + !i);
		close(fd);
	}
	server_close(&server);
}

// Others are served while he thinks; the server would be willing to wait for a while.
static void a_client_that_stops_in_the_middle_keeps_nobody_waiting(void **state)
{
	struct server server = {0};

	assert_int_equal(server_open(&server, path), 0);
	int slow = connect_to_it(), fd = connect_to_it();

	assert_int_equal(send(slow, "GET /", 5, MSG_NOSIGNAL), 5);
	server_turn(&server);
	assert_memory_equal(talk(&server, fd, "GET / HTTP/1.1\r\n" CLOSE, false), "HTTP/1.1 404 ",
			    13);
	assert_true(server_wait_ns(&server) <= 11 * NS_PER_S);
	assert_memory_equal(talk(&server, slow, " HTTP/1.1\r\n" CLOSE, false), "HTTP/1.1 404 ", 13);
	close(fd);
	close(slow);
	server_close(&server);
}

static char asked_for[16];

static int note_word(void *context, const char *word)
{
	snprintf(asked_for, sizeof asked_for, "%s", word);
	return -ENOENT;
}

static char token_path[80];

static void open_web(struct server *server, bool beyond_loopback)
{
	struct server_web at = {.beyond_loopback = beyond_loopback};

	assert_int_equal(prism_addr_parse("127.0.0.1", &at.addr), 0);
	snprintf(token_path, sizeof token_path, "%s/c.token", folder);
	server->answerer.orders.recorder = note_word;
	assert_int_equal(server_listen_web(server, &at), 0);
	assert_int_not_equal(server->web_at.port, 0);
	assert_int_equal(server_open_web(server, token_path), 0);
	asked_for[0] = '\0';
}

// Status of what the web's port answers.
static int ask_web(struct server *server, const char *line, const char *headers)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(server->web_at.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char request[256];

	snprintf(request, sizeof request, "%s HTTP/1.1\r\nConnection: close\r\n%s\r\n", line,
		 headers);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	const char *answer = talk(server, fd, request, false);

	close(fd);
	assert_null(strstr(answer, "Access-Control-Allow"));
	return atoi(answer + 9);
}

static void the_web_answers_those_who_name_this_machine(void **state)
{
	static const char *const good[] = {"localhost",      "LocalHost:80", "127.0.0.1",
					   "127.0.0.1:9464", "[::1]",        "[::1]:1",
					   "10.0.0.9"};
	static const char *const bad[] = {"evil.example",
					  "localhost.evil.example",
					  "",
					  "127.0.0.1.evil.example",
					  "[::1",
					  "[evil]:80",
					  "localhost:80.evil",
					  "127.0.0.1:x",
					  "[::1]x"};
	struct server server = {0};
	char headers[80];

	open_web(&server, false);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(headers, sizeof headers, "Host: %s\r\n", good[i]);
		assert_int_equal(ask_web(&server, "GET /", headers), 404);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(headers, sizeof headers, "Host: %s\r\n", bad[i]);
		assert_int_equal(ask_web(&server, "GET /", headers), 421);
	}
	server_close(&server);
}

static void beyond_loopback_any_name_will_do(void **state)
{
	struct server server = {0};

	open_web(&server, true);
	assert_int_equal(ask_web(&server, "GET /", "Host: gateway.example\r\n"), 404);
	server_close(&server);
}

static void who_changes_something_over_the_web_has_the_token(void **state)
{
	struct server server = {0};
	char headers[128], token[SERVER_TOKEN_BYTES] = "";
	struct stat st;

	open_web(&server, false);
	assert_int_equal(stat(token_path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);
	FILE *file = fopen(token_path, "r");

	assert_int_equal(fread(token, 1, sizeof token - 1, file), sizeof token - 1);
	fclose(file);
	assert_int_equal(strspn(token, "0123456789abcdef"), SERVER_TOKEN_BYTES - 1);
	assert_int_equal(ask_web(&server, "POST /v1/recorder/9", "Host: localhost\r\n"), 401);
	snprintf(headers, sizeof headers, "Host: localhost\r\nAuthorization: Bearer %sx\r\n",
		 token);
	assert_int_equal(ask_web(&server, "POST /v1/recorder/9", headers), 401);
	snprintf(headers, sizeof headers, "Host: localhost\r\nAuthorization: Bearer %.31s%c\r\n",
		 token, token[31] == '0' ? '1' : '0');
	assert_int_equal(ask_web(&server, "POST /v1/recorder/9", headers), 401);
	snprintf(headers, sizeof headers, "Host: localhost\r\nAuthorization: Basic %s\r\n", token);
	assert_int_equal(ask_web(&server, "POST /v1/recorder/9", headers), 401);
	assert_string_equal(asked_for, "");
	snprintf(headers, sizeof headers, "Host: localhost\r\nAuthorization: bearer %s\r\n", token);
	assert_int_equal(ask_web(&server, "POST /v1/recorder/9", headers), 404);
	assert_string_equal(asked_for, "9");
	server_close(&server);
	assert_int_equal(access(token_path, F_OK), -1);
}

static void each_start_has_a_token_of_its_own(void **state)
{
	struct server first = {0}, second = {0};

	open_web(&first, false);
	open_web(&second, false);
	assert_string_not_equal(first.token, second.token);
	server_close(&first);
	server_close(&second);
}

static void a_port_that_is_taken_is_named(void **state)
{
	struct server first = {0}, second = {0};
	struct server_web at;
	char words[64];

	open_web(&first, false);
	at = first.web_at;
	assert_int_equal(server_listen_web(&second, &at), -EADDRINUSE);
	assert_int_equal(err_last()->id, ERR_CONTROL_WEB_FAILED);
	snprintf(words, sizeof words, "127.0.0.1 port %u: Address already in use", at.port);
	assert_string_equal(err_last()->message, words);
	server_close(&second);
	server_close(&first);
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
		cmocka_unit_test(a_socket_whose_path_no_address_holds_is_not_told),
		cmocka_unit_test(a_client_is_answered_however_his_request_comes),
		cmocka_unit_test(two_requests_of_a_connection_are_both_answered),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(a_client_that_stops_in_the_middle_keeps_nobody_waiting),
		cmocka_unit_test(the_web_answers_those_who_name_this_machine),
		cmocka_unit_test(beyond_loopback_any_name_will_do),
		cmocka_unit_test(who_changes_something_over_the_web_has_the_token),
		cmocka_unit_test(each_start_has_a_token_of_its_own),
		cmocka_unit_test(a_port_that_is_taken_is_named),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
