// SPDX-License-Identifier: BSD-3-Clause
// Source routes (RFC 791 3.1): a packet that names the gateways it is to go by.
#pragma once

#include "net/net.h"

// A worker's; whoever has many connections has them by few ways.
#define SOURCE_ROUTES_MAX 254

// The place for what is answered at once and remembered by nobody. Numbers are places; a path's 0
// is no route at all.
#define SOURCE_ROUTE_PASSING (SOURCE_ROUTES_MAX + 1)

struct source_routes {
	struct {
		struct source_route route;
		uint32_t users; // paths that are kept; nobody's place is another route's in time
	} place[SOURCE_ROUTES_MAX + 2];
	uint32_t in_use; // places with users
};

// Their memory; false with err_set.
bool source_routes_init(struct net *net);
void source_routes_fini(struct net *net);

// What an option that came says: DROP_OK when it is a route of hosts that led here. option: its
// first byte, len: its length, both within the header.
enum drop source_route_check(const struct net *net, const uint8_t *option, uint32_t len);

// Where a packet with this header is to arrive in the end.
be32 source_route_last(const struct ipv4_header *header);

// The path by a route of this number: 0 or a negative errno, without words.
int source_route_path(struct net *net, const struct addr *local, const struct addr *remote,
		      uint8_t number, struct net_path *path);

// Puts the header in front of p with the option of its path. Returns the header's length in bytes.
uint8_t source_route_put(const struct net *net, const struct net_path *path, struct pkt *p,
			 struct ipv4_header header);
