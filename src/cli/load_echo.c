// SPDX-License-Identifier: BSD-3-Clause
// prism load tcp-echo and udp-echo: messages of --size bytes that must come back as they were.
//
// TCP: a connection's stream is a window into one pattern of random bytes, begun at a place of its
// own, so a byte of another connection or offset does not fit; it is sent by reference from a
// region that holds the pattern and a piece of its repetition. UDP: a datagram is a number and the
// pattern from a place chosen by it; one that is not answered within LOST_NS is lost.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/rand.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/load.h"

#define PATTERN_BYTES 65521u // a prime: no message size divides it
#define PIECE_BYTES_MAX 65536u
#define LOST_NS NS_PER_S

struct echo_load {
	uint8_t *pattern; // PATTERN_BYTES, then the first PIECE_BYTES_MAX of them again
};

struct echo_conn {
	struct load_conn c;
	uint64_t sent_bytes, received_bytes; // of this connection's stream
	uint64_t unsent_bytes;
	uint32_t place; // of the stream's first byte in the pattern
};

static const uint8_t *pattern_at(const struct load *load, uint64_t offset)
{
	const struct echo_load *echo = load->own;

	return echo->pattern + offset % PATTERN_BYTES;
}

static int echo_start(struct load *load)
{
	struct echo_load *echo = calloc(1, sizeof(*echo));
	struct rng rng;

	if (!echo)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory"), -ENOMEM;
	load->own = echo;
	echo->pattern = prism_region_alloc(load->prism, PATTERN_BYTES + PIECE_BYTES_MAX);
	if (!echo->pattern) {
		free(echo);
		return cli_last_error(CLI_FAILED), -ENOMEM;
	}
	rng_seed(&rng, 1);
	for (uint32_t i = 0; i < PATTERN_BYTES; i++)
		echo->pattern[i] = (uint8_t)rng_next(&rng);
	for (uint32_t i = 0; i < PIECE_BYTES_MAX; i++)
		echo->pattern[PATTERN_BYTES + i] = echo->pattern[i % PATTERN_BYTES];
	return 0;
}

static void echo_stop(struct load *load)
{
	free(load->own);
}

static void conn_fail(struct echo_conn *e, enum load_error error)
{
	load_error_count(e->c.load, error);
	(void)prism_tcp_abort(e->c.load->worker, e->c.conn);
	e->c.state = LOAD_CONN_CLOSING;
}

static void tcp_send_some(struct echo_conn *e)
{
	struct load *load = e->c.load;

	while (e->unsent_bytes > 0) {
		uint64_t room_bytes = prism_tcp_credit(load->worker, e->c.conn);
		uint32_t n = (uint32_t)MIN(e->unsent_bytes, PIECE_BYTES_MAX);

		if (room_bytes > 0)
			n = (uint32_t)MIN(n, room_bytes);
		int status = prism_tcp_send_region(load->worker, e->c.conn,
						   pattern_at(load, e->place + e->sent_bytes), n);

		if (status == -EAGAIN)
			return; // WRITABLE follows
		if (status < 0) {
			conn_fail(e, LOAD_ERROR_SEND);
			return;
		}
		e->sent_bytes += n;
		e->unsent_bytes -= n;
		load_count_bytes(load, n, 0);
	}
}

static void tcp_data(struct echo_conn *e, const struct prism_event *event)
{
	struct load *load = e->c.load;
	const uint8_t *data = event->data;
	uint32_t size_bytes = load->options->size_bytes;
	uint64_t before = e->received_bytes / size_bytes;
	bool right = e->received_bytes + event->len <= e->sent_bytes;

	load_count_bytes(load, 0, event->len);
	for (uint32_t done = 0; right && done < event->len;) {
		uint32_t n = MIN(event->len - done, PIECE_BYTES_MAX);

		right = memcmp(data + done, pattern_at(load, e->place + e->received_bytes), n) == 0;
		e->received_bytes += n;
		done += n;
	}
	prism_buf_release(load->worker, event->buf);
	if (e->c.state != LOAD_CONN_OPEN)
		return;
	if (!right) {
		conn_fail(e, LOAD_ERROR_BODY);
		return;
	}
	for (uint64_t i = e->received_bytes / size_bytes - before; i > 0; i--)
		(void)load_answered(&e->c, load_oldest(&e->c));
	if (load->options->new_connection && e->c.outstanding == 0) {
		e->c.state = LOAD_CONN_CLOSING;
		(void)prism_tcp_close(load->worker, e->c.conn);
	}
}

static void tcp_connected(struct echo_conn *e)
{
	struct load *load = e->c.load;

	load->connecting--;
	load->stats.connections++;
	e->c.state = LOAD_CONN_OPEN;
	if (load->options->new_connection) {
		e->unsent_bytes = load->options->size_bytes;
		tcp_send_some(e);
	} else {
		load_conn_ready(&e->c);
	}
}

static void tcp_on_event(struct handler *handler, const struct prism_event *event)
{
	struct echo_conn *e = CONTAINER_OF(handler, struct echo_conn, c.handler);

	switch (event->type) {
	case PRISM_EVENT_CONNECTED:
		tcp_connected(e);
		break;
	case PRISM_EVENT_DATA:
		tcp_data(e, event);
		break;
	case PRISM_EVENT_WRITABLE:
		tcp_send_some(e);
		break;
	case PRISM_EVENT_EOF:
		e->c.state = LOAD_CONN_CLOSING;
		(void)prism_tcp_close(e->c.load->worker, e->c.conn);
		break;
	case PRISM_EVENT_CLOSED:
		load_conn_over(&e->c,
			       event->reason == PRISM_CLOSE_DONE ? LOAD_ERROR_CLOSED
								 : LOAD_ERROR_RESET,
			       false);
		break;
	default:
		break;
	}
}

static int tcp_open(struct load_conn *c)
{
	struct echo_conn *e = CONTAINER_OF(c, struct echo_conn, c);

	c->handler.on_event = tcp_on_event;
	e->sent_bytes = e->received_bytes = e->unsent_bytes = 0;
	e->place = (e->place + c->index * 7919u + 1) % PATTERN_BYTES;
	return prism_tcp_connect(c->load->worker, &c->load->options->target, NULL,
				 handler_cookie(&c->handler), &c->conn);
}

static void tcp_send(struct load_conn *c, uint32_t count)
{
	struct echo_conn *e = CONTAINER_OF(c, struct echo_conn, c);

	e->unsent_bytes += (uint64_t)count * c->load->options->size_bytes;
	tcp_send_some(e);
}

const struct load_kind load_tcp_echo = {.name = "tcp-echo",
					.conn_bytes = sizeof(struct echo_conn),
					.start = echo_start,
					.stop = echo_stop,
					.open = tcp_open,
					.send = tcp_send};

// UDP: a socket has up to pipeline datagrams under way, answered in any order.

static uint32_t udp_place(const struct load_conn *c, uint64_t number)
{
	return (uint32_t)((number * 31 + c->index) % PATTERN_BYTES);
}

static bool udp_right(const struct load_conn *c, const struct prism_event *event, uint64_t *number)
{
	const uint8_t *data = event->data;

	if (event->len != c->load->options->size_bytes)
		return false;
	memcpy(number, data, sizeof(*number));
	if (*number >= c->next)
		return false;
	return memcmp(data + sizeof(*number), pattern_at(c->load, udp_place(c, *number)),
		      event->len - sizeof(*number)) == 0;
}

static void udp_on_event(struct handler *handler, const struct prism_event *event)
{
	struct load_conn *c = CONTAINER_OF(handler, struct load_conn, handler);
	uint64_t number;

	if (event->type == PRISM_EVENT_UDP_ERROR)
		load_error_count(c->load, LOAD_ERROR_CONNECT);
	if (event->type != PRISM_EVENT_DATAGRAM)
		return;
	load_count_bytes(c->load, 0, event->len);
	if (udp_right(c, event, &number))
		(void)load_answered(c, number); // or it was given up before
	else
		load_error_count(c->load, LOAD_ERROR_BODY);
	prism_buf_release(c->load->worker, event->buf);
}

static bool udp_send_one(struct load_conn *c, uint64_t number)
{
	const struct load_options *options = c->load->options;
	struct prism_buf *buf = prism_buf_alloc(c->load->worker);

	if (!buf)
		return false;
	if (prism_buf_room(buf) < options->size_bytes)
		goto fail;
	uint8_t *to = prism_buf_tail(buf);

	memcpy(to, &number, sizeof(number));
	memcpy(to + sizeof(number), pattern_at(c->load, udp_place(c, number)),
	       options->size_bytes - sizeof(number));
	prism_buf_grow(buf, options->size_bytes);
	if (prism_udp_send(c->load->worker, c->udp, NULL, &options->target, buf) == 0)
		return true;
fail:
	prism_buf_release(c->load->worker, buf);
	return false;
}

// What cannot be sent is lost like a datagram on the way.
static void udp_send(struct load_conn *c, uint32_t count)
{
	for (uint64_t number = c->next - count; number < c->next; number++) {
		if (udp_send_one(c, number))
			load_count_bytes(c->load, c->load->options->size_bytes, 0);
		else
			load_error_count(c->load, LOAD_ERROR_SEND);
	}
}

static void udp_check(struct load_conn *c, uint64_t now_ns)
{
	if (now_ns > LOST_NS)
		load_give_up(c, now_ns - LOST_NS);
}

static int udp_open(struct load_conn *c)
{
	const struct prism_endpoint any = {.port = 0};
	int status = prism_udp_open(c->load->worker, &any, handler_cookie(&c->handler), &c->udp);

	c->handler.on_event = udp_on_event;
	if (status < 0)
		return status;
	c->load->connecting--;
	c->load->stats.connections++;
	c->state = LOAD_CONN_OPEN;
	load_conn_ready(c);
	return 0;
}

const struct load_kind load_udp_echo = {.name = "udp-echo",
					.conn_bytes = sizeof(struct load_conn),
					.start = echo_start,
					.stop = echo_stop,
					.open = udp_open,
					.send = udp_send,
					.check = udp_check};
