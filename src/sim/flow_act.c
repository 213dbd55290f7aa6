// SPDX-License-Identifier: BSD-3-Clause
// The applications of the simulation, as far as they act: connect, send by the call their plan
// names, release what they held, move, close. Called by sim/run.c once after every step, for every
// connection; only the public API is used.
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "sim/flow.h"

static void refused(struct flows *flows, struct flow *flow)
{
	flows->refused++;
	for (int s = 0; s < 2; s++) {
		flow->side[s].closed = true;
		flow->side[s].reason = PRISM_CLOSE_NO_MEMORY;
	}
}

static void start(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	struct prism_endpoint remote =
		world_endpoint_of(flow->ip6, flow->side[!s].host, FLOW_LISTEN_PORT);
	struct prism_endpoint local = world_endpoint_of(flow->ip6, side->host, flow->port[s]);

	side->worker = flow->index % flows->world->node[side->host].worker_count;
	struct prism_worker *worker = flow_worker(flows, flow, s);

	if (flow->simultaneous)
		remote.port = flow->port[!s];
	if (prism_tcp_connect(worker, &remote, flow->simultaneous ? &local : NULL,
			      flow_user(flow, s), &side->conn)) {
		refused(flows, flow);
		return;
	}
	if (prism_tcp_endpoints(worker, side->conn, &local, NULL))
		flow_fail(flows, "a new connection has no endpoints");
	flow->port[s] = local.port;
}

// How far a side that takes turns may send.
static uint64_t allowed_bytes(const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	if (side->plan.call == SEND_ECHO || !side->request_bytes)
		return side->plan.send_bytes;
	uint64_t rounds = s == 0 ? side->received_bytes / side->response_bytes + 1
				 : side->received_bytes / side->request_bytes;
	uint64_t round_bytes = s == 0 ? side->request_bytes : side->response_bytes;

	return MIN(rounds * round_bytes, side->plan.send_bytes);
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

static int send_some(struct flows *flows, struct flow *flow, int s, uint32_t *len)
{
	struct side *side = &flow->side[s];
	struct prism_worker *worker = flow_worker(flows, flow, s);
	const uint8_t *bytes = pattern_at(flow->key[s], side->sent_bytes);
	int error;

	switch (side->plan.call) {
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

// Half of it is sent: time for the pause, if there is one.
static bool pauses(struct flows *flows, struct side *side)
{
	if (side->plan.pause_ns && !side->paused && side->sent_bytes >= side->plan.send_bytes / 2) {
		side->paused = true;
		side->paused_until_ns = flows->world->now_ns + side->plan.pause_ns;
	}
	return side->paused_until_ns > flows->world->now_ns;
}

static void send_own(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	uint64_t limit_bytes = allowed_bytes(flow, s);

	while (!pauses(flows, side) && side->sent_bytes < limit_bytes) {
		uint32_t len = (uint32_t)MIN(limit_bytes - side->sent_bytes,
					     1 + rng_below(&flows->rng, side->plan.chunk_bytes));
		int error = send_some(flows, flow, s, &len);

		if (error == -ENOBUFS)
			side->paused_until_ns = flows->world->now_ns + NS_PER_MS;
		if (error)
			break;
		side->sent_bytes += len;
	}
}

// Sends received buffers back as they are.
static void echo(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];

	while (side->held_count > 0) {
		struct held *h = &side->held[side->held_first];

		if (h->until_ns > flows->world->now_ns ||
		    prism_tcp_send(flow_worker(flows, flow, s), side->conn, h->buf))
			break;
		side->sent_bytes += h->len;
		side->held_first = (side->held_first + 1) % side->held_max;
		side->held_count--;
	}
}

static bool close_due(const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	if (side->sent_bytes < side->plan.send_bytes)
		return false;
	if (side->plan.close == CLOSE_ON_EOF)
		return side->eof;
	return side->plan.close != CLOSE_WHEN_DONE ||
	       side->received_bytes == flow->side[!s].plan.send_bytes;
}

static void act_open(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	struct prism_worker *worker = flow_worker(flows, flow, s);

	if (side->plan.close == CLOSE_ABORT &&
	    side->sent_bytes + side->received_bytes >= side->plan.abort_bytes) {
		if (prism_tcp_abort(worker, side->conn))
			flow_fail(flows, "abort was refused");
		side->close_called = true;
		side->open = false;
		return;
	}
	if (side->close_called)
		return;
	if (side->plan.call == SEND_ECHO)
		echo(flows, flow, s);
	else
		send_own(flows, flow, s);
	if (close_due(flow, s)) {
		if (prism_tcp_close(worker, side->conn))
			flow_fail(flows, "close was refused");
		side->close_called = true;
	}
}

// Now and then to another worker of the same node.
static void move(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	uint32_t count = flows->world->node[side->host].worker_count;

	if (count == 1 || side->moving || flows->world->now_ns < side->stays_until_ns ||
	    !rng_chance_ppm(&flows->rng, flows->move_ppm))
		return;
	uint32_t step = 1 + (uint32_t)rng_below(&flows->rng, count - 1);

	int error = prism_tcp_move(flow_worker(flows, flow, s), side->conn,
				   (side->worker + step) % count);

	if (error && error != -ENOTCONN) // it ended, and the event is on its way
		flow_fail(flows, "a move was refused");
	side->moving = error == 0;
	side->stays_until_ns = flows->world->now_ns + NS_PER_MS; // or time would stand still
}

// It has left, and has not been heard of at its new worker yet.
static bool is_between(struct flows *flows, const struct flow *flow, int s)
{
	const struct side *side = &flow->side[s];

	return side->moving &&
	       prism_tcp_endpoints(flow_worker(flows, flow, s), side->conn, NULL, NULL) == -EXDEV;
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
	if (side->plan.call == SEND_ECHO && side->open)
		return;
	while (side->held_count > 0 &&
	       side->held[side->held_first].until_ns <= flows->world->now_ns)
		flow_release_first(flows, flow, s);
}

// One waits for the other: for the handshake, or for bytes that were sent and have not arrived.
static bool owes(const struct flow *flow)
{
	const struct side *a = &flow->side[0], *b = &flow->side[1];

	if (!flow->started || a->closed || b->closed)
		return false;
	return !a->open || !b->open || a->sent_bytes > b->received_bytes ||
	       b->sent_bytes > a->received_bytes;
}

static void watch(struct flows *flows, struct flow *flow)
{
	uint64_t now_ns = flows->world->now_ns;

	if (!owes(flow))
		flow->progress_ns = now_ns;
	if (now_ns - flow->progress_ns <= flows->stall_ns)
		return;
	flows->stall_ns = now_ns - flow->progress_ns;
	flows->stalled = flow->index;
}

static void begin(struct flows *flows, struct flow *flow)
{
	flow->started = true;
	flow->progress_ns = flows->world->now_ns;
	start(flows, flow, 0);
	if (flow->simultaneous && !flow->side[0].closed)
		start(flows, flow, 1);
}

void flows_act(struct flows *flows)
{
	for (uint32_t i = 0; i < flows->count; i++) {
		struct flow *flow = &flows->flow[i];

		if (!flow->started && flow->start_ns <= flows->world->now_ns)
			begin(flows, flow);
		act_side(flows, flow, 0);
		act_side(flows, flow, 1);
		watch(flows, flow);
	}
}
