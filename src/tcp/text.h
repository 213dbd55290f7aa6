// SPDX-License-Identifier: BSD-3-Clause
// Text in order: what input.c and run.c do with it. Both inline, as it is what a receiver does
// most.
#pragma once

#include "pkt/pressure.h"
#include "tcp/conn.h"
#include "tcp/deliver.h"
#include "tcp/tune.h"

// The packet's view becomes its text: len bytes from offset on.
static inline void text_view(struct pkt *p, uint16_t offset, uint32_t len)
{
	pkt_strip(p, offset);
	if (UNLIKELY(pkt_len(p) > len))
		pkt_truncate(p, len); // padding of the link
}

// Small segments in large buffers cost more than what the window counts. The window closes by true
// size, but its right edge never moves back (SHLD-14): of what was offered, each octet may still
// come in a buffer of its own. It was promised, so it is taken: beyond three times the window,
// which no segment of a third of a buffer or more leads to, text is packed behind text that is not
// delivered yet; what finds none is kept as it is, while half of the buffers that may be held are
// left to others. (FreeBSD's sbcompress packs likewise; Linux packs and then drops.)
static inline bool text_pins_too_much(const struct tcp *tcp, const struct conn *c)
{
	return c->rcv.charged > 3 * (uint64_t)tuned_receive_max(tcp, c);
}

// While received buffers are short, text is not kept, though its ACK was heard: first what came
// early, then that of connections that hold some already. Who releases what he gets goes on with
// half of the reserve; the other half is for ACKs.
static inline bool text_has_no_buffer(const struct tcp *tcp, const struct conn *c)
{
	return pkt_short(tcp->env) && (c->rcv.charged != 0 || pkt_exhausted(tcp->env));
}

// Text in order, all of it in the window. Takes p. Of a connection the application has not heard of
// it is shown to it a turn later: what it answers then carries the ACK.
static inline void text_arrives(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	if (UNLIKELY(c->quick_acks)) {
		c->quick_acks--;
		if (!(c->news & NEWS_BIRTH))
			conn_set(c, CONN_ACK_NOW);
	}
	deliver_text(tcp, c, p);
	conn_mark(tcp, c);
}
