// SPDX-License-Identifier: BSD-3-Clause
// prism load http: GET requests, sent by reference from one prepared run of them, and answers that
// are checked to the last byte. The first answer (or --expect-file) says what every body must be.
//
// Answers are parsed by llhttp in response mode, whatever server they come from: lengths, chunks,
// or until the end of the connection. Servers repeat themselves, so header bytes that were parsed
// before, with a length, are recognised by memcmp: same bytes, same parse. A new second brings a
// new Date, and one parse.
#include <errno.h>
#include <llhttp/llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cli/cli.h"
#include "cli/load.h"

#define HEAD_BYTES_MAX 2048 // of a remembered header
#define EXPECTED_BYTES_MAX (UINT64_C(1) << 32)

// A header seen before.
struct head {
	uint32_t len;
	uint64_t body_bytes;
	bool last; // the server closes after it
	char bytes[HEAD_BYTES_MAX];
};

struct http_load {
	struct load *load;
	char *requests; // pipeline requests behind each other, in a region
	uint32_t request_bytes;
	uint8_t *expected; // the body that must come
	uint64_t expected_bytes, expected_room;
	bool expected_known;
	uint32_t expected_status;
	struct head head;
};

enum answer_part {
	PART_NONE,   // between answers
	PART_BODY,   // of a remembered header
	PART_PARSED, // llhttp is in the middle
};

struct http_conn {
	struct load_conn c;
	llhttp_t llhttp;
	uint64_t body_at;   // bytes of this answer's body so far
	uint64_t body_left; // PART_BODY
	uint32_t unsent;    // requests that found no room
	uint8_t part;       // enum answer_part
	bool last;          // the server said it will close
	bool wrong;         // this answer's body differs: counted
	bool headers_done;
};

static struct http_load *http_of(const struct http_conn *h)
{
	return h->c.load->own;
}

static void body_wrong(struct http_conn *h)
{
	if (!h->wrong)
		load_error_count(h->c.load, LOAD_ERROR_BODY);
	h->wrong = true;
}

// Keeps the first body. False without memory.
static bool body_learn(struct http_load *http, const void *bytes, size_t len)
{
	if (http->expected_bytes + len > http->expected_room) {
		uint64_t room = MAX(2 * http->expected_room, http->expected_bytes + len + 65536);
		uint8_t *more = room <= EXPECTED_BYTES_MAX ? realloc(http->expected, room) : NULL;

		if (!more)
			return false;
		http->expected = more;
		http->expected_room = room;
	}
	memcpy(http->expected + http->expected_bytes, bytes, len);
	http->expected_bytes += len;
	return true;
}

static void body_check(struct http_conn *h, const void *bytes, size_t len)
{
	struct http_load *http = http_of(h);

	if (!http->expected_known) {
		if (!body_learn(http, bytes, len))
			body_wrong(h);
	} else if (h->body_at + len > http->expected_bytes ||
		   memcmp(http->expected + h->body_at, bytes, len) != 0) {
		body_wrong(h);
	}
	h->body_at += len;
}

static void answer_done(struct http_conn *h)
{
	struct http_load *http = http_of(h);

	if (http->expected_known && h->body_at != http->expected_bytes)
		body_wrong(h);
	http->expected_known = true;
	h->part = PART_NONE;
	h->body_at = 0;
	h->wrong = false;
	if (h->last) {
		h->c.state = LOAD_CONN_CLOSING; // no more requests on this one
	} else if (h->c.load->options->new_connection) {
		h->c.state = LOAD_CONN_CLOSING; // the server was asked to close and will not
		(void)prism_tcp_close(h->c.load->worker, h->c.conn);
	}
	(void)load_answered(&h->c, load_oldest(&h->c));
}

static void status_check(struct http_conn *h, uint32_t status)
{
	struct http_load *http = http_of(h);

	if (http->expected_status == 0)
		http->expected_status = status;
	if (status >= 400 || status != http->expected_status)
		load_error_count(h->c.load, LOAD_ERROR_STATUS);
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct http_conn *h = CONTAINER_OF(llhttp, struct http_conn, llhttp);

	if (llhttp->status_code >= 200) // 1xx: the answer is still to come
		status_check(h, llhttp->status_code);
	h->headers_done = true;
	h->last = !llhttp_should_keep_alive(llhttp);
	return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
	body_check(CONTAINER_OF(llhttp, struct http_conn, llhttp), at, len);
	return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	return llhttp->status_code < 200 ? 0 : HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

// If the answer's header lies whole in these bytes and says a length, remembers it.
static void head_remember(struct http_conn *h, const char *data, size_t len)
{
	struct head *head = &http_of(h)->head;
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	uint32_t head_len = end ? (uint32_t)(end + 4 - data) : 0;

	if (head_len == 0 || head_len > HEAD_BYTES_MAX || !(h->llhttp.flags & F_CONTENT_LENGTH) ||
	    h->llhttp.status_code != http_of(h)->expected_status || h->llhttp.status_code >= 400)
		return;
	if (strtoul(data + sizeof("HTTP/1.1"), NULL, 10) != h->llhttp.status_code)
		return; // an interim answer stands before it
	// llhttp counts content_length down: what came of the body is added again.
	head->body_bytes = h->llhttp.content_length + h->body_at;
	head->last = h->last;
	head->len = head_len;
	memcpy(head->bytes, data, head_len);
}

// Parses up to the end of one answer. Returns bytes taken, 0 for an error.
static size_t answer_parse(struct http_conn *h, const char *data, size_t len)
{
	bool begins = h->part == PART_NONE;

	if (begins) {
		llhttp_init(&h->llhttp, HTTP_RESPONSE, &settings);
		h->headers_done = false;
		h->part = PART_PARSED;
	}
	llhttp_errno_t error = llhttp_execute(&h->llhttp, data, len);

	if (error != HPE_OK && error != HPE_PAUSED)
		return 0;
	size_t taken = error == HPE_OK ? len : (size_t)(llhttp_get_error_pos(&h->llhttp) - data);

	if (begins && h->headers_done)
		head_remember(h, data, len);
	if (error == HPE_PAUSED)
		answer_done(h);
	return taken;
}

// Takes what it can of one answer. Returns bytes taken, 0 for an error.
static size_t answer_take(struct http_conn *h, const char *data, size_t len)
{
	const struct head *head = &http_of(h)->head;

	if (h->part == PART_PARSED)
		return answer_parse(h, data, len);
	size_t taken = 0;

	if (h->part == PART_NONE) {
		if (head->len == 0 || len < head->len || memcmp(data, head->bytes, head->len) != 0)
			return answer_parse(h, data, len);
		taken = head->len;
		h->body_left = head->body_bytes;
		h->last = head->last;
		h->part = PART_BODY;
	}
	size_t n = MIN(len - taken, h->body_left);

	body_check(h, data + taken, n);
	h->body_left -= n;
	if (h->body_left == 0)
		answer_done(h);
	return taken + n;
}

static void conn_fail(struct http_conn *h, enum load_error error)
{
	load_error_count(h->c.load, error);
	(void)prism_tcp_abort(h->c.load->worker, h->c.conn);
	h->c.state = LOAD_CONN_CLOSING;
	h->last = true; // what else is under way is sent again
}

static void data_arrives(struct http_conn *h, const struct prism_event *event)
{
	const char *data = event->data;
	size_t done = 0;

	load_count_bytes(h->c.load, 0, event->len);
	while (done < event->len && h->c.outstanding > 0 && h->c.state == LOAD_CONN_OPEN) {
		size_t taken = answer_take(h, data + done, event->len - done);

		if (taken == 0) {
			conn_fail(h, LOAD_ERROR_PARSE);
			break;
		}
		done += taken;
	}
	if (done < event->len && h->c.outstanding == 0 && h->c.state == LOAD_CONN_OPEN)
		conn_fail(h, LOAD_ERROR_PARSE); // bytes nobody asked for
	prism_buf_release(h->c.load->worker, event->buf);
}

static void send_some(struct http_conn *h)
{
	struct http_load *http = http_of(h);
	size_t len = (size_t)h->unsent * http->request_bytes;

	if (h->unsent == 0)
		return;
	int status = prism_tcp_send_region(h->c.load->worker, h->c.conn, http->requests, len);

	if (status == -EAGAIN)
		return; // WRITABLE follows
	if (status < 0)
		load_error_count(h->c.load, LOAD_ERROR_SEND);
	h->unsent = 0;
	load_count_bytes(h->c.load, len, 0);
}

static void eof_arrives(struct http_conn *h)
{
	if (h->part == PART_PARSED && llhttp_message_needs_eof(&h->llhttp)) {
		h->last = true;
		answer_done(h);
	}
	h->c.state = LOAD_CONN_CLOSING;
	(void)prism_tcp_close(h->c.load->worker, h->c.conn);
}

static void connected(struct http_conn *h)
{
	struct load *load = h->c.load;

	load->connecting--;
	load->stats.connections++;
	h->c.state = LOAD_CONN_OPEN;
	if (load->options->new_connection) {
		h->unsent = 1;
		send_some(h);
	} else {
		load_conn_ready(&h->c);
	}
}

static void closed(struct http_conn *h, uint32_t reason)
{
	bool in_answer = h->part != PART_NONE;
	bool retry = h->last && !in_answer;

	h->part = PART_NONE;
	h->body_at = 0;
	h->unsent = 0;
	load_conn_over(&h->c, reason == PRISM_CLOSE_DONE ? LOAD_ERROR_CLOSED : LOAD_ERROR_RESET,
		       retry);
}

static void on_event(struct handler *handler, const struct prism_event *event)
{
	struct http_conn *h = CONTAINER_OF(handler, struct http_conn, c.handler);

	switch (event->type) {
	case PRISM_EVENT_CONNECTED:
		connected(h);
		break;
	case PRISM_EVENT_DATA:
		data_arrives(h, event);
		break;
	case PRISM_EVENT_WRITABLE:
		send_some(h);
		break;
	case PRISM_EVENT_EOF:
		eof_arrives(h);
		break;
	case PRISM_EVENT_CLOSED:
		closed(h, event->reason);
		break;
	default:
		break;
	}
}

static int http_open(struct load_conn *c)
{
	struct http_conn *h = CONTAINER_OF(c, struct http_conn, c);

	c->handler.on_event = on_event;
	h->part = PART_NONE;
	h->last = false;
	h->wrong = false;
	return prism_tcp_connect(c->load->worker, &c->load->options->target, NULL,
				 handler_cookie(&c->handler), &c->conn);
}

static void http_send(struct load_conn *c, uint32_t count)
{
	struct http_conn *h = CONTAINER_OF(c, struct http_conn, c);

	h->unsent += count;
	send_some(h);
}

static bool expected_read(struct http_load *http, const char *name)
{
	char chunk[65536];
	FILE *file = fopen(name, "rb");
	bool good = file != NULL;
	size_t n = 1;

	while (good && (n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		good = body_learn(http, chunk, n);
	good = good && !ferror(file);
	if (file)
		fclose(file);
	http->expected_known = good;
	return good;
}

static int requests_make(struct http_load *http, const struct load_options *options)
{
	char text[LOAD_PATH_BYTES + LOAD_HOST_BYTES + 256];
	int len = snprintf(
		text, sizeof(text),
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: prism-load\r\nAccept: */*\r\n%s\r\n",
		options->path, options->host,
		options->new_connection ? "Connection: close\r\n" : "");

	http->request_bytes = (uint32_t)len;
	http->requests = prism_region_alloc(http->load->prism, (size_t)len * options->pipeline);
	if (!http->requests)
		return -ENOMEM;
	for (uint32_t i = 0; i < options->pipeline; i++)
		memcpy(http->requests + (size_t)i * http->request_bytes, text, http->request_bytes);
	return 0;
}

static void http_stop(struct load *load)
{
	struct http_load *http = load->own;

	free(http->expected);
	free(http);
}

static int http_start(struct load *load)
{
	struct http_load *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	http->load = load;
	load->own = http;
	const char *name = load->options->expect_file;

	if (name && !expected_read(http, name)) {
		cli_error(CLI_USAGE, strerror(errno), "name a readable file of at most 4 GiB",
			  "--expect-file %s", name);
		goto fail;
	}
	if (requests_make(http, load->options) < 0) {
		cli_last_error(CLI_FAILED);
		goto fail;
	}
	return 0;
fail:
	http_stop(load);
	return -EINVAL;
}

const struct load_kind load_http = {.name = "http",
				    .conn_bytes = sizeof(struct http_conn),
				    .start = http_start,
				    .stop = http_stop,
				    .open = http_open,
				    .send = http_send};
