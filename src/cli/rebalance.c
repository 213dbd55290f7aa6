// SPDX-License-Identifier: BSD-3-Clause
// prism rebalance: asks a running instance, over its control socket, whether connections go from a
// busy worker to an idle one, and changes it. Where the socket is, the instance's shared memory
// says.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "control/stats.h"
#include "observe/shm.h"

#define ANSWER_BYTES_MAX 4096

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
		cli_error(
			CLI_FAILED, NULL,
			"name one in its configuration, under control: socket: PATH, of which the "
			"whole is no longer than a socket's address, and start it again",
			"instance %s names no control socket", shm_reader_head(reader)->instance);
	shm_reader_close(reader);
	return address->sun_path[0] != 0;
}

// All that comes until the end, as text. 0, or a negative errno.
static int ask(const struct sockaddr_un *address, const char *request, char *answer)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = 0;
	ssize_t got = -1;

	answer[0] = '\0';
	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
		while ((got = recv(fd, answer + len, ANSWER_BYTES_MAX - 1 - len, 0)) > 0)
			len += (size_t)got;
	int error = got < 0 ? -errno : 0;

	answer[len] = '\0';
	if (fd >= 0)
		close(fd);
	return error;
}

static int print_state(const char *body, bool as_json)
{
	json_t *state = json_loads(body, 0, NULL);
	json_int_t orders = 0, connections = 0;
	int on = 0;

	if (json_unpack(state, "{s:b, s:I, s:I}", "on", &on, "orders", &orders, "connections",
			&connections) != 0) {
		json_decref(state);
		return cli_error(CLI_FAILED, NULL, NULL, "the instance answered: %s", body);
	}
	if (as_json)
		puts(body);
	else
		printf("rebalance is %s: %" PRId64 " orders, %" PRId64
		       " connections given to another worker\n",
		       on ? "on" : "off", (int64_t)orders, (int64_t)connections);
	json_decref(state);
	return CLI_OK;
}

int cmd_rebalance(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int at = cli_options(argc, argv, values);
	char request[128], text[ANSWER_BYTES_MAX];

	if (at < 0)
		return CLI_USAGE;
	const char *word = at < argc ? argv[at] : "";

	if (at + 1 < argc || (word[0] && strcmp(word, "on") != 0 && strcmp(word, "off") != 0 &&
			      strcmp(word, "now") != 0))
		return cli_error(CLI_USAGE, NULL, "prism rebalance [on | off | now]",
				 "prism rebalance does not know `%s`", argv[argc - 1]);
	if (!find_socket(values[1], &address))
		return CLI_FAILED;
	snprintf(request, sizeof request, "%s /v1/rebalance%s%s HTTP/1.1\r\nHost: prism\r\n\r\n",
		 word[0] ? "POST" : "GET", word[0] ? "/" : "", word);
	int error = ask(&address, request, text);
	const char *body = strstr(text, "\r\n\r\n");

	if (error || !body)
		return cli_error(CLI_FAILED, error ? strerror(-error) : "it answered nothing",
				 "is it running, and are you of the socket's group?",
				 "%s does not answer", address.sun_path);
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0)
		return cli_error(CLI_FAILED, NULL, NULL, "%s", body + 4);
	return print_state(body + 4, values[0] != NULL);
}
