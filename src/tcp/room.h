// SPDX-License-Identifier: BSD-3-Clause
// Room to queue text in, and who waits for it.
#pragma once

#include "tcp/conn.h"
#include "tcp/tune.h"

// Of the circle of those who wait for descriptors: a connection by its index, which points at
// itself while it does not wait; the circle's start has a place behind them all.
struct room_link {
	uint32_t next, prev;
};

// The largest send finds its descriptors. Fewer are as good as none: so a refusal never depends on
// what was asked for, and who is told finds what he needs.
static inline bool room_has_descs(const struct tcp *tcp)
{
	return tcp->config.send_descs_max - tcp->desc_count >= tcp->descs_a_send;
}

// What anybody may hold without being asked: a reply's header, its body and some to spare. So ten
// thousand that ask and acknowledge in turn do not meet the rule below.
#define ROOM_PKTS_FREE 4

// All connections share the descriptors and the packets of POOL_TX; in one account, where a packet
// costs as many descriptors as there are for it. What one may hold shrinks with the square of what
// is left: alone it is a third of all; of those that take what they get and acknowledge nothing the
// tenth gets a seventieth. Shares of what is left would be at their end after twenty such.
static inline bool room_has_share(const struct tcp *tcp, const struct conn *c)
{
	uint64_t left = tcp->cost_max - MIN(tcp->cost, tcp->cost_max);

	return LIKELY(c->sendq.cost <= tcp->cost_free) ||
	       c->sendq.cost <= left * left >> tcp->share_shift;
}

// Bytes the application may still queue.
static inline uint32_t room_bytes(const struct tcp *tcp, const struct conn *c)
{
	uint64_t used = c->snd.end - MIN(c->snd.una, c->snd.end), most = tuned_send_max(tcp, c);

	if (UNLIKELY(!room_has_descs(tcp)) || used >= most || !room_has_share(tcp, c))
		return 0;
	return (uint32_t)(most - used);
}

// All connections together may hold descs, and the packets of POOL_TX.
void room_init(struct tcp *tcp, uint32_t descs);

// A send was refused: WRITABLE is owed.
void room_refused(struct tcp *tcp, struct conn *c);

// The peer acknowledged text of a connection that was refused (CONN_WANTS_ROOM).
void room_acked(struct tcp *tcp, struct conn *c);

// It waits here no more; true when it did.
bool room_leave(struct tcp *tcp, struct conn *c);

// Nothing will be sent any more: nothing is owed.
void room_forget(struct tcp *tcp, struct conn *c);

// Somebody waits for descriptors, and there are some.
static inline bool room_due(const struct tcp *tcp)
{
	return UNLIKELY(tcp->waiting_count) && room_has_descs(tcp);
}

static inline bool room_waits(const struct tcp *tcp, const struct conn *c)
{
	uint32_t i = conn_index(tcp, c);

	return tcp->waiting[i].next != i;
}

// The longest waiting are told, as many as will find descriptors.
void room_deliver(struct tcp *tcp);
