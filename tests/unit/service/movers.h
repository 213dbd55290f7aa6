// SPDX-License-Identifier: BSD-3-Clause
// For tests of services whose connections go from one worker to another: a server of two workers, a
// client in this process, a pair port between.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "core/worker.h"
#include "service/service.h"
#include "site.h"

#define CLIENTS_MAX 240
#define WORKERS 2

static struct prism *server, *client;
static struct prism_worker *server_worker[WORKERS], *client_worker;
static struct service *services[WORKERS];
static struct service_config config;
static char head[4096]; // of an answer

// A connection as the client has it.
static struct peer {
	prism_conn conn;
	bool connected, eof, closed, stalls;
	uint32_t reason;
	size_t len;          // that came
	const uint8_t *want; // what must come, in order, from len - skip on
	size_t skip;         // bytes in front of it, kept in head
	struct prism_buf *kept[4096];
	uint32_t kept_count;
} peers[CLIENTS_MAX];

static bool giving;      // whatever speaks goes to the other worker
static uint64_t given;   // so often
static uint64_t handled; // events of a worker

static inline struct prism *stack_open(const char *address, uint32_t workers)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.no_shared_memory = true;
	o.workers = workers;
	o.connections_max = 256;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = "pair:moves";
	o.ports[0].address_count = 1;
	o.ports[0].addresses[0].len = 24;
	prism_addr_parse(address, &o.ports[0].addresses[0].addr);
	return prism_open(&o);
}

static inline void start_service(uint32_t worker)
{
	assert_int_equal(service_start(server, server_worker[worker], &config, &services[worker]),
			 0);
}

static inline void start_stacks(const char *type)
{
	config.type = type;
	config.root = site_directory;
	config.listen.port = 80;
	memset(peers, 0, sizeof(peers));
	giving = false;
	given = 0;
	server = stack_open("198.18.0.2", WORKERS);
	client = stack_open("198.18.0.1", 1);
	assert_non_null(server);
	assert_non_null(client);
	for (uint32_t i = 0; i < WORKERS; i++)
		server_worker[i] = prism_worker_get(server, i);
	client_worker = prism_worker_get(client, 0);
}

static inline void start(const char *type, struct service_config more)
{
	config = more;
	start_stacks(type);
	for (uint32_t i = 0; i < WORKERS; i++)
		start_service(i);
	service_join(services, WORKERS);
}

// Each worker's service may have so many connections.
static inline void start_limited(const char *type, const uint32_t connections_max[WORKERS])
{
	config = (struct service_config){0};
	start_stacks(type);
	for (uint32_t i = 0; i < WORKERS; i++) {
		config.connections_max = connections_max[i];
		start_service(i);
	}
	service_join(services, WORKERS);
}

static inline void data_comes(struct peer *p, const struct prism_event *e)
{
	const uint8_t *data = e->data;

	for (uint32_t i = 0; i < e->len; i++, p->len++) {
		if (p->len < p->skip)
			head[p->len] = (char)data[i];
		else if (p->want)
			assert_int_equal(data[i], p->want[p->len - p->skip]);
	}
	if (p->stalls)
		p->kept[p->kept_count++] = e->buf;
	else
		prism_buf_release(client_worker, e->buf);
}

static inline void client_event(const struct prism_event *e)
{
	struct peer *p = &peers[e->user];

	p->connected |= e->type == PRISM_EVENT_CONNECTED;
	p->eof |= e->type == PRISM_EVENT_EOF;
	if (e->type == PRISM_EVENT_DATA)
		data_comes(p, e);
	if (e->type == PRISM_EVENT_EOF)
		prism_tcp_close(client_worker, e->conn);
	if (e->type == PRISM_EVENT_CLOSED) {
		p->closed = true;
		p->reason = e->reason;
	}
}

static inline void turn_server(uint32_t worker)
{
	struct prism_event events[64];
	int count = prism_poll(server_worker[worker], events, 64);

	handler_dispatch_all(events, count);
	handled += (uint64_t)count;
	for (int i = 0; giving && i < count; i++)
		if (events[i].type == PRISM_EVENT_DATA || events[i].type == PRISM_EVENT_WRITABLE)
			given += service_give(&events[i], 1 - worker);
}

static inline void turn_client(void)
{
	struct prism_event events[64];
	int count = prism_poll(client_worker, events, 64);

	for (int i = 0; i < count; i++)
		client_event(&events[i]);
}

static inline void turn(void)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		turn_server(i);
	turn_client();
}

// Turns until a condition holds; twenty seconds are too long.
#define UNTIL(condition) \
	do { \
		uint64_t until_ns = prism_now_ns(client_worker) + 20 * NS_PER_S; \
		while (!(condition) && prism_now_ns(client_worker) < until_ns) \
			turn(); \
		assert_true(condition); \
	} while (0)

static inline struct peer *call(uint32_t i)
{
	struct prism_endpoint remote;

	turn();
	prism_endpoint_parse("198.18.0.2:80", &remote);
	assert_int_equal(prism_tcp_connect(client_worker, &remote, NULL, i, &peers[i].conn), 0);
	UNTIL(peers[i].connected);
	return &peers[i];
}

static inline void say(struct peer *p, const char *text)
{
	assert_int_equal(prism_tcp_send_copy(client_worker, p->conn, text, strlen(text)), 0);
}

static inline uint64_t open_at(uint32_t worker)
{
	return service_stats_of(services[worker])->connections_open;
}

static inline void end_services(void)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		service_stop(services[i]);
}

static inline bool all_closed(void)
{
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		if (peers[i].connected && !peers[i].closed)
			return false;
	return true;
}

static inline bool all_buffers_back(const struct prism *prism)
{
	uint32_t available, capacity;

	prism_buffers(prism, &available, &capacity);
	return available == capacity;
}

// Everything is given back, on both sides.
static inline void stop(void)
{
	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		struct peer *p = &peers[i];

		while (p->kept_count)
			prism_buf_release(client_worker, p->kept[--p->kept_count]);
		if (p->connected && !p->closed)
			prism_tcp_abort(client_worker, p->conn);
	}
	UNTIL(all_closed() && service_drain(services[0]) && service_drain(services[1]));
	UNTIL(all_buffers_back(server) && all_buffers_back(client));
	end_services();
	prism_close(client);
	prism_close(server);
}
