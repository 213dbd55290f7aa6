// SPDX-License-Identifier: BSD-3-Clause
// A network on the bench: two capture ports, virtual time, and after every packet and every step
// of time the law of conservation is checked.
//
//   port 0: 198.18.0.2/24, gateway 198.18.0.1     port 1: 198.19.0.2/16, VLAN 7
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../seed.h"
#include "../../support/capture_port.h"
#include "base/err.h"
#include "base/time.h"
#include "base/wheel.h"
#include "net/arp.h"
#include "net/eth.h"
#include "net/icmp.h"
#include "net/icmp6.h"
#include "net/igmp.h"
#include "net/inside.h"
#include "net/ip4.h"
#include "net/udp.h"
#include "observe/trace.h"
#include "observe/verdict.h"
#include "pkt/pool.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

struct bed {
	struct env env;
	struct counters counters;
	struct trace trace;
	struct verdicts verdicts; // of which the records are
	struct verdict records[VERDICT_RECORDS_PRIVATE];
	struct wheel *wheel;
	struct net *net;
	struct capture_port port[2];
	struct icmp_report report; // the last for TCP
	uint32_t report_count;
	uint32_t tcp_count;      // segments that reached TCP
	struct arrival tcp_last; // and the last of them
	uint8_t tcp_bytes[70000];
	uint8_t tcp_frame[256]; // what is in front of them
	uint8_t out[70000];     // the last packet that was read
};

static const uint8_t PEER_MAC[6] = {2, 0, 0, 0, 0x20, 1};
static const uint8_t GATEWAY_MAC[6] = {2, 0, 0, 0, 0x20, 9};

#define IP(a, b, c, d) be32_of((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define OURS IP(198, 18, 0, 2)
#define PEER IP(198, 18, 0, 1)
#define FAR IP(203, 0, 113, 5)

static inline void bed_conserved(struct bed *b)
{
	for (int i = 0; i < 2; i++)
		port_tx_flush(&b->env, &b->port[i].port);
	assert_int_equal(counters_unaccounted(&b->counters), 0);
	assert_int_equal(counters_drops(&b->counters), b->verdicts.written);
}

static inline uint64_t bed_drops(const struct bed *b, enum drop reason)
{
	return b->counters.drop[reason];
}

// What the flight recorder has of the last drop.
static inline const struct verdict *bed_verdict(const struct bed *b)
{
	assert_true(b->verdicts.written > 0);
	return &b->records[(b->verdicts.written - 1) & b->env.verdict_mask];
}

static inline struct bed *bed_create_with(uint32_t flags, const struct net_config *config)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->env = (struct env){.now_ns = 1000,
			      .counters = &b->counters,
			      .trace = &b->trace,
			      .verdicts = &b->verdicts,
			      .verdict_mask = VERDICT_RECORDS_PRIVATE - 1};
	rng_seed(&b->env.rng, 1);
	memcpy(b->env.secret, "0123456789abcdef", 16);
	static const char *const names[POOL_KINDS] = {"bed_rx", "bed_tx", "bed_head", "bed_ctrl"};
	for (int i = 0; i < POOL_KINDS; i++)
		b->env.pool[i] = pool_create(&(struct pool_config){names[i], 8192, 2176, -1});
	b->env.kept_pkts_max = pkt_keep_max(8192);
	b->wheel = wheel_create(b->env.now_ns);
	b->net = net_create(config, &b->env, b->wheel);
	capture_init(&b->port[0], 0, flags);
	capture_init(&b->port[1], 1, flags);
	struct net_port_config c = {.address_count = 1, .gateway = addr_from_v4(PEER)};
	c.addresses[0].addr = addr_from_v4(OURS);
	c.addresses[0].prefix_len = 24;
	assert_int_equal(net_add_port(b->net, &b->port[0].port, &c), 0);
	c = (struct net_port_config){.address_count = 1, .vlan_id = 7};
	c.addresses[0].addr = addr_from_v4_octets(198, 19, 0, 2);
	c.addresses[0].prefix_len = 16;
	assert_int_equal(net_add_port(b->net, &b->port[1].port, &c), 0);
	return b;
}

static inline struct bed *bed_create(void)
{
	return bed_create_with(PORT_TX_CHAINS, &(struct net_config){0});
}

static inline void bed_clear(struct bed *b)
{
	capture_clear(&b->port[0]);
	capture_clear(&b->port[1]);
}

// Everything ends: nothing is unaccounted for, and every buffer is back in its pool.
static inline void bed_destroy(struct bed *b)
{
	net_destroy(b->net);
	bed_conserved(b);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	assert_int_equal(wheel_count(b->wheel), 0);
	wheel_destroy(b->wheel);
	bed_clear(b);
	for (int i = 0; i < POOL_KINDS; i++) {
		assert_int_equal(pool_available(b->env.pool[i]), 8192);
		pool_destroy(b->env.pool[i]);
	}
	free(b);
}

static inline void bed_to_tcp(struct bed *b, struct pkt *p, const struct arrival *a)
{
	uint32_t done = 0, skip = a->l4_offset;

	b->tcp_count++;
	b->tcp_last = *a;
	memcpy(b->tcp_frame, pkt_data(p), MIN(skip, (uint32_t)sizeof(b->tcp_frame)));
	for (const struct pkt *s = p; s; s = pkt_next(s), skip = 0) {
		memcpy(b->tcp_bytes + done, pkt_data(s) + skip, pkt_seg_len(s) - skip);
		done += pkt_seg_len(s) - skip;
	}
	assert_int_equal(done, a->l4_len);
	pkt_consume(&b->env, p);
}

// One packet walks the straight line, as core/stack.c does it.
static inline void bed_walk(struct bed *b, uint16_t port_index, struct pkt *p)
{
	struct arrival a;

	memset(&a, 0xa5, sizeof(a)); // what nobody fills in is garbage
	enum next next = eth_input(b->net, port_index, p, &a);

	if (next == NEXT_IP4)
		next = ip4_input(b->net, &p, &a);
	if (next == NEXT_IP6)
		next = ip6_input(b->net, &p, &a);
	if (next == NEXT_TCP || next == NEXT_TCP6)
		bed_to_tcp(b, p, &a);
	if (next == NEXT_UDP6)
		udp6_input(b->net, p, &a);
	if (next == NEXT_UDP)
		udp_input(b->net, p, &a);
	if (next == NEXT_ARP)
		arp_input(b->net, p, &a);
	if (next == NEXT_IGMP)
		igmp_input(b->net, p, &a);
	if ((next == NEXT_ICMP && icmp_input(b->net, p, &a, &b->report)) ||
	    (next == NEXT_ICMP6 && icmp6_input(b->net, p, &a, &b->report))) {
		if (b->report.protocol == IP_UDP)
			udp_icmp_error(b->net, &b->report);
		else
			b->report_count++;
		pkt_consume(&b->env, p);
	}
}

// Receives what waits on the port.
static inline void bed_receive(struct bed *b, uint16_t port_index)
{
	struct pkt *p;

	while (port_rx(&b->env, &b->port[port_index].port, &p, 1)) {
		bed_walk(b, port_index, p);
		bed_conserved(b);
	}
}

static inline void bed_in(struct bed *b, uint16_t port_index, const void *bytes, size_t len)
{
	assert_true(capture_put(&b->port[port_index], b->env.pool[POOL_RX], bytes, (uint16_t)len));
	bed_receive(b, port_index);
}

static inline void bed_time(struct bed *b, uint64_t ns)
{
	uint64_t end_ns = b->env.now_ns + ns;

	while (b->env.now_ns < end_ns) {
		uint64_t next_ns = MAX(wheel_next_ns(b->wheel), b->env.now_ns + NS_PER_MS);

		b->env.now_ns = MIN(end_ns, next_ns);
		wheel_run(b->wheel, b->env.now_ns, UINT32_MAX);
		bed_conserved(b);
	}
}

// A frame under construction.
struct frame {
	uint8_t byte[9100];
	uint32_t len;
};

static inline void *frame_add(struct frame *f, const void *bytes, size_t len)
{
	void *at = f->byte + f->len;

	if (bytes)
		memcpy(at, bytes, len);
	else
		memset(at, 0, len);
	f->len += (uint32_t)len;
	return at;
}

static inline struct eth_header *frame_eth(struct frame *f, const uint8_t dst[6],
					   const uint8_t src[6], uint16_t type)
{
	f->len = 0;
	struct eth_header *h = frame_add(f, NULL, sizeof(*h));

	memcpy(h->dst, dst, 6);
	memcpy(h->src, src, 6);
	h->type = be16_of(type);
	return h;
}

static inline struct ipv4_header *frame_ip4(struct frame *f, be32 src, be32 dst, uint8_t protocol)
{
	static const uint8_t ours[6] = {2, 0, 0, 0, 0x10, 0};

	frame_eth(f, ours, PEER_MAC, ETH_TYPE_IPV4);
	struct ipv4_header *h = frame_add(f, NULL, sizeof(*h));

	h->version_ihl = IPV4_VERSION_IHL;
	h->ttl = 64;
	h->protocol = protocol;
	h->src = src;
	h->dst = dst;
	return h;
}

// Lengths and the header checksum, when all is there.
static inline void frame_finish(struct frame *f)
{
	struct ipv4_header *h = (void *)(f->byte + 14);

	h->total_len = be16_of((uint16_t)(f->len - 14));
	h->checksum = (be16){0};
	h->checksum = checksum_finish(checksum_add(0, h, ipv4_header_len(h)));
}

struct run {
	const void *bytes; // NULL: zeros
	uint16_t len;
};

static inline void frame_udp(struct frame *f, be32 src, be32 dst, uint16_t port, struct run run)
{
	frame_ip4(f, src, dst, IP_UDP);
	struct udp_header *u = frame_add(f, NULL, sizeof(*u));
	struct addr s = addr_from_v4(src), d = addr_from_v4(dst);

	frame_add(f, run.bytes, run.len);
	u->src_port = be16_of(5000);
	u->dst_port = be16_of(port);
	u->len = be16_of((uint16_t)(8 + run.len));
	u->checksum = checksum_finish(checksum_pseudo(&s, &d, IP_UDP, 8u + run.len) +
				      checksum_add(0, u, 8u + run.len));
	frame_finish(f);
}

static inline void frame_icmp(struct frame *f, be32 src, const struct icmp_header *icmp,
			      const void *bytes, size_t len)
{
	frame_ip4(f, src, OURS, IP_ICMP);
	struct icmp_header *h = frame_add(f, icmp, sizeof(*icmp));

	frame_add(f, bytes, len);
	h->checksum = (be16){0};
	h->checksum = checksum_finish(checksum_add(0, h, sizeof(*h) + len));
	frame_finish(f);
}

static inline struct arp_packet *frame_arp(struct frame *f, uint16_t operation,
					   const uint8_t sender_mac[6], be32 sender, be32 target)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	frame_eth(f, everybody, sender_mac, ETH_TYPE_ARP);
	struct arp_packet *a = frame_add(f, NULL, sizeof(*a));

	*a = (struct arp_packet){be16_of(1), be16_of(ETH_TYPE_IPV4), 6, 4, be16_of(operation)};
	memcpy(a->sender_mac, sender_mac, 6);
	a->sender = sender;
	a->target = target;
	return a;
}

// The peer makes itself known by asking for us; our reply is thrown away.
static inline void bed_meet(struct bed *b, be32 peer, const uint8_t mac[6])
{
	struct frame f;

	frame_arp(&f, ARP_REQUEST, mac, peer, OURS);
	bed_in(b, 0, f.byte, f.len);
	bed_clear(b);
}

// What was sent last on port 0, in b->out; its length.
static inline uint32_t bed_last(struct bed *b)
{
	assert_true(b->port[0].tx_count > 0);
	return capture_read(&b->port[0], b->port[0].tx_count - 1, b->out);
}

// That packet's IP header, checked.
static inline const struct ipv4_header *bed_last_ip4(struct bed *b)
{
	uint32_t len = bed_last(b);
	const struct ipv4_header *h = (const void *)(b->out + 14);

	assert_int_equal(be16_get(((const struct eth_header *)b->out)->type), ETH_TYPE_IPV4);
	assert_int_equal(be16_get(h->total_len), len - 14);
	assert_true(checksum_is_good(checksum_add(0, h, 20)));
	return h;
}

// The transport checksum of a whole sent packet.
static inline bool bed_l4_good(const struct ipv4_header *h)
{
	struct addr s = addr_from_v4(h->src), d = addr_from_v4(h->dst);
	uint32_t len = be16_get(h->total_len) - 20u;
	uint32_t pseudo = h->protocol == IP_ICMP ? 0 : checksum_pseudo(&s, &d, h->protocol, len);

	return checksum_is_good(pseudo + checksum_add(0, h + 1, len));
}

// The entry of an IPv4 neighbour on port 0.
static inline struct neighbour *bed_neighbour(struct bed *b, be32 addr)
{
	struct addr a = addr_from_v4(addr);

	return neighbour_find(b->net, 0, &a);
}

static inline prism_udp bed_open(struct bed *b, uint16_t port)
{
	struct addr any = {0};
	prism_udp udp;

	assert_int_equal(udp_open(b->net, &any, port, 77, &udp), 0);
	return udp;
}
