// SPDX-License-Identifier: BSD-3-Clause
// Routes: longest prefix first in a sorted array. Paths are remembered by their users
// (net_path), so a lookup is rare and sixty-four compares are cheaper than a trie is to read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/be.h"
#include "base/limits.h"

// Configured routes, one for the network of each address, a gateway's, and the two of a lease.
#define ROUTES_MAX (64 + PORTS_MAX * (PORT_ADDRESSES_MAX + 3))

struct route {
	uint32_t prefix; // host order, bits beyond the mask are zero
	uint32_t mask;   // host order
	be32 via;        // 0: on the link itself
	uint16_t port_index;
	uint8_t len;    // bits
	bool is_leased; // of a DHCP server's making, not of the configuration's
};

struct routes {
	uint32_t count;
	struct route route[ROUTES_MAX];
};

// Of equal prefixes the one added first wins. False when full.
bool route_add(struct routes *routes, const struct route *route);

// Of equal ones the one added first; nothing when there is none.
void route_remove(struct routes *routes, const struct route *route);

// A route of the configuration, or of another port's lease, of whose destinations a network that
// is to be on this link takes some, or which takes some of the link's; NULL: there is none. The
// default route is in nobody's way, nor is the same network on the same port, or of another lease.
const struct route *route_in_the_way(const struct routes *routes, const struct route *link);

// True when a route of the configuration leads by way of a.
bool route_has_hop(const struct routes *routes, be32 a);

// The longest prefix that holds a, or NULL.
const struct route *route_find(const struct routes *routes, be32 a);

// 0..32 leading ones, in host order.
static inline uint32_t route_mask(uint8_t len)
{
	return len == 0 ? 0 : 0xffffffffu << (32 - len);
}
