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

// What was refused, in the words that the command line has.
static char *refusal(const char *status, bool head_only)
{
	const struct err_last *last = err_last();
	const struct err_info *info = &err_infos[last->id];
	char *body, *text;

	if (asprintf(&body, "%s: %s\n  cause:  %s\n  remedy: %s (prism explain %s)\n",
		     info->sentence, last->message, info->cause, info->remedy, info->name) < 0)
		return NULL;
	text = answer(status, "text/plain", body, head_only);
	free(body);
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

static char *rebalance_body(struct shm_reader *reader)
{
	const struct shm_table *control = shm_reader_table(reader, "control");
	bool on = shm_reader_u64(reader, control, 0,
				 shm_reader_find(reader, control, "rebalance")) != 0;

	return json_body(json_pack(
		"{s:b, s:I, s:I}", "on", on, "orders",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_orders"), "connections",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_conns")));
}

// What they were told, and whether all workers have taken it, which takes some milliseconds.
static char *recorder_body(struct shm_reader *reader)
{
	const struct shm_table *workers = shm_reader_table(reader, "worker");
	const struct shm_field *field = shm_reader_find(reader, workers, "sample_one_in");
	const struct shm_table *control = shm_reader_table(reader, "control");
	uint64_t one_in = shm_reader_u64(reader, control, 0,
					 shm_reader_find(reader, control, "sample_one_in"));
	bool everywhere = true;

	for (uint32_t w = 0; workers && w < workers->rows; w++)
		everywhere &= shm_reader_u64(reader, workers, w, field) == one_in;
	return json_body(json_pack(
		"{s:I, s:b, s:I, s:I}", "sample_one_in", (json_int_t)one_in, "everywhere",
		everywhere, "samples", (json_int_t)shm_reader_verdict_count(reader, SHM_SAMPLES),
		"drops", (json_int_t)shm_reader_verdict_count(reader, SHM_DROPS)));
}

// What can be asked and changed. In the path of a POST a word stands behind its own that says how.
struct order {
	const char *path, *usage;
	int (*change)(void *context, const char *word);
	char *(*body)(struct shm_reader *reader);
};

// False when the path is of none, or nobody takes such an order.
static bool find_order(const struct server *server, const char *path, struct order *out)
{
	const struct server_requests *r = &server->requests;
	const struct order orders[] = {
		{"/v1/rebalance", "POST /v1/rebalance/on, /off or /now\n", r->rebalance,
		 rebalance_body},
		{"/v1/recorder", "POST /v1/recorder/N, one packet in N is sampled, or /off\n",
		 r->recorder, recorder_body},
	};

	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		size_t len = strlen(orders[i].path);

		*out = orders[i];
		if (strncmp(path, out->path, len) == 0 && strchr(" ?/", path[len]))
			return out->change != NULL;
	}
	return false;
}

static char *order_answer(struct server *server, const struct order *order, const char *word,
			  bool head_only)
{
	int error = word ? order->change(server->requests.context, word) : 0;

	if (error == -ENOENT)
		return answer("404 Not Found", "text/plain", order->usage, false);
	if (error)
		return refusal("409 Conflict", false);
	shm_reader_refresh(server->reader);
	char *body = order->body(server->reader);
	char *text = body ? answer("200 OK", "application/json", body, head_only) : NULL;

	free(body);
	return text;
}

static char *ordered(struct server *server, const struct order *order, const char *request,
		     const char *path)
{
	const char *rest = path + strlen(order->path);
	char word[16] = "";

	if (strncmp(request, "POST ", 5) == 0) {
		rest += *rest == '/';
		if (snprintf(word, sizeof word, "%.*s", (int)strcspn(rest, " ?"), rest) >=
		    (int)sizeof word)
			return answer("404 Not Found", "text/plain", order->usage, false);
		return order_answer(server, order, word, false);
	}
	if (*rest == '/')
		return answer("404 Not Found", "text/plain", order->usage, false);
	if (strncmp(request, "GET ", 4) == 0 || strncmp(request, "HEAD ", 5) == 0)
		return order_answer(server, order, NULL, request[0] == 'H');
	return answer("405 Method Not Allowed\r\nAllow: GET, HEAD, POST", "text/plain",
		      "GET, HEAD and POST only\n", false);
}

#define PATH_BYTES 64

// What the owner of the instance knows to show, or to make. NULL: nothing of this path.
static char *owners_answer(struct server *server, const char *target, bool post, bool head_only)
{
	const struct server_requests *r = &server->requests;
	size_t len = strcspn(target, " ?");
	char path[PATH_BYTES], query[REQUEST_BYTES_MAX] = "";
	bool bad = false;

	if ((post ? !r->make : !r->show || !server->reader) || len >= sizeof path)
		return NULL;
	snprintf(path, sizeof path, "%.*s", (int)len, target);
	if (target[len] == '?')
		snprintf(query, sizeof query, "%.*s", (int)strcspn(target + len + 1, " "),
			 target + len + 1);
	char *body = post ? r->make(r->context, path, query, &bad)
			  : r->show(server->reader, path, query, &bad);
	char *text = NULL;

	if (bad)
		return refusal("400 Bad Request", head_only);
	if (body)
		text = answer("200 OK", "application/json", body, head_only);
	free(body);
	return text;
}

char *server_answer(struct server *server, const char *request)
{
	bool head_only = strncmp(request, "HEAD ", 5) == 0;
	bool post = strncmp(request, "POST ", 5) == 0;
	const char *path = strchr(request, ' '), *type = "text/plain";
	struct order order;

	if (!path || !strstr(request, " HTTP/1."))
		return answer("400 Bad Request", type, "not a request of HTTP/1.1\n", false);
	if (find_order(server, path + 1, &order))
		return ordered(server, &order, request, path + 1);
	char *text = !post ? NULL : owners_answer(server, path + 1, true, false);

	if (text)
		return text;
	if (!head_only && strncmp(request, "GET ", 4) != 0)
		return answer("405 Method Not Allowed\r\nAllow: GET, HEAD", type,
			      "GET and HEAD only\n", false);
	text = owners_answer(server, path + 1, false, head_only);
	if (text)
		return text;
	char *body = body_of(server, path + 1, strcspn(path + 1, " ?"), &type);
	if (!body)
		return answer("404 Not Found", "text/plain",
			      "there is /v1/stats, /v1/ports, /v1/conns, /v1/drops, /v1/why, "
			      "/v1/rebalance, /v1/recorder, /metrics and POST /v1/capture\n",
			      head_only);
	text = answer("200 OK", type, body, head_only);
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
