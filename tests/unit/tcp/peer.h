// SPDX-License-Identifier: BSD-3-Clause
// One host, and the test is its peer: segments go in by hand, what comes out is read one by one.
// Numbers are relative: seq to the peer's first, ack to the host's. After each step conservation is
// checked.
//
//   host 198.18.0.2, services on port 80      peer 198.18.0.1, port 5000
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/capture_port.h"
#include "base/err.h"
#include "base/time.h"
#include "base/wheel.h"
#include "net/arp.h"
#include "net/eth.h"
#include "net/icmp.h"
#include "net/ip4.h"
#include "observe/conn_row.h"
#include "observe/counter.h"
#include "observe/trace.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "tcp/conn.h"
#include "tcp/options.h"
#include "tcp/state.h"
#include "tcp/tcp.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define PEER_POOL_PKTS 4096
#define PEER_ISS 0xfffffff0u // wraps within the first bytes
#define FIN TCP_FIN
#define SYN TCP_SYN
#define RST TCP_RST
#define PSH TCP_PSH
#define ACK TCP_ACK
#define URG TCP_URG

struct in {
	uint8_t flags;
	uint32_t seq, ack; // relative
	uint16_t window;
	uint32_t len; // bytes of text: the pattern at seq - 1
	bool bad_checksum, closed_window;
	uint16_t src_port; // 0: 5000
	uint16_t dst_port; // 0: 80
	const uint8_t *options;
	uint8_t options_len;
	bool no_ts;         // although the connection has them
	int32_t ts_back;    // ticks into the past
	uint16_t pad_bytes; // behind the IP packet
	const uint8_t *ip_options;
	uint8_t ip_options_len; // a multiple of 4
};

struct out {
	uint32_t seq, ack; // relative
	uint8_t flags;
	uint16_t window;
	uint32_t len;
	uint16_t id;
	uint8_t tos, ttl;
	be32 dst; // of the IP header
	uint8_t ip_options[40], ip_options_len;
	struct tcp_options o;
	uint8_t text[70000];
};

struct peer {
	struct env env;
	struct conn_row rows[CONN_ROWS_PRIVATE];
	struct counters counters;
	struct trace trace;
	struct wheel *wheel;
	struct net *net;
	struct tcp *tcp;
	struct capture_port port;
	uint32_t tx_read, arp_seen;
	uint32_t host_iss;
	bool ts; // segments carry timestamps
	uint32_t ts_value, ts_seen;
	prism_conn conn;
	uint32_t accepted, connected, eof, closed, writable, sent, reason;
	uint64_t received, cookie;
	bool in_order, hold;
	struct pkt *held[PEER_POOL_PKTS];
	uint32_t held_count;
	struct out out;
};

// Whether hosts take source routes from now on.
static bool peer_source_routes;

static inline uint8_t peer_byte(uint64_t offset)
{
	return (uint8_t)(offset * 7 + offset / 256);
}

static inline struct tcp_config peer_config(void)
{
	return (struct tcp_config){
		.connections_max = 16,
		.half_open_max = 4,
		.time_wait_max = 16,
		.listeners_max = 4,
		.send_descs_max = 256,
		.send_bytes_max = 1 << 18,
		.receive_bytes_max = 60000, // no scale needed: windows are plain to read
		.time_wait_ns = 60 * NS_PER_S,
		.delayed_ack_ns = 40 * NS_PER_MS,
		.rto_ns_min = 200 * NS_PER_MS,
		.congestion = PRISM_CONGESTION_NEWRENO, // halves are easy to read too
	};
}

static inline void peer_walk(struct peer *b)
{
	struct icmp_report report;
	struct arrival a;
	struct pkt *p;

	while (port_rx(&b->env, &b->port.port, &p, 1)) {
		enum next next = eth_input(b->net, 0, p, &a);

		if (next == NEXT_IP4)
			next = ip4_input(b->net, &p, &a);
		if (next == NEXT_ARP)
			arp_input(b->net, p, &a);
		if (next == NEXT_TCP) {
			tcp_read_flow(b->tcp, p, &a);
			tcp_input(b->tcp, p, &a);
		}
		if (next == NEXT_ICMP && icmp_input(b->net, p, &a, &report))
			tcp_icmp_error(b->tcp, &report);
	}
	port_tx_flush(&b->env, &b->port.port);
	assert_int_equal(counters_unaccounted(&b->counters), 0);
}

static inline void peer_clear(struct peer *b)
{
	capture_clear(&b->port);
	b->tx_read = b->arp_seen = 0;
}

// The peer asks for the host, which makes it known.
static inline void peer_meet(struct peer *b)
{
	uint8_t frame[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0x20, 1, 8, 6};
	struct arp_packet *a = (void *)(frame + 14);

	*a = (struct arp_packet){be16_of(1), be16_of(ETH_TYPE_IPV4), 6, 4, be16_of(ARP_REQUEST)};
	memcpy(a->sender_mac, frame + 6, 6);
	a->sender = be32_of(0xc6120001);
	a->target = be32_of(0xc6120002);
	assert_true(capture_put(&b->port, b->env.pool[POOL_RX], frame, sizeof(frame)));
	peer_walk(b);
}

static inline bool peer_is_arp(const struct pkt *p)
{
	return pkt_data(p)[12] == 8 && pkt_data(p)[13] == 6;
}

// The host checks from time to time that its neighbour is there.
static inline void peer_answer_arp(struct peer *b)
{
	uint32_t sent = b->port.tx_count;

	for (; b->arp_seen < sent; b->arp_seen++) {
		if (peer_is_arp(b->port.tx[b->arp_seen]))
			peer_meet(b);
	}
	b->arp_seen = b->port.tx_count;
}

static inline struct peer *peer_create_on(const struct tcp_config *config, uint32_t port_flags)
{
	struct peer *b = calloc(1, sizeof(*b));
	struct net_port_config c = {.address_count = 1};

	b->env = (struct env){.now_ns = 7 * NS_PER_S, .counters = &b->counters, .trace = &b->trace};
	b->env.conn_rows = b->rows;
	b->env.conn_row_count = CONN_ROWS_PRIVATE;
	rng_seed(&b->env.rng, 1);
	memcpy(b->env.secret, "0123456789abcdef", 16);
	for (int i = 0; i < POOL_KINDS; i++)
		b->env.pool[i] =
			pool_create(&(struct pool_config){"peer", PEER_POOL_PKTS, 2176, -1});
	b->env.kept_pkts_max = pkt_keep_max(PEER_POOL_PKTS);
	b->wheel = wheel_create(b->env.now_ns);
	b->net = net_create(&(struct net_config){.source_routes = peer_source_routes}, &b->env,
			    b->wheel);
	capture_init(&b->port, 0, port_flags);
	c.addresses[0].addr = addr_from_v4_octets(198, 18, 0, 2);
	c.addresses[0].prefix_len = 24;
	assert_int_equal(net_add_port(b->net, &b->port.port, &c), 0);
	b->tcp = tcp_create(config, &b->env, b->net, b->wheel);
	assert_non_null(b->tcp);
	b->in_order = true;
	b->ts_value = 1000;
	peer_meet(b);
	peer_clear(b);
	return b;
}

static inline struct peer *peer_create(void)
{
	struct tcp_config config = peer_config();

	return peer_create_on(&config, PORT_TX_CHAINS);
}

static inline uint32_t peer_options(struct peer *b, const struct in *in, uint8_t *at)
{
	if (in->options) {
		memcpy(at, in->options, in->options_len);
		return in->options_len;
	}
	if (!b->ts || in->no_ts)
		return 0;
	options_write_ts(at, b->ts_value - (uint32_t)in->ts_back, b->ts_seen);
	return TCP_TS_BYTES;
}

// One segment comes in and is processed; nothing is flushed.
static inline void peer_in(struct peer *b, struct in in)
{
	uint8_t frame[9100] = {2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0, 0x20, 1, 8, 0};
	struct ipv4_header *ip = (void *)(frame + 14);
	struct tcp_header *h = (void *)((uint8_t *)(ip + 1) + in.ip_options_len);
	uint32_t options_len = peer_options(b, &in, (uint8_t *)(h + 1));
	uint32_t l4_len = TCP_HEADER_BYTES + options_len + in.len;
	uint8_t *text = (uint8_t *)(h + 1) + options_len;
	struct addr src = addr_from_v4_octets(198, 18, 0, 1),
		    dst = addr_from_v4_octets(198, 18, 0, 2);

	ip->version_ihl = (uint8_t)(IPV4_VERSION_IHL + in.ip_options_len / 4);
	ip->ttl = 64;
	ip->protocol = 6;
	ip->src = addr_to_v4(&src);
	ip->dst = addr_to_v4(&dst);
	ip->total_len = be16_of((uint16_t)(20 + in.ip_options_len + l4_len));
	if (in.ip_options)
		memcpy(ip + 1, in.ip_options, in.ip_options_len);
	ip->checksum = checksum_finish(checksum_add(0, ip, ipv4_header_len(ip)));
	*h = (struct tcp_header){
		.src_port = be16_of(in.src_port ? in.src_port : 5000),
		.dst_port = be16_of(in.dst_port ? in.dst_port : 80),
		.seq = be32_of(PEER_ISS + in.seq),
		.ack = be32_of(in.flags & ACK ? b->host_iss + in.ack : 0),
		.data_offset = (uint8_t)((TCP_HEADER_BYTES + options_len) / 4 << 4),
		.flags = in.flags,
		.window = be16_of(in.window || in.closed_window ? in.window : 60000),
	};
	for (uint32_t i = 0; i < in.len; i++)
		text[i] = peer_byte(in.seq - !(in.flags & SYN) + i);
	h->checksum = checksum_finish(checksum_pseudo(&src, &dst, 6, l4_len) +
				      checksum_add(0, h, l4_len));
	h->checksum.raw = (uint16_t)(h->checksum.raw + in.bad_checksum);
	assert_true(capture_put(&b->port, b->env.pool[POOL_RX], frame,
				(uint16_t)(34 + in.ip_options_len + l4_len + in.pad_bytes)));
	peer_walk(b);
}

static inline void peer_release(struct peer *b)
{
	for (uint32_t i = 0; i < b->held_count; i++) {
		tcp_uncharge(b->tcp, b->held[i]);
		pkt_free(b->held[i]);
	}
	b->held_count = 0;
}

static inline void peer_data(struct peer *b, const struct prism_event *e)
{
	const uint8_t *bytes = e->data;

	for (uint32_t i = 0; i < e->len; i++)
		b->in_order &= bytes[i] == peer_byte(b->received + i);
	b->received += e->len;
	b->held[b->held_count++] = (struct pkt *)e->buf;
	if (!b->hold)
		peer_release(b);
}

static inline void peer_event(struct peer *b, const struct prism_event *e)
{
	b->accepted += e->type == PRISM_EVENT_ACCEPTED;
	b->connected += e->type == PRISM_EVENT_CONNECTED;
	b->eof += e->type == PRISM_EVENT_EOF;
	b->writable += e->type == PRISM_EVENT_WRITABLE;
	b->sent += e->type == PRISM_EVENT_SENT;
	b->closed += e->type == PRISM_EVENT_CLOSED;
	if (e->type == PRISM_EVENT_ACCEPTED)
		b->conn = e->conn;
	if (e->type == PRISM_EVENT_DATA)
		peer_data(b, e);
	if (e->type == PRISM_EVENT_SENT)
		b->cookie = e->cookie;
	if (e->type == PRISM_EVENT_CLOSED)
		b->reason = e->reason;
}

static inline void peer_deliver(struct peer *b)
{
	struct prism_event events[16];
	int n;

	while ((n = tcp_deliver(b->tcp, events, 16)) > 0) {
		for (int i = 0; i < n; i++)
			peer_event(b, &events[i]);
	}
}

// The rest of a turn: timers, events, flush.
static inline void peer_turn(struct peer *b)
{
	wheel_run(b->wheel, b->env.now_ns, UINT32_MAX);
	peer_deliver(b);
	tcp_flush(b->tcp);
	port_tx_flush(&b->env, &b->port.port);
	peer_deliver(b);
	peer_answer_arp(b);
	assert_int_equal(counters_unaccounted(&b->counters), 0);
}

static inline void peer_seg(struct peer *b, struct in in)
{
	peer_in(b, in);
	peer_turn(b);
}

static inline void peer_time(struct peer *b, uint64_t ns)
{
	uint64_t end_ns = b->env.now_ns + ns;

	while (b->env.now_ns < end_ns) {
		uint64_t next_ns = MAX(wheel_next_ns(b->wheel), b->env.now_ns + 1);

		b->env.now_ns = MIN(end_ns, next_ns);
		peer_turn(b);
	}
}

// The oldest segment not read yet into b->out. False when there is none.
static inline bool peer_read(struct peer *b)
{
	uint8_t frame[70000];
	struct ipv4_header *ip = (void *)(frame + 14);
	struct out *o = &b->out;

	while (b->tx_read < b->port.tx_count && peer_is_arp(b->port.tx[b->tx_read]))
		b->tx_read++;
	if (b->tx_read == b->port.tx_count)
		return false;
	uint32_t len = capture_read(&b->port, b->tx_read++, frame);
	struct tcp_header *h = (void *)((uint8_t *)ip + ipv4_header_len(ip));
	uint32_t l4_len = be16_get(ip->total_len) - ipv4_header_len(ip);
	struct addr src = addr_from_v4(ip->src), dst = addr_from_v4_octets(198, 18, 0, 1);

	o->dst = ip->dst;
	o->ip_options_len = (uint8_t)((uint8_t *)h - (uint8_t *)(ip + 1));
	memcpy(o->ip_options, ip + 1, o->ip_options_len);
	assert_int_equal(ip->protocol, 6);
	assert_int_equal(len, 14 + be16_get(ip->total_len));
	// RFC 9293 MUST-2: every segment that leaves has a good checksum.
	assert_true(checksum_is_good(checksum_pseudo(&src, &dst, 6, l4_len) +
				     checksum_add(0, h, l4_len)));
	if (h->flags & SYN)
		b->host_iss = be32_get(h->seq);
	o->seq = be32_get(h->seq) - b->host_iss;
	o->ack = h->flags & ACK ? be32_get(h->ack) - PEER_ISS : 0;
	o->flags = h->flags;
	o->window = be16_get(h->window);
	o->len = l4_len - tcp_header_len(h);
	o->tos = ip->tos;
	o->ttl = ip->ttl;
	assert_true(
		options_read((uint8_t *)(h + 1), tcp_header_len(h) - 20u, h->flags & SYN, &o->o));
	b->ts_seen = o->o.ts_value;
	memcpy(o->text, (uint8_t *)h + tcp_header_len(h), o->len);
	return true;
}

#define expect(b, flags_, seq_, ack_, len_) \
	do { \
		assert_true(peer_read(b)); \
		assert_int_equal((b)->out.flags & ~PSH, (flags_) & ~PSH); \
		assert_int_equal((b)->out.seq, seq_); \
		assert_int_equal((b)->out.ack, ack_); \
		assert_int_equal((b)->out.len, len_); \
	} while (0)
#define expect_nothing(b) assert_false(peer_read(b))

static inline uint64_t peer_drops(const struct peer *b, enum drop reason)
{
	return b->counters.drop[reason];
}

static inline uint64_t peer_count(const struct peer *b, enum counter which)
{
	return b->counters.value[which];
}

static inline struct conn *peer_conn(struct peer *b)
{
	return conn_of(b->tcp, b->conn.id);
}

static inline enum state peer_state(struct peer *b)
{
	struct conn *c = peer_conn(b);

	return c ? c->state : CLOSED;
}

static inline prism_listener peer_listen(struct peer *b)
{
	struct addr any = {0};
	prism_listener listener;

	assert_int_equal(tcp_listen(b->tcp, &any, 80, 700, &listener), 0);
	return listener;
}

static const uint8_t SYN_OPTIONS_MSS[] = {2, 4, 0x05, 0xb4}; // 1460
static const uint8_t SYN_OPTIONS_TS[] = {2, 4, 0x05, 0xb4, 1, 1, 8, 10, 0, 0, 3, 0xe8, 0, 0, 0, 0};

// The peer connects: established, everything read, peer's next is 1, the host's too.
static inline void peer_open(struct peer *b)
{
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN,
				.options = b->ts ? SYN_OPTIONS_TS : SYN_OPTIONS_MSS,
				.options_len =
					b->ts ? sizeof(SYN_OPTIONS_TS) : sizeof(SYN_OPTIONS_MSS)});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	expect_nothing(b);
	assert_int_equal(b->accepted, 1);
	assert_int_equal(peer_state(b), ESTABLISHED);
}

// The same with quick ACKs used up, so that ACKs are delayed.
static inline void peer_open_calm(struct peer *b)
{
	peer_open(b);
	peer_conn(b)->quick_acks = 0;
}

// Queues len bytes of a pattern in packets of at most step.
static inline void peer_host_sends(struct peer *b, uint32_t len, uint32_t step)
{
	while (len) {
		uint16_t n = (uint16_t)MIN(len, step);
		struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

		memset(pkt_append(p, n), 'x', n);
		pkt_own(p)->owner = 0;
		assert_int_equal(tcp_send_pkt(b->tcp, b->conn, p), 0);
		len -= n;
	}
	peer_turn(b);
}

static inline void peer_destroy(struct peer *b)
{
	peer_release(b);
	tcp_destroy(b->tcp);
	net_destroy(b->net);
	port_tx_flush(&b->env, &b->port.port);
	assert_int_equal(counters_unaccounted(&b->counters), 0);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	assert_int_equal(b->env.kept_pkts, 0);
	assert_int_equal(wheel_count(b->wheel), 0);
	wheel_destroy(b->wheel);
	peer_clear(b);
	for (int i = 0; i < POOL_KINDS; i++) {
		assert_int_equal(pool_available(b->env.pool[i]), PEER_POOL_PKTS);
		pool_destroy(b->env.pool[i]);
	}
	free(b);
}

#define run_peer_tests(tests) cmocka_run_group_tests(tests, NULL, NULL)
