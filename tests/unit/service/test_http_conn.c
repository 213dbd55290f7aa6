// SPDX-License-Identifier: BSD-3-Clause
// Many connections of one http service: what some of them do to the others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "service/service.h"
#include "site.h"

#define GREEDY 6
#define REQUESTS 2000 // of each that is greedy

static struct prism *server, *client;
static struct prism_worker *server_worker, *client_worker;
static struct service *service;

// The client's connections; the last one reads what it gets.
static struct {
	prism_conn conn;
	bool connected, closed;
	uint32_t to_ask;
	uint64_t read_bytes;
} peers[GREEDY + 1];

static struct prism_buf *hoard[8192];
static uint32_t hoard_count;
static bool hoarding;

static struct prism *stack_open(const char *address, uint32_t buffers)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.no_shared_memory = true;
	o.connections_max = 64;
	o.buffers = buffers;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = "pair:http";
	o.ports[0].address_count = 1;
	o.ports[0].addresses[0].len = 24;
	prism_addr_parse(address, &o.ports[0].addresses[0].addr);
	return prism_open(&o);
}

static void client_event(const struct prism_event *e)
{
	switch (e->type) {
	case PRISM_EVENT_CONNECTED:
		peers[e->user].connected = true;
		break;
	case PRISM_EVENT_DATA:
		peers[e->user].read_bytes += e->len;
		if (hoarding && e->user < GREEDY)
			hoard[hoard_count++] = e->buf;
		else
			prism_buf_release(client_worker, e->buf);
		break;
	case PRISM_EVENT_CLOSED:
		peers[e->user].closed = true;
		break;
	default:
		break;
	}
}

static void ask(uint32_t peer)
{
	static const char request[] = "GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

	while (peers[peer].connected && peers[peer].to_ask &&
	       prism_tcp_send_copy(client_worker, peers[peer].conn, request, strlen(request)) == 0)
		peers[peer].to_ask--;
}

static void turn(void)
{
	struct prism_event events[64];
	int count = prism_poll(server_worker, events, 64);

	for (int i = 0; i < count; i++)
		handler_dispatch(&events[i]);
	for (uint32_t i = 0; i <= GREEDY; i++)
		ask(i);
	count = prism_poll(client_worker, events, 64);
	for (int i = 0; i < count; i++)
		client_event(&events[i]);
}

#define UNTIL(condition) \
	do { \
		uint64_t until_ns = prism_now_ns(client_worker) + 10 * NS_PER_S; \
		while (!(condition) && prism_now_ns(client_worker) < until_ns) \
			turn(); \
		assert_true(condition); \
	} while (0)

static void connect_peer(uint32_t peer, uint32_t requests)
{
	struct prism_endpoint remote;

	prism_endpoint_parse("198.18.0.2:80", &remote);
	peers[peer].to_ask = requests;
	assert_int_equal(prism_tcp_connect(client_worker, &remote, NULL, peer, &peers[peer].conn),
			 0);
}

static uint64_t read_bytes_of_greedy(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < GREEDY; i++)
		bytes += peers[i].read_bytes;
	return bytes;
}

// Until the windows are closed and nothing arrives any more.
static void be_greedy(void)
{
	hoarding = true;
	for (uint32_t i = 0; i < GREEDY; i++)
		connect_peer(i, REQUESTS);
	for (uint64_t before = 0, idle_turns = 0; idle_turns < 2000; idle_turns++) {
		turn();
		if (read_bytes_of_greedy() != before)
			idle_turns = 0;
		before = read_bytes_of_greedy();
	}
}

// They pipeline, and read nothing: each answer is a header in a buffer of its own.
static void those_who_read_nothing_leave_buffers_to_others(void **state)
{
	uint32_t available, capacity;
	uint64_t answer_bytes;

	be_greedy();
	connect_peer(GREEDY, 1);
	UNTIL(peers[GREEDY].read_bytes > 1100);
	answer_bytes = peers[GREEDY].read_bytes;
	peers[GREEDY].to_ask = 100;
	UNTIL(peers[GREEDY].read_bytes == 101 * answer_bytes);
	// And they get all they asked for when they read.
	hoarding = false;
	while (hoard_count)
		prism_buf_release(client_worker, hoard[--hoard_count]);
	UNTIL(read_bytes_of_greedy() == GREEDY * REQUESTS * answer_bytes);
	for (uint32_t i = 0; i <= GREEDY; i++)
		prism_tcp_abort(client_worker, peers[i].conn);
	UNTIL(service_stats_of(service)->connections_open == 0);
	assert_int_equal(service_stats_of(service)->requests, GREEDY * REQUESTS + 101);
	prism_buffers(server, &available, &capacity);
	assert_int_equal(available, capacity);
}

static int setup(void **state)
{
	struct service_config config = {.type = "http", .listen.port = 80, .connections_max = 32};
	char page[1101] = "";

	site_make();
	memset(page, 'p', sizeof(page) - 1); // too long to join its header
	site_file("page", page);
	config.root = site_directory;
	server = stack_open("198.18.0.2", 1024);
	client = stack_open("198.18.0.1", 16384);
	if (!server || !client)
		return -1;
	server_worker = prism_worker_get(server, 0);
	client_worker = prism_worker_get(client, 0);
	return service_start(server, server_worker, &config, &service);
}

static int teardown(void **state)
{
	service_stop(service);
	prism_close(client);
	prism_close(server);
	site_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_read_nothing_leave_buffers_to_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
