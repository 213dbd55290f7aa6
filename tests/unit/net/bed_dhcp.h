// SPDX-License-Identifier: BSD-3-Clause
// What a DHCP server says to a client on the bench.
#pragma once

#include "bed.h"

#define SERVER IP(198, 18, 0, 1)
#define OTHER_SERVER IP(198, 18, 0, 7)
#define GIVEN IP(198, 18, 0, 50)
#define AFTER_PROBES_NS (10 * NS_PER_S)

// A server's words, before the options of the test.
struct said {
	uint8_t type;
	be32 server, yours;
	uint32_t life_s;
	uint8_t prefix_len; // 0: 24
	be32 router;        // 0: the server
};

// To the client of a station that asked by this number.
static inline struct dhcp_header *frame_said(struct frame *f, be32 xid, const uint8_t mac[6],
					     struct said w)
{
	uint8_t bytes[sizeof(struct dhcp_header) + 64] = {0};
	struct dhcp_header *h = (void *)bytes;
	uint8_t *at = (uint8_t *)(h + 1);
	be32 life = be32_of(w.life_s), router = w.router.raw ? w.router : w.server;
	be32 mask = be32_of(route_mask(w.prefix_len ? w.prefix_len : 24));

	*h = (struct dhcp_header){.op = DHCP_REPLY_OP,
				  .hardware = 1,
				  .hardware_len = 6,
				  .xid = xid,
				  .yours = w.yours,
				  .magic = be32_of(DHCP_MAGIC)};
	memcpy(h->mac, mac, 6);
	memcpy(at, (uint8_t[]){DHCP_OPTION_TYPE, 1, w.type, DHCP_OPTION_SERVER, 4}, 5);
	memcpy(at + 5, &w.server, 4);
	memcpy(at + 9, (uint8_t[]){DHCP_OPTION_LEASE, 4}, 2);
	memcpy(at + 11, &life, 4);
	memcpy(at + 15, (uint8_t[]){DHCP_OPTION_MASK, 4}, 2);
	memcpy(at + 17, &mask, 4);
	memcpy(at + 21, (uint8_t[]){DHCP_OPTION_ROUTER, 4}, 2);
	memcpy(at + 23, &router, 4);
	at[27] = DHCP_OPTION_END;
	frame_udp(f, w.server, be32_of(0xffffffff), 68, (struct run){bytes, sizeof(bytes)});
	memset(f->byte, 0xff, 6);
	struct udp_header *u = (void *)(f->byte + 34);

	u->src_port = be16_of(67);
	u->checksum.raw = 0;
	return (void *)(u + 1);
}

// The client of port 0, which asks for an address beside those it has.
static inline struct bed *bed_dhcp_beside(void)
{
	struct bed *b = bed_create();

	b->net->port[0].has_dhcp = true;
	assert_int_equal(dhcp_begin(b->net, 0), 0);
	bed_time(b, 10 * NS_PER_MS);
	return b;
}

// And has none.
static inline struct bed *bed_dhcp(void)
{
	struct bed *b = bed_create();
	struct net_port *np = &b->net->port[0];

	np->address_count = np->configured_count = 0;
	np->address[0] = (struct net_address){0};
	b->net->routes.count = 0;
	b->net->generation++;
	np->has_dhcp = true;
	assert_int_equal(dhcp_begin(b->net, 0), 0);
	bed_time(b, 10 * NS_PER_MS);
	return b;
}

static inline const struct dhcp *client(const struct bed *b)
{
	return &b->net->dhcp[0];
}

static inline struct dhcp_header *frame_dhcp(struct frame *f, struct bed *b, struct said w)
{
	return frame_said(f, client(b)->xid, b->port[0].port.mac, w);
}

static inline void bed_say(struct bed *b, struct said w)
{
	struct frame f;

	frame_dhcp(&f, b, w);
	bed_in(b, 0, f.byte, f.len);
}

static inline struct said offer(void)
{
	return (struct said){DHCP_OFFER, SERVER, GIVEN, 3600, 0, {0}};
}

static inline struct said ack(void)
{
	return (struct said){DHCP_ACK, SERVER, GIVEN, 3600, 0, {0}};
}

static inline struct said nak(be32 server)
{
	return (struct said){DHCP_NAK, server, {0}, 0, 0, {0}};
}

// From the first question to an address that nobody else has.
static inline void bed_bind(struct bed *b, uint32_t life_s)
{
	struct said w = ack();

	w.life_s = life_s;
	bed_say(b, offer());
	bed_say(b, w);
	bed_time(b, AFTER_PROBES_NS);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	assert_true(net_is_ours(b->net, GIVEN));
	bed_clear(b);
}

static inline struct bed *bed_bound(uint32_t life_s)
{
	struct bed *b = bed_dhcp();

	bed_bind(b, life_s);
	return b;
}

// The value of an option of the client's message, or NULL.
static inline const uint8_t *option_of(const struct dhcp_header *h, uint8_t option)
{
	const uint8_t *at = (const uint8_t *)(h + 1);

	while (*at != DHCP_OPTION_END && *at != option)
		at += 2 + at[1];
	return *at == option ? at + 2 : NULL;
}

// The client's message that was sent last on port 0.
static inline const struct dhcp_header *sent(struct bed *b)
{
	const struct ipv4_header *ip = bed_last_ip4(b);
	const struct udp_header *u = (const void *)(ip + 1);

	assert_true(bed_l4_good(ip));
	assert_int_equal(ip->protocol, IP_UDP);
	assert_int_equal(be16_get(u->src_port), 68);
	assert_int_equal(be16_get(u->dst_port), 67);
	assert_true(be16_get(u->len) >= 8 + 300);
	return (const void *)(u + 1);
}

static inline uint8_t type_sent(struct bed *b)
{
	return *option_of(sent(b), DHCP_OPTION_TYPE);
}
