// SPDX-License-Identifier: BSD-3-Clause
// Drawing a plan from a seed, as a swarm: each kind of trouble is in or out by its own coin (Groce
// et al., Swarm Testing, 2012), and its size is drawn by magnitude. Called by sim/batch.c when no
// file says what to simulate: by `prism sim` and by the suite.
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "sim/plan.h"

// Of frames lost one way that leave a run mild: half of plan.c's bound.
#define MILD_LOSS_PPM 28000

static uint64_t log_uniform(struct rng *rng, uint64_t low, uint64_t high)
{
	uint32_t octaves = 0;

	while (low << (octaves + 1) <= high)
		octaves++;
	uint64_t base = low << rng_below(rng, octaves + 1);

	return MIN(high, base + rng_below(rng, base));
}

static bool coin(struct rng *rng)
{
	return rng_next(rng) >> 63;
}

static uint32_t maybe_ppm(struct rng *rng, uint32_t high_ppm)
{
	return coin(rng) ? (uint32_t)log_uniform(rng, 100, high_ppm) : 0;
}

static void draw_faults(struct rng *rng, struct pair_faults *faults, uint32_t loss_ppm_max)
{
	*faults =
		(struct pair_faults){.delay_ns = log_uniform(rng, 10 * NS_PER_US, 100 * NS_PER_MS)};
	if (coin(rng)) {
		faults->rate_bits_s = log_uniform(rng, 2000000, 20000000000);
		faults->queue_bytes = (uint32_t)log_uniform(rng, 20000, 2000000);
	}
	if (coin(rng))
		faults->jitter_ns = rng_below(rng, faults->delay_ns);
	faults->loss_ppm = maybe_ppm(rng, loss_ppm_max);
	faults->duplicate_ppm = maybe_ppm(rng, 200000);
	faults->reorder_ppm = maybe_ppm(rng, 200000);
	faults->reorder_ns = rng_below(rng, 3 * faults->delay_ns);
	faults->corrupt_ppm = maybe_ppm(rng, loss_ppm_max);
	faults->refuse_ppm = maybe_ppm(rng, 300000);
	if (rng_below(rng, 4) == 0) {
		faults->burst_ppm = (uint32_t)log_uniform(rng, 100, loss_ppm_max / 10);
		faults->burst_end_ppm = (uint32_t)log_uniform(rng, 50000, 500000);
		faults->burst_loss_ppm = (uint32_t)log_uniform(rng, 100000, 900000);
	}
}

static uint16_t draw_mtu(struct rng *rng)
{
	static const uint16_t common_bytes[] = {296, 576, 1280, 1500, 1500, 1500, 9000};

	if (coin(rng))
		return common_bytes[rng_below(rng, ARRAY_COUNT(common_bytes))];
	return (uint16_t)(296 + rng_below(rng, 9000 - 296));
}

static void draw_congestion(struct rng *rng, struct prism_options *o)
{
	o->congestion = (enum prism_congestion)(rng_below(rng, 5) % 4); // cubic twice as often
	o->fixed_window_bytes = (uint32_t)log_uniform(rng, 4096, 1 << 20);
	o->sack_off = rng_below(rng, 4) == 0;
	o->pacing = rng_below(rng, 3) == 0;
}

static void draw_options(struct rng *rng, struct prism_options *o)
{
	draw_congestion(rng, o);
	o->send_bytes_max = (uint32_t)log_uniform(rng, PRISM_SEND_BYTES_MIN, 4 << 20);
	o->receive_bytes_max = (uint32_t)log_uniform(rng, 32768, 2 << 20);
	if (coin(rng))
		o->keepalive_ns = log_uniform(rng, NS_PER_S, 20 * NS_PER_S);
	if (coin(rng))
		o->delayed_ack_ns = log_uniform(rng, NS_PER_MS, 400 * NS_PER_MS);
	if (coin(rng))
		o->rto_ns_min = log_uniform(rng, 20 * NS_PER_MS, NS_PER_S);
	if (coin(rng))
		o->segment_bytes_max = (uint32_t)(88 + rng_below(rng, 1400));
}

static void draw_side(struct rng *rng, struct plan_side *side, uint64_t bytes_max)
{
	side->send_bytes =
		coin(rng) ? rng_below(rng, bytes_max) : rng_below(rng, MIN(bytes_max, 3000u));
	side->chunk_bytes = (uint32_t)log_uniform(rng, 1 + bytes_max / 500, 60000);
	side->call = (uint32_t)rng_below(rng, SEND_ECHO);
	side->close = (uint32_t)rng_below(rng, CLOSE_ABORT);
	if (rng_below(rng, 4) == 0)
		side->hold_ns = log_uniform(rng, NS_PER_MS, 2 * NS_PER_S);
	if (rng_below(rng, 8) == 0)
		side->pause_ns = log_uniform(rng, NS_PER_MS, 40 * NS_PER_S);
}

// Congestion marks: who asks for them and agrees, a router that makes them, and one that writes
// into the field what it likes.
static void draw_marks(struct rng *rng, struct plan *plan)
{
	for (int end = 0; end < 2; end++) {
		struct pair_faults *faults = &plan->link[0].faults[end];

		plan->host[end].ecn = rng_below(rng, 4) ? PRISM_ECN_ON : 2 * coin(rng);
		if (faults->rate_bits_s && coin(rng))
			faults->mark_bytes = (uint32_t)log_uniform(rng, 1, faults->queue_bytes);
		if (rng_below(rng, 4) == 0)
			faults->mangle_ppm = maybe_ppm(rng, 1000000);
	}
}

static void draw_app(struct rng *rng, struct plan_app *app, uint64_t bytes_max)
{
	struct plan_side *side = app->side;

	app->from = coin(rng);
	app->to = !app->from;
	draw_side(rng, &side[0], bytes_max);
	draw_side(rng, &side[1], bytes_max);
	switch (rng_below(rng, 6)) {
	case 0: // one way
		side[rng_below(rng, 2)].send_bytes = 0;
		break;
	case 1:
		app->type = APP_REQUEST;
		app->rounds = (uint32_t)(1 + rng_below(rng, 10));
		app->request_bytes = (uint32_t)(1 + rng_below(rng, 1000));
		app->response_bytes = (uint32_t)(1 + rng_below(rng, 20000));
		side[0].close = CLOSE_WHEN_DONE;
		break;
	case 2:
		side[1].call = SEND_ECHO;
		break;
	case 3:
		side[0].close = CLOSE_ABORT;
		side[0].abort_bytes = rng_below(rng, side[0].send_bytes + side[1].send_bytes + 1);
		break;
	case 4:
		app->simultaneous = true;
		break;
	default: // both ways at once
		break;
	}
	if (side[0].close == CLOSE_ON_EOF && side[1].close == CLOSE_ON_EOF)
		side[rng_below(rng, 2)].close = CLOSE_WHEN_SENT;
}

static void draw_apps(struct rng *rng, struct plan *plan)
{
	bool many = rng_below(rng, 5) == 0, ip6 = plan->mtu_bytes >= 1280 && coin(rng);
	uint64_t bytes_max = many ? 2000 : log_uniform(rng, 1000, 400000);
	uint64_t spread_ns = coin(rng) ? log_uniform(rng, NS_PER_MS, 10 * NS_PER_S) : 0;
	uint32_t count =
		(uint32_t)(many ? 20 + rng_below(rng, 100)
				: log_uniform(rng, 1, MAX(UINT64_C(1), 1600000 / bytes_max)));

	plan->app_count = MIN(count, 24u + many * 100u);
	for (uint32_t i = 0; i < plan->app_count; i++) {
		struct plan_app *app = &plan->app[i];

		plan_app_init(app, APP_BULK);
		app->start_ns = rng_below(rng, spread_ns);
		app->family = ip6 && i % 2 ? FAMILY_IP6 : FAMILY_IP4;
		draw_app(rng, app, bytes_max);
	}
}

// A quarter of the worlds have several workers a host; in half of them connections move.
static void draw_workers(struct rng *rng, struct plan *plan)
{
	if (rng_below(rng, 4) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		plan->host[i].workers = 1 + (uint32_t)rng_below(rng, WORLD_WORKERS_MAX);
		plan->host[i].few_queues = coin(rng);
	}
	plan->move_ppm = maybe_ppm(rng, 300000);
}

// An outage, a break in one direction, a smaller MTU or a time of loss, and its end.
static void draw_events(struct rng *rng, struct plan *plan)
{
	uint32_t count = rng_below(rng, 3) == 0 ? 1 + (uint32_t)rng_below(rng, 3) : 0;

	for (uint32_t i = 0; i < count; i++) {
		struct plan_event *e = &plan->event[plan->event_count++];

		*e = (struct plan_event){.at_ns = rng_below(rng, plan->heal_ns),
					 .deed = (uint32_t)rng_below(rng, DEEDS),
					 .from = (uint32_t)rng_below(rng, 2),
					 .hosts = 1u << rng_below(rng, 2)};
		e->until_ns = e->at_ns + log_uniform(rng, NS_PER_MS, 20 * NS_PER_S);
		e->mtu_bytes = (uint16_t)(1280 + rng_below(rng, 220));
		e->loss_ppm = (uint32_t)log_uniform(rng, 1000, 500000);
		if (e->deed == DO_MTU && plan->mtu_bytes <= 1280)
			e->deed = DO_DOWN;
	}
}

static void draw_hardship(struct rng *rng, struct plan *plan)
{
	if (rng_below(rng, 4) == 0)
		plan->stall_ppm = (uint32_t)log_uniform(rng, 1000, 100000);
	if (rng_below(rng, 6) == 0)
		plan->fail_ppm = (uint32_t)log_uniform(rng, 1000, 400000);
	if (rng_below(rng, 8) == 0)
		plan->buffers = (uint32_t)log_uniform(rng, 64, 512);
	if (rng_below(rng, 8) == 0)
		plan->room_bytes = (uint16_t)(256 + rng_below(rng, 2000));
}

void plan_draw(struct plan *plan, uint64_t seed)
{
	struct rng rng;
	uint32_t loss_ppm_max;

	plan_init(plan);
	rng_seed(&rng, seed);
	plan->mtu_bytes = draw_mtu(&rng);
	loss_ppm_max = rng_below(&rng, 4) == 0 ? 300000 : MILD_LOSS_PPM;
	draw_faults(&rng, &plan->link[0].faults[0], loss_ppm_max);
	if (coin(&rng))
		draw_faults(&rng, &plan->link[0].faults[1], loss_ppm_max);
	else
		plan->link[0].faults[1] = plan->link[0].faults[0];
	draw_options(&rng, &plan->options);
	plan->heal_ns = log_uniform(&rng, 100 * NS_PER_MS, 20 * NS_PER_S);
	draw_hardship(&rng, plan);
	draw_workers(&rng, plan);
	draw_marks(&rng, plan);
	draw_events(&rng, plan);
	draw_apps(&rng, plan);
}
