// SPDX-License-Identifier: BSD-3-Clause
// echo (RFC 862) and discard (RFC 863), on TCP and UDP of the same port. Echo sends the received
// buffer itself back: no payload byte is touched. What a slow reader leaves no room for is kept
// unreleased, which closes the window its data came through; it goes out at WRITABLE. After the
// peer's FIN the connection is closed as soon as everything went back. Datagrams from servers'
// ports are dropped (UDP_LOOP): two echo services would never stop. So are those to a broadcast
// address (UDP_TO_GROUP): a network full of echo services would answer one.
//
// Called through service.c and, for events, through the handler; calls the public API only.
// Deliberately not here: timeouts. A silent peer is the stack's business (keep-alive).
#include <errno.h>

#include "base/assert.h"
#include "base/bits.h"
#include "service/held.h"
#include "service/slab.h"
#include "service/types.h"

struct echo;

struct echo_conn {
	struct handler handler;
	struct echo *echo;
	prism_conn conn;
	struct held held; // received, no room to send yet; empty when it leaves for another worker
	struct mover mover;
	bool open;   // the slot is in use
	bool eof;    // the peer has sent all
	bool closed; // prism_tcp_close or prism_tcp_abort was called
};

static_assert(sizeof(struct echo_conn) <= 64, "an idle connection costs one cache line");

struct echo {
	struct handler listener;
	struct handler datagrams;
	struct service *service;
	struct prism_worker *worker;
	prism_listener tcp;
	prism_udp udp;
	bool listening;
	bool discards;
	struct slab conns;
};

static void conn_close(struct echo_conn *c)
{
	if (!c->closed)
		(void)prism_tcp_close(c->echo->worker, c->conn);
	c->closed = true;
}

// Sends one buffer back. True when it is no longer ours.
static bool echo_buf(struct echo_conn *c, struct prism_buf *buf)
{
	int status = prism_tcp_send(c->echo->worker, c->conn, buf);

	if (LIKELY(status == 0))
		return true;
	if (status == -EAGAIN)
		return false;
	// It is over already, or no send of this size is taken: a hole in the stream is no echo.
	prism_buf_release(c->echo->worker, buf);
	(void)prism_tcp_abort(c->echo->worker, c->conn);
	c->closed = true;
	c->echo->service->stats.errors++;
	return true;
}

static void data_arrives(struct echo_conn *c, const struct prism_event *event)
{
	struct service_stats *stats = &c->echo->service->stats;

	cell_add(&stats->requests, 1);
	stats->bytes += event->len;
	if (c->echo->discards || c->closed)
		prism_buf_release(c->echo->worker, event->buf);
	else if (c->held.first || !echo_buf(c, event->buf))
		held_add(&c->held, event->buf);
}

static void room_again(struct echo_conn *c)
{
	while (c->held.first) {
		struct prism_buf *next = prism_buf_next(c->held.first);

		if (!echo_buf(c, c->held.first))
			return;
		c->held.first = next;
	}
	if (c->eof)
		conn_close(c);
}

static void conn_gone(struct echo_conn *c)
{
	struct service *service = c->echo->service;

	service_stays(service, &c->mover);
	held_release(&c->held, service->worker);
	c->open = false;
	cell_add(&service->stats.connections_open, UINT64_MAX);
	slab_put(&c->echo->conns, c);
}

static void forget(struct service *service, struct mover *mover)
{
	struct echo *echo = service->state;
	struct echo_conn *c = CONTAINER_OF(mover, struct echo_conn, mover);

	c->open = false;
	slab_put(&echo->conns, c);
}

static void conn_on_event(struct handler *handler, const struct prism_event *event);

// What is with the application keeps a connection where it is, so nothing is held.
static void conn_arrives(struct echo_conn *from)
{
	struct service *service = mover_target(&from->mover);
	struct echo *echo = service->state;
	struct echo_conn *c = slab_get(&echo->conns);

	ASSERT(c); // service_conn_objects
	ASSERT(!from->held.first);
	*c = (struct echo_conn){.handler = {conn_on_event},
				.echo = echo,
				.conn = from->conn,
				.open = true,
				.eof = from->eof,
				.closed = from->closed};
	service_taken(service, &from->mover, c->conn, &c->handler);
}

static void conn_leaves(struct echo_conn *c, const struct prism_event *give)
{
	if (c->open && c->conn.id == give->conn.id && !c->closed && !c->held.first)
		service_leave(c->echo->service, &c->mover, give);
}

static void conn_on_event(struct handler *handler, const struct prism_event *event)
{
	struct echo_conn *c = CONTAINER_OF(handler, struct echo_conn, handler);

	switch (event->type) {
	case PRISM_EVENT_DATA:
		data_arrives(c, event);
		break;
	case PRISM_EVENT_WRITABLE:
		room_again(c);
		break;
	case PRISM_EVENT_EOF:
		c->eof = true;
		if (!c->held.first)
			conn_close(c);
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

static void listener_on_event(struct handler *handler, const struct prism_event *event)
{
	struct echo *echo = CONTAINER_OF(handler, struct echo, listener);
	struct service_stats *stats = &echo->service->stats;

	if (event->type == PRISM_EVENT_DATA)
		prism_buf_release(echo->worker, event->buf); // of a connection refused below
	if (event->type != PRISM_EVENT_ACCEPTED)
		return;
	service_reclaim(echo->service);
	struct echo_conn *c = stats->connections_open < echo->service->config.connections_max
				      ? slab_get(&echo->conns)
				      : NULL;

	if (!c) {
		stats->connections_refused++;
		(void)prism_tcp_abort(echo->worker, event->conn);
		return;
	}
	*c = (struct echo_conn){
		.handler = {conn_on_event}, .echo = echo, .conn = event->conn, .open = true};
	stats->connections++;
	cell_add(&stats->connections_open, 1);
	(void)prism_tcp_set_user(echo->worker, event->conn, handler_cookie(&c->handler));
}

static void datagrams_on_event(struct handler *handler, const struct prism_event *event)
{
	struct echo *echo = CONTAINER_OF(handler, struct echo, datagrams);
	struct service_stats *stats = &echo->service->stats;

	if (event->type != PRISM_EVENT_DATAGRAM)
		return;
	cell_add(&stats->requests, 1);
	stats->bytes += event->len;
	if (!echo->discards && LIKELY(prism_udp_reply(echo->worker, event, event->buf) == 0))
		return;
	if (!echo->discards)
		stats->errors++;
	prism_buf_release(echo->worker, event->buf);
}

static int listen_both(struct echo *echo)
{
	const struct prism_endpoint *local = &echo->service->config.listen;
	int status = service_listen(echo->service, &echo->listener, &echo->tcp);

	if (status < 0)
		return status;
	status = prism_udp_open(echo->worker, local, handler_cookie(&echo->datagrams), &echo->udp);
	if (status < 0)
		(void)prism_tcp_unlisten(echo->worker, echo->tcp);
	else if (!echo->discards)
		(void)prism_udp_clients_only(echo->worker, echo->udp);
	return status;
}

static int start(struct service *service, bool discards)
{
	struct echo *echo = mem_map("echo service", sizeof(*echo));

	if (!echo)
		return -ENOMEM;
	echo->listener.on_event = listener_on_event;
	echo->datagrams.on_event = datagrams_on_event;
	echo->service = service;
	echo->worker = service->worker;
	echo->discards = discards;
	int status = -ENOMEM;

	if (slab_init(&echo->conns, "echo connections", sizeof(struct echo_conn),
		      service_conn_objects(service)) < 0)
		goto fail;
	status = listen_both(echo);
	if (status < 0)
		goto fail;
	echo->listening = true;
	service->state = echo;
	return 0;
fail:
	slab_fini(&echo->conns);
	mem_unmap(echo, sizeof(*echo));
	return status;
}

static int echo_start(struct service *service)
{
	return start(service, false);
}

static int discard_start(struct service *service)
{
	return start(service, true);
}

static void unlisten(struct echo *echo)
{
	if (!echo->listening)
		return;
	(void)prism_tcp_unlisten(echo->worker, echo->tcp);
	(void)prism_udp_close(echo->worker, echo->udp);
	echo->listening = false;
}

// An echo client decides when it is done; a draining server ends those with nothing under way.
static void echo_drain(struct service *service)
{
	struct echo *echo = service->state;

	unlisten(echo);
	for (uint32_t i = 0; i < echo->conns.fresh; i++) {
		struct echo_conn *c = slab_at(&echo->conns, i);

		if (c->open && !c->held.first && !service_left(service, &c->mover, c->conn))
			conn_close(c);
	}
}

static void echo_stop(struct service *service)
{
	struct echo *echo = service->state;

	unlisten(echo);
	for (uint32_t i = 0; i < echo->conns.fresh; i++) {
		struct echo_conn *c = slab_at(&echo->conns, i);

		if (!c->open || service_left(service, &c->mover, c->conn))
			continue;
		held_release(&c->held, echo->worker);
		(void)prism_tcp_abort(echo->worker, c->conn);
	}
	slab_fini(&echo->conns);
	mem_unmap(echo, sizeof(*echo));
}

const struct service_type service_echo = {"echo", echo_start, echo_drain, echo_stop, forget};
const struct service_type service_discard = {"discard", discard_start, echo_drain, echo_stop,
					     forget};
