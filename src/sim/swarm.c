// SPDX-License-Identifier: BSD-3-Clause
// A swarm (Groce et al., Swarm Testing, 2012): each seed draws which kinds of faults, which events
// and which calls of the API are in at all, since a run with everything on never meets what only
// shows when something is off. Called by sim/batch.c for a file with swarm: true.
#include "base/time.h"
#include "sim/plan.h"

static bool coin(struct rng *rng)
{
	return rng_next(rng) >> 63;
}

// One coin a kind, for all links alike.
static void draw_faults(struct rng *rng, struct plan *plan)
{
	struct pair_faults in = {.rate_bits_s = coin(rng),
				 .jitter_ns = coin(rng),
				 .mark_bytes = coin(rng),
				 .mangle_ppm = coin(rng),
				 .loss_ppm = coin(rng),
				 .burst_ppm = coin(rng),
				 .duplicate_ppm = coin(rng),
				 .reorder_ppm = coin(rng),
				 .corrupt_ppm = coin(rng),
				 .refuse_ppm = coin(rng)};

	for (uint32_t i = 0; i < plan->link_count; i++) {
		for (int way = 0; way < 2; way++) {
			struct pair_faults *f = &plan->link[i].faults[way];

			f->rate_bits_s *= in.rate_bits_s;
			f->jitter_ns *= in.jitter_ns;
			f->mark_bytes *= in.mark_bytes;
			f->mangle_ppm *= in.mangle_ppm;
			f->loss_ppm *= in.loss_ppm;
			f->burst_ppm *= in.burst_ppm;
			f->duplicate_ppm *= in.duplicate_ppm;
			f->reorder_ppm *= in.reorder_ppm;
			f->corrupt_ppm *= in.corrupt_ppm;
			f->refuse_ppm *= in.refuse_ppm;
		}
	}
}

static void draw_events(struct rng *rng, struct plan *plan)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->event_count; i++)
		if (coin(rng))
			plan->event[kept++] = plan->event[i];
	plan->event_count = kept;
}

// Calls that send: some of them, and each side draws one of those. What echoes goes on echoing.
static void draw_calls(struct rng *rng, struct plan *plan)
{
	uint32_t calls[SEND_ECHO], count = 0;

	for (uint32_t call = 0; call < SEND_ECHO; call++)
		if (coin(rng))
			calls[count++] = call;
	if (count == 0)
		calls[count++] = (uint32_t)rng_below(rng, SEND_ECHO);
	for (uint32_t i = 0; i < plan->app_count; i++)
		for (int s = 0; s < 2; s++)
			if (plan->app[i].side[s].call != SEND_ECHO)
				plan->app[i].side[s].call = calls[rng_below(rng, count)];
}

// Holding buffers, pausing, breaking off, opening from both sides.
static void draw_habits(struct rng *rng, struct plan *plan)
{
	bool holds = coin(rng), pauses = coin(rng), aborts = coin(rng), both = coin(rng);

	for (uint32_t i = 0; i < plan->app_count; i++) {
		struct plan_app *app = &plan->app[i];

		app->simultaneous &= both;
		for (int s = 0; s < 2; s++) {
			app->side[s].hold_ns *= holds;
			app->side[s].pause_ns *= pauses;
			if (app->side[s].close == CLOSE_ABORT && !aborts)
				app->side[s].close = CLOSE_WHEN_SENT;
		}
	}
}

void plan_swarm(struct plan *plan, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, ~seed);
	draw_faults(&rng, plan);
	draw_events(&rng, plan);
	draw_calls(&rng, plan);
	draw_habits(&rng, plan);
	plan->stall_ppm *= coin(&rng);
	plan->fail_ppm *= coin(&rng);
	plan->move_ppm *= coin(&rng);
	plan->options.keepalive_ns *= coin(&rng);
	plan->options.sack_off &= coin(&rng);
	plan->options.pacing &= coin(&rng);
	plan->swarm = false;
}
