// SPDX-License-Identifier: BSD-3-Clause
// From a parsed request to its answer: method, target, preconditions, range, in the order RFC 9110
// 13.2.2 asks for. GET and HEAD; everything else is 405.
//
// A request for several ranges is answered with the whole file, which RFC 9110 14.2 allows (Range
// may be ignored): multipart/byteranges has no user among clients of static files worth its code.
// Called by http_input.c.
#include "service/http_answer.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/bits.h"
#include "service/http_path.h"
#include "service/http_status.h"

struct text {
	const char *at;
	size_t len;
};

static struct text trimmed(struct text t)
{
	while (t.len > 0 && (*t.at == ' ' || *t.at == '\t'))
		t.at++, t.len--;
	while (t.len > 0 && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
		t.len--;
	return t;
}

static struct text text_of(const char *base, struct http_span span)
{
	return trimmed((struct text){base + span.offset, span.len});
}

static struct text field(const struct http_parse *p, const char *base, enum http_field name)
{
	return text_of(base, p->field[name]);
}

// One of a comma-separated list of entity tags is the file's, or it is "*". The weak comparison
// takes W/"x" for "x" (RFC 9110 8.8.3.2).
static bool etag_listed(struct text list, const struct http_file *file, bool weak)
{
	if (list.len == 1 && *list.at == '*')
		return true;
	while (list.len > 0) {
		const char *comma = memchr(list.at, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.at) : list.len;
		struct text tag = trimmed((struct text){list.at, len});

		if (weak && tag.len > 2 && memcmp(tag.at, "W/", 2) == 0)
			tag.at += 2, tag.len -= 2;
		if (tag.len == HTTP_ETAG_BYTES && memcmp(tag.at, file->etag, HTTP_ETAG_BYTES) == 0)
			return true;
		list.at += len + (comma != NULL);
		list.len -= len + (comma != NULL);
	}
	return false;
}

// In any line of this field.
static bool etag_given(const struct http_parse *p, const char *base, enum http_field name,
		       const struct http_file *file)
{
	bool weak = name == HTTP_FIELD_IF_NONE_MATCH; // RFC 9110 13.1.1, 13.1.2

	if (etag_listed(field(p, base, name), file, weak))
		return true;
	for (uint32_t i = 0; i < p->more_count; i++)
		if (p->more[i].field == name &&
		    etag_listed(text_of(base, p->more[i].value), file, weak))
			return true;
	return false;
}

// RFC 9110 13.2.2. 200 to go on, or 304, or 412.
static uint32_t preconditions(const struct http_parse *p, const char *base,
			      const struct http_file *file)
{
	struct text since;
	uint64_t date_s;

	if (p->present[HTTP_FIELD_IF_MATCH]) {
		if (!etag_given(p, base, HTTP_FIELD_IF_MATCH, file))
			return 412;
	} else if (p->present[HTTP_FIELD_IF_UNMODIFIED_SINCE]) {
		since = field(p, base, HTTP_FIELD_IF_UNMODIFIED_SINCE);
		if (http_date_read(since.at, since.len, &date_s) && file->modified_s > date_s)
			return 412;
	}
	if (p->present[HTTP_FIELD_IF_NONE_MATCH])
		return etag_given(p, base, HTTP_FIELD_IF_NONE_MATCH, file) ? 304 : 200;
	if (p->present[HTTP_FIELD_IF_MODIFIED_SINCE]) {
		since = field(p, base, HTTP_FIELD_IF_MODIFIED_SINCE);
		if (http_date_read(since.at, since.len, &date_s) && file->modified_s <= date_s)
			return 304;
	}
	return 200;
}

// Digits at the front; false without any. What does not fit is UINT64_MAX: beyond every file.
static bool number_take(struct text *t, uint64_t *value)
{
	const char *start = t->at;

	*value = 0;
	for (; t->len > 0 && *t->at >= '0' && *t->at <= '9'; t->at++, t->len--)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*t->at - '0'), value))
			*value = UINT64_MAX;
	return t->at > start;
}

enum range { RANGE_NONE, RANGE_GOOD, RANGE_UNSATISFIABLE };

// RFC 9110 14.1.2: "bytes=a-b", "bytes=a-", "bytes=-n". Anything else is as if it were not there.
static enum range range_read(struct text t, uint64_t size, uint64_t *first, uint64_t *count)
{
	uint64_t a = 0, b = 0;

	if (t.len < 6 || strncasecmp(t.at, "bytes=", 6) != 0)
		return RANGE_NONE;
	t.at += 6, t.len -= 6;
	bool has_a = number_take(&t, &a);

	if (t.len == 0 || *t.at != '-')
		return RANGE_NONE;
	t.at++, t.len--;
	bool has_b = number_take(&t, &b);

	if (t.len > 0 || (!has_a && !has_b) || (has_a && has_b && b < a))
		return RANGE_NONE;
	if (!has_a) {
		if (b == 0 || size == 0)
			return RANGE_UNSATISFIABLE;
		*count = MIN(b, size);
		*first = size - *count;
		return RANGE_GOOD;
	}
	if (a >= size)
		return RANGE_UNSATISFIABLE;
	*first = a;
	*count = (has_b ? MIN(b, size - 1) : size - 1) - a + 1;
	return RANGE_GOOD;
}

// RFC 9110 13.1.5: the range counts only if what the client has is still the file.
static bool if_range_holds(const struct http_parse *p, const char *base,
			   const struct http_file *file)
{
	struct text t = field(p, base, HTTP_FIELD_IF_RANGE);
	uint64_t date_s;

	if (!p->present[HTTP_FIELD_IF_RANGE])
		return true;
	// A day of the week may begin with W too.
	if ((t.len > 0 && *t.at == '"') || (t.len > 1 && memcmp(t.at, "W/", 2) == 0))
		return t.len == HTTP_ETAG_BYTES && memcmp(t.at, file->etag, t.len) == 0;
	return http_date_read(t.at, t.len, &date_s) && date_s == file->modified_s;
}

static void send_page(const struct http_root *root, uint16_t status, struct http_answer *a)
{
	a->status = status;
	a->file = http_root_page(root, status);
	ASSERT(a->file);
	a->body_bytes = a->file->body_bytes;
}

static void send_file(const struct http_root *root, const struct http_parse *p, const char *base,
		      struct http_answer *a)
{
	const struct http_file *file = a->file;
	uint16_t status = (uint16_t)preconditions(p, base, file);

	a->body_bytes = 0;
	a->status = status;
	if (status == 412)
		send_page(root, 412, a);
	if (status != 200)
		return;
	a->body_bytes = file->body_bytes;
	// RFC 9110 14.2: Range is defined for GET alone.
	if (a->head || !p->present[HTTP_FIELD_RANGE] || p->repeated[HTTP_FIELD_RANGE] ||
	    !if_range_holds(p, base, file))
		return;
	enum range range = range_read(field(p, base, HTTP_FIELD_RANGE), file->body_bytes, &a->first,
				      &a->body_bytes);

	a->whole_bytes = file->body_bytes;
	if (range == RANGE_GOOD)
		a->status = 206;
	else if (range == RANGE_UNSATISFIABLE)
		send_page(root, 416, a);
}

void http_answer_make(const struct http_root *root, const struct http_parse *p, const char *base,
		      struct http_answer *a)
{
	char path[HTTP_TARGET_BYTES_MAX + 1];

	*a = (struct http_answer){.close = p->close || p->cut,
				  .minor_0 = http_parse_is_1_0(p),
				  .head = p->llhttp.method == HTTP_HEAD};
	if (p->phase == HTTP_PHASE_FAILED) {
		send_page(root, p->status, a);
		return;
	}
	if (p->llhttp.method != HTTP_GET && !a->head) {
		send_page(root, 405, a);
		return;
	}
	size_t len = http_path_resolve(base + p->target.offset, p->target.len, path);

	if (len == 0) {
		send_page(root, 400, a);
		return;
	}
	a->file = http_root_find(root, path, len);
	if (!a->file) {
		send_page(root, 404, a);
		return;
	}
	if (a->file->status == 200) {
		send_file(root, p, base, a);
		return;
	}
	a->status = a->file->status;
	a->body_bytes = a->file->body_bytes;
}

void http_answer_page(const struct http_root *root, uint16_t status, struct http_answer *a)
{
	*a = (struct http_answer){.close = true};
	send_page(root, status, a);
}

// Status line and Date (90), Connection (24), Allow (18), Content-Range with three numbers of 20
// digits (81), Content-Length (38).
#define HEAD_EXTRA_BYTES 256

uint32_t http_answer_head_bytes(const struct http_answer *a)
{
	return HEAD_EXTRA_BYTES + a->file->head_len;
}

static char *put(char *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

static char *put_number(char *out, uint64_t n)
{
	char digits[20];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return put(out, digits + start, sizeof(digits) - start);
}

static char *put_content_range(char *out, const struct http_answer *a)
{
	out = PUT(out, "Content-Range: bytes ");
	if (a->status == 206) {
		out = put_number(out, a->first);
		out = PUT(out, "-");
		out = put_number(out, a->first + a->body_bytes - 1);
		out = PUT(out, "/");
	} else {
		out = PUT(out, "*/");
	}
	out = put_number(out, a->whole_bytes);
	return PUT(out, "\r\n");
}

uint32_t http_answer_write(const struct http_answer *a, const char date[HTTP_DATE_BYTES], char *out)
{
	const struct http_status *status = http_status_find(a->status);
	const struct http_file *file = a->file;
	char *at = put(out, status->line, status->line_len);
	uint32_t skip_bytes = 0; // of the file's header lines: Content-Length, when another applies

	at = put(at, date, HTTP_DATE_BYTES);
	at = PUT(at, "\r\n");
	if (a->close)
		at = PUT(at, "Connection: close\r\n");
	else if (a->minor_0)
		at = PUT(at, "Connection: keep-alive\r\n");
	if (UNLIKELY(a->status != 200)) {
		if (a->status == 405)
			at = PUT(at, "Allow: GET, HEAD\r\n");
		if (a->status == 206 || a->status == 416)
			at = put_content_range(at, a);
		if (a->status == 206) {
			at = PUT(at, "Content-Length: ");
			at = put_number(at, a->body_bytes);
			at = PUT(at, "\r\n");
		}
		if (a->status == 206 || a->status == 304)
			skip_bytes = file->length_len;
	}
	at = put(at, file->head + skip_bytes, file->head_len - skip_bytes);
	return (uint32_t)(at - out);
}
