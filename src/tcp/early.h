// SPDX-License-Identifier: BSD-3-Clause
// What came early.
#pragma once

#include "tcp/conn.h"

// Keeps a packet whose view is len bytes of text from offset on, above rcv.nxt, until the hole
// before it closes. fin: the peer's FIN stands behind it. Takes p. False when all of it was there
// already (p is taken all the same).
bool early_add(struct tcp *tcp, struct conn *c, struct pkt *p, uint64_t offset, bool fin);

// Delivers what has become next in order. True when a FIN stands behind it.
bool early_drain(struct tcp *tcp, struct conn *c);

// While received buffers are short for early text whoever holds most of it loses his last: true
// when there is a place for p now, which would not make c the one that holds most.
bool early_has_place(struct tcp *tcp, const struct conn *c, const struct pkt *p);

// While they are short for all some of it gives way: true when they are not any more.
bool early_gives_way(struct tcp *tcp);

void early_clear(struct tcp *tcp, struct conn *c, enum drop reason);

// All that is held, by offset: the first, and the one behind p. NULL: there is none.
struct pkt *early_first(const struct conn *c);
struct pkt *early_after(const struct conn *c, struct pkt *p);

// Its packets change hands with their connection: out of the account of those who hold some, and
// into another's.
void early_leave(struct tcp *tcp, struct conn *c);
void early_join(struct tcp *tcp, struct conn *c);

// Cuts len bytes off the front of a packet, releasing segments that fall away whole. Takes p and
// returns what is left of it.
struct pkt *early_trim_front(struct pkt *p, uint32_t len);

void early_check(const struct tcp *tcp, const struct conn *c);
