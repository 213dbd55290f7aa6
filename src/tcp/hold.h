// SPDX-License-Identifier: BSD-3-Clause
// Text that may leave and waits for more to go with it: Nagle's algorithm (RFC 9293 3.7.4), and the
// application's cork. Called by output.c of connections that asked for it; the others pay the test
// of a bit in a line that is at hand.
#pragma once

#include "tcp/tune.h"

// Of len bytes of new text, which both windows let go, how many leave now: 0, whole segments, all.
uint64_t hold_what_is_short(struct tcp *tcp, struct conn *c, uint64_t len);

// Text stays because of the above, and not because of the peer's window, which takes all of it.
static inline bool hold_waits(const struct tcp *tcp, const struct conn *c)
{
	return UNLIKELY(c->holds_short) && tuning_of(tcp, c)->held_since_ms &&
	       c->snd.end <= c->snd.una + c->snd.wnd;
}

// The connection's token fired: what is corked leaves when it was held for long.
void hold_fires(struct tcp *tcp, struct conn *c);

// What the application wants.
void hold_choose_nagle(struct tcp *tcp, struct conn *c, bool nagle);
void hold_choose_cork(struct tcp *tcp, struct conn *c, bool corked);
