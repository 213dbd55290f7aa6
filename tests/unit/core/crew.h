// SPDX-License-Identifier: BSD-3-Clause
// Several workers of one instance on the bench: the test says which of them receives a frame, and
// which of them get turns. After every turn conservation is checked on the worker who had it.
//
//   crew 198.18.0.2/24      peer 198.18.0.1, known to nobody before crew_meet
//
// The modes are those of ports there are: every worker has a queue (spread), or the first alone
// has one and the others send by way of him (few).
#pragma once

#include "../net/bed.h"

#include <prismnet/prism.h>

#include "core/start.h"
#include "core/team.h"
#include "core/worker.h"
#include "tcp/conn.h"
#include "tcp/shared.h"

#define CREW_MAX 4
#define CREW_POOL_PKTS 8192
#define CREW_CTRL_PKTS 1024
#define CREW_EVENTS 64
#define CREW_BYTES 70000

enum crew_mode { CREW_SPREAD, CREW_FEW };

// What the application of one worker saw.
struct seen {
	uint32_t count[PRISM_EVENT_MOVED + 1];
	struct prism_event last; // its pointers are not good any more
	prism_conn conn;         // of the last that was accepted or connected
	uint8_t bytes[CREW_BYTES];
	uint32_t len; // of all data and datagrams
};

struct crew {
	uint32_t count;
	enum crew_mode mode;
	uint64_t now_ns;
	struct prism_options options;
	struct team *team;
	struct pool *pool[POOL_KINDS];
	struct prism_worker *worker[CREW_MAX];
	struct counters counters[CREW_MAX];
	struct capture_port port[CREW_MAX]; // few: of the first alone
	struct port *relay[CREW_MAX];
	bool stopped[CREW_MAX];
	struct seen seen[CREW_MAX];
	uint8_t out[CREW_BYTES]; // the frame that was read last
	uint32_t out_len;
};

static inline void crew_add_worker(struct crew *c, uint32_t i)
{
	struct worker_config config = {.options = &c->options,
				       .index = i,
				       .team = c->team,
				       .counters = &c->counters[i],
				       .seed = 1 + i,
				       .now_ns = c->now_ns};
	bool relays = c->mode == CREW_FEW && i > 0;

	memcpy(config.pool, c->pool, sizeof(c->pool));
	memset(config.secret, 0x5a, sizeof(config.secret));
	capture_init(&c->port[i], 0, PORT_TX_CHAINS | (c->mode == CREW_FEW ? PORT_FEW_QUEUES : 0));
	if (relays)
		c->relay[i] = relay_open(&c->port[0].port, team_hands(c->team, i), 0);
	config.port[0] = relays ? c->relay[i] : &c->port[i].port;
	c->worker[i] = worker_create(&config);
	assert_non_null(c->worker[i]);
}

static inline void crew_options(struct prism_options *o)
{
	struct addr ours = addr_from_v4(OURS);

	PRISM_OPTIONS_INIT(o);
	o->connections_max = 64;
	o->half_open_max = 64;
	o->time_wait_max = 64;
	o->buffers = 1024;
	o->port_count = 1;
	o->ports[0].address_count = 1;
	o->ports[0].addresses[0].len = 24;
	memcpy(&o->ports[0].addresses[0].addr, &ours, sizeof(ours));
}

static inline struct crew *crew_create_with(const struct prism_options *o, uint32_t count,
					    enum crew_mode mode)
{
	struct crew *c = calloc(1, sizeof(*c));
	uint8_t secret[16];

	memset(secret, 0x5a, sizeof(secret));
	*c = (struct crew){.count = count, .mode = mode, .now_ns = 100 * NS_PER_S};
	options_fill(&c->options, o);
	for (int i = 0; i < POOL_KINDS; i++) {
		struct pool_config pool = {"crew", CREW_POOL_PKTS, 2304, -1};

		pool.pkts = i == POOL_CTRL ? CREW_CTRL_PKTS : CREW_POOL_PKTS;
		c->pool[i] = pool_create(&pool);
	}
	c->team = team_create(&c->options, count, secret);
	assert_non_null(c->team);
	for (uint32_t i = 0; i < count; i++)
		crew_add_worker(c, i);
	return c;
}

#define OURS_TOO IP(198, 18, 0, 3)

// A crew with a second address.
static inline struct crew *crew_create_at_two(uint32_t count, enum crew_mode mode)
{
	struct addr too = addr_from_v4(OURS_TOO);
	struct prism_options o;

	crew_options(&o);
	o.ports[0].addresses[1] = o.ports[0].addresses[0];
	memcpy(&o.ports[0].addresses[1].addr, &too, sizeof(too));
	o.ports[0].address_count = 2;
	return crew_create_with(&o, count, mode);
}

static inline struct crew *crew_create(uint32_t count, enum crew_mode mode)
{
	struct prism_options o;

	crew_options(&o);
	return crew_create_with(&o, count, mode);
}

static inline void crew_see(struct crew *c, uint32_t worker, const struct prism_event *e)
{
	struct seen *s = &c->seen[worker];
	const struct prism_buf *run = e->buf;

	s->count[e->type]++;
	s->last = *e;
	if (e->type == PRISM_EVENT_ACCEPTED || e->type == PRISM_EVENT_CONNECTED)
		s->conn = e->conn;
	for (; run; run = prism_buf_more(run)) {
		assert_true(s->len + prism_buf_len(run) <= CREW_BYTES);
		memcpy(s->bytes + s->len, prism_buf_data(run), prism_buf_len(run));
		s->len += prism_buf_len(run);
	}
	if (e->buf)
		prism_buf_release(c->worker[worker], e->buf);
}

// One turn of one worker.
static inline void crew_turn(struct crew *c, uint32_t worker)
{
	struct prism_event events[CREW_EVENTS];
	int n = worker_turn(c->worker[worker], c->now_ns, events, CREW_EVENTS);

	for (int i = 0; i < n; i++)
		crew_see(c, worker, &events[i]);
	assert_int_equal(counters_unaccounted(&c->counters[worker]), 0);
}

// Turns of all who are not stopped, until what was on its way has long arrived.
static inline void crew_turns(struct crew *c)
{
	for (uint32_t round = 0; round < 2 * c->count + 2; round++)
		for (uint32_t i = 0; i < c->count; i++)
			if (!c->stopped[i])
				crew_turn(c, i);
}

static inline void crew_time(struct crew *c, uint64_t ns)
{
	uint64_t end_ns = c->now_ns + ns, step_ns = MAX(ns / 100, NS_PER_MS);

	while (c->now_ns < end_ns) {
		c->now_ns = MIN(end_ns, c->now_ns + step_ns);
		crew_turns(c);
	}
}

// This worker receives a frame; nobody has had a turn since.
static inline void crew_put(struct crew *c, uint32_t worker, const struct frame *f)
{
	assert_true(c->mode == CREW_SPREAD || worker == 0);
	assert_true(capture_put(&c->port[worker], c->pool[POOL_RX], f->byte, (uint16_t)f->len));
}

static inline void crew_in(struct crew *c, uint32_t worker, const struct frame *f)
{
	crew_put(c, worker, f);
	crew_turns(c);
}

static inline uint64_t crew_sum(const struct crew *c, enum counter which)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < c->count; i++)
		sum += c->counters[i].value[which];
	return sum;
}

static inline uint64_t crew_drops(const struct crew *c, enum drop reason)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < c->count; i++)
		sum += c->counters[i].drop[reason];
	return sum;
}

static inline uint64_t crew_all_drops(const struct crew *c)
{
	uint64_t sum = 0;

	for (int reason = 0; reason < DROP_COUNT; reason++)
		sum += crew_drops(c, (enum drop)reason);
	return sum;
}

// Nothing is on its way: what left one's hands has come into another's.
static inline void crew_at_rest(struct crew *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		assert_int_equal(hands_depth(team_hands(c->team, i)), 0);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), crew_sum(c, COUNTER_handed_in_pkts));
}

static inline uint32_t crew_sent(const struct crew *c)
{
	uint32_t frames = 0;

	for (uint32_t i = 0; i < c->count; i++)
		frames += c->port[i].tx_count;
	return frames;
}

static inline void crew_clear(struct crew *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		capture_clear(&c->port[i]);
}

// The queue a worker's frames leave by.
static inline struct capture_port *crew_queue(struct crew *c, uint32_t worker)
{
	return &c->port[c->mode == CREW_FEW ? 0 : worker];
}

// Reads into out the last frame that left by this worker's queue.
static inline void crew_read(struct crew *c, uint32_t worker)
{
	struct capture_port *port = crew_queue(c, worker);

	assert_true(port->tx_count > 0);
	c->out_len = capture_read(port, port->tx_count - 1, c->out);
}

static inline const struct arp_packet *crew_read_arp(struct crew *c, uint32_t worker)
{
	crew_read(c, worker);
	assert_int_equal(be16_get(((const struct eth_header *)c->out)->type), ETH_TYPE_ARP);
	return (const void *)(c->out + sizeof(struct eth_header));
}

static inline const struct ipv4_header *crew_read_ip4(struct crew *c, uint32_t worker)
{
	crew_read(c, worker);
	assert_int_equal(be16_get(((const struct eth_header *)c->out)->type), ETH_TYPE_IPV4);
	return (const void *)(c->out + sizeof(struct eth_header));
}

static inline const struct tcp_header *crew_read_tcp(struct crew *c, uint32_t worker)
{
	const struct ipv4_header *h = crew_read_ip4(c, worker);

	assert_int_equal(h->protocol, IP_TCP);
	return (const void *)(h + 1);
}

// All workers know the peer: each is told by itself, as if it had been asked through its queue.
static inline void crew_meet(struct crew *c)
{
	struct frame f;

	frame_arp(&f, ARP_REQUEST, PEER_MAC, PEER, OURS);
	crew_turns(c);
	for (uint32_t i = 0; i < c->count; i++) {
		struct net *net = c->worker[i]->net;
		struct addr peer = addr_from_v4(PEER);
		uint32_t index = neighbour_get(net, 0, &peer);

		neighbour_confirm(net, &net->neighbours.slot[index], PEER_MAC);
	}
	crew_turns(c);
	crew_clear(c);
}

// Everything ends: nothing is unaccounted for, every buffer is back.
static inline void crew_destroy(struct crew *c)
{
	for (uint32_t i = c->count; i-- > 0;) {
		worker_destroy(c->worker[i]);
		if (c->relay[i])
			port_close(c->relay[i]);
		assert_int_equal(counters_unaccounted(&c->counters[i]), 0);
		assert_int_equal(c->counters[i].value[COUNTER_queued_pkts], 0);
	}
	team_destroy(c->team);
	for (uint32_t i = 0; i < c->count; i++) {
		while (c->port[i].rx_count)
			pkt_free(c->port[i].rx[--c->port[i].rx_count]);
		capture_clear(&c->port[i]);
	}
	for (int i = 0; i < POOL_KINDS; i++) {
		assert_int_equal(pool_available(c->pool[i]), pool_capacity(c->pool[i]));
		pool_destroy(c->pool[i]);
	}
	free(c);
}

// A segment of the peer's.
struct seg {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	struct run text;
};

static inline void frame_seg_to(struct frame *f, be32 to, struct seg s)
{
	struct addr src = addr_from_v4(PEER), dst = addr_from_v4(to);

	frame_ip4(f, PEER, to, IP_TCP);
	struct tcp_header *h = frame_add(f, NULL, sizeof(*h));
	uint32_t len = sizeof(*h) + s.text.len;

	frame_add(f, s.text.bytes, s.text.len);
	h->src_port = be16_of(s.src_port);
	h->dst_port = be16_of(s.dst_port);
	h->seq = be32_of(s.seq);
	h->ack = be32_of(s.ack);
	h->data_offset = 5 << 4;
	h->flags = s.flags;
	h->window = be16_of(60000);
	h->checksum =
		checksum_finish(checksum_pseudo(&src, &dst, IP_TCP, len) + checksum_add(0, h, len));
	frame_finish(f);
}

static inline void frame_seg(struct frame *f, struct seg s)
{
	frame_seg_to(f, OURS, s);
}

// An endpoint of the crew's (the address left open, or one of ours), or the peer's.
static inline struct prism_endpoint at_port(uint16_t port)
{
	return (struct prism_endpoint){.port = port};
}

static inline struct prism_endpoint at(be32 address, uint16_t port)
{
	struct prism_endpoint e = {.port = port};
	struct addr addr = addr_from_v4(address);

	memcpy(&e.addr, &addr, sizeof(addr));
	return e;
}

static inline struct prism_endpoint at_peer(uint16_t port)
{
	return at(PEER, port);
}

static inline prism_listener crew_listen_at(struct crew *c, uint32_t worker,
					    struct prism_endpoint local)
{
	prism_listener listener;

	assert_int_equal(prism_tcp_listen(c->worker[worker], &local, 7, &listener), 0);
	return listener;
}

static inline prism_listener crew_listen(struct crew *c, uint32_t worker, uint16_t port)
{
	return crew_listen_at(c, worker, at_port(port));
}

static inline prism_udp crew_open_udp_at(struct crew *c, uint32_t worker,
					 struct prism_endpoint local)
{
	prism_udp udp;

	assert_int_equal(prism_udp_open(c->worker[worker], &local, 9, &udp), 0);
	return udp;
}

static inline prism_udp crew_open_udp(struct crew *c, uint32_t worker, uint16_t port)
{
	return crew_open_udp_at(c, worker, at_port(port));
}

#define PEER_ISN 1000u

// A connection as both ends have it: the peer sends PEER_ISN + 1 next.
struct met {
	uint32_t owner; // the worker who accepted
	uint32_t next;  // what he sends next
	prism_conn conn;
};

static inline uint32_t crew_accepted(const struct crew *c, uint32_t *owner)
{
	uint32_t all = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		all += c->seen[i].count[PRISM_EVENT_ACCEPTED];
		if (c->seen[i].count[PRISM_EVENT_ACCEPTED])
			*owner = i;
	}
	return all;
}

// The only frame that was sent since crew_clear, in out.
static inline const struct tcp_header *crew_only_seg(struct crew *c)
{
	uint32_t i = 0;

	assert_int_equal(crew_sent(c), 1);
	while (c->port[i].tx_count == 0)
		i++;
	return crew_read_tcp(c, i);
}

// The peer's port connects to one of ours; all its segments come to one worker. Forgets what was
// seen before.
static inline struct met crew_accept(struct crew *c, uint32_t receiver, uint16_t src_port,
				     uint16_t dst_port)
{
	struct seg s = {src_port, dst_port, PEER_ISN, 0, TCP_SYN, {0}};
	struct met met = {0};
	struct frame f;

	crew_clear(c);
	memset(c->seen, 0, sizeof(c->seen));
	frame_seg(&f, s);
	crew_in(c, receiver, &f);
	met.next = be32_get(crew_only_seg(c)->seq) + 1;
	s = (struct seg){src_port, dst_port, PEER_ISN + 1, met.next, TCP_ACK, {0}};
	frame_seg(&f, s);
	crew_in(c, receiver, &f);
	assert_int_equal(crew_accepted(c, &met.owner), 1);
	met.conn = c->seen[met.owner].conn;
	crew_clear(c);
	return met;
}
