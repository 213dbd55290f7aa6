// SPDX-License-Identifier: BSD-3-Clause
// Drawing a scenario from a seed, as a swarm: each kind of trouble is in or out by its own coin
// (Groce et al., Swarm Testing, 2012), and its size is drawn by magnitude. Called by sim_tcp.c.
#include "scenario.h"

#include <stdlib.h>

#include "base/time.h"

// Beyond this share of frames lost, a connection may give up.
#define HARSH_PPM 60000

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
}

static uint16_t draw_mtu(struct rng *rng)
{
	static const uint16_t common_bytes[] = {296, 576, 1280, 1500, 1500, 1500, 9000};

	if (coin(rng))
		return common_bytes[rng_below(rng, ARRAY_COUNT(common_bytes))];
	return (uint16_t)(296 + rng_below(rng, 9000 - 296));
}

// From numbers of its own: all else that a seed makes stays as it was.
static void draw_congestion(struct rng rng, struct prism_options *o)
{
	rng_seed(&rng, rng_next(&rng));
	o->congestion = (enum prism_congestion)(rng_below(&rng, 4) % 3); // cubic twice as often
	o->fixed_window_bytes = (uint32_t)log_uniform(&rng, 1000, 1 << 20);
	o->sack_off = rng_below(&rng, 4) == 0;
	o->pacing = rng_below(&rng, 3) == 0;
}

// Likewise. Congestion marks: who asks for them and agrees, a router that makes them, and one that
// writes into the field what it likes.
static void draw_marks(struct world_config *world, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, ~seed ^ 3168);
	for (int end = 0; end < 2; end++) {
		struct pair_faults *faults = &world->faults[end];

		world->ecn[end] =
			rng_below(&rng, 4) ? PRISM_ECN_ON : (enum prism_ecn)(2 * coin(&rng));
		if (faults->rate_bits_s && coin(&rng))
			faults->mark_bytes = (uint32_t)log_uniform(&rng, 1, faults->queue_bytes);
		faults->mangle_ppm = rng_below(&rng, 4) ? 0 : maybe_ppm(&rng, 1000000);
	}
}

static void draw_options(struct rng *rng, struct prism_options *o)
{
	draw_congestion(*rng, o);
	o->send_bytes_max = (uint32_t)log_uniform(rng, 16384, 4 << 20);
	o->receive_bytes_max = (uint32_t)log_uniform(rng, 32768, 2 << 20);
	o->time_wait_ns = 30 * NS_PER_S; // longer than a lost last ACK takes to be asked for again
	if (coin(rng))
		o->keepalive_ns = log_uniform(rng, NS_PER_S, 20 * NS_PER_S);
	if (coin(rng))
		o->delayed_ack_ns = log_uniform(rng, NS_PER_MS, 400 * NS_PER_MS);
	if (coin(rng))
		o->rto_ns_min = log_uniform(rng, 20 * NS_PER_MS, NS_PER_S);
	if (coin(rng))
		o->segment_bytes_max = (uint32_t)(64 + rng_below(rng, 1400));
}

static void draw_side(struct rng *rng, struct side *side, uint64_t bytes_max)
{
	side->send_bytes =
		coin(rng) ? rng_below(rng, bytes_max) : rng_below(rng, MIN(bytes_max, 3000u));
	side->chunk_bytes = (uint32_t)log_uniform(rng, 1 + bytes_max / 500, 60000);
	side->method = (enum send_method)rng_below(rng, SEND_ECHO);
	side->close_rule = (enum close_rule)rng_below(rng, CLOSE_ABORT);
	if (rng_below(rng, 4) == 0)
		side->hold_ns_max = log_uniform(rng, NS_PER_MS, 2 * NS_PER_S);
	if (rng_below(rng, 8) == 0)
		side->pause_ns = log_uniform(rng, NS_PER_MS, 40 * NS_PER_S);
}

static void draw_turns(struct rng *rng, struct flow *flow)
{
	uint32_t rounds = (uint32_t)(1 + rng_below(rng, 10));
	uint32_t request_bytes = (uint32_t)(1 + rng_below(rng, 1000));
	uint32_t response_bytes = (uint32_t)(1 + rng_below(rng, 20000));

	for (int s = 0; s < 2; s++) {
		flow->side[s].request_bytes = request_bytes;
		flow->side[s].response_bytes = response_bytes;
	}
	flow->side[0].send_bytes = rounds * request_bytes;
	flow->side[1].send_bytes = rounds * response_bytes;
	flow->side[0].close_rule = CLOSE_WHEN_DONE;
}

static void draw_flow(struct rng *rng, struct flow *flow, uint64_t bytes_max)
{
	struct side *side = flow->side;

	flow->opener = coin(rng);
	flow->key[0] = rng_below(rng, 1 << 20);
	flow->key[1] = rng_below(rng, 1 << 20);
	draw_side(rng, &side[0], bytes_max);
	draw_side(rng, &side[1], bytes_max);
	switch (rng_below(rng, 6)) {
	case 0: // one way
		side[rng_below(rng, 2)].send_bytes = 0;
		break;
	case 1:
		draw_turns(rng, flow);
		break;
	case 2:
		side[1].method = SEND_ECHO;
		side[1].send_bytes = side[0].send_bytes;
		flow->key[1] = flow->key[0];
		break;
	case 3:
		side[0].close_rule = CLOSE_ABORT;
		side[0].abort_bytes = rng_below(rng, side[0].send_bytes + side[1].send_bytes + 1);
		break;
	case 4:
		flow->simultaneous = true;
		flow->port[0] = (uint16_t)(10000 + 2 * flow->index);
		flow->port[1] = (uint16_t)(10001 + 2 * flow->index);
		break;
	default: // both ways at once
		break;
	}
	if (side[0].close_rule == CLOSE_ON_EOF && side[1].close_rule == CLOSE_ON_EOF)
		side[rng_below(rng, 2)].close_rule = CLOSE_WHEN_SENT;
}

static void draw_flows(struct rng *rng, struct flows *flows, uint64_t start_ns)
{
	bool many = rng_below(rng, 5) == 0;
	uint64_t bytes_max = many ? 2000 : log_uniform(rng, 1000, 400000);
	uint64_t spread_ns = coin(rng) ? log_uniform(rng, NS_PER_MS, 10 * NS_PER_S) : 0;

	flows->count =
		(uint32_t)(many ? 20 + rng_below(rng, 100)
				: log_uniform(rng, 1, MAX(UINT64_C(1), 1600000 / bytes_max)));
	flows->count = MIN(flows->count, (uint32_t)24 + many * 100u);
	flows->flow = calloc(flows->count, sizeof(*flows->flow));
	for (uint32_t i = 0; i < flows->count; i++) {
		struct flow *flow = &flows->flow[i];

		flow->index = i;
		flow->start_ns = start_ns + rng_below(rng, spread_ns);
		draw_flow(rng, flow, bytes_max);
		for (int s = 0; s < 2; s++)
			flow->side[s].held = calloc(HELD_MAX, sizeof(struct held));
	}
}

// Apart from the rest, which stays what it was for a seed. Half of the worlds have one worker a
// node; in half of the others connections move. Returns how often.
static uint32_t draw_workers(struct world_config *world, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, ~seed);
	if (coin(&rng))
		return 0;
	for (int node = 0; node < 2; node++) {
		world->workers[node] = 1 + (uint32_t)rng_below(&rng, WORLD_WORKERS_MAX);
		world->few_queues[node] = coin(&rng);
	}
	return maybe_ppm(&rng, 300000);
}

// Likewise. Half of the worlds whose wire can carry it speak IPv6 too.
static bool draw_ip6(const struct world_config *world, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, ~seed ^ 6);
	return world->mtu_bytes >= 1280 && coin(&rng);
}

static uint32_t loss_ppm(const struct pair_faults *faults)
{
	return faults->loss_ppm + faults->corrupt_ppm;
}

void scenario_draw(struct scenario *sc, uint64_t seed)
{
	struct rng rng;
	uint32_t loss_ppm_max;

	*sc = (struct scenario){0};
	rng_seed(&rng, seed);
	world_config_init(&sc->world);
	sc->world.seed = rng_next(&rng);
	sc->world.mtu_bytes = draw_mtu(&rng);
	loss_ppm_max = rng_below(&rng, 4) == 0 ? 300000 : HARSH_PPM / 2;
	draw_faults(&rng, &sc->world.faults[0], loss_ppm_max);
	if (coin(&rng))
		draw_faults(&rng, &sc->world.faults[1], loss_ppm_max);
	else
		sc->world.faults[1] = sc->world.faults[0];
	draw_options(&rng, &sc->world.options);
	sc->heal_ns = log_uniform(&rng, 100 * NS_PER_MS, 20 * NS_PER_S);
	if (rng_below(&rng, 4) == 0)
		sc->stall_ppm = (uint32_t)log_uniform(&rng, 1000, 100000);
	if (rng_below(&rng, 6) == 0)
		sc->fail_ppm = (uint32_t)log_uniform(&rng, 1000, 400000);
	if (rng_below(&rng, 8) == 0)
		for (int kind = 0; kind < POOL_KINDS; kind++)
			sc->world.pool_pkts[kind] = (uint32_t)log_uniform(&rng, 64, 512);
	if (rng_below(&rng, 8) == 0)
		sc->world.rx_room_bytes = (uint16_t)(256 + rng_below(&rng, 2000));
	sc->harsh = loss_ppm(&sc->world.faults[0]) + loss_ppm(&sc->world.faults[1]) > HARSH_PPM ||
		    sc->fail_ppm || sc->world.pool_pkts[POOL_TX] <= 512;
	sc->flows.move_ppm = draw_workers(&sc->world, seed);
	sc->world.ip6 = sc->flows.ip6 = draw_ip6(&sc->world, seed);
	draw_marks(&sc->world, seed);
	draw_flows(&rng, &sc->flows, 1000 * NS_PER_S);
	rng_seed(&sc->flows.rng, rng_next(&rng));
}

void scenario_free(struct scenario *sc)
{
	for (uint32_t i = 0; i < sc->flows.count; i++)
		for (int s = 0; s < 2; s++)
			free(sc->flows.flow[i].side[s].held);
	free(sc->flows.flow);
}
