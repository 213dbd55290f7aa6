// SPDX-License-Identifier: BSD-3-Clause
// What the TCPs of all workers of an instance have in common: the flow tables with their epochs,
// the slots of connections, and who listens where. Everything else of TCP is one worker's own.
//
// A value in the table says whose a flow is and where it is kept:
//
//	kind (2 bits) | worker | index        index and worker share 28 bits
//
// An index of a connection counts through the slots of all workers, so that a slot keeps its place
// whoever owns it; indices of half-open connections and TIME-WAIT records are the worker's own.
#pragma once

#include "base/bits.h"
#include "sync/claims.h"
#include "sync/epoch.h"
#include "sync/table.h"
#include "tcp/tcp.h"

struct conn;
struct room_link;
struct send_desc;
struct tuning;

struct tcp_shared {
	struct table *table;       // of IPv4's flows
	struct table *table6;      // of IPv6's, by the same epochs; NULL: there are none
	struct conn *conn;         // connections_max of each worker, one worker's after the other
	struct tuning *tuning;     // of each slot (tune.h)
	struct send_desc *desc;    // likewise, descs_a_worker of each
	struct room_link *waiting; // one for each connection, then one for each worker (room.h)
	struct claims *listening;  // NULL for one worker
	struct tcp_config config;  // each worker's
	uint32_t conn_count;       // slots of all workers
	uint32_t descs_a_worker;
	uint32_t keys_max; // that each table is made for
	uint32_t worker_count;
	uint32_t index_bits; // of a value
	struct epoch epoch;  // of the tables
};

enum owner_kind { OWNER_CONN, OWNER_HALF_OPEN, OWNER_TIME_WAIT };
#define OWNER_SHIFT 28
#define OWNER_NONE UINT32_MAX

static inline enum owner_kind owner_kind(uint32_t value)
{
	return (enum owner_kind)(value >> OWNER_SHIFT);
}

// NULL with err_set. secret: of the instance; all workers' env has the same.
struct tcp_shared *tcp_shared_create(const struct tcp_config *config, uint32_t worker_count,
				     const uint8_t secret[16]);
void tcp_shared_destroy(struct tcp_shared *shared);
