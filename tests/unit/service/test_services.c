// SPDX-License-Identifier: BSD-3-Clause
// The services on a real stack: a second stack in this process is the client, a pair port the wire.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "core/worker.h"
#include "service/service.h"
#include "site.h"
#include "tcp/conn.h"

#define BIG_BYTES (3 << 20)

static struct prism *server, *client;
static struct prism_worker *server_worker, *client_worker;
static struct service *service;
static uint8_t big[BIG_BYTES];

// What the client saw of its one connection.
static struct {
	prism_conn conn;
	char bytes[2 * BIG_BYTES + 4096];
	size_t len;
	bool connected, eof, closed;
	uint32_t reason;
	bool stays;  // does not close when the server does
	bool hoards; // keeps what arrives: its window closes
	struct prism_buf *hoard[4096];
	uint32_t hoard_count;
} seen;

static uint32_t send_bytes_max; // of both stacks, 0: the default

static struct prism *stack_open(const char *address)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.no_shared_memory = true;
	o.connections_max = 64;
	o.send_bytes_max = send_bytes_max;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = "pair:services";
	o.ports[0].address_count = 1;
	o.ports[0].addresses[0].len = 24;
	prism_addr_parse(address, &o.ports[0].addresses[0].addr);
	return prism_open(&o);
}

static void start(struct service_config config)
{
	config.root = site_directory;
	config.connections_max = 32;
	config.listen.port = 80;
	memset(&seen, 0, sizeof(seen));
	server = stack_open("198.18.0.2");
	client = stack_open("198.18.0.1");
	assert_non_null(server);
	assert_non_null(client);
	server_worker = prism_worker_get(server, 0);
	client_worker = prism_worker_get(client, 0);
	assert_int_equal(service_start(server, server_worker, &config, &service), 0);
}

static void client_event(const struct prism_event *e)
{
	switch (e->type) {
	case PRISM_EVENT_CONNECTED:
		seen.connected = true;
		break;
	case PRISM_EVENT_DATA:
		if (seen.hoards) {
			seen.hoard[seen.hoard_count++] = e->buf;
			break;
		}
		assert_true(seen.len + e->len < sizeof(seen.bytes));
		memcpy(seen.bytes + seen.len, e->data, e->len);
		seen.len += e->len;
		prism_buf_release(client_worker, e->buf);
		break;
	case PRISM_EVENT_EOF:
		seen.eof = true;
		if (!seen.stays)
			prism_tcp_close(client_worker, e->conn);
		break;
	case PRISM_EVENT_CLOSED:
		seen.closed = true;
		seen.reason = e->reason;
		break;
	default:
		break;
	}
}

static void turn(void)
{
	struct prism_event events[64];
	int count = prism_poll(server_worker, events, 64);

	for (int i = 0; i < count; i++)
		handler_dispatch(&events[i]);
	count = prism_poll(client_worker, events, 64);
	for (int i = 0; i < count; i++)
		client_event(&events[i]);
}

// Turns until a condition holds; ten seconds are too long.
#define UNTIL(condition) \
	do { \
		uint64_t until_ns = prism_now_ns(client_worker) + 10 * NS_PER_S; \
		while (!(condition) && prism_now_ns(client_worker) < until_ns) \
			turn(); \
		assert_true(condition); \
	} while (0)

static void connect_to_server(void)
{
	struct prism_endpoint remote;

	turn();
	prism_endpoint_parse("198.18.0.2:80", &remote);
	assert_int_equal(prism_tcp_connect(client_worker, &remote, NULL, 0, &seen.conn), 0);
	UNTIL(seen.connected);
}

static void say(const char *text)
{
	assert_int_equal(prism_tcp_send_copy(client_worker, seen.conn, text, strlen(text)), 0);
}

// Everything is given back, on both sides.
static void stop(void)
{
	uint32_t available, capacity;

	while (seen.hoard_count > 0)
		prism_buf_release(client_worker, seen.hoard[--seen.hoard_count]);
	if (seen.eof) // it was closed in order
		UNTIL(seen.closed);
	if (!seen.closed)
		prism_tcp_abort(client_worker, seen.conn);
	UNTIL(seen.closed && service_stats_of(service)->connections_open == 0);
	prism_buffers(server, &available, &capacity);
	assert_int_equal(available, capacity);
	prism_buffers(client, &available, &capacity);
	assert_int_equal(available, capacity);
	service_stop(service);
	prism_close(client);
	prism_close(server);
}

static uint64_t counter(const char *name)
{
	uint64_t value = 0;

	assert_int_equal(prism_counter(server, name, &value), 0);
	return value;
}

static bool ends_with(const void *bytes, size_t len)
{
	return seen.len >= len && memcmp(seen.bytes + seen.len - len, bytes, len) == 0;
}

static void a_large_file_arrives_whole_and_uncopied(void **state)
{
	start((struct service_config){.type = "http"});
	connect_to_server();
	say("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(seen.len > BIG_BYTES && ends_with(big, sizeof(big)));
	assert_int_equal(counter("copied_bytes_api"), 0);
	assert_int_equal(counter("copied_bytes_pack"), 0);
	assert_int_equal(service_stats_of(service)->bytes, BIG_BYTES);
	// The connection stays: a small one follows on it.
	say("GET /ten HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	UNTIL(seen.eof && ends_with("0123456789", 10));
	UNTIL(seen.closed);
	assert_int_equal(seen.reason, PRISM_CLOSE_DONE);
	stop();
}

static void every_byte_passes_the_smallest_send_buffer(void **state)
{
	send_bytes_max = PRISM_SEND_BYTES_MIN;
	start((struct service_config){.type = "http"});
	send_bytes_max = 0;
	connect_to_server();
	say("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	UNTIL(seen.closed);
	assert_int_equal(seen.reason, PRISM_CLOSE_DONE);
	assert_true(seen.len > BIG_BYTES && ends_with(big, sizeof(big)));
	stop();
}

static void pipelined_requests_wait_for_a_large_one(void **state)
{
	start((struct service_config){.type = "http"});
	connect_to_server();
	say("GET /ten HTTP/1.1\r\nHost: x\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /t");
	turn();
	say("en HTTP/1.1\r\nHost: x\r\n\r\n"
	    "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	UNTIL(seen.eof);
	assert_true(ends_with(big, sizeof(big)));
	assert_int_equal(service_stats_of(service)->requests, 4);
	assert_int_equal(service_stats_of(service)->responses_by_class[2], 4);
	stop();
}

static void half_a_request_is_answered_408(void **state)
{
	start((struct service_config){.type = "http", .request_timeout_ns = 100 * NS_PER_MS});
	connect_to_server();
	say("GET / HTTP/1.1\r\nHos");
	UNTIL(seen.eof);
	assert_memory_equal(seen.bytes, "HTTP/1.1 408 ", 13);
	assert_int_equal(service_stats_of(service)->timeouts, 1);
	stop();
}

static void an_idle_connection_is_closed(void **state)
{
	start((struct service_config){.type = "http", .idle_timeout_ns = 100 * NS_PER_MS});
	connect_to_server();
	say("GET /ten HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(seen.eof);
	assert_true(ends_with("0123456789", 10));
	stop();
}

static void a_client_that_never_reads_is_reset(void **state)
{
	start((struct service_config){.type = "http", .stall_timeout_ns = 200 * NS_PER_MS});
	connect_to_server();
	seen.hoards = true;
	for (int i = 0; i < 4; i++)
		say("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(seen.closed);
	assert_int_equal(seen.reason, PRISM_CLOSE_RESET);
	assert_int_equal(service_stats_of(service)->timeouts, 1);
	stop();
}

// No send of this size is ever taken: neither waiting nor silence would end.
static void who_cannot_be_answered_is_reset(void **state)
{
	static const char *const types[] = {"http", "echo"};

	for (int i = 0; i < 2; i++) {
		start((struct service_config){.type = types[i]});
		connect_to_server();
		server_worker->tcp->config.send_bytes_max = i ? 10 : 8192;
		say("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
		UNTIL(seen.closed);
		assert_int_equal(seen.reason, PRISM_CLOSE_RESET);
		assert_int_equal(service_stats_of(service)->errors, 1);
		stop();
	}
}

// It took its answer, and goes on talking instead of closing.
static void a_client_that_never_closes_is_reset(void **state)
{
	uint64_t waited_ns = 0;

	start((struct service_config){.type = "http", .linger_timeout_ns = 200 * NS_PER_MS});
	connect_to_server();
	seen.stays = true;
	say("GET /ten HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	UNTIL(seen.eof && ends_with("0123456789", 10));
	while (!seen.closed && waited_ns < 5 * NS_PER_S) {
		uint64_t until_ns = prism_now_ns(client_worker) + 10 * NS_PER_MS;

		(void)prism_tcp_send_copy(client_worker, seen.conn, "x", 1);
		while (prism_now_ns(client_worker) < until_ns)
			turn();
		waited_ns += 10 * NS_PER_MS;
	}
	assert_true(seen.closed);
	assert_int_equal(seen.reason, PRISM_CLOSE_RESET);
	assert_int_equal(service_stats_of(service)->timeouts, 1);
	stop();
}

static void draining_closes_idle_connections(void **state)
{
	start((struct service_config){.type = "http"});
	connect_to_server();
	UNTIL(service_stats_of(service)->connections_open == 1);
	assert_false(service_drain(service));
	UNTIL(seen.eof);
	UNTIL(service_drain(service));
	stop();
}

static void echo_gives_back_every_byte_then_closes(void **state)
{
	static char sent[200000];
	size_t at = 0;

	start((struct service_config){.type = "echo"});
	connect_to_server();
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7 / 3);
	while (at < sizeof(sent)) {
		size_t n = sizeof(sent) - at < 1000 ? sizeof(sent) - at : 1000;

		if (prism_tcp_send_copy(client_worker, seen.conn, sent + at, n) == 0)
			at += n;
		turn();
	}
	prism_tcp_close(client_worker, seen.conn);
	UNTIL(seen.closed);
	assert_int_equal(seen.len, sizeof(sent));
	assert_memory_equal(seen.bytes, sent, sizeof(sent));
	assert_int_equal(service_stats_of(service)->bytes, sizeof(sent));
	stop();
}

static void echo_waits_for_a_reader_without_losing_a_byte(void **state)
{
	const uint8_t *from = big;
	size_t at = 0;

	start((struct service_config){.type = "echo"});
	connect_to_server();
	seen.hoards = true;
	// Until both windows are closed: nothing is accepted any more.
	for (int refused = 0; refused < 20000 && at + 1000 <= sizeof(big);) {
		if (prism_tcp_send_copy(client_worker, seen.conn, from + at, 1000) == 0)
			at += 1000;
		else
			refused++;
		turn();
	}
	seen.hoards = false;
	for (uint32_t i = 0; i < seen.hoard_count; i++) {
		uint32_t len = prism_buf_len(seen.hoard[i]);

		memcpy(seen.bytes + seen.len, prism_buf_data(seen.hoard[i]), len);
		seen.len += len;
		prism_buf_release(client_worker, seen.hoard[i]);
	}
	seen.hoard_count = 0;
	prism_tcp_close(client_worker, seen.conn);
	UNTIL(seen.closed);
	assert_int_equal(seen.len, at);
	assert_memory_equal(seen.bytes, big, at);
	stop();
}

static void discard_takes_everything_and_says_nothing(void **state)
{
	start((struct service_config){.type = "discard"});
	connect_to_server();
	say("anything");
	prism_tcp_close(client_worker, seen.conn);
	UNTIL(seen.closed);
	assert_int_equal(seen.len, 0);
	assert_int_equal(service_stats_of(service)->bytes, 8);
	stop();
}

// Two echo services that were brought together would go on for ever.
static void an_echo_does_not_answer_another(void **state)
{
	struct prism_endpoint here = {.port = 80}, remote;
	uint64_t drops = 0;
	prism_udp udp;

	start((struct service_config){.type = "echo"});
	prism_endpoint_parse("198.18.0.2:80", &remote);
	assert_int_equal(prism_udp_open(client_worker, &here, 0, &udp), 0);
	struct prism_buf *buf = prism_buf_alloc(client_worker);

	assert_int_equal(prism_buf_append(client_worker, buf, "ping", 4), 0);
	assert_int_equal(prism_udp_send(client_worker, udp, NULL, &remote, buf), 0);
	UNTIL(prism_counter(server, "drop.UDP_LOOP", &drops) == 0 && drops == 1);
	assert_int_equal(service_stats_of(service)->requests, 0);
	seen.closed = true; // there was no connection
	stop();
}

static void a_datagram_comes_back(void **state)
{
	struct prism_endpoint any = {.port = 0}, remote;
	struct prism_event events[8];
	bool came = false;
	prism_udp udp;

	start((struct service_config){.type = "echo"});
	prism_endpoint_parse("198.18.0.2:80", &remote);
	assert_int_equal(prism_udp_open(client_worker, &any, 0, &udp), 0);
	struct prism_buf *buf = prism_buf_alloc(client_worker);

	assert_int_equal(prism_buf_append(client_worker, buf, "ping", 4), 0);
	assert_int_equal(prism_udp_send(client_worker, udp, NULL, &remote, buf), 0);
	for (int i = 0; i < 100000 && !came; i++) {
		int count = prism_poll(server_worker, events, 8);

		for (int k = 0; k < count; k++)
			handler_dispatch(&events[k]);
		count = prism_poll(client_worker, events, 8);
		for (int k = 0; k < count; k++) {
			assert_int_equal(events[k].type, PRISM_EVENT_DATAGRAM);
			assert_int_equal(events[k].len, 4);
			assert_memory_equal(events[k].data, "ping", 4);
			prism_buf_release(client_worker, events[k].buf);
			came = true;
		}
	}
	assert_true(came);
	seen.closed = true; // there was no connection
	stop();
}

static int setup(void **state)
{
	char path[128];

	site_make();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
	snprintf(path, sizeof(path), "%s/big", site_directory);
	FILE *f = fopen(path, "w");

	fwrite(big, 1, sizeof(big), f);
	return fclose(f);
}

static int teardown(void **state)
{
	site_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_file_arrives_whole_and_uncopied),
		cmocka_unit_test(every_byte_passes_the_smallest_send_buffer),
		cmocka_unit_test(pipelined_requests_wait_for_a_large_one),
		cmocka_unit_test(half_a_request_is_answered_408),
		cmocka_unit_test(an_idle_connection_is_closed),
		cmocka_unit_test(a_client_that_never_reads_is_reset),
		cmocka_unit_test(who_cannot_be_answered_is_reset),
		cmocka_unit_test(a_client_that_never_closes_is_reset),
		cmocka_unit_test(draining_closes_idle_connections),
		cmocka_unit_test(echo_gives_back_every_byte_then_closes),
		cmocka_unit_test(echo_waits_for_a_reader_without_losing_a_byte),
		cmocka_unit_test(discard_takes_everything_and_says_nothing),
		cmocka_unit_test(a_datagram_comes_back),
		cmocka_unit_test(an_echo_does_not_answer_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
