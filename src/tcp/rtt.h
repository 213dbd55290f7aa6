// SPDX-License-Identifier: BSD-3-Clause
// How long is a round trip, and how long to wait for an ACK.
#pragma once

#include "tcp/conn.h"

// RFC 6298 2.1 and 5.7; 2.5's upper bound.
#define RTO_INITIAL_NS NS_PER_S
#define RTO_AFTER_LOST_SYN_NS (3 * NS_PER_S)
#define RTO_NS_MAX (60 * NS_PER_S)

void rtt_sample(struct conn *c, uint64_t rtt_ns);

// The retransmission timeout, with its doublings.
uint64_t rtt_rto_ns(const struct tcp *tcp, const struct conn *c);
