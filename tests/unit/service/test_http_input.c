// SPDX-License-Identifier: BSD-3-Clause
// Bytes in, answers out: the whole of http but its connections. Every case is run in one piece,
// cut at every point, and byte by byte, and must answer the same each time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/http_input.h"
#include "service/http_status.h"
#include "site.h"

static struct http_root *root;
static struct http_site site;
static struct http_input input;
static char etag[HTTP_ETAG_BYTES + 1];

#define OUT_BYTES_MAX 65536

static void memo_clear(void)
{
	memset(site.memo, 0, sizeof(*site.memo));
}

static int setup(void **state)
{
	site_make();
	site_file_of("wednesday", "0123456789", 1445412480); // Wed, 21 Oct 2015 07:28:00 GMT
	if (site_load(1000, &root) < 0)
		return -1;
	site = (struct http_site){.root = root, .body_bytes_max = 100};
	site.memo = calloc(1, sizeof(*site.memo));
	memcpy(etag, http_root_find(root, "/ten", 4)->etag, HTTP_ETAG_BYTES);
	return 0;
}

static int teardown(void **state)
{
	http_root_free(root);
	free(site.memo);
	site_remove();
	return 0;
}

struct reply {
	char out[OUT_BYTES_MAX]; // headers and bodies as they would go on the wire
	size_t len;
	uint16_t status[64];
	int count;
	bool closed;
};

static void reply_add(struct reply *r, const struct http_answer *a)
{
	assert_true(r->len + http_answer_head_bytes(a) < OUT_BYTES_MAX);
	uint32_t len = http_answer_write(a, "Sun, 06 Nov 1994 08:49:37 GMT", r->out + r->len);

	assert_true(len <= http_answer_head_bytes(a));
	r->len += len;
	memcpy(r->out + r->len, a->file->body + a->first, http_answer_body_bytes(a));
	r->len += http_answer_body_bytes(a);
	r->out[r->len] = 0;
	r->status[r->count++] = a->status;
	r->closed = a->close;
}

static void feed(struct reply *r, const char *bytes, size_t len)
{
	// Its own allocation, so that a read beyond it is seen.
	char *copy = malloc(len ? len : 1);
	size_t done = 0;

	memcpy(copy, bytes, len);
	while (done < len && !r->closed) {
		struct http_answer a;

		size_t taken = http_input_next(&input, &site, copy + done, len - done, &a);

		assert_true(taken > 0 && taken <= len - done);
		done += taken;
		if (a.status)
			reply_add(r, &a);
		else
			assert_int_equal(done, len);
	}
	free(copy);
}

static void begin(struct reply *r)
{
	memset(r, 0, sizeof(*r));
	http_input_init(&input);
}

// Runs the bytes whole, then cut in two at every point, then one by one.
static const struct reply *exchange(const char *bytes, size_t len)
{
	static struct reply whole, cut;

	memo_clear();
	begin(&whole);
	feed(&whole, bytes, len);
	begin(&cut);
	feed(&cut, bytes, len); // a second time, remembered
	assert_memory_equal(&cut, &whole, sizeof(cut));
	for (size_t at = 1; at < len; at++) {
		begin(&cut);
		feed(&cut, bytes, at);
		feed(&cut, bytes + at, len - at);
		assert_int_equal(cut.count, whole.count);
		assert_memory_equal(&cut, &whole, sizeof(cut));
	}
	begin(&cut);
	for (size_t at = 0; at < len; at++)
		feed(&cut, bytes + at, 1);
	assert_memory_equal(&cut, &whole, sizeof(cut));
	return &whole;
}

static const struct reply *answer(const char *request)
{
	return exchange(request, strlen(request));
}

static void assert_status(const char *request, int status, bool closed)
{
	const struct reply *r = answer(request);

	if (r->count != 1 || r->status[0] != status || r->closed != closed)
		fail_msg("%s\n%d answers, the first %d, closed %d; expected %d, closed %d", request,
			 r->count, r->status[0], r->closed, status, closed);
}

static void a_file_is_sent_with_its_header(void **state)
{
	char expected[512];

	snprintf(expected, sizeof(expected),
		 "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 10\r\n"
		 "ETag: %s\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		 "Accept-Ranges: bytes\r\n"
		 "Content-Type: application/octet-stream\r\n\r\n0123456789",
		 etag);
	assert_string_equal(answer("GET /ten HTTP/1.1\r\nHost: x\r\n\r\n")->out, expected);
}

static void head_is_get_without_the_body(void **state)
{
	static char get[OUT_BYTES_MAX];

	strcpy(get, answer("GET /ten HTTP/1.1\r\nHost: x\r\n\r\n")->out);
	get[strlen(get) - 10] = 0;
	assert_string_equal(answer("HEAD /ten HTTP/1.1\r\nHost: x\r\n\r\n")->out, get);
}

static void errors_to_head_have_no_body(void **state)
{
	static const char *const requests[] = {
		"HEAD /ten HTTP/1.1\r\n\r\n",
		"HEAD /ten HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
		"HEAD /ten HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n",
	};

	for (int i = 0; i < 3; i++) {
		const struct reply *r = answer(requests[i]);

		assert_int_equal(r->count, 1);
		assert_true(r->closed);
		assert_string_equal(strstr(r->out, "\r\n\r\n"), "\r\n\r\n");
	}
}

static void statuses_are_these(void **state)
{
	assert_status("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, false);
	assert_status("GET /ten?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 200, false);
	assert_status("GET http://x/ten HTTP/1.1\r\nHost: x\r\n\r\n", 200, false);
	assert_status("GET /docs HTTP/1.1\r\nHost: x\r\n\r\n", 301, false);
	assert_status("GET /docs/a%20b.txt HTTP/1.1\r\nHost: x\r\n\r\n", 200, false);
	assert_status("GET /empty.css HTTP/1.1\r\nHost: x\r\n\r\n", 200, false);
	assert_status("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, false);
	assert_status("HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, false);
	assert_status("GET /.secret HTTP/1.1\r\nHost: x\r\n\r\n", 404, false);
	assert_status("GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400, false);
	assert_status("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, false);
	assert_status("DELETE /ten HTTP/1.1\r\nHost: x\r\n\r\n", 405, false);
	assert_status("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405, false);
	assert_status("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405, false);
	assert_status("BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 501, true);
	assert_status("\x16\x03\x01 tls\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
		      200, false);
}

static void versions_and_hosts_are_checked(void **state)
{
	assert_status("GET / HTTP/1.1\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost:\r\n\r\n", 200, false);
	assert_status("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 200, false);
	assert_status("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, true);
	assert_status("GET / HTTP/3.1\r\nHost: x\r\n\r\n", 505, true);
	assert_status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true);
	assert_status("GET /\r\n\r\n", 505, true);
	assert_status("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400, true);
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400, true);
}

static void connections_stay_or_end_as_asked(void **state)
{
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, true);
	assert_non_null(
		strstr(answer("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")->out,
		       "\r\nConnection: close\r\n"));
	assert_status("GET / HTTP/1.0\r\n\r\n", 200, true);
	assert_status("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false);
	assert_non_null(strstr(answer("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->out,
			       "\r\nConnection: keep-alive\r\n"));
}

static void bodies_are_read_and_ignored_up_to_a_limit(void **state)
{
	static const char next[] = "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n";
	char text[1024];

	snprintf(text, sizeof(text),
		 "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello%s", next);
	assert_int_equal(answer(text)->count, 2);
	snprintf(text, sizeof(text),
		 "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n%s",
		 next);
	const struct reply *r = answer(text);

	assert_int_equal(r->count, 2);
	assert_int_equal(r->status[0], 405);
	assert_int_equal(r->status[1], 200);
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413, true);
	snprintf(text, sizeof(text),
		 "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "65\r\n%0101d\r\n0\r\n\r\n",
		 0);
	assert_status(text, 413, true);
	assert_status(
		"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
		405, true);
	assert_status("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n",
		      400, true);
}

static void long_requests_are_refused_by_name(void **state)
{
	static char text[20000];
	static struct reply r;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	for (size_t piece = 100; piece < sizeof(text); piece += 2111) {
		begin(&r);
		for (size_t at = 0; at + piece <= sizeof(text); at += piece)
			feed(&r, text + at, piece);
		assert_int_equal(r.status[0], 414);
		assert_true(r.closed);
	}
	memcpy(text, "GET / HTTP/1.1\r\nHost: x\r\nA: b", 29);
	for (size_t piece = 100; piece < sizeof(text); piece += 2111) {
		begin(&r);
		for (size_t at = 0; at + piece <= sizeof(text); at += piece)
			feed(&r, text + at, piece);
		assert_int_equal(r.status[0], 431);
		assert_true(r.closed);
	}
}

static void range_is(const char *range, int status, const char *content_range, const char *body)
{
	char text[256];
	const struct reply *r;

	snprintf(text, sizeof(text), "GET /ten HTTP/1.1\r\nHost: x\r\nRange: %s\r\n\r\n", range);
	r = answer(text);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->status[0], status);
	assert_string_equal(strstr(r->out, "\r\n\r\n") + 4, body);
	if (content_range)
		assert_non_null(strstr(r->out, content_range));
	else
		assert_null(strstr(r->out, "Content-Range"));
	snprintf(text, sizeof(text), "Content-Length: %zu\r\n", strlen(body));
	assert_non_null(strstr(r->out, text));
}

static void ranges_are_cut_out(void **state)
{
	range_is("bytes=0-0", 206, "Content-Range: bytes 0-0/10\r\n", "0");
	range_is("bytes=2-4", 206, "Content-Range: bytes 2-4/10\r\n", "234");
	range_is("bytes=7-", 206, "Content-Range: bytes 7-9/10\r\n", "789");
	range_is("bytes=7-99999", 206, "Content-Range: bytes 7-9/10\r\n", "789");
	range_is("bytes=-3", 206, "Content-Range: bytes 7-9/10\r\n", "789");
	range_is("bytes=-30", 206, "Content-Range: bytes 0-9/10\r\n", "0123456789");
	range_is("bytes=10-", 416, "Content-Range: bytes */10\r\n", "416 Range Not Satisfiable\n");
	range_is("bytes=-0", 416, "Content-Range: bytes */10\r\n", "416 Range Not Satisfiable\n");
	range_is("bytes=4-2", 200, NULL, "0123456789");
	range_is("bytes=0-1,3-4", 200, NULL, "0123456789");
	range_is("lines=0-1", 200, NULL, "0123456789");
	range_is("bytes=-", 200, NULL, "0123456789");
}

static void ranges_have_numbers_of_any_length(void **state)
{
	static const char refused[] = "416 Range Not Satisfiable\n";

	range_is("bytes=99999999999999999999-", 416, "Content-Range: bytes */10\r\n", refused);
	range_is("bytes=1000000000000000000-", 416, "Content-Range: bytes */10\r\n", refused);
	range_is("bytes=99999999999999999999-3", 200, NULL, "0123456789");
	range_is("bytes=18446744073709551616-3", 200, NULL, "0123456789");
	range_is("bytes=7-99999999999999999999", 206, "Content-Range: bytes 7-9/10\r\n", "789");
	range_is("bytes=-99999999999999999999", 206, "Content-Range: bytes 0-9/10\r\n",
		 "0123456789");
	range_is("bytes=00000000000000000002-0000000000000000000004", 206,
		 "Content-Range: bytes 2-4/10\r\n", "234");
	range_is("bytes=-0000000000000000000003", 206, "Content-Range: bytes 7-9/10\r\n", "789");
}

static void condition_is(const char *name, const char *value, int status)
{
	char text[512];
	const struct reply *r;

	snprintf(text, sizeof(text), "GET /ten HTTP/1.1\r\nHost: x\r\n%s: %s\r\n\r\n", name, value);
	r = answer(text);
	assert_int_equal(r->status[0], status);
	if (status == 304) {
		assert_null(strstr(r->out, "Content-Length"));
		assert_non_null(strstr(r->out, etag));
		assert_int_equal(strlen(r->out), strstr(r->out, "\r\n\r\n") + 4 - r->out);
	}
}

static void conditions_are_weighed(void **state)
{
	char list[128];

	condition_is("If-None-Match", etag, 304);
	condition_is("If-None-Match", "*", 304);
	condition_is("If-None-Match", "\"other\"", 200);
	snprintf(list, sizeof(list), "\"a\" , W/%s", etag);
	condition_is("If-None-Match", list, 304);
	condition_is("If-Match", list, 412);
	condition_is("If-Match", etag, 200);
	condition_is("If-Match", "\"other\"", 412);
	condition_is("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 304);
	condition_is("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", 200);
	condition_is("If-Modified-Since", "yesterday", 200);
	condition_is("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", 412);
	condition_is("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 200);
	// RFC 9110 13.1.3: with If-None-Match there, If-Modified-Since is ignored.
	condition_is("If-None-Match: \"x\"\r\nIf-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT",
		     200);
	snprintf(list, sizeof(list), "bytes=1-2\r\nIf-Range: %s", etag);
	condition_is("Range", list, 206);
	condition_is("Range", "bytes=1-2\r\nIf-Range: \"old\"", 200);
	condition_is("Range", "bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT", 206);
	condition_is("Range", "bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT", 200);
}

static void lines_of_etags_are_one_list(void **state)
{
	char lines[256];

	snprintf(lines, sizeof(lines), "\"a\"\r\nIf-None-Match: W/%s", etag);
	condition_is("If-None-Match", lines, 304);
	snprintf(lines, sizeof(lines), "\"a\"\r\nA: b\r\nif-none-match: \"b\", %s", etag);
	condition_is("If-None-Match", lines, 304);
	snprintf(lines, sizeof(lines), "\"a\"\r\nIf-Match: \"b\"\r\nIf-Match: %s", etag);
	condition_is("If-Match", lines, 200);
	snprintf(lines, sizeof(lines), "\r\nIf-Match: %s", etag);
	condition_is("If-Match", lines, 200);
	condition_is("If-Match", "\"a\"\r\nIf-Match: \"b\"", 412);
	condition_is("If-None-Match", "\"a\"\r\nIf-None-Match: \"b\"", 200);
	// Each is a list of its own.
	snprintf(lines, sizeof(lines), "\"a\"\r\nIf-None-Match: %s", etag);
	condition_is("If-Match", lines, 412);
	snprintf(lines, sizeof(lines), "\"a\"\r\nIf-Match: %s", etag);
	condition_is("If-None-Match", lines, 200);
}

static void a_list_of_too_many_lines_is_refused(void **state)
{
	char text[1024] = "GET /ten HTTP/1.1\r\nHost: x\r\n";

	for (int i = 0; i < 1 + HTTP_MORE_LINES; i++)
		strcat(text, "If-None-Match: \"a\"\r\n");
	size_t len = strlen(text);

	strcpy(text + len, "\r\n");
	assert_status(text, 200, false);
	strcpy(text + len, "If-None-Match: \"a\"\r\n\r\n");
	assert_status(text, 431, true);
}

static void a_range_may_depend_on_any_day_of_the_week(void **state)
{
	const struct reply *r = answer("GET /wednesday HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n"
				       "If-Range: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n");
	char range[128];

	assert_int_equal(r->status[0], 206);
	snprintf(range, sizeof(range), "bytes=1-2\r\nIf-Range: W/%s", etag);
	condition_is("Range", range, 200);
	condition_is("Range", "bytes=1-2\r\nIf-Range: W", 200);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	const struct reply *r = answer("GET /ten HTTP/1.1\r\nHost: x\r\n\r\n"
				       "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n\r\n"
				       "HEAD /ten HTTP/1.1\r\nHost: x\r\n\r\n"
				       "GET /ten HTTP/1.1\r\nHost: x\r\nRange: bytes=1-1\r\n\r\n"
				       "GET / HTTP/1.0\r\n\r\n"
				       "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n");
	const uint16_t expected[] = {200, 404, 200, 206, 200};

	assert_int_equal(r->count, 5); // the connection ends with the fifth
	assert_memory_equal(r->status, expected, sizeof(expected));
}

static void the_memo_tells_requests_apart_by_every_byte(void **state)
{
	static const char first[] = "GET /ten HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n";
	static const char second[] = "GET /ten HTTP/1.1\r\nHost: x\r\nA: 2\r\n\r\n";
	struct http_answer a;

	memo_clear();
	http_input_init(&input);
	assert_int_equal(http_input_next(&input, &site, first, sizeof(first) - 1, &a),
			 sizeof(first) - 1);
	assert_int_equal(http_memo_find(site.memo, first, sizeof(first) - 1, &a),
			 sizeof(first) - 1);
	assert_int_equal(a.status, 200);
	assert_int_equal(http_memo_find(site.memo, second, sizeof(second) - 1, &a), 0);
	assert_int_equal(http_memo_find(site.memo, first, sizeof(first) - 2, &a), 0);
}

static void requests_with_bodies_are_not_remembered(void **state)
{
	static const char text[] = "GET /ten HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
	struct http_answer a;

	memo_clear();
	http_input_init(&input);
	assert_int_equal(http_input_next(&input, &site, text, sizeof(text) - 1, &a),
			 sizeof(text) - 1);
	assert_int_equal(a.status, 200);
	assert_int_equal(http_memo_find(site.memo, text, sizeof(text) - 1, &a), 0);
}

static void every_status_has_its_page(void **state)
{
	for (uint32_t i = 0; http_status_at(i); i++)
		assert_non_null(http_root_page(root, http_status_at(i)->status));
	assert_null(http_root_page(root, 418));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_sent_with_its_header),
		cmocka_unit_test(head_is_get_without_the_body),
		cmocka_unit_test(errors_to_head_have_no_body),
		cmocka_unit_test(statuses_are_these),
		cmocka_unit_test(versions_and_hosts_are_checked),
		cmocka_unit_test(connections_stay_or_end_as_asked),
		cmocka_unit_test(bodies_are_read_and_ignored_up_to_a_limit),
		cmocka_unit_test(long_requests_are_refused_by_name),
		cmocka_unit_test(ranges_are_cut_out),
		cmocka_unit_test(ranges_have_numbers_of_any_length),
		cmocka_unit_test(conditions_are_weighed),
		cmocka_unit_test(lines_of_etags_are_one_list),
		cmocka_unit_test(a_list_of_too_many_lines_is_refused),
		cmocka_unit_test(a_range_may_depend_on_any_day_of_the_week),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(the_memo_tells_requests_apart_by_every_byte),
		cmocka_unit_test(requests_with_bodies_are_not_remembered),
		cmocka_unit_test(every_status_has_its_page),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
