// SPDX-License-Identifier: BSD-3-Clause
// BBR: an ACK, step by step, and how a connection begins: Startup doubles the rate each round until
// no more is delivered for it, or too much is lost; Drain lets the queue go that this made (the
// draft 5.2, 5.3.1, 5.3.2). Called by cc_bbr.c; calls the model's other files (bbr.h).
#include "tcp/bbr.h"

#include "tcp/loss.h"

// 5.3.1.3: of a round, before Startup ends for losses.
#define LOST_RANGES 6
#define DRAIN_ROUNDS 3

// 5.2.1
void bbr_begin(struct bbr_record *record, const struct conn *c, uint64_t now_ns, uint32_t dice)
{
	struct bbr *b = &record->bbr;

	*b = (struct bbr){.dice = dice | 1, .long_bytes = BBR_NONE, .up_step_bytes = BBR_NONE};
	bbr_path_begin(b, now_ns);
	bbr_loss_forget_short(b);
	bbr_enter_startup(b);
	bbr_send_begin(record, c);
}

void bbr_enter_startup(struct bbr *b)
{
	b->state = BBR_STARTUP;
}

static void enter_drain(struct bbr *b)
{
	b->state = BBR_DRAIN;
	b->drain_round = b->rounds;
}

// What was delivered in a round is safe, and what fills the path.
void bbr_leave_startup(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	uint32_t bdp_bytes = bbr_send_bdp(b, e->c, b->bytes_s, 100);

	b->undo_state = BBR_STARTUP;
	b->undo = true;
	b->full_reached = b->full_now = true;
	b->long_bytes = MAX(bdp_bytes, b->latest_bytes);
}

// 5.3.1.3. A peer without blocks tells of one loss a round trip: that is enough.
static bool startup_loses(const struct bbr_event *e)
{
	const struct bbr *b = e->bbr;

	if (!conn_is(e->c, CONN_RECOVERY))
		return false;
	if (!conn_is(e->c, CONN_SACK))
		return true;
	return b->loss_round_start && b->lost_ranges >= LOST_RANGES && bbr_loss_is_too_high(e);
}

static void startup_may_be_done(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->state == BBR_STARTUP && !b->full_reached && startup_loses(e))
		bbr_leave_startup(e);
	if (b->loss_round_start)
		b->lost_ranges = 0;
	if (b->state == BBR_STARTUP && b->full_reached)
		enter_drain(b);
}

static void drain_may_be_done(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;

	if (b->state == BBR_DRAIN &&
	    (e->sample->in_flight_bytes <= bbr_send_in_flight(b, e->c, b->bytes_s, 100) ||
	     b->rounds > b->drain_round + DRAIN_ROUNDS))
		bbr_probe_down(e);
}

// 5.2.3. The window of before comes back with the end of what was lost (5.6.4.4).
void bbr_update(const struct bbr_event *e)
{
	struct bbr *b = e->bbr;
	bool repairing = conn_is(e->c, CONN_RECOVERY | CONN_AFTER_RTO);

	if (b->repairing && !repairing)
		bbr_send_restore_window(b, e->c);
	b->repairing = repairing;
	b->kept &= repairing;
	bbr_loss_round(e);
	bbr_path_measure(e);
	bbr_loss_adapt(e);
	bbr_path_aggregation(e);
	bbr_path_check_full(e);
	startup_may_be_done(e);
	drain_may_be_done(e);
	bbr_probe_step(e);
	bbr_path_round_trip(e);
	bbr_path_check_probe_rtt(e);
	bbr_loss_advance(e);
	b->bytes_s = MIN(bbr_max_bytes_s(b), b->short_bytes_s); // 5.5.10.3, BoundBWForModel
	bbr_send_update(e);
}
