// SPDX-License-Identifier: BSD-3-Clause
// What a request is answered with, and the text of the answer's header. Pure functions of the
// request's bytes and the files; only the Date comes from outside.
#pragma once

#include "service/http_date.h"
#include "service/http_parse.h"
#include "service/http_root.h"

struct http_answer {
	const struct http_file *file; // whose body and header lines are sent: a file or a page
	uint64_t first, body_bytes;   // what of its body is sent, and announced
	uint64_t whole_bytes;         // 206, 416: of the whole file
	uint16_t status;              // 0: none yet
	bool head;                    // HEAD: the body is announced, not sent
	bool close;                   // the connection ends with it
	bool minor_0;                 // to an HTTP/1.0 client: staying open has to be said
};

// For a request that is DONE or FAILED, or whose header is complete (phase BODY). base holds it.
void http_answer_make(const struct http_root *root, const struct http_parse *p, const char *base,
		      struct http_answer *answer);

// An answer that needs no request: 408, 503. The connection ends with it.
void http_answer_page(const struct http_root *root, uint16_t status, struct http_answer *answer);

// Header bytes an answer takes at most.
uint32_t http_answer_head_bytes(const struct http_answer *answer);

// Writes the header, empty line included; returns its length.
uint32_t http_answer_write(const struct http_answer *answer, const char date[HTTP_DATE_BYTES],
			   char *out);

// Body bytes that follow the header.
static inline uint64_t http_answer_body_bytes(const struct http_answer *answer)
{
	return answer->head ? 0 : answer->body_bytes;
}
