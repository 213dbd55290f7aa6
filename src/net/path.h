// SPDX-License-Identifier: BSD-3-Clause
// Paths: the answer of the routing table for one destination, and how long it stays true.
#pragma once

#include "net/net.h"

struct net_pmtu {
	be32 remote; // 0: empty
	uint16_t mtu_bytes;
	uint64_t expires_ns;
};

// Path MTUs below the link's, by a hash of the destination; a collision forgets the older one.
#define PMTU_SLOTS 256

// Answers to datagrams, by a hash of the destination: a reply costs a compare, not a lookup.
#define PATH_SLOTS 256

struct net_path_slot {
	struct addr asked; // the source address as the caller gave it
	struct net_path path;
};

// As net_path_find without words: 0 or a negative errno.
int path_find(struct net *net, const struct addr *local, const struct addr *remote,
	      struct net_path *path);

// A fresh path out of the cache. NULL when there is none. Valid until the next call.
struct net_path *path_get(struct net *net, const struct addr *local, const struct addr *remote);

// Finds the path anew when anything changed since; false when there is none any more.
bool path_refresh(struct net *net, struct net_path *path);

// Forgets path MTUs that are old.
void path_age_mtu(struct net *net);
