// SPDX-License-Identifier: BSD-3-Clause
// Paths: the answer of the routing table for one destination, and how long it stays true.
#pragma once

#include "base/bits.h"
#include "base/time.h"
#include "net/net.h"

struct net_pmtu {
	be32 remote; // 0: empty
	uint16_t mtu_bytes;
	uint64_t expires_ns;
};

// RFC 1191 6.3, RFC 8201 4: not sooner than ten minutes after it was lowered.
#define PMTU_NS (600 * NS_PER_S)

// Path MTUs below the link's, by a hash of the destination; a collision forgets the older one.
#define PMTU_SLOTS 256

// Nothing real is below it, and a forged report cannot make us send crumbs (RFC 5927 7.2); Linux
// has the same floor (min_pmtu).
#define PMTU_BYTES_MIN 552

// Who was sent a datagram above that floor lately, by a hash of the destination. A report comes
// within a round trip: at 100,000 such datagrams a second to as many hosts, one is remembered for
// 40 ms.
#define LARGE_SENT_SLOTS 4096

struct net_large_sent {
	be32 remote;
	uint16_t bytes; // of the IP packet
};

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

// A datagram of so many bytes, IP header included, leaves for remote.
void path_large_sent(struct net *net, const struct addr *remote, uint32_t bytes);

static inline void path_sent(struct net *net, const struct addr *remote, uint32_t bytes)
{
	if (UNLIKELY(bytes > PMTU_BYTES_MIN))
		path_large_sent(net, remote, bytes);
}

// True when a datagram above so many bytes was sent to remote lately.
bool path_was_sent(const struct net *net, const struct addr *remote, uint32_t bytes);

// A host we may speak to: not this network, loopback, a group, or class E (RFC 1122 3.2.1.3), nor
// one of our addresses.
bool path_may_be_remote(const struct net *net, be32 a);

// What a path to remote carries over a port of this MTU.
uint16_t path_mtu_to(struct net *net, be32 remote, uint16_t port_mtu_bytes);

// One was: paths are found anew, and it is forgotten in time.
void path_mtu_lowered(struct net *net);

// Forgets path MTUs that are old.
void path_age_mtu(struct net *net);
