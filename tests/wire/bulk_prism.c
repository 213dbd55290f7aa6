// SPDX-License-Identifier: BSD-3-Clause
// A bulk transfer over Prism's public API: the event rung, one worker, bytes sent by reference from
// a sealed region. It naps when there is nothing to do, as prism run does. Called by bulk.c.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <prismnet/prism.h>

#include "base/bits.h"
#include "base/time.h"
#include "bulk.h"

#define EVENTS 64
#define BUSY_NS (1 * NS_PER_MS)     // so long it looks before it naps
#define NAP_NS_MAX (50 * NS_PER_US) // and so long it naps
#define STALL_NS (1 * NS_PER_MS)
#define LOOK_NS (10 * NS_PER_MS) // between two looks at what it is told

struct end {
	prism_conn conn;
	struct bulk_flow *flow;
	bool open, closing;
};

struct site {
	const struct bulk_plan *plan;
	struct prism *prism;
	struct prism_worker *worker;
	struct bulk_flow *flows;
	struct end ends[BULK_FLOWS_MAX];
	uint64_t end_count, over_count;
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	prism_error_print(what);
	exit(1);
}

static void send_some(struct site *s, struct end *e)
{
	struct bulk_flow *f = e->flow;

	while (e->open && f->bytes < s->plan->bytes) {
		size_t len = MIN(s->plan->bytes - f->bytes, (uint64_t)BULK_RUN_BYTES);

		if (prism_tcp_send_region(s->worker, e->conn, bulk_pattern(f->bytes), len))
			return; // WRITABLE follows
		f->bytes += len;
	}
	if (e->open && !e->closing)
		e->closing = prism_tcp_close(s->worker, e->conn) == 0;
}

static void cut(struct site *s, struct end *e)
{
	if (!e->closing)
		prism_tcp_abort(s->worker, e->conn);
	e->closing = true;
}

static struct end *end_add(struct site *s, prism_conn conn)
{
	must(s->end_count < s->plan->flow_count, "more connections than flows");
	struct end *e = &s->ends[s->end_count];

	*e = (struct end){.conn = conn, .flow = &s->flows[s->end_count++]};
	return e;
}

static void accepted(struct site *s, const struct prism_event *event)
{
	struct end *e = end_add(s, event->conn);

	must(prism_tcp_set_user(s->worker, e->conn, (uintptr_t)e) == 0, "set_user");
	e->open = true;
	if (s->plan->sends)
		send_some(s, e);
}

static void hear(struct site *s, struct end *e, const struct prism_event *event)
{
	bool in_time = bulk_heard(s->plan, e->flow, event->data, event->len);

	prism_buf_release(s->worker, event->buf);
	if (!in_time)
		cut(s, e);
}

static void peer_is_done(struct site *s, struct end *e)
{
	e->flow->complete = e->flow->bytes == s->plan->bytes;
	if (!e->closing)
		e->closing = prism_tcp_close(s->worker, e->conn) == 0;
}

static void handle(struct site *s, const struct prism_event *event)
{
	struct end *e = (void *)(uintptr_t)event->user;

	if (event->type == PRISM_EVENT_ACCEPTED) {
		accepted(s, event);
	} else if (event->type == PRISM_EVENT_CONNECTED || event->type == PRISM_EVENT_WRITABLE) {
		e->open = true;
		if (s->plan->sends)
			send_some(s, e);
	} else if (event->type == PRISM_EVENT_DATA) {
		hear(s, e, event);
	} else if (event->type == PRISM_EVENT_EOF) {
		peer_is_done(s, e);
	} else if (event->type == PRISM_EVENT_CLOSED) {
		e->flow->reason = event->reason;
		e->flow->over = true;
		e->open = false;
		s->over_count++;
	}
}

// Another had the core for so long that ACKs have gathered, and what they let out is one burst.
static void note_stall(uint64_t since_ns, uint64_t now_ns)
{
	if (since_ns && now_ns - since_ns > STALL_NS)
		bulk_stalled_ns += now_ns - since_ns;
}

static void turn(struct site *s)
{
	static uint64_t busy_ns, done_ns;
	struct prism_event events[EVENTS];
	int count = prism_poll(s->worker, events, EVENTS);
	uint64_t now_ns = prism_now_ns(s->worker), idle_ns;

	note_stall(done_ns, now_ns);
	for (int i = 0; i < count; i++)
		handle(s, &events[i]);
	if (count)
		busy_ns = now_ns;
	idle_ns = now_ns - busy_ns > BUSY_NS ? prism_idle_ns(s->worker, NAP_NS_MAX) : 0;
	if (idle_ns)
		nanosleep(&(struct timespec){.tv_nsec = (long)idle_ns}, NULL);
	done_ns = now_ns + idle_ns;
}

static void begin(struct site *s)
{
	struct prism_endpoint endpoint;
	prism_listener listener;
	char text[64];

	snprintf(text, sizeof(text), "%s:%llu", s->plan->address,
		 (unsigned long long)s->plan->port);
	must(prism_endpoint_parse(text, &endpoint) == 0, "endpoint");
	if (!s->plan->opens) {
		must(prism_tcp_listen(s->worker, &endpoint, 0, &listener) == 0, "listen");
		return;
	}
	for (uint64_t i = 0; i < s->plan->flow_count; i++) {
		struct end *e = end_add(s, (prism_conn){0});

		must(prism_tcp_connect(s->worker, &endpoint, NULL, (uintptr_t)e, &e->conn) == 0,
		     "connect");
	}
}

static void carry_on_until_over(struct site *s)
{
	uint64_t look_ns = 0;

	while (s->over_count < s->plan->flow_count) {
		turn(s);
		if (prism_now_ns(s->worker) - look_ns < LOOK_NS)
			continue;
		look_ns = prism_now_ns(s->worker);
		for (uint64_t i = 0; i < s->end_count; i++)
			if (!s->plan->sends && !bulk_in_time(s->plan, &s->flows[i]))
				cut(s, &s->ends[i]);
		if (bulk_told())
			return;
	}
}

// Answers peers until its input ends.
static void stay(struct site *s)
{
	char line[16];

	for (;;) {
		uint64_t until_ns = bulk_now_ns() + LOOK_NS;

		while (bulk_now_ns() < until_ns)
			turn(s);
		if (bulk_told() && !fgets(line, sizeof(line), stdin))
			return;
	}
}

int bulk_prism(const struct bulk_plan *plan, struct bulk_flow *flows)
{
	struct site s = {.plan = plan, .flows = flows};
	struct prism_options options;
	uint8_t *bytes;

	PRISM_OPTIONS_INIT(&options);
	must(prism_options_load(&options, plan->config) == 0, "options");
	s.prism = prism_open(&options);
	must(s.prism != NULL, "open");
	s.worker = prism_worker_get(s.prism, 0);
	bytes = prism_region_alloc(s.prism, BULK_PATTERN_BYTES);
	must(bytes != NULL, "region");
	bulk_pattern_write(bytes);
	must(prism_region_seal(s.prism, bytes, BULK_PATTERN_BYTES) == 0, "seal");
	begin(&s);
	puts("ready");
	fflush(stdout);
	carry_on_until_over(&s);
	bulk_report(plan, flows);
	stay(&s);
	prism_close(s.prism);
	prism_options_free(&options);
	return 0;
}
