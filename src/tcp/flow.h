// SPDX-License-Identifier: BSD-3-Clause
// A flow in the tables: its addresses and ports, and which table has it. IPv4's flows are in one of
// short keys, so that three are a cache line; IPv6's in one of long keys, which is not there while
// the instance has no IPv6 address. What the values say is the same in both, so connections,
// half-open ones and TIME-WAIT records are of either family.
//
// The way of a segment asks its table in input.c and ahead.c, by the arrival; everything else that
// happens to a flow asks here.
#pragma once

#include "tcp/conn.h"

struct flow {
	const struct addr *local, *remote;
	uint16_t local_port, remote_port;
};

static inline struct flow conn_flow(const struct conn *c)
{
	return (struct flow){&c->path.local, &c->path.remote, c->local_port, c->remote_port};
}

// Of a connection over IPv4.
static inline struct flow_key16 conn_key(const struct conn *c)
{
	return tuple_key(&c->path.local, &c->path.remote, c->local_port, c->remote_port);
}

static inline struct flow_key40 tuple_key6(const struct addr *local, const struct addr *remote,
					   uint16_t local_port, uint16_t remote_port)
{
	return (struct flow_key40){{local->half[0], local->half[1], remote->half[0],
				    remote->half[1], (uint64_t)local_port << 16 | remote_port}};
}

// Enters a flow. 0; -EEXIST with *value set to the one that is there; or -ENOSPC. What was taken
// out of the table waits for a grace period; where that leaves no room, a worker who is alone
// speaks for itself here, since it holds no reference into the table. Nobody waits for another who
// reads it: then it is -ENOSPC.
int flow_enter(struct tcp *tcp, const struct flow *f, uint32_t *value);

void flow_leave(struct tcp *tcp, const struct flow *f);

// False when the flow's value is not `from` (any more).
bool flow_replace(struct tcp *tcp, const struct flow *f, uint32_t from, uint32_t to);

bool flow_find(const struct tcp *tcp, const struct flow *f, uint32_t *value);

// First sequence number of a connection (isn.h).
uint32_t flow_isn(const struct tcp *tcp, const struct flow *f);
