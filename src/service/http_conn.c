// SPDX-License-Identifier: BSD-3-Clause
// http: a static file server (RFC 9110, 9112). This file is its connections: what arrives goes
// through http_input, answers are written into a packet buffer and bodies sent by reference from
// the region they were loaded into; bodies up to HTTP_PACK_BYTES join their header's buffer.
//
//   bytes ──► http_input ──► answer ──► out: headers, small bodies ──► prism_tcp_send
//                                   └─► body in the region ──► prism_tcp_send_region, in pieces
//
// A connection with nothing under way is one struct http_conn. What it cannot finish for want of
// room or bytes lies in a struct http_work, and the input it may not use yet stays unreleased,
// which closes the window: a client that does not read is bounded by the stack's limits.
// Slowness is found by a sweep over all connections once a second, not by a timer each.
//
// Called by http.c and, for events, through the handler. Deliberately not here: TLS, dynamic
// content, directory listings, compression, logs.
#include "service/http_conn.h"

#include <errno.h>

#include "base/bits.h"
#include "base/time.h"

// A second buffer and its reference cost more than a copy of this many bytes.
#define HTTP_PACK_BYTES 1024

// A body goes out in pieces of at least this, so that a reader of tiny windows does not cost a
// descriptor each, and is seen to make no progress.
#define HTTP_PIECE_BYTES_MIN UINT64_C(16384)
#define HTTP_PIECE_BYTES_MAX UINT64_C(1048576)

static_assert(2 * HTTP_PIECE_BYTES_MIN <= PRISM_SEND_BYTES_MIN, "every send buffer takes two");

static uint64_t deadline(const struct http *http, uint64_t timeout_ns)
{
	return prism_now_ns(http->worker) + timeout_ns;
}

static struct http_work *work_of(struct http_conn *c)
{
	if (!c->work) {
		c->work = slab_get(&c->http->works); // as many as connections
		*c->work = (struct http_work){.input = NULL};
	}
	return c->work;
}

static void input_put(struct http_conn *c)
{
	if (c->work->input)
		slab_put(&c->http->inputs, c->work->input);
	c->work->input = NULL;
}

static void work_put(struct http_conn *c)
{
	if (!c->work)
		return;
	held_release(&c->work->held, c->http->worker);
	if (c->work->out)
		prism_buf_release(c->http->worker, c->work->out);
	input_put(c);
	slab_put(&c->http->works, c->work);
	c->work = NULL;
}

static bool sending(const struct http_conn *c)
{
	const struct http_work *w = c->work;

	return w && (w->out || w->body_bytes || w->answer.status);
}

// What TCP still holds has to be taken, and the client has to end, in time: bytes it sends
// meanwhile are thrown away, so it could go on for ever.
void http_conn_close(struct http_conn *c)
{
	work_put(c);
	c->state = HTTP_CLOSING;
	c->deadline_ns = deadline(c->http, c->http->service->config.linger_timeout_ns);
	(void)prism_tcp_close(c->http->worker, c->conn);
}

void http_conn_abort(struct http_conn *c)
{
	work_put(c);
	c->state = HTTP_CLOSING;
	c->deadline_ns = TIME_NEVER_NS;
	(void)prism_tcp_abort(c->http->worker, c->conn);
}

// The connection cannot be sent on any more: it is over already, or no send of this size is taken.
static COLD void send_failed(struct http_conn *c)
{
	c->http->service->stats.errors++;
	http_conn_abort(c);
}

// Sends what was written. False when there is no room for it (it is kept) or the connection failed.
static bool out_send(struct http_conn *c)
{
	struct http *http = c->http;
	struct prism_buf *out = http->out;

	http->out = NULL;
	if (!out)
		return true;
	int status = prism_tcp_send(http->worker, c->conn, out);

	if (LIKELY(status == 0))
		return true;
	if (status == -EAGAIN) {
		work_of(c)->out = out;
		return false;
	}
	prism_buf_release(http->worker, out);
	send_failed(c);
	return false;
}

// Sends from the region as much as there is room for; the rest is kept. False as out_send.
static bool body_send(struct http_conn *c, const uint8_t *body, uint64_t body_bytes)
{
	struct http *http = c->http;
	int status = 0;

	while (body_bytes > 0) {
		uint64_t room_bytes = prism_tcp_credit(http->worker, c->conn);
		uint64_t n = MAX(MIN(room_bytes, HTTP_PIECE_BYTES_MAX), HTTP_PIECE_BYTES_MIN);

		n = MIN(n, body_bytes);
		status = prism_tcp_send_region(http->worker, c->conn, body, n);
		if (status < 0)
			break;
		body += n;
		body_bytes -= n;
		http->service->stats.bytes += n;
	}
	if (status < 0 && status != -EAGAIN) {
		send_failed(c);
		return false;
	}
	if (body_bytes > 0 || c->work) {
		work_of(c)->body = body;
		c->work->body_bytes = body_bytes;
	}
	return body_bytes == 0;
}

// A buffer with room for need bytes. False when the one at hand cannot be sent, or the pool is
// empty: the sweep tries again.
static bool out_ready(struct http_conn *c, uint32_t need_bytes)
{
	struct http *http = c->http;

	if (http->out && prism_buf_room(http->out) >= need_bytes)
		return true;
	if (!out_send(c))
		return false;
	http->out = prism_buf_alloc(http->worker);
	return http->out != NULL;
}

static void answer_count(struct service_stats *stats, const struct http_answer *a)
{
	cell_add(&stats->requests, 1);
	stats->responses_by_class[a->status / 100]++;
}

// Writes and sends one answer. False when the connection takes no more for now, or ever.
static bool reply(struct http_conn *c, struct http_answer *a)
{
	struct http *http = c->http;
	uint64_t body_bytes = http_answer_body_bytes(a);
	bool packs = body_bytes <= HTTP_PACK_BYTES;
	uint32_t need_bytes = http_answer_head_bytes(a) + (packs ? (uint32_t)body_bytes : 0);

	if (UNLIKELY(!out_ready(c, need_bytes))) {
		if (c->state != HTTP_CLOSING)
			work_of(c)->answer = *a;
		return false;
	}
	a->close |= http->draining;
	c->last |= a->close;
	prism_buf_grow(http->out, http_answer_write(a, http->date, prism_buf_tail(http->out)));
	answer_count(&http->service->stats, a);
	if (body_bytes == 0)
		return !c->last;
	const uint8_t *body = a->file->body + a->first;

	if (packs && prism_buf_append(http->worker, http->out, body, (uint32_t)body_bytes) == 0) {
		http->service->stats.bytes += body_bytes;
		return !c->last;
	}
	if (!out_send(c)) {
		if (c->state != HTTP_CLOSING) {
			c->work->body = body;
			c->work->body_bytes = body_bytes;
		}
		return false;
	}
	return body_send(c, body, body_bytes) && !c->last;
}

// The request in the shared input is incomplete: it moves to the connection.
static void input_keep(struct http_conn *c, struct http_answer *a)
{
	struct http *http = c->http;
	struct http_input *input = slab_get(&http->inputs);

	if (!input) {
		http_input_init(&http->fresh);
		http_answer_page(http->site.root, 503, a);
		return;
	}
	http_input_move(input, &http->fresh);
	work_of(c)->input = input;
	c->state = HTTP_READING;
	c->deadline_ns = deadline(http, http->service->config.request_timeout_ns);
}

static size_t request_next(struct http_conn *c, const char *data, size_t len, struct http_answer *a)
{
	struct http *http = c->http;

	if (LIKELY(!c->work || !c->work->input)) {
		size_t taken = http_input_next(&http->fresh, &http->site, data, len, a);

		if (UNLIKELY(a->status == 0))
			input_keep(c, a);
		return taken;
	}
	size_t taken = http_input_next(c->work->input, &http->site, data, len, a);

	if (a->status)
		input_put(c);
	return taken;
}

// Answers the requests in a buffer; takes it. What cannot be answered yet is held, in front.
static void consume(struct http_conn *c, struct prism_buf *buf)
{
	const char *data = prism_buf_data(buf);
	uint32_t len = prism_buf_len(buf), done = 0;
	bool goes_on = true;

	while (goes_on && done < len) {
		struct http_answer a;

		done += (uint32_t)request_next(c, data + done, len - done, &a);
		goes_on = a.status == 0 || reply(c, &a);
	}
	if (done == len || c->last || c->state == HTTP_CLOSING) {
		prism_buf_release(c->http->worker, buf);
		return;
	}
	prism_buf_strip(buf, done);
	held_add_first(&work_of(c)->held, buf);
}

// At the end of an event: sends what was written and decides what the connection waits for.
static void settle(struct http_conn *c)
{
	struct http *http = c->http;
	const struct service_config *config = &http->service->config;

	(void)out_send(c);
	if (UNLIKELY(c->state == HTTP_CLOSING))
		return;
	if (UNLIKELY(sending(c))) {
		if (c->state != HTTP_SENDING)
			c->deadline_ns = deadline(http, config->stall_timeout_ns);
		c->state = HTTP_SENDING;
	} else if (UNLIKELY(c->last || c->eof)) {
		http_conn_close(c);
	} else if (UNLIKELY(c->work && c->work->input)) {
		if (c->state != HTTP_READING)
			c->deadline_ns = deadline(http, config->request_timeout_ns);
		c->state = HTTP_READING;
	} else {
		work_put(c);
		c->state = HTTP_IDLE;
		c->deadline_ns = deadline(http, config->idle_timeout_ns);
	}
}

// There is room, or there may be: goes on where it stopped. False when it stopped again.
static bool resume(struct http_conn *c)
{
	struct http_work *w = c->work;

	c->http->out = w->out;
	w->out = NULL;
	if (!out_send(c) || !body_send(c, w->body, w->body_bytes))
		return false;
	if (w->answer.status) {
		struct http_answer a = w->answer;

		w->answer.status = 0;
		if (!reply(c, &a))
			return false;
	}
	while (c->work && c->work->held.first && !sending(c) && !c->last)
		consume(c, held_take(&c->work->held));
	return true;
}

static void room_again(struct http_conn *c)
{
	if (c->state != HTTP_SENDING)
		return;
	const struct prism_buf *out = c->work->out;
	uint64_t body_bytes = c->work->body_bytes;

	(void)resume(c);
	if (c->state == HTTP_CLOSING)
		return;
	if (!sending(c) || c->work->out != out || c->work->body_bytes != body_bytes)
		c->state = HTTP_IDLE; // it moved: settle gives it a new deadline
	settle(c);
}

static void data_arrives(struct http_conn *c, struct prism_buf *buf)
{
	if (UNLIKELY(c->state == HTTP_CLOSING)) {
		prism_buf_release(c->http->worker, buf);
		return;
	}
	if (UNLIKELY(c->state == HTTP_SENDING)) {
		held_add(&c->work->held, buf);
		return;
	}
	consume(c, buf);
	settle(c);
}

static void conn_on_event(struct handler *handler, const struct prism_event *event);

// What is with the application keeps a connection where it is, so no input is held. Under way may
// be a part of a request, or of an answer.
static void work_arrives(struct http_conn *c, struct http_work *from)
{
	ASSERT(!from->held.first);
	*work_of(c) = *from;
	if (!from->input)
		return;
	c->work->input = slab_get(&c->http->inputs);
	if (c->work->input)
		http_input_move(c->work->input, from->input);
}

static void conn_arrives(struct http_conn *from)
{
	struct service *service = mover_target(&from->mover);
	struct http *http = service->state;
	struct http_conn *c = slab_get(&http->conns);

	ASSERT(c); // service_conn_objects
	*c = (struct http_conn){.handler = {conn_on_event},
				.http = http,
				.conn = from->conn,
				.deadline_ns = from->deadline_ns,
				.state = from->state,
				.eof = from->eof,
				.last = from->last};
	if (from->work)
		work_arrives(c, from->work);
	service_taken(service, &from->mover, c->conn, &c->handler);
	if (LIKELY(c->state != HTTP_READING || c->work->input))
		return;
	struct http_answer a; // one request too many, as in input_keep

	http_answer_page(http->site.root, 503, &a);
	(void)reply(c, &a);
	settle(c);
}

static void conn_leaves(struct http_conn *c, const struct prism_event *give)
{
	if (c->state != HTTP_FREE && c->state != HTTP_CLOSING && c->conn.id == give->conn.id &&
	    !(c->work && c->work->held.first))
		service_leave(c->http->service, &c->mover, give);
}

static void conn_free(struct http_conn *c)
{
	work_put(c);
	c->state = HTTP_FREE;
	slab_put(&c->http->conns, c);
}

static void conn_gone(struct http_conn *c)
{
	service_stays(c->http->service, &c->mover);
	cell_add(&c->http->service->stats.connections_open, UINT64_MAX);
	conn_free(c);
}

void http_conn_forget(struct http_conn *c)
{
	if (c->work)
		c->work->out = NULL; // the other's
	conn_free(c);
}

void http_conn_abandon(struct http_conn *c)
{
	work_put(c);
}

static void conn_on_event(struct handler *handler, const struct prism_event *event)
{
	struct http_conn *c = CONTAINER_OF(handler, struct http_conn, handler);

	switch (event->type) {
	case PRISM_EVENT_DATA:
		data_arrives(c, event->buf);
		break;
	case PRISM_EVENT_WRITABLE:
		room_again(c);
		break;
	case PRISM_EVENT_EOF:
		c->eof = true;
		if (c->state == HTTP_IDLE || c->state == HTTP_READING)
			http_conn_close(c);
		break;
	case PRISM_EVENT_CLOSED:
		conn_gone(c);
		break;
	case PRISM_EVENT_MOVED:
		conn_arrives(c);
		break;
	case SERVICE_EVENT_GIVE:
		conn_leaves(c, event);
		break;
	default:
		break;
	}
}

bool http_conn_open(struct http *http, prism_conn conn)
{
	struct http_conn *c = slab_get(&http->conns);

	if (!c)
		return false;
	// A client that connects and says nothing has as long as one with half a request.
	*c = (struct http_conn){.handler = {conn_on_event},
				.http = http,
				.conn = conn,
				.state = HTTP_IDLE,
				.deadline_ns =
					deadline(http, http->service->config.request_timeout_ns)};
	http->service->stats.connections++;
	cell_add(&http->service->stats.connections_open, 1);
	(void)prism_tcp_set_user(http->worker, conn, handler_cookie(&c->handler));
	return true;
}

// A deadline passed.
static void conn_expires(struct http_conn *c)
{
	struct http_answer a;

	c->http->service->stats.timeouts++;
	switch (c->state) {
	case HTTP_IDLE:
		http_conn_close(c);
		break;
	case HTTP_READING:
		input_put(c);
		http_answer_page(c->http->site.root, 408, &a);
		(void)reply(c, &a);
		settle(c);
		break;
	default:
		http_conn_abort(c);
		break;
	}
}

void http_conn_check(struct http_conn *c, uint64_t now_ns)
{
	if (c->state == HTTP_FREE || service_left(c->http->service, &c->mover, c->conn))
		return;
	if (c->deadline_ns <= now_ns)
		conn_expires(c);
	else if (c->state == HTTP_SENDING && !c->work->out && !c->work->body_bytes)
		room_again(c); // the pool was empty
}
