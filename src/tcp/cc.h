// SPDX-License-Identifier: BSD-3-Clause
// How much may fly: congestion control behind one table of functions. What is lost is loss.c's.
//
//   kind      loss, mark (RFC 8511)   grows by
//   cubic     to 0.7, to 0.85         a cubic function of time, or as Reno where that is more
//   newreno   to a half, to 0.8       a segment a round trip
//   none      not at all              nothing: the window is the configuration's
//   bbr       by a model of the path  the same (bbr.h)
//
// The first two begin with the same slow start (cc_hystart.c).
#pragma once

#include "tcp/conn.h"

#define CWND_BYTES_MAX (UINT32_C(1) << 30) // the largest window TCP can offer (RFC 7323 2.3)

struct rate_sample;

struct cc_sample {
	uint64_t now_ns;
	uint64_t in_flight_bytes; // when something was lost or recovered
	uint32_t acked_bytes;     // by this ACK
	uint32_t rtt_us;          // measured by this ACK; 0: nothing was
	bool after_rto; // it was sent again, or with what was: CONN_AFTER_RTO before this ACK
	// Of who asks for samples:
	uint64_t sent_ns; // when what una moved over left; 0: that is not certain
	const struct rate_sample *rate;
};

struct cc_ops {
	const char *name;
	bool fixed; // cwnd does not depend on what happens
	// Where it samples (CONN_SAMPLED): takes a record, false when there is none; gives it back.
	bool (*begin)(struct tcp *tcp, struct conn *c);
	void (*end)(struct tcp *tcp, struct conn *c);
	void (*on_ack)(struct conn *c, const struct cc_sample *s);
	// Sets ssthresh; how cwnd gets there is loss.c's.
	void (*on_loss)(struct conn *c, const struct cc_sample *s);
	// The peer echoes a mark: cc_marked.
	void (*on_mark)(struct conn *c, const struct cc_sample *s);
	void (*on_rto)(struct conn *c, const struct cc_sample *s);
	void (*on_recovered)(struct conn *c, const struct cc_sample *s);
	void (*on_spurious)(struct conn *c); // nothing was lost; cwnd and ssthresh are back
	// Where it samples: a run of text is found lost; text leaves, nothing was in flight, and
	// the application had nothing to send.
	void (*on_segment_lost)(struct conn *c, const struct rate_sample *s, uint64_t offset);
	void (*on_restart)(struct conn *c, uint64_t now_ns);
};

extern const struct cc_ops cc_cubic;
extern const struct cc_ops cc_reno;
extern const struct cc_ops cc_none;
extern const struct cc_ops cc_bbr;

// Where a connection begins. RFC 6928: min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN
// (RFC 5681 3.1). Where its kind needs a record and none is left, it is CUBIC's.
void cc_init(struct tcp *tcp, struct conn *c);

// Another kind from now on, at any time of a connection's life. False: that needs a record, and
// none is left.
bool cc_choose(struct tcp *tcp, struct conn *c, enum prism_congestion kind);

uint32_t cc_initial_window(const struct conn *c);

// RFC 5681 4.1: after an idle RTO cwnd falls back to the restart window.
void cc_after_idle(struct conn *c);

// Eff.snd.MSS fell (path MTU): cwnd in segments stays.
void cc_mss_changed(struct conn *c, uint16_t before);

const struct cc_ops *cc_of(const struct conn *c);

// ---- for cc_*.c

// The window goes on, in congestion avoidance, and nothing else of before.
void cc_steady(const struct tcp *tcp, struct conn *c);

// A new first slow start.
void cc_slow_start_begin(struct conn *c);
// An ACK while cwnd is below ssthresh.
void cc_slow_start(struct conn *c, const struct cc_sample *s);

// cwnd is about to be reduced: W_max from now on, and what it was until it is known that there was
// a loss.
void cc_keep(struct conn *c, uint32_t w_max_bytes, enum cc_prior prior);
// What the peer echoed a mark of leaves so many bytes (RFC 3168 6.1.2): cwnd goes there at once,
// and stays until the window is acknowledged.
void cc_marked(struct conn *c, uint32_t w_max_bytes, enum cc_prior prior, uint64_t bytes);

// Marks of what lies below offset were answered.
static inline bool cc_window_was_marked(const struct conn *c, uint64_t offset)
{
	return c->cc_phase >= CC_MARKED && offset <= c->cc_state.marked.end;
}

// An ACK does not change cwnd. RFC 3168 R13.
static inline bool cc_is_held(struct conn *c)
{
	if (LIKELY(c->cc_phase != CC_MARKED))
		return false;
	if (cc_window_was_marked(c, c->snd.una))
		return true;
	c->cc_phase = CC_STEADY; // W_max is where it was
	return false;
}

// There was none (RFC 9438 4.9).
void cc_taken_back(struct conn *c);

// W_max; 0: not defined.
static inline uint32_t cc_w_max_bytes(const struct conn *c)
{
	return c->cc_phase > CC_CONSERVATIVE ? c->cc_state.cubic.w_max_bytes : 0;
}

// RFC 5681 3.1, equation 4: never below two segments.
static inline uint32_t cc_ssthresh_bytes(const struct conn *c, uint64_t bytes)
{
	return (uint32_t)MIN(MAX(bytes, UINT64_C(2) * c->mss_bytes), (uint64_t)CWND_BYTES_MAX);
}

static inline void cc_grow(struct conn *c, uint32_t bytes)
{
	c->cc.cwnd_bytes = MIN(c->cc.cwnd_bytes + bytes, CWND_BYTES_MAX);
}

// RFC 9937 6.2: PRR has brought the flight there. RFC 9937 R11.
static inline void cc_recovered(struct conn *c, const struct cc_sample *s)
{
	(void)s;
	c->cc.cwnd_bytes = c->ssthresh_bytes;
}
