// SPDX-License-Identifier: BSD-3-Clause
// Selective acknowledgments: what we tell the peer of what came early, or twice.
#pragma once

#include "tcp/options.h"
#include "tcp/trouble.h"

// [start, end) came early and is kept.
void sack_early(struct tcp *tcp, struct conn *c, uint64_t start, uint64_t end);

// [start, end) came a second time (RFC 2883).
void sack_duplicate(struct tcp *tcp, struct conn *c, uint64_t start, uint64_t end);

// rcv.nxt moved: what it passed is no block any more.
void sack_advanced(struct tcp *tcp, struct conn *c);

// What came early was given up from start on.
void sack_given_up(struct tcp *tcp, struct conn *c, uint64_t start);

// The option of the next ACK, as many blocks as it has room for. Returns its length with padding,
// 0: nothing to tell.
uint32_t sack_write(const struct tcp *tcp, const struct conn *c, uint8_t *at, uint32_t room_bytes);

// It left. Or text took its ACK, without it: what came twice is not told any more, and runs that no
// ACK told of get one of their own.
void sack_told(struct tcp *tcp, struct conn *c);
void sack_passed_over(struct tcp *tcp, struct conn *c);
