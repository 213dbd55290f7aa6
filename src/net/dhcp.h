// SPDX-License-Identifier: BSD-3-Clause
// The DHCP client (RFC 2131 4.4) and what it gives a port. States are of the first worker alone,
// who asks; the lease is every worker's:
//
//   INIT --discover--> SELECTING --offer--> REQUESTING --ack--> PROBING --nobody has it--> BOUND
//    ^                                          | nak              | somebody has      | half its
//    life
//    +------------------------------------------+------------------+                   v
//    +--------------- the life is over, or nak --------- REBINDING <-- 7/8 -- RENEWING --ack-->
//    BOUND
#pragma once

#include "base/wheel.h"
#include "net/net.h"
#include "port/arrival.h"
#include "wire/dhcp.h"

struct lease {
	be32 addr;          // 0: none
	be32 router;        // 0: none
	uint8_t prefix_len; // bits
};

enum dhcp_state {
	DHCP_OFF,
	DHCP_INIT,
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_PROBING,
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING,
};

// One port's client.
struct dhcp {
	struct lease offer; // what was offered, or is held
	be32 server;
	be32 xid;
	uint16_t port_index;
	uint8_t state;    // enum dhcp_state
	uint8_t tries;    // messages or probes sent in this state
	uint8_t setbacks; // refusals and conflicts since an address was had
	uint16_t seconds; // since when it has been asking, as its messages say
	uint32_t life_s, renew_s, rebind_s;
	uint64_t begun_ns; // when it began to ask
	uint64_t asked_ns; // of the request whose answer the lease is: from then on it lives
	uint64_t renew_ns, rebind_ns, end_ns;
	struct timer timer;
	struct timer tell_timer; // when the other workers hear again what the port has
	uint64_t tell_ns;        // after that again
};

// RFC 2131 has no least life. A shorter lease is hardly had before it ends: probes take up to seven
// seconds.
#define DHCP_LIFE_S_MIN 10u

// A server's message, read.
struct dhcp_reply {
	uint8_t type; // enum dhcp_type
	be32 server;
	struct lease lease;
	uint32_t life_s, renew_s, rebind_s; // the last two 0: not told
};

// dhcp.c. The port asks for its address; the first worker's does, others only take part. 0 or a
// negative errno with err_set.
int dhcp_begin(struct net *net, uint16_t port_index);
void dhcp_fini(struct net *net);

// True: p, a datagram that nobody else has a socket for, is a server's, and taken.
bool dhcp_input(struct net *net, struct pkt *p, const struct arrival *arrival);

// Somebody on the link speaks of the address as his, or asks whether he may have it (RFC
// 5227 2.1.1).
void dhcp_heard(struct net *net, uint16_t port_index, be32 addr);

// For people: what the client of a port does; NULL: the port has none, or another worker's asks.
const char *dhcp_state_name(const struct net *net, uint16_t port_index);

// dhcp_message.c. Reads a server's message to this client. DROP_OK, or why it is not believed.
enum drop dhcp_read(const struct pkt *p, const struct arrival *arrival, const struct dhcp *d,
		    const uint8_t mac[6], struct dhcp_reply *reply);

// A client's message without lower headers; NULL without buffers.
struct pkt *dhcp_write(struct net *net, const struct dhcp *d, enum dhcp_type type);

// lease.c. DROP_OK, or why the port does not take it beside what is configured: who answers first
// on a link draws nothing away from what the configuration says.
enum drop lease_refusal(const struct net *net, uint16_t port_index, const struct lease *lease);

// The port has this lease from now on, instead of another or none: said by the first worker, who
// tells the others.
void lease_change(struct net *net, uint16_t port_index, const struct lease *lease);

// What the port has: address 0 without one.
const struct lease *lease_of(const struct net *net, uint16_t port_index);

// The other workers hear once more what this one has.
void lease_tell(struct net *net, uint16_t port_index);

// What another worker has (port/mesh.h). Takes p.
void lease_hear(struct net *net, struct pkt *p, uint16_t word);
