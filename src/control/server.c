// SPDX-License-Identifier: BSD-3-Clause
// The control socket and the web's port, by libmicrohttpd without a thread of its own: prism run's
// second thread polls its descriptors (cli/monitor.c), so that whoever answers is the thread that
// may change the instance, and a client that dribbles or does not read keeps nobody waiting, as
// long as fewer than CLIENTS_MAX do.
//
// Over the web anybody on this machine may look, and a page of anybody's in a browser here may
// send: so Host must be this machine's (DNS rebinding), nothing is shared across origins, and what
// changes the instance takes a token that lies in a file for owner and group.
#include "control/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <prismnet/addr.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/time.h"

#define CLIENTS_MAX 64u
#define CLIENT_BYTES 32768u // of memory: a head longer than that is refused
#define SILENCE_S 10u
#define BACKLOG 64

// One request, from its line to the end of its answer.
struct asked {
	bool begun;
	char target[];
};

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
	size_t len = strlen(target);
	struct asked *asked = calloc(1, sizeof *asked + len + 1);

	if (asked)
		memcpy(asked->target, target, len);
	return asked;
}

static void on_end(void *context, struct MHD_Connection *connection, void **asked,
		   enum MHD_RequestTerminationCode code)
{
	free(*asked);
	*asked = NULL;
}

// An address that is written in full cannot be rebound; a name can, but for localhost.
static bool host_is_ours(struct MHD_Connection *connection)
{
	const char *host =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	char name[64];
	struct in6_addr addr;

	if (!host)
		return false;
	bool bracketed = host[0] == '[';
	size_t len = bracketed ? strcspn(++host, "]") : strcspn(host, ":");
	const char *port = host + len + bracketed;

	if (len == 0 || len >= sizeof name || (bracketed && !host[len]))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (port[0] && (port[0] != ':' || strspn(port + 1, "0123456789") != strlen(port + 1)))
		return false;
	if (bracketed)
		return inet_pton(AF_INET6, name, &addr) == 1;
	return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &addr) == 1;
}

// Takes as long whatever is wrong with it.
static bool has_token(const struct server *server, struct MHD_Connection *connection)
{
	static const char scheme[] = "Bearer ";
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							MHD_HTTP_HEADER_AUTHORIZATION);
	uint32_t differ = 0;

	if (!value || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
		return false;
	value += sizeof scheme - 1;
	if (strlen(value) != SERVER_TOKEN_BYTES - 1)
		return false;
	for (size_t i = 0; i < SERVER_TOKEN_BYTES - 1; i++)
		differ |= (uint32_t)(value[i] ^ server->token[i]);
	return differ == 0;
}

static enum MHD_Result respond(struct MHD_Connection *connection, const struct answer *a)
{
	struct MHD_Response *response;

	if (!a->body)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(a->body), a->body, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(a->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (a->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, a->allow);
	if (a->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Bearer realm=\"prism\"");
	enum MHD_Result result = MHD_queue_response(connection, a->status, response);

	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse_host(struct MHD_Connection *connection)
{
	const struct answer a = {
		.status = MHD_HTTP_MISDIRECTED_REQUEST,
		.type = "text/plain; charset=utf-8",
		.body = strdup(
			"Host must be localhost or an address, as in http://127.0.0.1:PORT/\n"),
	};

	return respond(connection, &a);
}

// First with the head, then with each piece of a body, which no request here has a use for, then
// once more.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *piece, size_t *piece_bytes, void **state)
{
	const struct server_door *door = context;
	struct server *server = door->server;
	struct asked *asked = *state;
	struct answer answer = {0};

	if (!asked)
		return MHD_NO; // no memory
	if (!asked->begun || *piece_bytes) {
		asked->begun = true;
		*piece_bytes = 0;
		return MHD_YES;
	}
	if (door->is_web && !server->web_at.beyond_loopback && !host_is_ours(connection))
		return refuse_host(connection);
	const struct request request = {
		.method = method,
		.target = asked->target,
		.may_change = !door->is_web || has_token(server, connection),
	};

	answer_request(&server->answerer, &request, &answer);
	return respond(connection, &answer);
}

// What a client did wrong is his to know, by the status.
static void on_log(void *context, const char *format, va_list args)
{
}

// fd is closed, or the daemon's: which of them a daemon closes that does not start is left open.
static bool open_door(struct server *server, struct server_door *door, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	close(fd);
	if (own < 0)
		return false;
	door->server = server;
	door->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, door,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, own,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_end,
		NULL, MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	return door->daemon != NULL;
}

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
	if (!error && listen(fd, BACKLOG) != 0)
		error = -errno;
	return error;
}

// Of a dead process; 0, or a negative errno with err_set.
static int make_room(const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(ERR_CONTROL_SOCKET_FAILED, "%s is there and is no socket", path);
	if (answers(address))
		return err_set(ERR_CONTROL_SOCKET_TAKEN, "%s is answered already", path);
	unlink(path);
	return 0;
}

int server_open(struct server *server, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int error = make_room(&address);

	if (error)
		return error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	error = fd < 0 ? -errno : listen_on(fd, &address);
	if (error && fd >= 0)
		close(fd);
	if (!error && !open_door(server, &server->local, fd)) {
		unlink(path);
		error = -ENOMEM;
	}
	if (error)
		return err_set(ERR_CONTROL_SOCKET_FAILED, "%s: %s", path, strerror(-error));
	server->path = path;
	return 0;
}

// Without a colon of IPv6 in front of it, a v4-mapped address is IPv4's (RFC 4291 2.5.5.2).
static socklen_t sockaddr_of(const struct server_web *web, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *six = (void *)out;
	struct sockaddr_in *four = (void *)out;
	struct in6_addr addr;

	memset(out, 0, sizeof *out);
	memcpy(&addr, &web->addr, sizeof addr);
	if (IN6_IS_ADDR_V4MAPPED(&addr)) {
		four->sin_family = AF_INET;
		four->sin_port = htons(web->port);
		memcpy(&four->sin_addr, &addr.s6_addr[12], sizeof four->sin_addr);
		return sizeof *four;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(web->port);
	six->sin6_addr = addr;
	return sizeof *six;
}

static int listen_at(const struct server_web *web, int *out)
{
	struct sockaddr_storage address;
	socklen_t len = sockaddr_of(web, &address);
	int one = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*out = fd;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0)
		return -errno;
	return 0;
}

// A new one, which nobody but owner and group can read.
static int write_token(struct server *server, const char *path)
{
	uint8_t random[(SERVER_TOKEN_BYTES - 1) / 2];
	int fd, error = 0;

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(server->token + 2 * i, 3, "%02x", random[i]);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || dprintf(fd, "%s\n", server->token) != SERVER_TOKEN_BYTES)
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (!error)
		snprintf(server->token_path, sizeof server->token_path, "%s", path);
	return error;
}

static int web_failed(const struct server_web *web, int error)
{
	char text[PRISM_ADDR_TEXT_BYTES];

	return err_set(ERR_CONTROL_WEB_FAILED, "%s port %u: %s",
		       prism_addr_format(&web->addr, text), web->port, strerror(-error));
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;
	const struct sockaddr_in *four = (const void *)&address;

	getsockname(fd, (struct sockaddr *)&address, &len);
	return ntohs(four->sin_port); // where IPv6's is, too
}

int server_listen_web(struct server *server, const struct server_web *web)
{
	int error = listen_at(web, &server->web_fd);

	server->web_at = *web;
	if (!error)
		server->web_at.port = port_of(server->web_fd);
	if (!error)
		return 0;
	if (server->web_fd >= 0)
		close(server->web_fd);
	server->web_fd = 0;
	return web_failed(web, error);
}

int server_open_web(struct server *server, const char *token_path)
{
	int error = write_token(server, token_path);

	server->web.is_web = true;
	if (!error && !open_door(server, &server->web, server->web_fd))
		error = -ENOMEM;
	else if (error)
		close(server->web_fd);
	server->web_fd = 0;
	if (!error)
		return 0;
	return web_failed(&server->web_at, error);
}

void server_close(struct server *server)
{
	if (server->path)
		unlink(server->path);
	if (server->token_path[0])
		unlink(server->token_path);
	if (server->local.daemon)
		MHD_stop_daemon(server->local.daemon);
	if (server->web.daemon)
		MHD_stop_daemon(server->web.daemon);
	if (server->web_fd)
		close(server->web_fd);
	server->web_fd = 0;
	server->local.daemon = server->web.daemon = NULL;
	server->path = NULL;
	server->token_path[0] = '\0';
}

uint32_t server_fds(const struct server *server, struct pollfd fds[2])
{
	struct MHD_Daemon *const daemons[] = {server->local.daemon, server->web.daemon};
	uint32_t count = 0;

	for (int i = 0; i < 2; i++)
		if (daemons[i])
			fds[count++] = (struct pollfd){
				MHD_get_daemon_info(daemons[i], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
				POLLIN, 0};
	return count;
}

uint64_t server_wait_ns(const struct server *server)
{
	struct MHD_Daemon *const daemons[] = {server->local.daemon, server->web.daemon};
	uint64_t least = UINT64_MAX;
	MHD_UNSIGNED_LONG_LONG ms;

	for (int i = 0; i < 2; i++)
		if (daemons[i] && MHD_get_timeout(daemons[i], &ms) == MHD_YES)
			least = MIN(least, (uint64_t)ms * NS_PER_MS);
	return least;
}

void server_turn(struct server *server)
{
	if (server->local.daemon)
		MHD_run(server->local.daemon);
	if (server->web.daemon)
		MHD_run(server->web.daemon);
}
