// SPDX-License-Identifier: BSD-3-Clause
// Connections of the http service: what one is, and what can happen to it.
#pragma once

#include "base/assert.h"
#include "service/held.h"
#include "service/http_input.h"
#include "service/slab.h"
#include "service/types.h"

enum http_state {
	HTTP_FREE,
	HTTP_IDLE,    // between requests
	HTTP_READING, // a request is incomplete
	HTTP_SENDING, // waiting for room
	HTTP_CLOSING, // closed or aborted here; what arrives is thrown away
};

struct http_work {
	struct http_input *input; // the incomplete request, or NULL
	struct held held;         // received, waiting its turn
	struct prism_buf *out;    // written, waiting for room
	const uint8_t *body;      // to be sent behind out
	uint64_t body_bytes;
	struct http_answer answer; // to be written behind that; status 0: none
};

struct http_conn {
	struct handler handler;
	struct http *http;
	prism_conn conn;
	struct http_work *work; // NULL: nothing is under way
	struct mover mover;
	uint64_t deadline_ns; // of its state
	uint8_t state;        // enum http_state
	bool eof;             // the peer has sent all
	bool last;            // the connection ends when all is sent
};

static_assert(sizeof(struct http_conn) <= 64, "an idle connection costs at most a cache line");

struct http {
	struct handler listener;
	struct handler ticker;
	struct service *service;
	struct prism_worker *worker;
	prism_listener tcp;
	prism_timer timer;
	bool listening, draining, ticking;
	struct http_site site;
	struct prism_buf *out; // being filled for the connection whose event is handled
	struct slab conns, works, inputs;
	uint32_t sweep_index;
	uint64_t unix_offset_ns; // wall clock minus prism_now_ns, at start
	uint64_t date_s;
	char date[HTTP_DATE_BYTES];
	struct http_input fresh; // for requests that arrive whole
};

// A new connection. False when no slot is left.
bool http_conn_open(struct http *http, prism_conn conn);

// Another worker's service has taken its connection, with what was under way.
void http_conn_forget(struct http_conn *c);

// It left and nobody took it, at the end: releases what it has.
void http_conn_abandon(struct http_conn *c);

// Looks after a connection, from the sweep.
void http_conn_check(struct http_conn *c, uint64_t now_ns);

// Nothing is under way: closes it.
void http_conn_close(struct http_conn *c);
void http_conn_abort(struct http_conn *c);
