// SPDX-License-Identifier: BSD-3-Clause
// The network on the bench with IPv6 on port 0: 2001:db8:18::2/64 beside its link-local address.
#pragma once

#include "bed.h"
#include "net/nd.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

static const struct addr OURS6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = 2}};
static const struct addr PEER6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = 1}};
static const struct addr FAR6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x99, [15] = 5}};
static const struct addr LOCAL6 = {.byte = {0xfe, 0x80, [15] = 1}}; // the peer's
static const struct addr NOBODY6 = {0};
static const struct addr ALL_NODES6 = {.byte = {0xff, 2, [15] = 1}};

static inline struct bed *bed6_create_with(uint32_t flags, const struct net_config *config)
{
	struct bed *b = bed_create_with(flags, config);

	assert_int_equal(ip6_add_address(b->net, 0, &OURS6, 64), 0);
	return b;
}

// Its addresses are its own at once.
static inline struct bed *bed6_create(void)
{
	return bed6_create_with(PORT_TX_CHAINS, &(struct net_config){.no_dad = true});
}

// Our own link-local address.
static inline const struct addr *bed6_local(const struct bed *b)
{
	return &b->net->ip6->port[0].address[0].addr;
}

static inline struct neighbour *bed6_neighbour(struct bed *b, const struct addr *addr)
{
	return neighbour_find(b->net, 0, addr);
}

static inline struct ipv6_header *frame6(struct frame *f, const struct addr *src,
					 const struct addr *dst, uint8_t next)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0x10, 0};
	struct ipv6_header h = {
		.version_class_flow = be32_of(6u << 28), .next_header = next, .hop_limit = 255};

	if (ipv6_is_multicast(dst))
		ipv6_group_mac(dst, mac);
	frame_eth(f, mac, PEER_MAC, ETH_TYPE_IPV6);
	void *at = frame_add(f, NULL, sizeof(h));

	ipv6_header_put(at, src, dst, h);
	return at;
}

static inline struct ipv6_header *frame6_ip(struct frame *f)
{
	return (void *)(f->byte + 14);
}

// The payload's length, and the checksum of an ICMPv6 message that begins at an offset.
static inline void frame6_finish(struct frame *f, uint32_t icmp_at)
{
	struct ipv6_header *ip = frame6_ip(f);
	struct addr src = addr_from_bytes(ip->src), dst = addr_from_bytes(ip->dst);
	struct icmp6_header *h = (void *)(f->byte + icmp_at);
	uint32_t len = f->len - icmp_at;

	ip->payload_len = be16_of((uint16_t)(f->len - 14 - sizeof(*ip)));
	if (!icmp_at)
		return;
	h->checksum = (be16){0};
	h->checksum = checksum_finish(checksum_pseudo(&src, &dst, IP_ICMP6, len) +
				      checksum_add(0, h, len));
}

#define ICMP6_AT (14 + IPV6_HEADER_BYTES)

// An ICMPv6 message from the peer, with bytes behind it.
static inline void frame6_icmp(struct frame *f, const struct addr *dst, struct icmp6_header icmp,
			       struct run run)
{
	frame6(f, &PEER6, dst, IP_ICMP6);
	frame_add(f, &icmp, sizeof(icmp));
	frame_add(f, run.bytes, run.len);
	frame6_finish(f, ICMP6_AT);
}

struct nd_words {
	uint8_t type;
	uint32_t flags;
	const struct addr *target;
	const uint8_t *mac; // NULL: without an option
};

static inline void frame6_nd(struct frame *f, const struct addr *src, const struct addr *dst,
			     struct nd_words w)
{
	struct nd_message m = {.type = w.type, .flags = be32_of(w.flags)};
	struct nd_option_mac o = {w.type == ICMP6_NEIGHBOUR_SOLICITATION ? ND_OPTION_SOURCE
									 : ND_OPTION_TARGET,
				  1,
				  {0}};

	memcpy(m.target, w.target, 16);
	frame6(f, src, dst, IP_ICMP6);
	frame_add(f, &m, sizeof(m));
	if (w.mac) {
		memcpy(o.mac, w.mac, 6);
		frame_add(f, &o, sizeof(o));
	}
	frame6_finish(f, ICMP6_AT);
}

// The peer asks for us.
static inline void bed6_asked(struct bed *b, const struct addr *src, const struct addr *target,
			      const uint8_t *mac)
{
	struct addr group = ipv6_solicited_node(target);
	struct frame f;

	frame6_nd(&f, src, &group, (struct nd_words){ICMP6_NEIGHBOUR_SOLICITATION, 0, target, mac});
	bed_in(b, 0, f.byte, f.len);
}

// The peer answers, or says so unasked.
static inline void bed6_told(struct bed *b, const struct addr *target, uint32_t flags,
			     const uint8_t *mac)
{
	struct frame f;

	frame6_nd(&f, target, flags & ND_SOLICITED ? &OURS6 : &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, flags, target, mac});
	bed_in(b, 0, f.byte, f.len);
}

// The peer makes itself known; our answer is thrown away.
static inline void bed6_meet(struct bed *b)
{
	bed6_asked(b, &PEER6, &OURS6, PEER_MAC);
	bed_clear(b);
}

// An echo request to us.
static inline void bed6_ping(struct bed *b, const struct addr *dst)
{
	struct frame f;

	frame6_icmp(&f, dst, (struct icmp6_header){.type = ICMP6_ECHO, .rest = be32_of(7)},
		    (struct run){"ping", 4});
	bed_in(b, 0, f.byte, f.len);
}

// How many ICMPv6 messages of a type were sent on port 0. The last of them lies in b->out, the
// message itself at *at, which may be NULL.
static inline uint32_t bed6_count(struct bed *b, uint8_t type, const void **at)
{
	uint32_t count = 0, last = 0, offset = 0;

	for (uint32_t i = 0; i < b->port[0].tx_count; i++) {
		capture_read(&b->port[0], i, b->out);
		const struct ipv6_header *h = (const void *)(b->out + 14);
		uint32_t message =
			ICMP6_AT + (h->next_header == IPV6_HOP_BY_HOP ? MLD_ALERT_BYTES : 0u);

		if (b->out[message] != type)
			continue;
		count++;
		last = i;
		offset = message;
	}
	if (count)
		capture_read(&b->port[0], last, b->out);
	if (at)
		*at = count ? b->out + offset : NULL;
	return count;
}

// What was sent as the n-th on port 0, its IPv6 header; checked.
static inline const struct ipv6_header *bed6_sent(struct bed *b, uint32_t n)
{
	assert_true(b->port[0].tx_count > n);
	uint32_t len = capture_read(&b->port[0], n, b->out);
	const struct ipv6_header *h = (const void *)(b->out + 14);

	assert_int_equal(be16_get(((const struct eth_header *)b->out)->type), ETH_TYPE_IPV6);
	assert_int_equal(be32_get(h->version_class_flow) >> 28, 6);
	assert_int_equal(be16_get(h->payload_len), len - 14 - sizeof(*h));
	return h;
}

static inline const struct ipv6_header *bed6_last(struct bed *b)
{
	return bed6_sent(b, b->port[0].tx_count - 1);
}

static inline bool bed6_is(const uint8_t bytes[16], const struct addr *a)
{
	return memcmp(bytes, a, 16) == 0;
}

// The transport checksum of a whole sent packet without extension headers.
static inline bool bed6_l4_good(const struct ipv6_header *h)
{
	struct addr s = addr_from_bytes(h->src), d = addr_from_bytes(h->dst);
	uint32_t len = be16_get(h->payload_len);

	return checksum_is_good(checksum_pseudo(&s, &d, h->next_header, len) +
				checksum_add(0, h + 1, len));
}

// The ICMPv6 message that was sent last, its checksum good.
static inline const struct icmp6_header *bed6_last_icmp(struct bed *b)
{
	const struct ipv6_header *h = bed6_last(b);

	assert_int_equal(h->next_header, IP_ICMP6);
	assert_true(bed6_l4_good(h));
	return (const void *)(h + 1);
}
