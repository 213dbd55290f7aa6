// SPDX-License-Identifier: BSD-3-Clause
// What is lost.
#pragma once

#include "tcp/conn.h"

// A duplicate ACK by RFC 5681's definition came.
void loss_duplicate_ack(struct tcp *tcp, struct conn *c);

bool loss_ack_in_trouble(struct tcp *tcp, struct conn *c, uint32_t acked_bytes);

// una moved by acked bytes. True when loss recovery takes care of cwnd for this ACK.
static inline bool loss_ack_advanced(struct tcp *tcp, struct conn *c, uint32_t acked_bytes)
{
	c->dupacks = 0;
	return UNLIKELY(conn_is(c, CONN_IN_TROUBLE)) && loss_ack_in_trouble(tcp, c, acked_bytes);
}

// The retransmission timer fired: all that is outstanding counts as lost.
void loss_timeout(struct tcp *tcp, struct conn *c);

// Everything outstanding must be sent again, and not because of congestion: the path's MTU fell.
void loss_resend_all(struct conn *c);
