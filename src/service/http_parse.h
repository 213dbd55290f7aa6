// SPDX-License-Identifier: BSD-3-Clause
// One request, parsed from bytes that lie in one piece and may grow while it is incomplete.
#pragma once

#include <llhttp/llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A request line and its header lines. 8 KiB is what other servers take (nginx, Apache).
#define HTTP_REQUEST_BYTES_MAX 8192
#define HTTP_TARGET_BYTES_MAX 4096

// Header fields that change the answer.
enum http_field {
	HTTP_FIELD_HOST,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_RANGE,
	HTTP_FIELD_IF_RANGE,
	HTTP_FIELD_IF_MATCH,
	HTTP_FIELD_IF_NONE_MATCH,
	HTTP_FIELD_IF_MODIFIED_SINCE,
	HTTP_FIELD_IF_UNMODIFIED_SINCE,
	HTTP_FIELDS,
};

struct http_span {
	uint16_t offset, len; // from the request's first byte
};

// Lines of If-Match and If-None-Match behind the first of each. Who splits a list writes two or
// three; more are refused.
#define HTTP_MORE_LINES 8

struct http_line {
	uint16_t field; // enum http_field
	struct http_span value;
};

enum http_phase {
	HTTP_PHASE_HEAD, // request line and header lines
	HTTP_PHASE_BODY, // the answer is known, the body is read and ignored
	HTTP_PHASE_DONE,
	HTTP_PHASE_FAILED, // nothing behind it can be understood
};

struct http_parse {
	llhttp_t llhttp;
	const char *base; // during a call: the request's first byte
	uint64_t body_bytes, body_bytes_max;
	enum http_phase phase;
	uint16_t status; // FAILED: what to answer
	bool close;      // the connection ends with this answer
	bool has_body;
	bool cut; // the client waits for "100 Continue": answer instead, read no body
	bool repeated[HTTP_FIELDS];
	bool present[HTTP_FIELDS];
	struct http_span target, name;
	struct http_span value;              // of the header line under way
	struct http_span field[HTTP_FIELDS]; // of the first line
	struct http_line more[HTTP_MORE_LINES];
	uint16_t more_count;
};

void http_parse_init(struct http_parse *p, uint64_t body_bytes_max);

// Parses base[from..to); what lies before was parsed by earlier calls (base may have moved, with
// the same bytes). In the body phase base need not hold what came before.
// @return where it stopped: behind the request once phase is DONE, else to
size_t http_parse_feed(struct http_parse *p, const char *base, size_t from, size_t to);

// Too many bytes without an end: fails with the status that fits.
void http_parse_too_long(struct http_parse *p);

static inline bool http_parse_is_1_0(const struct http_parse *p)
{
	return p->llhttp.http_major == 1 && p->llhttp.http_minor == 0;
}
