// SPDX-License-Identifier: BSD-3-Clause
// What losses say of the path (the draft 5.5.10, 5.5.11). While BBR does not probe, a round with a
// loss brings rate and window down to what was delivered in it, though to no less than 0.7 of what
// they were. While it does, what was in flight when more than 2 % of it was lost is too much, and
// is not exceeded for long. And what is known to have been none is taken back. Called by bbr.c and
// cc_bbr.c.
#include "tcp/bbr.h"

void bbr_loss_forget_short(struct bbr *b)
{
	b->short_bytes_s = BBR_RATE_NONE;
	b->short_bytes = BBR_NONE;
}

void bbr_loss_new_cycle(struct bbr *b)
{
	b->loss_in_round = false;
	b->latest_bytes_s = 0;
	b->latest_bytes = 0;
}

// Near the start of an ACK.
void bbr_loss_round(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	const struct rate_sample *s = e->sample;
	uint32_t delivered_bytes = (uint32_t)MIN(s->delivered_bytes, (uint64_t)CWND_BYTES_MAX);

	b->latest_bytes_s = MAX(b->latest_bytes_s, s->rate_bytes_s);
	b->latest_bytes = MAX(b->latest_bytes, delivered_bytes);
	b->loss_round_start = s->has_mark && s->prior_bytes >= b->loss_round_end_bytes;
	if (b->loss_round_start)
		b->loss_round_end_bytes = e->rate->delivered_bytes;
}

// And near its end.
void bbr_loss_advance(const struct bbr_event *e)
{
	const struct rate_sample *s = e->sample;

	if (!e->bbr->loss_round_start)
		return;
	e->bbr->latest_bytes_s = s->rate_bytes_s;
	e->bbr->latest_bytes = (uint32_t)MIN(s->delivered_bytes, (uint64_t)CWND_BYTES_MAX);
}

// Once a round.
void bbr_loss_adapt(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (!b->loss_round_start)
		return;
	if (b->loss_in_round && !bbr_is_probing(b)) {
		if (b->short_bytes_s == BBR_RATE_NONE)
			b->short_bytes_s = bbr_max_bytes_s(b);
		if (b->short_bytes == BBR_NONE)
			b->short_bytes = e->c->cc.cwnd_bytes;
		b->short_bytes_s = MAX(b->latest_bytes_s, BBR_BETA(b->short_bytes_s));
		b->short_bytes = MAX(b->latest_bytes, (uint32_t)BBR_BETA((uint64_t)b->short_bytes));
	}
	b->loss_in_round = false;
}

// ---- more than the path takes

bool bbr_loss_is_too_high(const struct bbr_event *e)
{
	const struct rate_sample *s = e->sample;

	if (s->lost_bytes && !conn_is(e->c, CONN_SACK))
		return true;
	return s->has_mark && s->lost_bytes > (uint64_t)s->sent_bytes * BBR_LOSS_PCT / 100;
}

// A run of several segments may be lost: at what part of it did losses become too many?
static uint32_t in_flight_at_loss(const struct rate_sample *s)
{
	uint64_t before = s->sent_bytes - MIN(s->bytes, s->sent_bytes);
	uint64_t lost_before = s->lost_bytes - MIN(s->bytes, s->lost_bytes);
	uint64_t allowed = before * BBR_LOSS_PCT / 100;
	uint64_t prefix = (allowed - MIN(lost_before, allowed)) * 100 / (100 - BBR_LOSS_PCT);

	return (uint32_t)MIN(before + prefix, (uint64_t)CWND_BYTES_MAX);
}

// For when it turns out to be none: at the first of those that are repaired together.
static void keep(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	bbr_send_keep_window(b, e->c);
	b->kept = true;
	b->undo = false;
	b->undo_short_bytes_s = b->short_bytes_s;
	b->undo_short_bytes = b->short_bytes;
	b->undo_long_bytes = b->long_bytes;
}

void bbr_loss_note(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (!b->loss_in_round)
		b->loss_round_end_bytes = e->rate->delivered_bytes;
	b->loss_in_round = true;
	if (!b->kept)
		keep(e);
}

// Descriptors beside each other are one range.
static void count_range(struct bbr *b, const struct rate_sample *s, uint64_t offset)
{
	if (offset != b->lost_end && b->lost_ranges < UINT8_MAX)
		b->lost_ranges++;
	b->lost_end = offset + s->bytes;
}

void bbr_loss_found(const struct bbr_event *e, uint64_t offset)
{
	bbr_loss_note(e);
	count_range(e->bbr, e->sample, offset);
	if (e->bbr->probe_sample && bbr_loss_is_too_high(e))
		bbr_probe_too_high(e, in_flight_at_loss(e->sample), e->sample->app_limited);
}

// 5.5.11
void bbr_loss_was_none(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	bbr_send_restore_window(b, e->c);
	b->loss_in_round = false;
	bbr_path_reset_full(b, 0);
	b->short_bytes_s = MAX(b->short_bytes_s, b->undo_short_bytes_s);
	b->short_bytes = MAX(b->short_bytes, b->undo_short_bytes);
	b->long_bytes = MAX(b->long_bytes, b->undo_long_bytes);
	if (!b->undo)
		return;
	b->undo = false;
	if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
		b->full_reached = false;
		if (b->state != BBR_PROBE_RTT)
			bbr_enter_startup(b);
	} else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
		bbr_probe_refill(e);
	}
}
