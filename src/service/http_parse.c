// SPDX-License-Identifier: BSD-3-Clause
// Request parsing: llhttp (Debian's, strict mode) walks the bytes, this file notes where the target
// and the few header values of interest lie, as offsets, so that the bytes may move while the
// request is incomplete. RFC 9112 is llhttp's business but for what it leaves to the server:
// Host (3.2), limits, obsolete line folding (5.2: refused), and which status an error gets.
//
// Called by http_input.c. The same bytes give the same result at whatever point they are cut.
#include "service/http_parse.h"

#include <string.h>
#include <strings.h>

#include "base/bits.h"

static int fail(struct http_parse *p, uint16_t status)
{
	if (p->status == 0)
		p->status = status;
	return HPE_USER;
}

// Adds bytes to a span that is reported in pieces. False when the pieces do not touch.
static bool span_add(struct http_parse *p, struct http_span *span, const char *at, size_t len)
{
	size_t offset = (size_t)(at - p->base);

	if (span->len == 0)
		span->offset = (uint16_t)offset;
	else if (span->offset + span->len != offset)
		return false;
	span->len = (uint16_t)(span->len + len);
	return true;
}

static bool beyond(const struct http_parse *p, const char *at, size_t len)
{
	return (size_t)(at - p->base) + len > HTTP_REQUEST_BYTES_MAX;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	if (beyond(p, at, len) || p->target.len + len > HTTP_TARGET_BYTES_MAX)
		return fail(p, 414);
	span_add(p, &p->target, at, len);
	return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	if (p->phase != HTTP_PHASE_HEAD)
		return 0; // a trailer
	if (beyond(p, at, len))
		return fail(p, 431);
	span_add(p, &p->name, at, len);
	return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	if (p->phase != HTTP_PHASE_HEAD)
		return 0;
	if (beyond(p, at, len))
		return fail(p, 431);
	// RFC 9112 5.2: a server must refuse obsolete line folding, or repair it.
	if (!span_add(p, &p->value, at, len))
		return fail(p, 400);
	return 0;
}

static const struct {
	const char *name;
	uint16_t len;
} field_names[HTTP_FIELDS] = {
	[HTTP_FIELD_HOST] = {"host", 4},
	[HTTP_FIELD_EXPECT] = {"expect", 6},
	[HTTP_FIELD_RANGE] = {"range", 5},
	[HTTP_FIELD_IF_RANGE] = {"if-range", 8},
	[HTTP_FIELD_IF_MATCH] = {"if-match", 8},
	[HTTP_FIELD_IF_NONE_MATCH] = {"if-none-match", 13},
	[HTTP_FIELD_IF_MODIFIED_SINCE] = {"if-modified-since", 17},
	[HTTP_FIELD_IF_UNMODIFIED_SINCE] = {"if-unmodified-since", 19},
};

// RFC 9110 5.3: the lines of a field whose value is a list are one list, in order.
static int line_again(struct http_parse *p, int field)
{
	p->repeated[field] = true;
	if (field != HTTP_FIELD_IF_MATCH && field != HTTP_FIELD_IF_NONE_MATCH)
		return 0;
	if (p->more_count == HTTP_MORE_LINES)
		return fail(p, 431);
	p->more[p->more_count++] = (struct http_line){(uint16_t)field, p->value};
	return 0;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);
	int status = 0;

	if (p->phase != HTTP_PHASE_HEAD)
		return 0;
	for (int i = 0; i < HTTP_FIELDS; i++) {
		if (p->name.len != field_names[i].len ||
		    strncasecmp(p->base + p->name.offset, field_names[i].name, p->name.len) != 0)
			continue;
		if (p->present[i])
			status = line_again(p, i);
		else
			p->field[i] = p->value;
		p->present[i] = true;
		break;
	}
	p->name.len = 0;
	p->value.len = 0;
	return status;
}

// uri-host [ ":" port ], by its characters (RFC 3986 3.2.2); empty is allowed (RFC 9110 7.2).
static bool host_valid(const char *host, size_t len)
{
	static const char punctuation[] = "-._~!$&'()*+,;=:[]%";

	while (len > 0 && (host[len - 1] == ' ' || host[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		char c = host[i], lower = c | 0x20;

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
		    !memchr(punctuation, c, sizeof(punctuation) - 1))
			return false;
	}
	return true;
}

// RFC 9112 3.2: exactly one valid Host in HTTP/1.1, at most one otherwise.
static bool host_right(const struct http_parse *p)
{
	struct http_span host = p->field[HTTP_FIELD_HOST];

	if (!p->present[HTTP_FIELD_HOST])
		return http_parse_is_1_0(p);
	return !p->repeated[HTTP_FIELD_HOST] && host_valid(p->base + host.offset, host.len);
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	p->llhttp.upgrade = 0; // no protocol to switch to: the field is ignored (RFC 9110 7.8)
	p->close = !llhttp_should_keep_alive(llhttp);
	if (llhttp->http_major != 1) {
		fail(p, 505);
		return -1;
	}
	if (!host_right(p)) {
		fail(p, 400);
		return -1;
	}
	bool chunked = llhttp->flags & F_CHUNKED;

	p->has_body = chunked || llhttp->content_length > 0;
	if (!p->has_body)
		return 0;
	if (!chunked && llhttp->content_length > p->body_bytes_max) {
		fail(p, 413);
		return -1;
	}
	if (p->present[HTTP_FIELD_EXPECT]) {
		// RFC 9110 10.1.1: the final status may come instead of "100 Continue".
		p->cut = true;
		return -1;
	}
	p->phase = HTTP_PHASE_BODY;
	return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	p->body_bytes += len;
	return p->body_bytes > p->body_bytes_max ? fail(p, 413) : 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	struct http_parse *p = CONTAINER_OF(llhttp, struct http_parse, llhttp);

	p->phase = HTTP_PHASE_DONE;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void http_parse_init(struct http_parse *p, uint64_t body_bytes_max)
{
	memset(p, 0, sizeof(*p));
	llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
	p->body_bytes_max = body_bytes_max;
}

static uint16_t status_of(const struct http_parse *p, llhttp_errno_t error, const char *to)
{
	const char *at = llhttp_get_error_pos(&p->llhttp);

	if (p->status)
		return p->status;
	if (error == HPE_INVALID_VERSION || error == HPE_PAUSED_H2_UPGRADE)
		return 505;
	// RFC 9110 9.1: 501 for a method nobody knows; what is no name at all is a bad request.
	if (error == HPE_INVALID_METHOD && at && at < to &&
	    ((*at >= 'A' && *at <= 'Z') || *at == ' '))
		return 501;
	return 400;
}

size_t http_parse_feed(struct http_parse *p, const char *base, size_t from, size_t to)
{
	p->base = base;
	llhttp_errno_t error = llhttp_execute(&p->llhttp, base + from, to - from);

	if (error == HPE_OK)
		return to;
	if (error == HPE_PAUSED && p->phase == HTTP_PHASE_DONE)
		return (size_t)(llhttp_get_error_pos(&p->llhttp) - base);
	p->close = true;
	if (p->cut) {
		p->phase = HTTP_PHASE_DONE;
		return to;
	}
	p->status = status_of(p, error, base + to);
	p->phase = HTTP_PHASE_FAILED;
	return to;
}

void http_parse_too_long(struct http_parse *p)
{
	bool in_target = p->llhttp.http_major == 0 && p->name.len == 0 && p->target.len > 0;

	p->close = true;
	p->status = in_target ? 414 : 431;
	p->phase = HTTP_PHASE_FAILED;
}
