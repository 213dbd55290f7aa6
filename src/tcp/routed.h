// SPDX-License-Identifier: BSD-3-Clause
// Segments that came by a source route (RFC 9293 3.9.2.1).
#pragma once

#include "tcp/open.h"

// Such a segment for a connection, before it is looked at further: from now on what is sent goes
// back by that way, if the connection is one that others opened and expects the segment.
void routed_hears(struct tcp *tcp, struct conn *c, const struct segment *s);

void routed_half_open_hears(struct tcp *tcp, struct half_open *h, const struct segment *s);

// The SYN again, or the ACK that completes the handshake.
static inline void routed_half_open(struct tcp *tcp, struct half_open *h, const struct segment *s)
{
	if (UNLIKELY(s->arrival->has_route))
		routed_half_open_hears(tcp, h, s);
}
