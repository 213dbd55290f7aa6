// SPDX-License-Identifier: BSD-3-Clause
// How much may fly: congestion control behind one table of functions. What is lost is loss.c's.
#pragma once

#include "tcp/conn.h"

struct cc_sample {
	uint64_t in_flight_bytes; // when something was lost or recovered
	uint32_t acked_bytes;     // by this ACK
	uint32_t rtt_us;          // of this ACK; 0: it measures nothing
	uint64_t now_ns;
	bool after_rto;   // it was sent again, or with what was: CONN_AFTER_RTO before this ACK
	bool app_limited; // cwnd was not what held the sender back
};

struct cc_ops {
	const char *name;
	void (*on_ack)(struct conn *c, const struct cc_sample *s);
	// Sets ssthresh; how cwnd gets there is loss.c's.
	void (*on_loss)(struct conn *c, const struct cc_sample *s);
	void (*on_rto)(struct conn *c, const struct cc_sample *s);
	void (*on_recovered)(struct conn *c, const struct cc_sample *s);
	void (*on_spurious)(
		struct conn *c); // nothing was lost; cwnd and ssthresh are back; or NULL
};

extern const struct cc_ops cc_reno;

// RFC 6928: min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN (RFC 5681 3.1).
void cc_init(struct conn *c);

// RFC 5681 4.1: after an idle RTO cwnd falls back to the restart window.
void cc_after_idle(struct conn *c);

// Eff.snd.MSS fell (path MTU): cwnd in segments stays.
void cc_mss_changed(struct conn *c, uint16_t before);

static inline const struct cc_ops *cc_of(const struct conn *c)
{
	(void)c;
	return &cc_reno; // one algorithm so far; the connection's choice goes here
}
