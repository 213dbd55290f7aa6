// SPDX-License-Identifier: BSD-3-Clause
// Answers remembered by the exact bytes of their request.
//
// An answer is a pure function of a request's bytes and of files that never change after start, and
// where a request ends is decided by its own bytes. So if the bytes at hand begin with the bytes of
// a request answered before, complete and without a body, they are that request again: same bytes,
// same parse, same answer. A memcmp takes the place of parsing, path resolution, conditions and
// lookup. Clients repeat themselves: browsers, proxies and load generators send the same header
// lines with each request.
//
// Sets of four, chosen by a hash of the request line, replaced in turn.
#pragma once

#include "service/http_answer.h"

#define HTTP_MEMO_SETS 256
#define HTTP_MEMO_WAYS 4
#define HTTP_MEMO_BYTES_MAX 944 // a browser's request fits

struct http_memo_entry {
	struct http_answer answer;
	char bytes[HTTP_MEMO_BYTES_MAX];
};

struct http_memo {
	struct {
		uint32_t len[HTTP_MEMO_WAYS]; // 0: empty
		uint32_t next;
		struct http_memo_entry entry[HTTP_MEMO_WAYS];
	} set[HTTP_MEMO_SETS];
};

// Bytes of the remembered request that data begins with, and its answer; 0 when none is known.
uint32_t http_memo_find(const struct http_memo *memo, const char *data, size_t len,
			struct http_answer *answer);

// Remembers a complete request without body. Longer ones than HTTP_MEMO_BYTES_MAX are left out.
void http_memo_add(struct http_memo *memo, const char *data, size_t len,
		   const struct http_answer *answer);
