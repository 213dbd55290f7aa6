// SPDX-License-Identifier: BSD-3-Clause
// Requests out of a byte stream, cut anywhere: many in one piece, or one in many pieces.
#pragma once

#include "service/http_answer.h"
#include "service/http_memo.h"

// What all connections of a service share.
struct http_site {
	struct http_root *root;
	struct http_memo *memo;
	uint64_t body_bytes_max;
};

// A request under way. An input that is empty can serve any connection; once it is not, it is its
// connection's until the request is answered.
struct http_input {
	struct http_parse parse;
	struct http_answer answer;         // phase BODY: given when the body is over
	uint32_t used;                     // bytes of text
	char text[HTTP_REQUEST_BYTES_MAX]; // the request so far
};

void http_input_init(struct http_input *in);

static inline bool http_input_empty(const struct http_input *in)
{
	return in->used == 0 && in->parse.phase != HTTP_PHASE_BODY;
}

// Takes bytes up to the end of the next request, or all of them. answer->status is 0 when the
// request is not complete; the input has kept what it needs. Else the input is empty again.
// @return bytes taken; all of them when answer->close
size_t http_input_next(struct http_input *in, const struct http_site *site, const char *data,
		       size_t len, struct http_answer *answer);

// Gives the request under way a new place and leaves `from` empty.
void http_input_move(struct http_input *to, struct http_input *from);
