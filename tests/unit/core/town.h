// SPDX-License-Identifier: BSD-3-Clause
// Whole stacks for the tests of several workers: callers at node 0, and at node 1 services that
// send back what they get. The events say which worker had them; conservation is checked after
// every turn (world.c).
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <prismnet/prism.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "sim/world.h"
#include "tcp/conn.h"
#include "tcp/shared.h"

#define TOWN_CALLS_MAX 8192
#define TOWN_PORT 80

// A connection as its caller sees it: says its number, and closes when that came back.
struct call {
	prism_conn conn;
	uint32_t worker; // of node 0
	uint32_t answers;
	uint32_t left; // answers after which it closes; 0: it stays
	bool connected, closed;
	uint32_t reason;
};

struct town {
	struct world *world;
	struct call call[TOWN_CALLS_MAX];
	uint32_t call_count;
	uint32_t accepted[WORLD_WORKERS_MAX];  // at node 1
	uint32_t datagrams[WORLD_WORKERS_MAX]; // at node 1
	uint32_t connected, answered, closed;
};

static inline struct town *town_create(const struct world_config *config)
{
	struct town *t = calloc(1, sizeof(*t));

	t->world = world_create(config);
	return t;
}

static inline struct prism_worker *town_worker(struct town *t, int node, uint32_t worker)
{
	return t->world->node[node].workers[worker];
}

static inline uint64_t town_drops(const struct town *t, int node, enum drop reason)
{
	const struct node *n = &t->world->node[node];
	uint64_t sum = n->counters.drop[reason];

	for (uint32_t i = 1; i < n->worker_count; i++)
		sum += n->more_counters[i].drop[reason];
	return sum;
}

static inline uint64_t town_sum(const struct town *t, int node, enum counter which)
{
	const struct node *n = &t->world->node[node];
	uint64_t sum = n->counters.value[which];

	for (uint32_t i = 1; i < n->worker_count; i++)
		sum += n->more_counters[i].value[which];
	return sum;
}

static inline void town_say(struct town *t, struct call *c)
{
	struct prism_worker *worker = town_worker(t, 0, c->worker);
	uint32_t number = (uint32_t)(c - t->call);

	assert_int_equal(prism_tcp_send_copy(worker, c->conn, &number, sizeof(number)), 0);
}

// Several numbers may come at once.
static inline void town_hear(struct town *t, struct call *c, const struct prism_event *e)
{
	uint32_t number;

	assert_int_equal(e->len % sizeof(number), 0);
	for (uint32_t at = 0; at < e->len; at += sizeof(number)) {
		memcpy(&number, (const uint8_t *)e->data + at, sizeof(number));
		assert_int_equal(number, c - t->call);
		c->answers++;
		t->answered++;
	}
	prism_buf_release(town_worker(t, 0, c->worker), e->buf);
	if (c->answers == c->left)
		assert_int_equal(prism_tcp_close(town_worker(t, 0, c->worker), c->conn), 0);
}

static inline void town_caller_event(struct town *t, const struct prism_event *e)
{
	struct call *c = &t->call[e->user];

	assert_int_equal(t->world->acting, c->worker); // nobody else is told
	if (e->type == PRISM_EVENT_CONNECTED) {
		c->connected = true;
		t->connected++;
		town_say(t, c);
	} else if (e->type == PRISM_EVENT_DATA) {
		town_hear(t, c, e);
	} else if (e->type == PRISM_EVENT_CLOSED) {
		c->closed = true;
		c->reason = e->reason;
		t->closed++;
	}
}

// A service's cookie is its worker.
static inline void town_service_event(struct town *t, const struct prism_event *e)
{
	struct prism_worker *worker = town_worker(t, 1, t->world->acting);

	assert_int_equal(t->world->acting, e->user);
	if (e->type == PRISM_EVENT_ACCEPTED)
		t->accepted[e->user]++;
	if (e->type == PRISM_EVENT_DATA)
		assert_int_equal(prism_tcp_send(worker, e->conn, e->buf), 0);
	if (e->type == PRISM_EVENT_EOF)
		assert_int_equal(prism_tcp_close(worker, e->conn), 0);
	if (e->type == PRISM_EVENT_DATAGRAM) {
		t->datagrams[e->user]++;
		prism_buf_release(worker, e->buf);
	}
}

static inline void town_event(void *context, int node, const struct prism_event *e)
{
	if (node == 0)
		town_caller_event(context, e);
	else
		town_service_event(context, e);
}

// Time passes until that many calls are closed, or it is over.
static inline void town_run(struct town *t, uint64_t ns, uint32_t closed)
{
	uint64_t end_ns = t->world->now_ns + ns;

	while (t->world->now_ns < end_ns && t->closed < closed)
		assert_true(world_step(t->world, end_ns, town_event, t));
}

static inline void town_listen(struct town *t, uint32_t worker, uint16_t port)
{
	struct prism_endpoint local = {.port = port};
	prism_listener listener;

	assert_int_equal(prism_tcp_listen(town_worker(t, 1, worker), &local, worker, &listener), 0);
}

// 0, or what connect says. The call closes after so many answers; 0: it stays.
static inline int town_call(struct town *t, uint32_t worker, uint16_t port, uint32_t answers)
{
	struct prism_endpoint remote = world_endpoint(1, port);
	struct call *c = &t->call[t->call_count];
	int error;

	assert_true(t->call_count < TOWN_CALLS_MAX);
	*c = (struct call){.worker = worker, .left = answers};
	error = prism_tcp_connect(town_worker(t, 0, worker), &remote, NULL, t->call_count,
				  &c->conn);
	if (!error)
		t->call_count++;
	return error;
}

static inline void town_all_done(const struct town *t)
{
	assert_int_equal(t->closed, t->call_count);
	for (uint32_t i = 0; i < t->call_count; i++)
		assert_int_equal(t->call[i].reason, PRISM_CLOSE_DONE);
}

// At rest: no connection, no buffer, nothing on its way between workers.
static inline void town_rests(struct town *t)
{
	uint64_t end_ns = t->world->now_ns + 60 * NS_PER_S;

	while (t->world->now_ns < end_ns && !world_at_rest(t->world))
		assert_true(world_step(t->world, end_ns, town_event, t));
	assert_true(world_at_rest(t->world));
	for (int node = 0; node < 2; node++) {
		const struct node *n = &t->world->node[node];

		assert_int_equal(town_sum(t, node, COUNTER_handed_out_pkts),
				 town_sum(t, node, COUNTER_handed_in_pkts));
		assert_int_equal(town_sum(t, node, COUNTER_queued_pkts), 0);
		if (n->team)
			assert_int_equal(table_count(team_tcp(n->team)->table), 0);
	}
}

static inline void town_destroy(struct town *t)
{
	assert_true(world_destroy(t->world));
	free(t);
}
