// SPDX-License-Identifier: BSD-3-Clause
// Two hosts on a wire, in virtual time: each a struct tcp over a real net, joined by a port pair
// whose faults the test chooses. After every turn conservation is checked on both.
//
//   host 0: 198.18.0.1      host 1: 198.18.0.2
//   host 0: 2001:db8:18::1  host 1: 2001:db8:18::2      duo_over_ip6
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "base/wheel.h"
#include "net/arp.h"
#include "net/eth.h"
#include "net/icmp.h"
#include "net/icmp6.h"
#include "net/ip4.h"
#include "net/ip6.h"
#include "observe/counter.h"
#include "observe/trace.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "port/pair.h"
#include "tcp/conn.h"
#include "tcp/tcp.h"

#define DUO_POOL_PKTS 8192
#define DUO_EVENTS 64

// What a host's application saw of its one connection, and what it is to send.
struct app {
	prism_conn conn;
	uint32_t accepted, connected, eof, closed, writable, sent;
	uint32_t reason;
	uint64_t cookie;
	uint64_t received; // bytes
	bool in_order;     // they were the pattern
	bool hold;         // do not release what comes
	uint64_t to_send, queued;
	bool close_when_sent, close_at_eof;
	uint32_t step_bytes; // of one send
	struct pkt *held[DUO_POOL_PKTS];
	uint32_t held_count;
};

struct host {
	struct env env;
	struct counters counters;
	struct trace trace;
	struct wheel *wheel;
	struct net *net;
	struct tcp *tcp;
	struct port *port;
	struct app app;
};

struct duo {
	struct pair *pair;
	struct host host[2];
	uint64_t now_ns;
};

// When the next pair of hosts begins.
static uint64_t duo_start_ns = 5 * NS_PER_S;

// A test list's setup: what follows goes over IPv6, or over IPv4 again.
static bool duo_is_ip6;

static inline int duo_over_ip6(void **state)
{
	(void)state;
	duo_is_ip6 = true;
	return 0;
}

static inline int duo_over_ip4(void **state)
{
	(void)state;
	duo_is_ip6 = false;
	return 0;
}

// A test once more, over IPv6.
#define DUO_TEST_IP6(f) \
	{ \
#f "_over_ipv6", f, duo_over_ip6, duo_over_ip4, NULL \
	}

static inline struct addr duo_addr(int host)
{
	if (duo_is_ip6)
		return (struct addr){
			.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = (uint8_t)(host + 1)}};
	return addr_from_v4_octets(198, 18, 0, (uint8_t)(host + 1));
}

static inline struct tcp_config duo_config(void)
{
	return (struct tcp_config){
		.connections_max = 64,
		.half_open_max = 8,
		.time_wait_max = 64,
		.listeners_max = 4,
		.send_descs_max = 4096,
		.send_bytes_max = 1 << 20,
		.receive_bytes_max = 1 << 20,
		.time_wait_ns = 60 * NS_PER_S,
		.delayed_ack_ns = 40 * NS_PER_MS,
		.rto_ns_min = 200 * NS_PER_MS,
		.has_ip6 = duo_is_ip6,
	};
}

static inline void host_create(struct duo *d, int i, const struct tcp_config *config)
{
	struct host *h = &d->host[i];
	struct net_port_config c = {.address_count = 1};
	struct net_config net = {.no_dad = true};

	h->env = (struct env){.now_ns = d->now_ns, .counters = &h->counters, .trace = &h->trace};
	rng_seed(&h->env.rng, (uint64_t)i + 1);
	memcpy(h->env.secret, i ? "0123456789abcdef" : "fedcba9876543210", 16);
	for (int k = 0; k < POOL_KINDS; k++)
		h->env.pool[k] = pool_create(&(struct pool_config){"duo", DUO_POOL_PKTS, 2304, -1});
	h->env.kept_pkts_max = pkt_keep_max(DUO_POOL_PKTS);
	h->wheel = wheel_create(d->now_ns);
	h->net = net_create(&net, &h->env, h->wheel);
	h->port = pair_port(d->pair, i);
	pair_set_rx_pool(d->pair, i, h->env.pool[POOL_RX]);
	c.addresses[0].addr = duo_addr(i);
	c.addresses[0].prefix_len = duo_is_ip6 ? 64 : 24;
	assert_int_equal(net_add_port(h->net, h->port, &c), 0);
	h->tcp = tcp_create(config, &h->env, h->net, h->wheel);
	assert_non_null(h->tcp);
	h->app.in_order = true;
	h->app.step_bytes = 2000;
}

static inline struct duo *duo_create_with(const struct tcp_config *config,
					  const struct pair_faults *f)
{
	struct duo *d = calloc(1, sizeof(*d));
	const char *seed = getenv("PRISM_SEED");
	struct pair_config c = {.name = "duo", .now_ns = &d->now_ns, .frames_max = 4096};

	d->now_ns = duo_start_ns;
	c.seed = seed ? strtoull(seed, NULL, 0) : 1;
	c.faults[0] = c.faults[1] = *f;
	d->pair = pair_create(&c);
	for (int i = 0; i < 2; i++)
		host_create(d, i, config);
	return d;
}

static inline struct duo *duo_create(void)
{
	struct tcp_config config = duo_config();

	return duo_create_with(&config, &(struct pair_faults){.delay_ns = 50 * NS_PER_US});
}

static inline void host_walk(struct host *h, struct pkt *p)
{
	struct arrival a;
	struct icmp_report report;
	enum next next = eth_input(h->net, 0, p, &a);

	if (next == NEXT_IP4)
		next = ip4_input(h->net, &p, &a);
	if (next == NEXT_IP6)
		next = ip6_input(h->net, &p, &a);
	if (next == NEXT_TCP) {
		tcp_read_flow(h->tcp, p, &a);
		tcp_input(h->tcp, p, &a);
	}
	if (next == NEXT_TCP6) {
		tcp_read_flow6(h->tcp, p, &a);
		tcp_input(h->tcp, p, &a);
	}
	if (next == NEXT_ARP)
		arp_input(h->net, p, &a);
	if ((next == NEXT_ICMP && icmp_input(h->net, p, &a, &report)) ||
	    (next == NEXT_ICMP6 && icmp6_input(h->net, p, &a, &report)))
		tcp_icmp_error(h->tcp, &report);
}

static inline uint8_t duo_byte(uint64_t offset)
{
	return (uint8_t)(offset ^ offset >> 8 ^ offset >> 16 ^ 0x5a);
}

static inline void app_release(struct host *h)
{
	for (uint32_t i = 0; i < h->app.held_count; i++) {
		tcp_uncharge(h->tcp, h->app.held[i]);
		pkt_free(h->app.held[i]);
	}
	h->app.held_count = 0;
}

static inline void app_data(struct host *h, const struct prism_event *e)
{
	const uint8_t *bytes = e->data;
	struct pkt *p = (struct pkt *)e->buf;

	for (uint32_t i = 0; i < e->len; i++)
		h->app.in_order &= bytes[i] == duo_byte(h->app.received + i);
	h->app.received += e->len;
	h->app.held[h->app.held_count++] = p;
	if (!h->app.hold)
		app_release(h);
}

static inline void app_event(struct host *h, const struct prism_event *e)
{
	struct app *a = &h->app;

	a->accepted += e->type == PRISM_EVENT_ACCEPTED;
	a->connected += e->type == PRISM_EVENT_CONNECTED;
	a->eof += e->type == PRISM_EVENT_EOF;
	a->writable += e->type == PRISM_EVENT_WRITABLE;
	a->sent += e->type == PRISM_EVENT_SENT;
	a->closed += e->type == PRISM_EVENT_CLOSED;
	if (e->type == PRISM_EVENT_ACCEPTED)
		a->conn = e->conn;
	if (e->type == PRISM_EVENT_DATA)
		app_data(h, e);
	if (e->type == PRISM_EVENT_SENT)
		a->cookie = e->cookie;
	if (e->type == PRISM_EVENT_CLOSED)
		a->reason = e->reason;
	if (e->type == PRISM_EVENT_EOF && a->close_at_eof)
		tcp_close(h->tcp, a->conn);
}

// Queues more of the pattern, as much as there is room for.
static inline void app_send(struct host *h)
{
	struct app *a = &h->app;

	while (a->queued < a->to_send) {
		uint16_t len = (uint16_t)MIN(a->to_send - a->queued, (uint64_t)a->step_bytes);
		struct pkt *p = pkt_alloc(h->env.pool[POOL_TX]);

		if (!p)
			break;
		uint8_t *at = pkt_append(p, len);

		for (uint16_t i = 0; i < len; i++)
			at[i] = duo_byte(a->queued + i);
		pkt_own(p)->owner = 0;
		if (tcp_send_pkt(h->tcp, a->conn, p)) {
			pkt_free(p);
			break;
		}
		a->queued += len;
	}
	if (a->close_when_sent && a->to_send && a->queued == a->to_send) {
		a->close_when_sent = false;
		assert_int_equal(tcp_close(h->tcp, a->conn), 0);
	}
}

// RFC 9293 MUST-58, MUST-59: all that came is processed before anything is acknowledged.
static inline void host_turn(struct duo *d, int i)
{
	struct host *h = &d->host[i];
	struct prism_event events[DUO_EVENTS];
	struct pkt *pkts[64];
	uint16_t n;

	h->env.now_ns = d->now_ns;
	while ((n = port_rx(&h->env, h->port, pkts, 64))) {
		for (uint16_t k = 0; k < n; k++)
			host_walk(h, pkts[k]);
	}
	wheel_run(h->wheel, d->now_ns, UINT32_MAX);
	for (int count; (count = tcp_deliver(h->tcp, events, DUO_EVENTS)) > 0;) {
		for (int k = 0; k < count; k++)
			app_event(h, &events[k]);
	}
	if (h->app.to_send)
		app_send(h);
	tcp_flush(h->tcp);
	port_tx_flush(&h->env, h->port);
	assert_int_equal(counters_unaccounted(&h->counters), 0);
}

static inline uint64_t duo_next_ns(struct duo *d)
{
	uint64_t next_ns = pair_next_ns(d->pair);

	for (int i = 0; i < 2; i++) {
		uint64_t wheel_ns = wheel_next_ns(d->host[i].wheel);

		next_ns = tcp_busy(d->host[i].tcp) ? d->now_ns + NS_PER_US : MIN(next_ns, wheel_ns);
	}
	return MAX(next_ns, d->now_ns + 1);
}

// Time passes; both hosts do what they have to.
static inline void duo_run(struct duo *d, uint64_t ns)
{
	uint64_t end_ns = d->now_ns + ns;

	for (;;) {
		host_turn(d, 0);
		host_turn(d, 1);
		uint64_t next_ns = duo_next_ns(d);

		if (next_ns > end_ns)
			break;
		d->now_ns = next_ns;
	}
	d->now_ns = end_ns;
}

static inline uint64_t duo_count(const struct duo *d, int host, enum counter which)
{
	return d->host[host].counters.value[which];
}

static inline uint64_t duo_drops(const struct duo *d, int host, enum drop reason)
{
	return d->host[host].counters.drop[reason];
}

static inline void duo_listen(struct duo *d, int host, uint16_t port)
{
	struct addr any = {0};
	prism_listener listener;

	assert_int_equal(
		tcp_listen(d->host[host].tcp, &any, port, 700u + (uint64_t)host, &listener), 0);
}

static inline void duo_connect(struct duo *d, int host, uint16_t local_port, uint16_t port)
{
	struct tcp_tuple t = {
		.remote = duo_addr(1 - host), .remote_port = port, .local_port = local_port};
	struct host *h = &d->host[host];

	h->env.now_ns = d->now_ns;
	assert_int_equal(tcp_connect(h->tcp, &t, 900u + (uint64_t)host, &h->app.conn), 0);
}

// Host 0 connected to host 1, port 80.
static inline void duo_open(struct duo *d)
{
	duo_listen(d, 1, 80);
	duo_connect(d, 0, 0, 80);
	duo_run(d, NS_PER_S);
	assert_int_equal(d->host[0].app.connected, 1);
	assert_int_equal(d->host[1].app.accepted, 1);
}

static inline struct conn *duo_conn(struct duo *d, int host)
{
	return conn_of(d->host[host].tcp, d->host[host].app.conn.id);
}

static inline enum state duo_state(struct duo *d, int host)
{
	struct conn *c = duo_conn(d, host);

	return c ? c->state : CLOSED;
}

static inline void duo_set_faults(struct duo *d, const struct pair_faults *f)
{
	pair_set_faults(d->pair, 0, f);
	pair_set_faults(d->pair, 1, f);
}

// Everything ends: all buffers are back, nothing is queued, no timer is left.
static inline void duo_destroy(struct duo *d)
{
	for (int i = 0; i < 2; i++) {
		struct host *h = &d->host[i];

		app_release(h);
		tcp_destroy(h->tcp);
		net_destroy(h->net);
		port_tx_flush(&h->env, h->port);
		assert_int_equal(counters_unaccounted(&h->counters), 0);
		assert_int_equal(h->counters.value[COUNTER_tcp_curr_estab], 0);
		assert_int_equal(wheel_count(h->wheel), 0);
		wheel_destroy(h->wheel);
	}
	pair_destroy(d->pair);
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < POOL_KINDS; k++)
			pool_destroy(d->host[i].env.pool[k]);
	}
	free(d);
}
