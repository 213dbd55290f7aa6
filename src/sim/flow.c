// SPDX-License-Identifier: BSD-3-Clause
// The applications of the simulation, as far as things happen to them: events come in, bytes and
// their order are checked. Called after every turn of the stacks, flows_take for each event; what
// an application does on its own account is flow_act.c. Only the public API is used.
#include "sim/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

void flow_fail(struct flows *flows, const char *what)
{
	if (!flows->failure)
		flows->failure = what;
}

struct prism_worker *flow_worker(struct flows *flows, const struct flow *flow, int side)
{
	const struct side *s = &flow->side[side];

	return flows->world->node[s->host].workers[s->worker];
}

uint64_t flow_user(const struct flow *flow, int side)
{
	return (uint64_t)flow->index * 2 + (uint64_t)side;
}

#define LISTENER_USER UINT64_MAX

void flows_listen(struct flows *flows)
{
	struct prism_endpoint local = {.port = FLOW_LISTEN_PORT};
	prism_listener listener;

	for (int n = 0; n < flows->world->node_count; n++) {
		const struct node *node = &flows->world->node[n];

		for (uint32_t w = 0; w < node->worker_count; w++)
			if (prism_tcp_listen(node->workers[w], &local, LISTENER_USER, &listener))
				flow_fail(flows, "listen was refused");
	}
}

// ---- received bytes

void flow_release_first(struct flows *flows, struct flow *flow, int s)
{
	struct side *side = &flow->side[s];
	struct held *h = &side->held[side->held_first];

	prism_buf_release(flow_worker(flows, flow, s), h->buf);
	side->held_first = (side->held_first + 1) % side->held_max;
	side->held_count--;
}

static void make_room(struct side *side)
{
	uint32_t held_max = side->held_max ? 2 * side->held_max : 16;
	struct held *held = malloc(held_max * sizeof(*held));

	for (uint32_t i = 0; i < side->held_count; i++)
		held[i] = side->held[(side->held_first + i) % side->held_max];
	free(side->held);
	side->held = held;
	side->held_first = 0;
	side->held_max = held_max;
}

static void hold(struct flows *flows, struct flow *flow, int s, const struct prism_event *e)
{
	struct side *side = &flow->side[s];
	uint64_t hold_ns = rng_below(&flows->rng, side->plan.hold_ns);

	if (side->held_count == HELD_MAX)
		flow_release_first(flows, flow, s);
	else if (side->held_count == side->held_max)
		make_room(side);
	side->held[(side->held_first + side->held_count++) % side->held_max] = (struct held){
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
		flow_fail(flows, "data after EOF");
	if (side->received_bytes + e->len > other->sent_bytes)
		flow_fail(flows, "more arrived than was sent");
	if (!bytes_right(flow->key[!s], side->received_bytes, e->data, e->len))
		flow_fail(flows, "wrong bytes arrived");
	side->received_bytes += e->len;
	flows->received_bytes += e->len;
	hold(flows, flow, s, e);
}

static void take_closed(struct flows *flows, struct flow *flow, int s, const struct prism_event *e)
{
	struct side *side = &flow->side[s];

	if (side->closed)
		flow_fail(flows, "closed twice");
	side->closed = true;
	side->open = false;
	flows->ended_ns = flows->world->now_ns;
	side->reason = e->reason;
	if (e->reason != PRISM_CLOSE_DONE)
		return;
	if (!side->close_called)
		flow_fail(flows, "closed in order before close was called");
	if (side->received_bytes != flow->side[!s].sent_bytes)
		flow_fail(flows, "closed in order and not all had arrived");
	if (side->cookies_back != side->cookies_sent)
		flow_fail(flows, "closed in order and a SENT event is missing");
}

// ---- finding out which flow an accepted connection is

static bool is_opened_from(const struct flow *flow, const struct prism_endpoint *remote)
{
	struct prism_endpoint opener =
		world_endpoint_of(flow->ip6, flow->side[0].host, flow->port[0]);

	return remote->port == opener.port &&
	       memcmp(&remote->addr, &opener.addr, sizeof(opener.addr)) == 0;
}

static struct flow *flow_accepted(struct flows *flows, int node,
				  const struct prism_endpoint *remote)
{
	for (uint32_t i = flows->count; i-- > 0;) {
		struct flow *flow = &flows->flow[i];

		if (flow->started && flow->side[1].host == node && is_opened_from(flow, remote) &&
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
		flow = flow_accepted(flows, node, &remote);
	if (!flow) {
		flow_fail(flows, "a connection nobody opened was accepted");
		return;
	}
	flow->side[1].conn = e->conn;
	flow->side[1].worker = flows->world->acting;
	flow->side[1].open = true;
	flow->port[1] = FLOW_LISTEN_PORT;
	if (prism_tcp_set_user(worker, e->conn, flow_user(flow, 1)))
		flow_fail(flows, "set_user was refused");
}

static void take_sent(struct flows *flows, struct side *side, const struct prism_event *e)
{
	if (e->cookie <= side->cookies_back || e->cookie > side->cookies_sent)
		flow_fail(flows, "a SENT cookie out of order");
	side->cookies_back = e->cookie;
}

static void take_moved(struct flows *flows, struct side *side)
{
	if (!side->moving || side->worker == flows->world->acting)
		flow_fail(flows, "moved, and nobody had asked for it");
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
		flow_fail(flows, "an event for nobody");
		return;
	}
	struct flow *flow = &flows->flow[e->user / 2];
	int s = (int)(e->user % 2);
	struct side *side = &flow->side[s];

	flow->progress_ns = flows->event_ns = flows->world->now_ns;
	if (e->type == PRISM_EVENT_MOVED)
		take_moved(flows, side);
	if (side->host != node || side->conn.id != e->conn.id ||
	    side->worker != flows->world->acting)
		flow_fail(flows, "an event with another connection's user");
	switch (e->type) {
	case PRISM_EVENT_MOVED:
		break;
	case PRISM_EVENT_CONNECTED:
		if (side->open)
			flow_fail(flows, "connected twice");
		side->open = true;
		break;
	case PRISM_EVENT_DATA:
		take_data(flows, flow, s, e);
		break;
	case PRISM_EVENT_EOF:
		if (side->eof || side->received_bytes != flow->side[!s].sent_bytes)
			flow_fail(flows, "EOF twice, or before all had arrived");
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
		flow_fail(flows, "an event that TCP does not have");
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
			prism_tcp_abort(flow_worker(flows, flow, s), side->conn);
	}
}
