// SPDX-License-Identifier: BSD-3-Clause
// What is lost, told by time: RACK, and the probe for the tail of a flight (RFC 8985).
#pragma once

#include "tcp/segment.h"
#include "tcp/trouble.h"

// The descriptor has arrived, as an ACK that is at work says for the first time.
void rack_delivered(struct tcp *tcp, struct conn *c, struct trouble *t, const struct send_desc *d);

// Segments that left before one that was delivered, and by more than the reordering window, become
// lost. What may come yet is waited for until t->rack.reorder_ns.
void rack_detect(struct tcp *tcp, struct conn *c, struct trouble *t);

// The peer says that something came twice. / A recovery came to its end.
void rack_dsack(struct conn *c, struct trouble *t);
void rack_recovered(struct conn *c);

// What left this long ago would have been heard of (RFC 8985 6.3).
uint64_t rack_overdue_ns(const struct tcp *tcp, const struct conn *c, const struct trouble *t);

// RFC 8985 7.2: a lone segment's ACK may be delayed so long.
#define RACK_ACK_DELAY_NS_MAX (200 * NS_PER_MS)

// RFC 8985 7.2: when the probe is due, from now.
uint64_t rack_probe_timeout_ns(const struct tcp *tcp, const struct conn *c);
