// SPDX-License-Identifier: BSD-3-Clause
// The applications of the simulation. Called after every turn of the stacks: flows_take for each
// event, flows_act for what an application does on its own account. Only the public API is used.
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

static void fail(struct flows *flows, const char *what)
{
	if (!flows->failure)
		flows->failure = what;
}

static int node_of(const struct flow *flow, int side)
{
	return side == 0 ? flow->opener : !flow->opener;
}

static struct prism_worker *worker_of(struct flows *flows, const struct flow *flow, int side)
{
	const struct node *node = &flows->world->node[node_of(flow, side)];

	return node->workers[flow->side[side].worker];
}

static uint64_t user_of(const struct flow *flow, int side)
{
	return (uint64_t)flow->index * 2 + (uint64_t)side;
}

#define LISTENER_USER UINT64_MAX

void flows_listen(struct flows *flows)
{
	struct prism_endpoint local = {.port = FLOW_LISTEN_PORT};
	prism_listener listener;

	for (int n = 0; n < 2; n++) {
		const struct node *node = &flows->world->node[n];

		for (uint32_t w = 0; w < node->worker_count; w++)
			if (prism_tcp_listen(node->workers[w], &local, LISTENER_USER, &listener))
				fail(flows, "listen was refused");
	}
}

// ---- received bytes

static void release_first(struct flows *flows, const struct flow *flow, int s)
{
	struct side *side = (struct side *)&flow->side[s];
	struct held *h = &side->held[side->held_first];

	prism_buf_release(worker_of(flows, flow, s), h->buf);
	side->held_first = (side->held_first + 1) % HELD_MAX;
	side->held_count--;
}

static void hold(struct flows *flows, const struct flow *flow, int s, const struct prism_event *e)
{
	struct side *side = (struct side *)&flow->side[s];
	uint64_t hold_ns = rng_below(&flows->rng, side->hold_ns_max);

	if (side->held_count == HELD_MAX)
		release_first(flows, flow, s);
	side->held[(side->held_first + side->held_count++) % HELD_MAX] = (struct held){
		.buf = e->buf, .len = e->len, .until_ns = flows->world->now_ns + hold_ns};
}

static bool bytes_right(uint64_t key, uint64_t offset, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t done = 0; done < len;) {
		uint32_t n = MIN(len - done, (uint32_t)PATTERN_RUN_BYTES);

		if (memcmp(bytes + done, pattern_at(key, offset + done), n) != 0)
			return false;
		done += n;
	}
	return true;
}

static void take_data(struct flows *flows, struct flow *flow, int s, const struct prism_event *e)
{
	struct side *side = &flow->side[s];
	const struct side *other = &flow->side[!s];

	if (side->eof)
		fail(flows, "data after EOF");
	if (side->received_bytes + e->len > other->sent_bytes)
		fail(flows, "more arrived than was sent");
	if (!bytes_right(flow->key[!s], side->received_bytes, e->data, e->len))
		fail(flows, "wrong bytes arrived");
	side->received_bytes += e->len;
	flows->received_bytes += e->len;
	hold(flows, flow, s, e);
}

static void take_closed(struct flows *flows, struct flow *flow, int s, const struct prism_event *e)
{
	struct side *side = &flow->side[s];

	if (side->closed)
		fail(flows, "closed twice");
	side->closed = true;
	side->open = false;
	side->reason = e->reason;
	if (e->reason != PRISM_CLOSE_DONE)
		return;
	if (!side->close_called)
		fail(flows, "closed in order before close was called");
	if (side->received_bytes != flow->side[!s].sent_bytes)
		fail(flows, "closed in order and not all had arrived");
	if (side->cookies_back != side->cookies_sent)
		fail(flows, "closed in order and a SENT event is missing");
}

// ---- finding out which flow an accepted connection is

static struct flow *flow_by_port(struct flows *flows, int accepting_node, uint16_t port)
{
	for (uint32_t i = flows->count; i-- > 0;) {
		struct flow *flow = &flows->flow[i];

		if (flow->started && flow->opener != accepting_node && flow->port[0] == port &&
		    !flow->side[1].open && !flow->side[1].closed)
			return flow;
	}
	return NULL;
}

static void take_accepted(struct flows *flows, int node, const struct prism_event *e)
{
	struct prism_worker *worker = flows->world->node[node].workers[flows->world->acting];
	struct prism_endpoint remote;
	struct flow *flow = NULL;

	if (prism_tcp_endpoints(worker, e->conn, NULL, &remote) == 0)
		flow = flow_by_port(flows, node, remote.port);
	if (!flow) {
		fail(flows, "a connection nobody opened was accepted");
		return;
	}
	flow->side[1].conn = e->conn;
	flow->side[1].worker = flows->world->acting;
	flow->side[1].open = true;
	flow->port[1] = FLOW_LISTEN_PORT;
	if (prism_tcp_set_user(worker, e->conn, user_of(flow, 1)))
		fail(flows, "set_user was refused");
}

static void take_sent(struct flows *flows, struct side *side, const struct prism_event *e)
{
	if (e->cookie <= side->cookies_back || e->cookie > side->cookies_sent)
		fail(flows, "a SENT cookie out of order");
	side->cookies_back = e->cookie;
}

static void take_moved(struct flows *flows, struct side *side)
{
	if (!side->moving || side->worker == flows->world->acting)
		fail(flows, "moved, and nobody had asked for it");
	side->worker = flows->world->acting;
	side->moving = false;
	flows->moved++;
}

void flows_take(void *context, int node, const struct prism_event *e)
{
	struct flows *flows = context;

	if (e->type == PRISM_EVENT_ACCEPTED) {
		take_accepted(flows, node, e);
		return;
	}
	if (e->user / 2 >= flows->count) {
		fail(flows, "an event for nobody");
		return;
	}
	struct flow *flow = &flows->flow[e->user / 2];
	int s = (int)(e->user % 2);
	struct side *side = &flow->side[s];

	if (e->type == PRISM_EVENT_MOVED)
		take_moved(flows, side);
	if (node_of(flow, s) != node || side->conn.id != e->conn.id ||
	    side->worker != flows->world->acting)
		fail(flows, "an event with another connection's user");
	switch (e->type) {
	case PRISM_EVENT_MOVED:
		break;
	case PRISM_EVENT_CONNECTED:
		if (side->open)
			fail(flows, "connected twice");
		side->open = true;
		break;
	case PRISM_EVENT_DATA:
		take_data(flows, flow, s, e);
		break;
	case PRISM_EVENT_EOF:
		if (side->eof || side->received_bytes != flow->side[!s].sent_bytes)
			fail(flows, "EOF twice, or before all had arrived");
		side->eof = true;
		break;
	case PRISM_EVENT_SENT:
		take_sent(flows, side, e);
		break;
	case PRISM_EVENT_WRITABLE:
		break;
	case PRISM_EVENT_CLOSED:
		take_closed(flows, flow, s, e);
		break;
	default:
		fail(flows, "an event that TCP does not have");
	}
}

// ---- what applications do

static void start(struct flows *flows, struct flow *flow, int s)
{
	bool ip6 = flows->ip6 && flow->index % 2;
	struct prism_endpoint remote = world_endpoint_of(ip6, node_of(flow, !s), FLOW_LISTEN_PORT);
	struct prism_endpoint local = world_endpoint_of(ip6, node_of(flow, s), flow->port[s]);
	struct side *side = &flow->side[s];

	side->worker = flow->index % flows->world->node[node_of(flow, s)].worker_count;
	struct prism_worker *worker = worker_of(flows, flow, s);

	if (flow->simultaneous)
		remote.port = flow->port[!s];
	int error = prism_tcp_connect(worker, &remote, flow->simultaneous ? &local : NULL,
				      user_of(flow, s), &side->conn);

	if (error) {
		flows->refused++;
		flow->side[0].closed = flow->side[1].closed = true;
		flow->side[0].reason = flow->side[1].reason = PRISM_CLOSE_NO_MEMORY;
		return;
	}
	if (prism_tcp_endpoints(worker, side->conn, &local, NULL))
		fail(flows, "a new connection has no endpoints");
	flow->port[s] = local.port;
}

// How far a side that takes turns may send.
static uint64_t allowed_bytes(const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	if (side->method == SEND_ECHO || !side->request_bytes)
		return side->send_bytes;
	uint64_t rounds = s == 0 ? side->received_bytes / side->response_bytes + 1
				 : side->received_bytes / side->request_bytes;
	uint64_t round_bytes = s == 0 ? side->request_bytes : side->response_bytes;

	return MIN(rounds * round_bytes, side->send_bytes);
}

static int send_buf(struct prism_worker *worker, prism_conn conn, const uint8_t *bytes,
		    uint32_t *len)
{
	struct prism_buf *buf = prism_buf_alloc(worker);

	if (!buf)
		return -ENOBUFS;
	*len = MIN(*len, prism_buf_room(buf));
	memcpy(prism_buf_tail(buf), bytes, *len);
	prism_buf_grow(buf, *len);
	int error = prism_tcp_send(worker, conn, buf);

	if (error)
		prism_buf_release(worker, buf);
	return error;
}

static int send_some(struct flows *flows, const struct flow *flow, int s, uint32_t *len)
{
	struct side *side = (struct side *)&flow->side[s];
	struct prism_worker *worker = worker_of(flows, flow, s);
	const uint8_t *bytes = pattern_at(flow->key[s], side->sent_bytes);
	int error;

	switch (side->method) {
	case SEND_BUF:
		return send_buf(worker, side->conn, bytes, len);
	case SEND_REGION:
		return prism_tcp_send_region(worker, side->conn, bytes, *len);
	case SEND_BORROWED:
		error = prism_tcp_send_borrowed(worker, side->conn, bytes, *len,
						side->cookies_sent + 1);
		side->cookies_sent += error == 0;
		return error;
	default:
		*len = MIN(*len, (uint32_t)PRISM_COPY_BYTES_MAX);
		return prism_tcp_send_copy(worker, side->conn, bytes, *len);
	}
}

static void send_own(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	uint64_t limit_bytes = allowed_bytes(flow, s);

	if (side->pause_ns && !side->paused && side->sent_bytes >= side->send_bytes / 2) {
		side->paused = true;
		side->paused_until_ns = flows->world->now_ns + side->pause_ns;
	}
	if (side->paused_until_ns > flows->world->now_ns)
		return;
	while (side->sent_bytes < limit_bytes) {
		uint32_t len = (uint32_t)MIN(limit_bytes - side->sent_bytes,
					     1 + rng_below(&flows->rng, side->chunk_bytes));

		int error = send_some(flows, flow, s, &len);

		if (error == -ENOBUFS)
			side->paused_until_ns = flows->world->now_ns + NS_PER_MS;
		if (error)
			break;
		side->sent_bytes += len;
	}
}

// Sends received buffers back as they are.
static void echo(struct flows *flows, const struct flow *flow, int s)
{
	struct side *side = (struct side *)&flow->side[s];

	while (side->held_count > 0) {
		struct held *h = &side->held[side->held_first];

		if (h->until_ns > flows->world->now_ns ||
		    prism_tcp_send(worker_of(flows, flow, s), side->conn, h->buf))
			break;
		side->sent_bytes += h->len;
		side->held_first = (side->held_first + 1) % HELD_MAX;
		side->held_count--;
	}
}

static bool close_due(const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	if (side->sent_bytes < side->send_bytes)
		return false;
	if (side->close_rule == CLOSE_ON_EOF)
		return side->eof;
	return side->close_rule != CLOSE_WHEN_DONE ||
	       side->received_bytes == flow->side[!s].send_bytes;
}

static void act_open(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	struct prism_worker *worker = worker_of(flows, flow, s);

	if (side->close_rule == CLOSE_ABORT &&
	    side->sent_bytes + side->received_bytes >= side->abort_bytes) {
		if (prism_tcp_abort(worker, side->conn))
			fail(flows, "abort was refused");
		side->close_called = true;
		side->open = false;
		return;
	}
	if (side->close_called)
		return;
	if (side->method == SEND_ECHO)
		echo(flows, flow, s);
	else
		send_own(flows, flow, s);
	if (close_due(flow, s)) {
		if (prism_tcp_close(worker, side->conn))
			fail(flows, "close was refused");
		side->close_called = true;
	}
}

// Now and then to another worker of the same node.
static void move(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	uint32_t count = flows->world->node[node_of(flow, s)].worker_count;

	if (count == 1 || side->moving || flows->world->now_ns < side->stays_until_ns ||
	    !rng_chance_ppm(&flows->rng, flows->move_ppm))
		return;
	uint32_t step = 1 + (uint32_t)rng_below(&flows->rng, count - 1);

	int error = prism_tcp_move(worker_of(flows, flow, s), side->conn,
				   (side->worker + step) % count);

	if (error && error != -ENOTCONN) // it ended, and the event is on its way
		fail(flows, "a move was refused");
	side->moving = error == 0;
	side->stays_until_ns = flows->world->now_ns + NS_PER_MS; // or time would stand still
}

// It has left, and has not been heard of at its new worker yet.
static bool is_between(struct flows *flows, const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	return side->moving &&
	       prism_tcp_endpoints(worker_of(flows, flow, s), side->conn, NULL, NULL) == -EXDEV;
}

static void act_side(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];

	if (is_between(flows, flow, s))
		return;
	if (side->open)
		act_open(flows, flow, s);
	if (side->open && flows->move_ppm)
		move(flows, flow, s);
	if (side->method == SEND_ECHO && side->open)
		return;
	while (side->held_count > 0 &&
	       side->held[side->held_first].until_ns <= flows->world->now_ns)
		release_first(flows, flow, s);
}

void flows_act(struct flows *flows)
{
	for (uint32_t i = 0; i < flows->count; i++) {
		struct flow *flow = &flows->flow[i];

		if (!flow->started && flow->start_ns <= flows->world->now_ns) {
			flow->started = true;
			start(flows, flow, 0);
			if (flow->simultaneous && !flow->side[0].closed)
				start(flows, flow, 1);
		}
		act_side(flows, flow, 0);
		act_side(flows, flow, 1);
	}
}

static uint64_t side_next_ns(const struct side *side, uint64_t now_ns)
{
	uint64_t next_ns = TIME_NEVER_NS;

	if (side->held_count > 0 && side->held[side->held_first].until_ns > now_ns)
		next_ns = side->held[side->held_first].until_ns;
	if (side->paused_until_ns > now_ns)
		next_ns = MIN(next_ns, side->paused_until_ns);
	return next_ns;
}

uint64_t flows_next_ns(const struct flows *flows)
{
	uint64_t next_ns = TIME_NEVER_NS;

	for (uint32_t i = 0; i < flows->count; i++) {
		const struct flow *flow = &flows->flow[i];

		if (!flow->started)
			next_ns = MIN(next_ns, flow->start_ns);
		for (int s = 0; s < 2; s++)
			next_ns = MIN(next_ns, side_next_ns(&flow->side[s], flows->world->now_ns));
	}
	return next_ns;
}

bool flows_over(const struct flows *flows)
{
	for (uint32_t i = 0; i < flows->count; i++) {
		const struct flow *flow = &flows->flow[i];

		for (int s = 0; s < 2; s++) {
			// A side that the other never reached has no connection to end.
			bool nothing = flow->side[!s].closed && flow->side[s].conn.id == 0;

			if (!flow->started || (!flow->side[s].closed && !nothing) ||
			    flow->side[s].held_count > 0)
				return false;
		}
	}
	return true;
}

void flows_give_up(struct flows *flows, uint32_t index)
{
	struct flow *flow = &flows->flow[index];

	for (int s = 0; s < 2; s++) {
		struct side *side = &flow->side[s];

		if (side->conn.id && !side->closed && flow->side[!s].closed &&
		    flow->side[!s].reason != PRISM_CLOSE_DONE)
			prism_tcp_abort(worker_of(flows, flow, s), side->conn);
	}
}
