// SPDX-License-Identifier: BSD-3-Clause
// What every congestion control shares: which one a connection has, where cwnd starts, what idling
// does to it, what a reduction changes until it is taken back (RFC 6928, RFC 5681 3.1 and 4.1, RFC
// 9438 4.9). Called by open.c when a connection is established, by output.c and request.c; the
// algorithms are in cc_*.c. Not here: what is lost, which is loss.c's question.
#include "tcp/cc.h"

#include "tcp/bbr.h"
#include "tcp/rtt.h"
#include "tcp/trouble.h"

#define INITIAL_SEGS 10
#define INITIAL_BYTES 14600u

static const struct cc_ops *const kinds[] = {
	[PRISM_CONGESTION_CUBIC] = &cc_cubic,
	[PRISM_CONGESTION_NEWRENO] = &cc_reno,
	[PRISM_CONGESTION_NONE] = &cc_none,
	[PRISM_CONGESTION_BBR] = &cc_bbr,
};

const struct cc_ops *cc_of(const struct conn *c)
{
	DCHECK(c->cc_kind < ARRAY_COUNT(kinds));
	return kinds[c->cc_kind];
}

uint32_t cc_initial_window(const struct conn *c)
{
	uint32_t mss = c->mss_bytes;

	return MIN(INITIAL_SEGS * mss, MAX(2 * mss, INITIAL_BYTES));
}

void cc_init(struct tcp *tcp, struct conn *c)
{
	// A fast open began before its handshake was over, and begins anew now that the peer is
	// known.
	if (UNLIKELY(conn_is(c, CONN_SAMPLED)))
		cc_of(c)->end(tcp, c);
	c->cc.acked = 0;
	c->min_rtt_ticks = RTT_MIN_NONE;
	if (UNLIKELY(cc_of(c)->fixed)) {
		c->cc.cwnd_bytes = MAX(tcp->config.fixed_window_bytes, (uint32_t)c->mss_bytes);
		c->ssthresh_bytes = c->cc.cwnd_bytes;
		return;
	}
	c->cc.cwnd_bytes = conn_is(c, CONN_SYN_RETRANSMITTED) ? c->mss_bytes : cc_initial_window(c);
	c->ssthresh_bytes = UINT32_MAX; // RFC 5681 3.1: arbitrarily high
	if (UNLIKELY(cc_of(c)->begin)) {
		if (cc_of(c)->begin(tcp, c))
			return;
		c->cc_kind = PRISM_CONGESTION_CUBIC;
	}
	cc_slow_start_begin(c);
}

// What CUBIC knew ends: an epoch begins anew, from cwnd as it is then.
static void end_epoch(struct conn *c, uint32_t w_max_bytes)
{
	c->cc.acked = 0; // it counted for the window that was
	if (c->cc_phase <= CC_CONSERVATIVE)
		return;
	c->cc_phase = CC_STEADY;
	c->cc_state.cubic.w_max_bytes = w_max_bytes;
}

// What was lost before is not given back, and a recovery ends where this begins.
COLD void cc_steady(const struct tcp *tcp, struct conn *c)
{
	c->cc_phase = CC_STEADY;
	c->cc_prior = CC_PRIOR_W_MAX;
	c->cc_state.cubic = (struct cc_cubic){0};
	c->cc.acked = 0;
	c->ssthresh_bytes = c->cc.cwnd_bytes;
	if (conn_is(c, CONN_TROUBLE))
		trouble_of(tcp, c)->undo.una = 0;
}

// From a fixed window or to it, it begins anew.
static COLD void change(struct tcp *tcp, struct conn *c, enum prism_congestion kind)
{
	bool begins_anew = cc_of(c)->fixed || kinds[kind]->fixed;

	if (conn_is(c, CONN_SAMPLED))
		cc_of(c)->end(tcp, c);
	c->cc_kind = kind;
	if (begins_anew)
		cc_init(tcp, c);
	else if (cc_of(c)->begin)
		cc_of(c)->begin(tcp, c);
	else
		end_epoch(c, 0);
	c->cc.acked = 0;
	if (!conn_is(c, CONN_TROUBLE))
		return;
	if (conn_is(c, CONN_SAMPLED))
		trouble_of(tcp, c)->undo.una = 0;
	else if (begins_anew)
		cc_steady(tcp, c);
}

COLD bool cc_choose(struct tcp *tcp, struct conn *c, enum prism_congestion kind)
{
	if (c->cc_kind == kind)
		return true;
	if (!conn_in(c, STATES_SYNCHRONIZED)) { // cc_init will, and may have for a fast open
		if (conn_is(c, CONN_SAMPLED))
			cc_of(c)->end(tcp, c);
		c->cc_kind = kind;
		return true;
	}
	if (kinds[kind]->begin && !bbr_has_record(tcp))
		return false;
	change(tcp, c, kind);
	return true;
}

// cwnd follows from the configuration, or from a model.
static bool goes_its_own_way(const struct conn *c)
{
	return cc_of(c)->fixed || conn_is(c, CONN_SAMPLED);
}

void cc_after_idle(struct conn *c)
{
	uint32_t restart_bytes = cc_initial_window(c);

	if (c->cc.cwnd_bytes <= restart_bytes || goes_its_own_way(c))
		return;
	c->cc.cwnd_bytes = restart_bytes;
	end_epoch(c, cc_w_max_bytes(c));
}

void cc_mss_changed(struct conn *c, uint16_t before)
{
	uint64_t segs = c->cc.cwnd_bytes / before;

	if (goes_its_own_way(c))
		return;
	c->cc.cwnd_bytes = (uint32_t)MAX(segs * c->mss_bytes, (uint64_t)c->mss_bytes);
	end_epoch(c, cc_w_max_bytes(c) / before * c->mss_bytes); // W_max is so many segments too
}

// RFC 9406 R8
COLD void cc_keep(struct conn *c, uint32_t w_max_bytes, enum cc_prior prior)
{
	c->cc_state.reduced = (struct cc_reduced){
		.w_max_bytes = w_max_bytes,
		.w_max_before_bytes = cc_w_max_bytes(c),
	};
	c->cc_phase = CC_REDUCED;
	c->cc_prior = prior;
	c->cc.acked = 0;
}

// RFC 8511 R1, R3; RFC 3168 R12, R14
COLD void cc_marked(struct conn *c, uint32_t w_max_bytes, enum cc_prior prior, uint64_t bytes)
{
	uint64_t cwnd_bytes = MAX(bytes, (uint64_t)c->mss_bytes);

	c->cc_state.marked = (struct cc_marked){
		.w_max_bytes = w_max_bytes,
		.end = c->snd.nxt,
	};
	c->cc_phase = CC_MARKED;
	c->cc_prior = prior;
	c->cc.acked = 0;
	c->ssthresh_bytes = cc_ssthresh_bytes(c, bytes);
	c->cc.cwnd_bytes = (uint32_t)MIN(cwnd_bytes, (uint64_t)c->cc.cwnd_bytes);
}

// RFC 9438 R12
COLD void cc_taken_back(struct conn *c)
{
	uint32_t w_max_bytes = cc_w_max_bytes(c);

	if (c->cc_phase == CC_REDUCED)
		w_max_bytes = c->cc_state.reduced.w_max_before_bytes;
	c->cc_prior = CC_PRIOR_W_MAX;
	end_epoch(c, w_max_bytes);
	if (c->ssthresh_bytes == UINT32_MAX)
		cc_slow_start_begin(c);
}
