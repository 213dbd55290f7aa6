// SPDX-License-Identifier: BSD-3-Clause
// Datagrams through the public API, between two stacks of this process.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <prismnet/prism.h>
#include <cmocka.h>

#include "core/worker.h"
#include "tcp/conn.h"

static struct prism *stack[2];
static struct prism_worker *worker[2]; // 198.18.0.1 and .2
static struct prism_event got[2];      // the last event of each

static struct prism *stack_open(const char *address)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.no_shared_memory = true;
	o.connections_max = 64;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = "pair:udp";
	o.ports[0].address_count = 1;
	o.ports[0].addresses[0].len = 24;
	prism_addr_parse(address, &o.ports[0].addresses[0].addr);
	return prism_open(&o);
}

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		stack[i] = stack_open(i ? "198.18.0.2" : "198.18.0.1");
		if (!stack[i])
			return -1;
		worker[i] = prism_worker_get(stack[i], 0);
		got[i].type = 0;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	prism_close(stack[0]);
	prism_close(stack[1]);
	return 0;
}

static void await(int side, uint32_t type)
{
	for (int turns = 0; got[side].type != type && turns < 1000000; turns++)
		for (int i = 0; i < 2; i++)
			prism_poll(worker[i], &got[i], 1);
	assert_int_equal(got[side].type, type);
}

// A stream buffer arrives at .2.
static struct prism_buf *stream_buf(prism_conn *conn)
{
	struct prism_endpoint here = {.port = 7}, there;
	prism_listener listener;
	prism_conn from;

	prism_endpoint_parse("198.18.0.2:7", &there);
	assert_int_equal(prism_tcp_listen(worker[1], &here, 0, &listener), 0);
	assert_int_equal(prism_tcp_connect(worker[0], &there, NULL, 0, &from), 0);
	await(0, PRISM_EVENT_CONNECTED);
	await(1, PRISM_EVENT_ACCEPTED);
	assert_int_equal(prism_tcp_send_copy(worker[0], from, "hello", 5), 0);
	await(1, PRISM_EVENT_DATA);
	*conn = got[1].conn;
	return got[1].buf;
}

static uint32_t charged(prism_conn conn)
{
	return conn_of(worker[1]->tcp, conn.id)->rcv.charged;
}

static void a_stream_buffer_refused_as_datagram_is_still_paid_for(void **state)
{
	struct prism_endpoint any = {.port = 0}, nowhere;
	struct prism_event stale = {.type = PRISM_EVENT_DATAGRAM};
	prism_conn conn;
	prism_udp udp;

	(void)state;
	struct prism_buf *buf = stream_buf(&conn);
	uint32_t before = charged(conn);

	prism_endpoint_parse("203.0.113.1:9", &nowhere);
	assert_int_equal(prism_udp_open(worker[1], &any, 0, &udp), 0);
	assert_true(before > 0);
	assert_int_equal(prism_udp_send(worker[1], udp, NULL, &nowhere, buf), -ENETUNREACH);
	assert_int_equal(charged(conn), before);
	assert_int_equal(prism_udp_reply(worker[1], &stale, buf), -ESTALE);
	assert_int_equal(charged(conn), before);
	assert_int_equal(worker[1]->env.kept_pkts, 1);
	prism_buf_release(worker[1], buf);
	assert_int_equal(charged(conn), 0);
	assert_int_equal(worker[1]->env.kept_pkts, 0);
}

static void a_stream_buffer_sent_as_datagram_opens_its_window(void **state)
{
	struct prism_endpoint any = {.port = 0}, nine = {.port = 9}, there;
	prism_conn conn;
	prism_udp udp, peer;

	(void)state;
	struct prism_buf *buf = stream_buf(&conn);

	prism_endpoint_parse("198.18.0.1:9", &there);
	assert_int_equal(prism_udp_open(worker[0], &nine, 0, &peer), 0);
	assert_int_equal(prism_udp_open(worker[1], &any, 0, &udp), 0);
	assert_int_equal(prism_udp_send(worker[1], udp, NULL, &there, buf), 0);
	assert_int_equal(charged(conn), 0);
	assert_int_equal(worker[1]->env.kept_pkts, 0);
	await(0, PRISM_EVENT_DATAGRAM);
	assert_int_equal(got[0].len, 5);
	assert_memory_equal(got[0].data, "hello", 5);
	prism_buf_release(worker[0], got[0].buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stream_buffer_refused_as_datagram_is_still_paid_for),
		TEST(a_stream_buffer_sent_as_datagram_opens_its_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
