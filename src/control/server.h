// SPDX-License-Identifier: BSD-3-Clause
// The control socket: HTTP/1.1 over a UNIX socket, for tools on the same machine.
#pragma once

#include "observe/shm_reader.h"

// What may be asked of the instance besides its numbers.
struct server_requests {
	// A word that says what to do, or NULL: there is no such. 0, or a negative errno with
	// err_set; -ENOENT for another word.
	int (*rebalance)(void *context, const char *word); // "on", "off", "now"
	int (*recorder)(void *context, const char *word);  // "off", or "N": one packet in N
	void *context;
	// JSON text from malloc of what a path shows by a query (behind its '?', or ""); NULL:
	// there is no such path, or it is *bad, with err_set. May be NULL.
	char *(*show)(struct shm_reader *reader, const char *path, const char *query, bool *bad);
	// The same of what a POST to a path makes.
	char *(*make)(void *context, const char *path, const char *query, bool *bad);
};

struct server {
	int fd;           // listening; poll it for reading
	const char *path; // borrowed until server_close
	struct shm_reader *reader;
	struct server_requests requests;
};

// Mode 0660. A socket left by a dead process is replaced, a living one is ERR_CONTROL_SOCKET_TAKEN.
// 0 or a negative errno with err_set.
int server_open(struct server *server, const char *path);
void server_close(struct server *server);

// Answers one client that is waiting to be accepted. Blocks, for at most a second a client.
void server_serve(struct server *server);

// The answer to a request's first line, for tests: status line, headers and body in memory from
// malloc.
char *server_answer(struct server *server, const char *request);
