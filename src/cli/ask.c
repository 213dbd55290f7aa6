// SPDX-License-Identifier: BSD-3-Clause
// A request over the control socket of an instance; where that is, its shared memory says. Called
// by the commands that change an instance (rebalance.c, recorder.c); a line goes out, and all that
// comes until the end is the answer (control/server.c).
#include "cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "control/stats.h"
#include "observe/shm.h"

// An answer comes within milliseconds, or not at all.
#define PATIENCE_S 3

// Of the instance of this name; false after it said what is wrong.
static bool find_socket(const char *name, struct sockaddr_un *address)
{
	struct shm_reader *reader = stats_open(name);

	if (!reader) {
		cli_last_error(CLI_FAILED);
		return false;
	}
	const struct shm_table *control = shm_reader_table(reader, "control");
	const char *path =
		shm_reader_text(reader, control, 0, shm_reader_find(reader, control, "socket"));

	snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
	if (!address->sun_path[0])
		cli_error(CLI_FAILED, NULL,
			  "its configuration has control: {socket: off}, or a path longer than a "
			  "socket's address: change it, and start it again",
			  "instance %s has no control socket", shm_reader_head(reader)->instance);
	shm_reader_close(reader);
	return address->sun_path[0] != 0;
}

// All that comes until the end, as text. 0, or a negative errno.
static int ask(const struct sockaddr_un *address, const char *request, char *answer)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	size_t len = 0;
	ssize_t got = -1;

	answer[0] = '\0';
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
		while ((got = recv(fd, answer + len, ASK_ANSWER_BYTES_MAX - 1 - len, 0)) > 0)
			len += (size_t)got;
	int error = got < 0 ? -errno : 0;

	answer[len] = '\0';
	if (fd >= 0)
		close(fd);
	return error;
}

// In the words of the instance, without their last line's end.
static int refused(const char *words)
{
	return cli_error(CLI_FAILED, NULL, NULL, "%.*s",
			 (int)(strlen(words) - (words[0] && words[strlen(words) - 1] == '\n')),
			 words);
}

static int ask_request(const char *instance, const char *request, char *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[ASK_ANSWER_BYTES_MAX];

	if (!find_socket(instance, &address))
		return CLI_FAILED;
	int error = ask(&address, request, text);
	const char *body = strstr(text, "\r\n\r\n");

	if (error || !body)
		return cli_error(CLI_FAILED,
				 error == -EAGAIN ? "its process stands still"
				 : error          ? strerror(-error)
						  : "it answered nothing",
				 "is it running, and are you of the socket's group? prism top says",
				 "%s does not answer", address.sun_path);
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0)
		return refused(body + 4);
	strcpy(answer, body + 4);
	return CLI_OK;
}

#define REQUEST_END " HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n\r\n"

int ask_instance(const char *instance, const char *path, const char *word, char *answer)
{
	char request[160];

	snprintf(request, sizeof request, "%s %s%s%s" REQUEST_END, word[0] ? "POST" : "GET", path,
		 word[0] ? "/" : "", word);
	return ask_request(instance, request, answer);
}

int ask_to_make(const char *instance, const char *target, char *answer)
{
	char *request;

	if (asprintf(&request, "POST %s" REQUEST_END, target) < 0)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	int code = ask_request(instance, request, answer);

	free(request);
	return code;
}
