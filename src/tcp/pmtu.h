// SPDX-License-Identifier: BSD-3-Clause
// Paths that lose large packets and tell nobody: found by timeouts, measured by probes (RFC 8899,
// RFC 4821).
#pragma once

#include "tcp/conn.h"
#include "tcp/trouble.h"

// The retransmission timer fired, not for the first time in a row: perhaps it is the size.
void pmtu_timed_out(struct tcp *tcp, struct conn *c);

// How much text a probe should carry that may leave now, of room_bytes in the congestion window. 0:
// none is due.
uint32_t pmtu_probe_bytes(struct conn *c, struct trouble *t, uint64_t room_bytes);

// It is about to leave, from snd.nxt on.
void pmtu_probe_sent(const struct conn *c, struct trouble *t, uint32_t bytes);

uint32_t pmtu_lost_bytes(const struct tcp *tcp, const struct conn *c, const struct trouble *t);

// What is lost of a probe for the first time.
static inline uint32_t pmtu_lost(const struct tcp *tcp, const struct conn *c,
				 const struct trouble *t)
{
	return UNLIKELY(t->pmtu.len) ? pmtu_lost_bytes(tcp, c, t) : 0;
}

// There was a probe, an ACK was taken, and newly_lost bytes found lost by it; before, lost_before
// were of the probe.
bool pmtu_heard(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t newly_lost,
		uint32_t lost_before);

// An ACK was taken; before, all_before bytes were lost, probe_before of a probe. True when what is
// lost since is a probe and nothing else, which says nothing about congestion (RFC 4821 7.6.2).
static inline bool pmtu_hears(struct tcp *tcp, struct conn *c, struct trouble *t,
			      uint32_t all_before, uint32_t probe_before)
{
	return UNLIKELY(t->pmtu.len) &&
	       pmtu_heard(tcp, c, t, t->lost_bytes - MIN(all_before, t->lost_bytes), probe_before);
}
