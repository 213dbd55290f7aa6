// SPDX-License-Identifier: BSD-3-Clause
// BBR, version 3, as draft-ietf-ccwg-bbr-06 has it (in these files: the draft): a model of the path
// made of what is delivered, and a rate and a window made of the model.
//
//	cc_bbr.c     the table of functions, records, what happens beside ACKs
//	bbr.c        an ACK, step by step; Startup and Drain
//	bbr_path.c   the model: rounds, bandwidth, aggregation, round trips with ProbeRTT
//	bbr_loss.c   what losses say of the path, and that they were none
//	bbr_probe.c  ProbeBW: down, cruise, refill, up
//	bbr_send.c   what follows from the model: rate and window
//
// Volumes are bytes in 32 bits, for a window is 1 GiB at most; BBR_NONE is the draft's Infinity.
#pragma once

#include "tcp/rate.h"

enum bbr_state {
	BBR_STARTUP,
	BBR_DRAIN,
	BBR_DOWN, // from here to up: the draft's ProbeBW
	BBR_CRUISE,
	BBR_REFILL,
	BBR_UP,
	BBR_PROBE_RTT,
};

// What ACKs tell of with respect to probing, a round trip after it.
enum bbr_acks {
	BBR_ACKS_INIT,
	BBR_ACKS_REFILLING,
	BBR_ACKS_STARTING,
	BBR_ACKS_FEEDBACK,
	BBR_ACKS_STOPPING,
};

#define BBR_NONE UINT32_MAX      // of bytes and of microseconds
#define BBR_RATE_NONE UINT64_MAX // of bytes a second

#define BBR_LOSS_PCT 2 // LossThresh
#define BBR_BETA(x) ((x)*7 / 10)
#define BBR_HEADROOM_PCT 15
#define BBR_PIPE_SEGS 4 // MinPipeCwnd

struct bbr {
	// Rounds (the draft 5.5.1), in bytes delivered.
	uint64_t round_end_bytes;
	uint64_t loss_round_end_bytes;
	uint64_t lost_end; // one past what was found lost last, in the stream
	uint32_t rounds;
	uint32_t drain_round; // in which Drain began

	// How fast (5.5.2); whether more comes of more (5.3.1.2).
	uint64_t cycle_bytes_s[2]; // the most delivered in this cycle and in the last
	uint64_t short_bytes_s;    // bw_shortterm
	uint64_t latest_bytes_s;   // bw_latest
	uint64_t bytes_s;          // bw
	uint64_t full_bytes_s;     // full_bw

	// How long (5.3.4).
	uint32_t min_rtt_us, probe_rtt_min_us;
	uint64_t min_rtt_ns, probe_rtt_min_ns; // when
	uint64_t probe_rtt_done_ns;            // 0: what is in flight has not fallen yet

	// How much.
	uint32_t long_bytes;   // inflight_longterm
	uint32_t short_bytes;  // inflight_shortterm
	uint32_t latest_bytes; // inflight_latest
	uint32_t prior_cwnd_bytes;

	// More delivered than expected (5.5.9).
	uint64_t extra_since_ns;
	uint64_t extra_delivered_bytes;
	uint32_t extra_bytes[2]; // of these rounds, and of those before
	uint32_t extra_round;    // when these began

	// Probing for more (5.3.3).
	uint32_t rounds_since_probe;
	uint64_t cycle_ns;                      // when the cycle began
	uint64_t probe_wait_ns;                 // how long it is at most
	uint32_t up_acked_bytes, up_step_bytes; // of what is acknowledged, a segment more for each
	uint32_t dice;                          // xorshift

	// Of before a loss, which may have been none (5.5.11).
	uint32_t undo_short_bytes, undo_long_bytes;
	uint64_t undo_short_bytes_s;

	uint8_t state;        // enum bbr_state
	uint8_t acks;         // enum bbr_acks
	uint8_t undo_state;   // BBR_STARTUP or BBR_UP, with undo
	uint8_t lost_ranges;  // of a loss round, that do not touch
	uint8_t full_count;   // rounds without much more
	uint8_t up_rounds;    // of doubling
	bool cwnd_limited[2]; // in this round, and in the last
	bool round_start, loss_round_start, loss_in_round;
	bool full_now, full_reached;
	bool has_rtt; // the rate knows of a round trip that was measured
	bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
	bool probe_sample; // ACKs are of what probed
	bool probe_was_too_high, probe_was_careful;
	bool undo;
	bool kept;      // for a loss that is not repaired yet
	bool repairing; // in recovery or after a timeout, at the last ACK
};

// What the worker has for one connection; rate first, so that it is found by it.
struct bbr_record {
	struct rate rate;
	struct bbr bbr;
	uint32_t next; // free ones
};

// max_bw
static inline uint64_t bbr_max_bytes_s(const struct bbr *b)
{
	return MAX(b->cycle_bytes_s[0], b->cycle_bytes_s[1]);
}

// An ACK, or a loss, and what it is about.
struct bbr_event {
	struct conn *c;
	struct rate *rate;
	struct bbr *bbr;
	const struct rate_sample *sample;
	uint64_t now_ns;
};

static inline struct bbr_record *bbr_record_of(const struct conn *c)
{
	DCHECK(conn_is(c, CONN_SAMPLED));
	return CONTAINER_OF(c->cc_state.sampled.rate, struct bbr_record, rate);
}

static inline bool bbr_is_probe_bw(const struct bbr *b)
{
	return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

// It sends faster, or fills up to do so.
static inline bool bbr_is_probing(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}

// What goes along to another worker.
struct bbr_copy {
	struct bbr bbr;
	uint64_t delivered_bytes, lost_bytes, limited_bytes, min_rtt_ns, pacing_bytes_s;
	uint64_t marked_end;
};

// cc_bbr.c: how many records a worker has; whether one is left; around a move, as trouble.h's.
uint32_t bbr_records(const struct tcp_config *config);
bool bbr_has_record(const struct tcp *tcp);
void bbr_leave(struct tcp *tcp, struct conn *c, struct bbr_copy *copy);
void bbr_join(struct tcp *tcp, struct conn *c, const struct bbr_copy *copy);

// bbr.c
void bbr_begin(struct bbr_record *record, const struct conn *c, uint64_t now_ns, uint32_t dice);
void bbr_update(const struct bbr_event *e);
void bbr_enter_startup(struct bbr *b);
void bbr_leave_startup(const struct bbr_event *e);

// bbr_path.c
void bbr_path_begin(struct bbr *b, uint64_t now_ns);
void bbr_path_start_round(const struct bbr_event *e);
void bbr_path_reset_full(struct bbr *b, uint64_t bytes_s);
void bbr_path_check_full(const struct bbr_event *e);
void bbr_path_measure(const struct bbr_event *e);
void bbr_path_aggregation(const struct bbr_event *e);
void bbr_path_next_cycle(struct bbr *b);
void bbr_path_round_trip(const struct bbr_event *e);
void bbr_path_check_probe_rtt(const struct bbr_event *e);
void bbr_path_probe_rtt_may_end(const struct bbr_event *e);

// bbr_loss.c
void bbr_loss_forget_short(struct bbr *b);
void bbr_loss_new_cycle(struct bbr *b);
void bbr_loss_round(const struct bbr_event *e);
void bbr_loss_adapt(const struct bbr_event *e);
void bbr_loss_advance(const struct bbr_event *e);
bool bbr_loss_is_too_high(const struct bbr_event *e);
void bbr_loss_note(const struct bbr_event *e);
void bbr_loss_found(const struct bbr_event *e, uint64_t offset);
void bbr_loss_was_none(const struct bbr_event *e);

// bbr_probe.c
void bbr_probe_down(const struct bbr_event *e);
void bbr_probe_cruise(struct bbr *b);
void bbr_probe_refill(const struct bbr_event *e);
void bbr_probe_step(const struct bbr_event *e);
void bbr_probe_too_high(const struct bbr_event *e, uint32_t in_flight_bytes, bool app_limited);

// bbr_send.c
void bbr_send_begin(struct bbr_record *record, const struct conn *c);
void bbr_send_set_rate(const struct bbr_event *e, uint32_t gain_pct);
void bbr_send_update(const struct bbr_event *e);
uint32_t bbr_send_bdp(const struct bbr *b, const struct conn *c, uint64_t bytes_s,
		      uint32_t gain_pct);
uint32_t bbr_send_in_flight(const struct bbr *b, const struct conn *c, uint64_t bytes_s,
			    uint32_t gain_pct);
uint32_t bbr_send_with_headroom(const struct bbr *b, const struct conn *c);
uint32_t bbr_send_probe_rtt_window(const struct bbr *b, const struct conn *c);
void bbr_send_keep_window(struct bbr *b, const struct conn *c);
void bbr_send_restore_window(const struct bbr *b, struct conn *c);
