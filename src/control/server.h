// SPDX-License-Identifier: BSD-3-Clause
// Who answers over HTTP/1.1: the control socket, a UNIX socket for tools on the same machine, and a
// TCP port of the kernel's for browsers and Prometheus, when the configuration names one. Both
// answer the same (control/answer.h). Linked by the prism command alone.
#pragma once

#include <poll.h>
#include <prismnet/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/answer.h"

#define SERVER_TOKEN_BYTES 33 // 16 random bytes in hexadecimal, and the end

struct MHD_Daemon;
struct server;

// A listening socket and those who came by it.
struct server_door {
	struct server *server;
	struct MHD_Daemon *daemon; // NULL: not open
	bool is_web;
};

struct server_web {
	struct prism_addr addr; // of this machine
	uint16_t port;          // host order; 0: one that is free, which the server's web_at has
	bool beyond_loopback;   // others reach it: by whatever name
};

struct server {
	struct answerer answerer;
	const char *path; // of the control socket, borrowed until server_close; NULL: none
	struct server_door local, web;
	struct server_web web_at;
	int web_fd;                     // listening, until the door is open; 0: none
	char token[SERVER_TOKEN_BYTES]; // who changes something over the web has to say it
	char token_path[512];           // where it is to be read; "": nowhere
};

// Mode 0660. A socket left by a dead process is replaced, a living one is ERR_CONTROL_SOCKET_TAKEN.
// 0 or a negative errno with err_set. The path is borrowed.
int server_open(struct server *server, const char *path);

// The web's port, in the network namespace that this thread is in now; clients wait until
// server_open_web. 0 or a negative errno with err_set, ERR_CONTROL_WEB_FAILED.
int server_listen_web(struct server *server, const struct server_web *web);

// The same errors. What changes the instance takes a token, which lies in the file token_path with
// mode 0640. On a loopback address Host must be localhost or an address, against DNS rebinding.
int server_open_web(struct server *server, const char *token_path);

void server_close(struct server *server);

// What to poll: fds of those that are open. Returns how many, at most 2.
uint32_t server_fds(const struct server *server, struct pollfd fds[2]);

// How long may be slept, in ns; UINT64_MAX: until something comes.
uint64_t server_wait_ns(const struct server *server);

// Takes what came and sends what can be sent; waits for nobody. A client that is silent for ten
// seconds is left.
void server_turn(struct server *server);
