// SPDX-License-Identifier: BSD-3-Clause
// A crew that speaks IPv6 too.
#pragma once

#include "crew.h"

#include "../net/bed6.h"

static inline struct crew *crew6_create(enum crew_mode mode)
{
	struct prism_options o;

	crew_options(&o);
	o.ports[0].address_count = 2;
	o.ports[0].addresses[1].len = 64;
	memcpy(&o.ports[0].addresses[1].addr, &OURS6, 16);
	return crew_create_with(&o, 4, mode);
}

// A second later its addresses are its own.
static inline struct crew *create_ready(enum crew_mode mode)
{
	struct crew *c = crew6_create(mode);

	crew_time(c, 1200 * NS_PER_MS);
	crew_clear(c);
	return c;
}

static inline struct net *net_of(struct crew *c, uint32_t worker)
{
	return c->worker[worker]->net;
}

// Of a router that has a prefix with these flags for so long.
static inline void frame6_ra(struct frame *f, uint8_t flags, uint32_t life_s)
{
	const struct nd_advertisement ra = {.type = ICMP6_ROUTER_ADVERTISEMENT,
					    .lifetime_s = be16_of(1800)};
	const struct nd_option_prefix prefix = {
		.type = ND_OPTION_PREFIX,
		.words = 4,
		.len = 64,
		.flags = flags,
		.valid_s = be32_of(life_s),
		.preferred_s = be32_of(life_s),
		.prefix = {0x20, 1, 0xd, 0xb8, 0, 0x77},
	};

	frame6(f, &LOCAL6, &ALL_NODES6, IP_ICMP6);
	frame_add(f, &ra, sizeof(ra));
	frame_add(f, &prefix, sizeof(prefix));
	frame6_finish(f, ICMP6_AT);
}
