// SPDX-License-Identifier: BSD-3-Clause
// The control socket. prism run's second thread polls it and serves one client at a time: a
// request is a line and an answer is read from shared memory, so nobody waits long. HTTP/1.1
// without keep-alive (RFC 9112 9.6): the answer says Connection: close and the end of the stream
// ends it. What changes the instance is a POST, and all of it in the path. Deliberately absent:
// request bodies.

#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/time.h"
#include "control/stats.h"

#define REQUEST_BYTES_MAX 8192

// A client on this machine needs none of it; the monitor sees no signal for as long.
#define PATIENCE_NS NS_PER_S

// True when somebody accepts on the socket at address.
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

static int listen_on(int fd, const struct sockaddr_un *address)
{
	// Nobody may connect between bind and chmod.
	mode_t mask = umask(0117);
	int error = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;

	umask(mask);
	if (!error && listen(fd, 16) != 0)
		error = -errno;
	return error;
}

int server_open(struct server *server, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	*server = (struct server){.fd = -1, .path = path};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(ERR_CONTROL_SOCKET_FAILED, "%s is there and is no socket",
				       path);
		if (answers(&address))
			return err_set(ERR_CONTROL_SOCKET_TAKEN, "%s is answered already", path);
		unlink(path);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? -errno : listen_on(fd, &address);
	if (error) {
		if (fd >= 0)
			close(fd);
		return err_set(ERR_CONTROL_SOCKET_FAILED, "%s: %s", path, strerror(-error));
	}
	server->fd = fd;
	return 0;
}

void server_close(struct server *server)
{
	if (server->fd < 0)
		return;
	close(server->fd);
	unlink(server->path);
	server->fd = -1;
}

static char *answer(const char *status, const char *type, const char *body, bool head_only)
{
	char *text = NULL;

	if (asprintf(&text,
		     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		     "Connection: close\r\nCache-Control: no-store\r\n\r\n%s",
		     status, type, strlen(body), head_only ? "" : body) < 0)
		return NULL;
	return text;
}

static char *json_body(json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2));

	json_decref(json);
	return text;
}

static char *metrics_body(struct server *server)
{
	enum stats_state state = stats_look(server->reader);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	stats_metrics(server->reader, state, out);
	fclose(out);
	return text;
}

static char *body_of(struct server *server, const char *path, size_t path_len, const char **type)
{
	static const char *const paths[] = {"/v1/stats", "/v1/ports", "/metrics"};
	size_t which = 0;

	while (which < 3 &&
	       (strlen(paths[which]) != path_len || strncmp(paths[which], path, path_len) != 0))
		which++;
	if (which == 3 || !server->reader)
		return NULL;
	*type = "application/json";
	if (which == 0) {
		enum stats_state state = stats_look(server->reader);

		return json_body(stats_json(server->reader, state));
	}
	if (which == 1) {
		shm_reader_refresh(server->reader);
		return json_body(stats_ports_json(server->reader));
	}
	*type = "text/plain; version=0.0.4; charset=utf-8";
	return metrics_body(server);
}

// Behind this in a path stands the word that says what to do.
#define REBALANCE "/v1/rebalance"

static bool is_rebalance(const struct server *server, const char *path)
{
	size_t len = strlen(REBALANCE);

	return server->requests.rebalance && strncmp(path, REBALANCE, len) == 0 &&
	       strchr(" ?/", path[len]);
}

static char *rebalance_body(struct server *server)
{
	struct shm_reader *reader = server->reader;

	shm_reader_refresh(reader);
	const struct shm_table *control = shm_reader_table(reader, "control");
	bool on = shm_reader_u64(reader, control, 0,
				 shm_reader_find(reader, control, "rebalance")) != 0;

	return json_body(json_pack(
		"{s:b, s:I, s:I}", "on", on, "orders",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_orders"), "connections",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_conns")));
}

static char *rebalance_answer(struct server *server, const char *path, bool post, bool head_only)
{
	const struct server_requests *r = &server->requests;
	char word[8] = "";
	int error = 0;

	if (post) {
		size_t len = strlen(REBALANCE);

		len += path[len] == '/';
		snprintf(word, sizeof word, "%.*s", (int)strcspn(path + len, " ?"), path + len);
		error = r->rebalance(r->context, word);
	}
	if (error == -ENOENT)
		return answer("404 Not Found", "text/plain",
			      "POST " REBALANCE "/on, /off or /now\n", false);
	if (error)
		return answer("409 Conflict", "text/plain", err_last()->message, false);
	char *body = rebalance_body(server);
	char *text = body ? answer("200 OK", "application/json", body, head_only) : NULL;

	free(body);
	return text;
}

char *server_answer(struct server *server, const char *request)
{
	bool head_only = strncmp(request, "HEAD ", 5) == 0,
	     post = strncmp(request, "POST ", 5) == 0;
	const char *path = strchr(request, ' '), *type = "text/plain";

	if (!path || !strstr(request, " HTTP/1."))
		return answer("400 Bad Request", type, "not a request of HTTP/1.1\n", false);
	bool get = head_only || strncmp(request, "GET ", 4) == 0;

	if (is_rebalance(server, path + 1))
		return get || post ? rebalance_answer(server, path + 1, post, head_only)
				   : answer("405 Method Not Allowed\r\nAllow: GET, HEAD, POST",
					    type, "GET, HEAD and POST only\n", false);
	if (!get)
		return answer("405 Method Not Allowed\r\nAllow: GET, HEAD", type,
			      "GET and HEAD only\n", false);
	char *body = body_of(server, path + 1, strcspn(path + 1, " ?"), &type);
	if (!body)
		return answer("404 Not Found", "text/plain",
			      "there is /v1/stats, /v1/ports, /v1/rebalance and /metrics\n",
			      head_only);
	char *text = answer("200 OK", type, body, head_only);
	free(body);
	return text;
}

// One client and until when he is waited for, whatever he does.
struct client {
	int fd;
	uint64_t end_ns;
};

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// False when his time is up and he is not ready: what is there already is not his delay but ours,
// as of a thread or a machine that stood still.
static bool wait_for(const struct client *c, short what)
{
	struct pollfd fd = {c->fd, what, 0};
	uint64_t now_ns = clock_now_ns();
	int left_ms = now_ns < c->end_ns ? (int)((c->end_ns - now_ns) / NS_PER_MS) + 1 : 0;

	return poll(&fd, 1, left_ms) > 0;
}

// Reads until the empty line that ends the head.
static bool read_request(const struct client *c, char *request)
{
	size_t len = 0;

	while (len < REQUEST_BYTES_MAX && wait_for(c, POLLIN)) {
		ssize_t got = recv(c->fd, request + len, REQUEST_BYTES_MAX - len, MSG_DONTWAIT);

		if (got <= 0)
			return false;
		len += (size_t)got;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
			return true;
	}
	return false;
}

static void write_all(const struct client *c, const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && wait_for(c, POLLOUT)) {
		ssize_t put = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put <= 0)
			return; // he left
		text += put;
		len -= (size_t)put;
	}
}

void server_serve(struct server *server)
{
	struct client client = {.end_ns = clock_now_ns() + PATIENCE_NS};
	char request[REQUEST_BYTES_MAX + 1];

	client.fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	if (client.fd < 0)
		return;
	if (read_request(&client, request)) {
		char *text = server_answer(server, request);

		if (text)
			write_all(&client, text);
		free(text);
	}
	close(client.fd);
}
