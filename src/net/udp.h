// SPDX-License-Identifier: BSD-3-Clause
// UDP as the floors above see it: datagrams in, requests down, events out.
//
// A reassembled datagram is a chain: its event's data and len are the first run of bytes, buf the
// whole of it. udp_reply and udp_send send chains as they are.
#pragma once

#include <prismnet/types.h>

#include "net/net.h"
#include "port/arrival.h"

// A datagram that passed IP. Takes p.
void udp_input(struct net *net, struct pkt *p, struct arrival *arrival);
void udp6_input(struct net *net, struct pkt *p, struct arrival *arrival);

// Between these two datagrams may be written straight into the first half of count events: one copy
// less than through the queue. The other half is left to TCP. The second says how many were.
void udp_turn_begin(struct net *net, struct prism_event *events, int count);
int udp_turn_end(struct net *net);

// Writes up to count events and returns how many; the rest stay for the next call. Their peer and
// local addresses live until the next udp_input or udp_turn_begin.
int udp_deliver(struct net *net, struct prism_event *events, int count);

// True when udp_deliver would write something.
bool udp_pending(const struct net *net);

// Requests. 0 or a negative errno with err_set; semantics as <prismnet/udp.h> says.
int udp_open(struct net *net, const struct addr *local, uint16_t port, uint64_t user,
	     prism_udp *udp);
int udp_close(struct net *net, prism_udp udp);
int udp_clients_only(struct net *net, prism_udp udp);

// udp_group.c. The same of multicast groups.
struct udp_group {
	struct addr group;
	struct addr source; // any: whoever sends
	struct addr on;     // an address of ours on the port; any: chosen as for what is sent there
};
int udp_join(struct net *net, prism_udp udp, const struct udp_group *group);
int udp_leave(struct net *net, prism_udp udp, const struct udp_group *group);
int udp_group_ttl(struct net *net, prism_udp udp, uint32_t ttl);

int udp_endpoint(struct net *net, prism_udp udp, struct addr *local, uint16_t *port);

struct udp_to {
	struct addr local; // source address; any: the socket's, or chosen
	struct addr remote;
	uint16_t remote_port;
};

int udp_send(struct net *net, prism_udp udp, const struct udp_to *to, struct pkt *p);
int udp_reply(struct net *net, const struct prism_event *event, struct pkt *p);

// An ICMP error about a datagram of ours. Returns the worker whose it is; what is ours is done.
uint32_t udp_icmp_error(struct net *net, const struct icmp_report *report);
