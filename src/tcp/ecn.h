// SPDX-License-Identifier: BSD-3-Clause
// Marks instead of losses (RFC 3168): what a handshake agrees on, what is echoed, what slows down.
//
//	sender                              network            receiver
//	new text, ECT(0)  ────────────────► CE ──────────────► ecn_echo: every ACK has ECE
//	less in flight, once a window ◄─────────────── ECE ───
//	ecn_cwr: the next new text has CWR ──────────────────► no ECE any more
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"
#include "wire/ecn.h"

// What a segment may say of marks: none of it is usual.
#define SEGMENT_ECN (TCP_ECE | TCP_CWR | SEGMENT_CE)

// True: the SYN asks, and we agree.
bool ecn_asked(const struct tcp *tcp, const struct segment *s);

// What a SYN says that crosses ours, or answers it: of two that cross both ask. RFC 3168 R5.
static inline bool ecn_is_yes(const struct segment *s)
{
	return (s->flags & SEGMENT_ECN) == (s->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR);
}

// A SYN or SYN-ACK answers ours.
void ecn_answered(struct tcp *tcp, struct conn *c, const struct segment *s);

// Both have said so.
void ecn_agree(struct tcp *tcp, struct conn *c);

// Flags of a SYN or SYN-ACK of a connection that we began; `again`: the last was not answered.
uint8_t ecn_syn_flags(struct tcp *tcp, struct conn *c, bool again);

// A segment that is acceptable says something of marks. Before its ACK is processed.
void ecn_hears(struct tcp *tcp, struct conn *c, const struct segment *s);

// What the application wants.
void ecn_choose(struct conn *c, enum prism_ecn choice);

// The window was reduced, for whatever reason. RFC 3168 R15.
static inline void ecn_reduced(struct conn *c)
{
	c->ecn_cwr = c->ecn_agreed;
}

// Of every ACK, with text or without. RFC 3168 R17.
static inline uint8_t ecn_ack_flags(const struct conn *c)
{
	return c->ecn_echo ? TCP_ECE : 0;
}

// What a segment with len bytes of text from offset on, or with none, is marked with.
struct ecn_out {
	uint8_t flags; // of TCP
	uint8_t field; // of IP: enum ecn
};

// A segment of a connection that has agreed is about to leave.
struct ecn_out ecn_leaves(struct conn *c, uint64_t offset, uint32_t len);
