// SPDX-License-Identifier: BSD-3-Clause
// What routers of the bench's link say.
#pragma once

#include "bed6.h"

static const struct addr SECOND6 = {.byte = {0xfe, 0x80, [15] = 9}};
static const struct addr PREFIX6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x77}};
static const struct addr THERE6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x77, [15] = 5}};

static inline void frame6_ra(struct frame *f, const struct addr *src, uint16_t lifetime_s)
{
	struct nd_advertisement h = {.type = ICMP6_ROUTER_ADVERTISEMENT,
				     .lifetime_s = be16_of(lifetime_s)};

	frame6(f, src, &ALL_NODES6, IP_ICMP6);
	frame_add(f, &h, sizeof(h));
}

static inline struct nd_advertisement *ra_of(struct frame *f)
{
	return (void *)(f->byte + ICMP6_AT);
}

static inline void add_prefix(struct frame *f, uint8_t flags, uint32_t valid_s,
			      uint32_t preferred_s)
{
	struct nd_option_prefix o = {.type = ND_OPTION_PREFIX,
				     .words = 4,
				     .len = 64,
				     .flags = flags,
				     .valid_s = be32_of(valid_s),
				     .preferred_s = be32_of(preferred_s)};

	memcpy(o.prefix, &PREFIX6, 16);
	frame_add(f, &o, sizeof(o));
}

static inline void in(struct bed *b, struct frame *f)
{
	frame6_finish(f, ICMP6_AT);
	bed_in(b, 0, f->byte, f->len);
}

static inline void advertise(struct bed *b, const struct addr *src, uint16_t lifetime_s)
{
	struct frame f;

	frame6_ra(&f, src, lifetime_s);
	in(b, &f);
}

static inline void advertise_prefix(struct bed *b, uint8_t flags, uint32_t valid_s,
				    uint32_t preferred_s)
{
	struct frame f;

	frame6_ra(&f, &LOCAL6, 0);
	add_prefix(&f, flags, valid_s, preferred_s);
	in(b, &f);
}

static inline const struct addr *hop_to(struct bed *b, const struct addr *to)
{
	struct net_path path;

	if (net_path_find(b->net, &NOBODY6, to, &path))
		return NULL;
	return &b->net->neighbours.slot[path.neighbour].addr;
}

static inline struct ip6_address *made(struct bed *b)
{
	struct ip6_port *p = &b->net->ip6->port[0];

	return p->address_count > 2 ? &p->address[2] : NULL;
}

// RFC 4862 5.5.3, 5.5.4
// A router with a prefix of its own that is on the link and to be made an address of.
static inline void frame6_rival(struct frame *f, uint8_t number)
{
	struct addr router = LOCAL6;

	router.byte[8] = number;
	frame6_ra(f, &router, 1800);
	add_prefix(f, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 10000, 10000);
	f->byte[f->len - 9] = number;
}

static inline bool is_router(const struct bed *b, const struct addr *addr)
{
	const struct ip6_port *port = &b->net->ip6->port[0];

	for (uint32_t i = 0; i < port->router_count; i++)
		if (addr_equal(&port->router[i].addr, addr))
			return true;
	return false;
}
