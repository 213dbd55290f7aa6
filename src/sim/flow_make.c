// SPDX-License-Identifier: BSD-3-Clause
// From the applications of a plan to connections, one by one: what each type of application sends,
// when it begins, and what is left to chance, from the seed. Called by sim/run.c before the first
// step; what happens then is flow.c's and flow_act.c's.
#include <stdlib.h>

#include "base/assert.h"
#include "base/time.h"
#include "sim/flow.h"

#define FIRST_SIMULTANEOUS_PORT 10000u

// Taking turns: whole rounds, and who opened ends it.
static void plan_turns(struct flow *flow, const struct plan_app *app, uint32_t rounds)
{
	for (int s = 0; s < 2; s++) {
		flow->side[s].request_bytes = app->request_bytes;
		flow->side[s].response_bytes = app->response_bytes;
	}
	flow->side[0].plan.send_bytes = (uint64_t)rounds * app->request_bytes;
	flow->side[1].plan.send_bytes = (uint64_t)rounds * app->response_bytes;
}

static void plan_type(struct flow *flow, const struct plan_app *app)
{
	switch (app->type) {
	case APP_REQUEST:
		plan_turns(flow, app, app->rounds);
		break;
	case APP_SHORT:
		plan_turns(flow, app, 1);
		break;
	case APP_IDLE: // a byte, silence, a byte
		flow->side[0].plan.send_bytes = 2;
		flow->side[0].plan.chunk_bytes = 1;
		flow->side[0].plan.pause_ns = app->idle_ns;
		break;
	default:
		break;
	}
	if (flow->side[1].plan.call == SEND_ECHO) {
		flow->side[1].plan.send_bytes = flow->side[0].plan.send_bytes;
		flow->key[1] = flow->key[0];
	}
}

static void make(struct flows *flows, const struct plan *plan, uint32_t app_index, uint32_t nth)
{
	const struct plan_app *app = &plan->app[app_index];
	struct flow *flow = &flows->flow[flows->count];

	flow->index = flows->count++;
	flow->app = app_index;
	flow->start_ns = flows->world->now_ns + app->start_ns + nth * app->every_ns +
			 rng_below(&flows->rng, app->spread_ns);
	flow->ip6 = app->family == FAMILY_IP6 || (app->family == FAMILY_BOTH && nth % 2);
	flow->simultaneous = app->simultaneous;
	for (uint32_t s = 0; s < 2; s++) {
		flow->side[s].plan = app->side[s];
		flow->side[s].host = (int)(s == 0 ? app->from : app->to);
		flow->key[s] = rng_below(&flows->rng, 1 << 20);
		if (app->simultaneous)
			flow->port[s] = (uint16_t)(FIRST_SIMULTANEOUS_PORT + 2 * flow->index + s);
	}
	plan_type(flow, app);
}

void flows_make(struct flows *flows, const struct plan *plan, uint64_t seed)
{
	rng_seed(&flows->rng, seed);
	flows->flow = calloc(MAX(plan_connections(plan), 1u), sizeof(*flows->flow));
	ASSERT(flows->flow);
	flows->move_ppm = plan->move_ppm;
	for (uint32_t a = 0; a < plan->app_count; a++)
		for (uint32_t i = 0; i < plan->app[a].connections; i++)
			make(flows, plan, a, i);
}

void flows_free(struct flows *flows)
{
	for (uint32_t i = 0; i < flows->count; i++)
		for (int s = 0; s < 2; s++)
			free(flows->flow[i].side[s].held);
	free(flows->flow);
}
