// SPDX-License-Identifier: BSD-3-Clause
// Answers by the bytes of their request: same bytes, same parse, same answer; the whole argument is
// in the header. Called by http_input.c before it parses anything. It never forgets but by
// replacement: files do not change while a service runs, so an answer stays true.
#include "service/http_memo.h"

#include <string.h>

#include "base/bits.h"
#include "base/hash.h"

#define REQUEST_LINE_BYTES_MIN 14 // "GET / HTTP/1.1"

static uint64_t word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

// Of the request line, its end included. len is at least 8. Not against collisions by intent: they
// cost a parse, as without a memo.
static uint32_t set_of(const char *line, size_t len)
{
	uint64_t h = len;
	size_t i = 0;

	for (; i + 8 <= len; i += 8)
		h = hash_fold(h ^ word_at(line + i), 0x9e3779b97f4a7c15u);
	h = hash_fold(h ^ word_at(line + len - 8), 0xa0761d6478bd642fu);
	return (uint32_t)h % HTTP_MEMO_SETS;
}

// Bytes up to and with the first line feed; 0 when there is none or the line is too short.
static size_t line_len(const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);

	return end && end - data >= REQUEST_LINE_BYTES_MIN ? (size_t)(end - data) + 1 : 0;
}

uint32_t http_memo_find(const struct http_memo *memo, const char *data, size_t len,
			struct http_answer *answer)
{
	size_t first_len = line_len(data, len);

	if (first_len == 0)
		return 0;
	__auto_type set = &memo->set[set_of(data, first_len)];

	for (uint32_t way = 0; way < HTTP_MEMO_WAYS; way++) {
		uint32_t want = set->len[way];

		if (want == 0 || want > len || memcmp(set->entry[way].bytes, data, want) != 0)
			continue;
		*answer = set->entry[way].answer;
		return want;
	}
	return 0;
}

void http_memo_add(struct http_memo *memo, const char *data, size_t len,
		   const struct http_answer *answer)
{
	size_t first_len = line_len(data, len);

	if (first_len == 0 || len > HTTP_MEMO_BYTES_MAX)
		return;
	__auto_type set = &memo->set[set_of(data, first_len)];
	uint32_t way = set->next++ % HTTP_MEMO_WAYS;

	set->len[way] = (uint32_t)len;
	set->entry[way].answer = *answer;
	memcpy(set->entry[way].bytes, data, len);
}
