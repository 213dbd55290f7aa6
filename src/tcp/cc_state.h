// SPDX-License-Identifier: BSD-3-Clause
// What a congestion control remembers of one connection: 16 bytes that the first slow start,
// congestion avoidance and the time after a reduction use one after the other, and a byte that says
// which of them. Fields of struct conn; what they mean is in cc_hystart.c, cc_cubic.c and cc.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

// What the 16 bytes are.
enum cc_phase {
	CC_SLOW_START,   // the first one: hystart
	CC_CONSERVATIVE, // its conservative end, RFC 9406's CSS: hystart
	CC_REDUCED,      // since cwnd was reduced; it can still be taken back: reduced
	CC_STEADY,       // an epoch begins with the next ACK that counts: cubic, w_max alone
	CC_EPOCH,        // congestion avoidance of CUBIC: cubic
	CC_MARKED,       // since a mark was echoed, until its window is acknowledged: marked
	CC_SAMPLED,      // all there is lies in a record: sampled
};

// How CUBIC finds cwnd_prior again (RFC 9438 4.1.2), which so takes no field of its own.
enum cc_prior {
	CC_PRIOR_W_MAX,    // it is W_max
	CC_PRIOR_FAST,     // W_max after fast convergence
	CC_PRIOR_SSTHRESH, // ssthresh before beta: a timeout, after which W_max is another thing
};

// RFC 9406 4.2. Round trips in microseconds.
#define CC_RTT_NONE ((UINT32_C(1) << 28) - 1) // infinity
struct cc_hystart {
	uint32_t last_us : 28;     // lastRoundMinRTT
	uint32_t css_rounds : 4;   // of CSS_ROUNDS, how many are over; or CSS_OF_BURST
	uint32_t current_us : 28;  // currentRoundMinRTT
	uint32_t samples : 4;      // rttSampleCount; it stops at N_RTT_SAMPLE
	uint32_t baseline_us : 28; // cssBaselineMinRtt
	uint32_t late : 4;         // samples in a row that waited in a queue
	uint32_t round_end;        // windowEnd, the low 32 bits of its offset
};

// RFC 9438 4.1.2. W_cubic(t) = C (t - K)^3 + W_max asks for t - K alone, so that t_epoch and K are
// one field: the time of the turning point, where t = K.
struct cc_cubic {
	uint32_t w_max_bytes; // 0: not defined (RFC 9438 4.8 and 4.10)
	uint32_t turn_ms;     // t_epoch + K, moved on by what did not count
	uint32_t counted_ms;  // the last ACK that counted
	uint32_t w_est_bytes; // W_est
};

// RFC 9438 4.9.2: what was before the reduction. cwnd and ssthresh keeps loss.c; t_epoch and K are
// not among it: where cwnd stands on the curve of W_max gives the turning point again.
struct cc_reduced {
	uint32_t w_max_bytes; // the new one, as in struct cc_cubic
	uint32_t w_max_before_bytes;
};

// A mark is no mistake, so nothing of before is kept.
struct cc_marked {
	uint32_t w_max_bytes; // as in struct cc_cubic
	uint64_t end;         // marks up to here were answered
};

// Of a congestion control that samples (rate.h).
struct rate;
struct cc_sampled {
	struct rate *rate;
	uint64_t end; // marks up to here were answered
};

union cc_state {
	struct cc_hystart hystart;
	struct cc_cubic cubic;
	struct cc_reduced reduced;
	struct cc_marked marked;
	struct cc_sampled sampled;
};

static_assert(sizeof(union cc_state) == 16, "a connection stays small");
static_assert(offsetof(struct cc_marked, end) == offsetof(struct cc_sampled, end), "one question");
