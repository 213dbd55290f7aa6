// SPDX-License-Identifier: BSD-3-Clause
// From stream to answers. A request that lies whole in the bytes at hand is looked up in the memo,
// or parsed in place. Only one that does not is collected in text, and parsed as it grows; its body
// is never kept. Called by http.c, tests and the fuzzer; touches no connection, clock or buffer.
#include "service/http_input.h"

#include <string.h>

#include "base/bits.h"

void http_input_init(struct http_input *in)
{
	in->used = 0;
	in->parse.phase = HTTP_PHASE_HEAD;
}

void http_input_move(struct http_input *to, struct http_input *from)
{
	memcpy(to, from, offsetof(struct http_input, text) + from->used);
	http_input_init(from);
}

// After parsing: an answer, or what it will be when the body is over. base holds the head.
static void conclude(struct http_input *in, const struct http_site *site, const char *base,
		     struct http_answer *answer)
{
	struct http_parse *p = &in->parse;

	if (p->phase == HTTP_PHASE_HEAD)
		return;
	if (p->phase == HTTP_PHASE_BODY) {
		http_answer_make(site->root, p, base, &in->answer);
		in->used = 0;
		return;
	}
	http_answer_make(site->root, p, base, answer);
	http_input_init(in);
}

static size_t body_next(struct http_input *in, const struct http_site *site, const char *data,
			size_t len, struct http_answer *answer)
{
	size_t taken = http_parse_feed(&in->parse, data, 0, len);

	if (in->parse.phase == HTTP_PHASE_BODY)
		return taken;
	if (in->parse.phase == HTTP_PHASE_FAILED)
		http_answer_make(site->root, &in->parse, data, answer);
	else
		*answer = in->answer;
	http_input_init(in);
	return taken;
}

static size_t text_next(struct http_input *in, const struct http_site *site, const char *data,
			size_t len, struct http_answer *answer)
{
	uint32_t before = in->used;
	size_t n = MIN(len, sizeof(in->text) - before);

	memcpy(in->text + before, data, n);
	in->used += (uint32_t)n;
	size_t taken = http_parse_feed(&in->parse, in->text, before, in->used) - before;

	if (in->parse.phase == HTTP_PHASE_HEAD && in->used == sizeof(in->text))
		http_parse_too_long(&in->parse);
	bool failed = in->parse.phase == HTTP_PHASE_FAILED;

	conclude(in, site, in->text, answer);
	return failed ? len : taken;
}

static size_t fresh_next(struct http_input *in, const struct http_site *site, const char *data,
			 size_t len, struct http_answer *answer)
{
	struct http_parse *p = &in->parse;

	http_parse_init(p, site->body_bytes_max);
	size_t taken = http_parse_feed(p, data, 0, len);

	if (p->phase == HTTP_PHASE_HEAD && len >= sizeof(in->text))
		http_parse_too_long(p);
	if (p->phase == HTTP_PHASE_HEAD) {
		memcpy(in->text, data, len);
		in->used = (uint32_t)len;
		return len;
	}
	conclude(in, site, data, answer);
	if (answer->status && answer->status < 400 && !p->has_body)
		http_memo_add(site->memo, data, taken, answer);
	return taken;
}

size_t http_input_next(struct http_input *in, const struct http_site *site, const char *data,
		       size_t len, struct http_answer *answer)
{
	answer->status = 0;
	if (UNLIKELY(in->parse.phase == HTTP_PHASE_BODY))
		return body_next(in, site, data, len, answer);
	if (UNLIKELY(in->used > 0))
		return text_next(in, site, data, len, answer);
	uint32_t remembered = http_memo_find(site->memo, data, len, answer);

	return remembered ? remembered : fresh_next(in, site, data, len, answer);
}
