// SPDX-License-Identifier: BSD-3-Clause
// News for the application.
#pragma once

#include "tcp/conn.h"

// An event is owed.
void deliver_news(struct tcp *tcp, struct conn *c, unsigned news);

// Text that is next in order: rcv.nxt moves over it, its packet waits for tcp_deliver. Takes p,
// whose view is the text, and counts it consumed.
void deliver_text(struct tcp *tcp, struct conn *c, struct pkt *p);

// The same by copying it behind text of this connection that waits for tcp_deliver. False when
// there is none right before it with room; p is not taken then.
bool deliver_packed(struct tcp *tcp, struct conn *c, struct pkt *p);

// What holding a packet costs, all its segments together.
static inline uint32_t deliver_true_bytes(const struct pkt *p)
{
	uint32_t bytes = pkt_true_bytes(p);

	for (p = pkt_next(p); UNLIKELY(p != NULL); p = pkt_next(p))
		bytes += pkt_true_bytes(p);
	return bytes;
}

// The owner's window opens by what p cost; p itself stays kept.
void deliver_uncharge(struct tcp *tcp, struct pkt *p);
