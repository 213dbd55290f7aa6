// SPDX-License-Identifier: BSD-3-Clause
// One run of a plan: the world is made, faults and applications go on until all connections have
// ended, then until nothing remains. Safety is checked after every step, liveness as soon as
// nothing moves:
//   what arrives is what was sent, in order, once       flow.c
//   every packet and every frame is accounted for       world.c, here
//   every structure is sound                            DCHECK in the stack itself, where it is
//   built in all arrives, all closes, all buffers come home      here what the plan expects judge.c
// Called by sim/batch.c in a process of its own, since a stack that is broken is not torn down.
#include "sim/run.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "pkt/pool_heap.h"
#include "sim/flow.h"
#include "sim/judge.h"
#include "sim/schedule.h"

// After so long without any event, and nothing planned, a connection that is left will not end:
// longer than the last of the retransmissions takes (RFC 9293 3.8.3: 100 s), twice, and handshakes
// besides.
#define PATIENCE_NS (900 * NS_PER_S)

// Applications whose peer ended badly look so often whether they should give up too.
#define GIVE_UP_NS (60 * NS_PER_S)

// What a whole run may take: a week says that something turns in circles.
#define RUN_NS_MAX (7 * 86400 * NS_PER_S)

#define REST_NS (300 * NS_PER_S)
// On a link, each way: all pages of it are had at start (base/mem.c), so jumbo frames get fewer.
#define LINK_BYTES (1 << 20)
#define FRAMES_MIN 256u
#define FRAMES_MAX 1024u
#define STALL_NS_MAX (20 * NS_PER_MS)

static struct world *current; // for the last words of a run that dies in an assertion
static struct run_paths current_paths;

static void configure(struct world_config *config, const struct plan *plan, uint64_t seed)
{
	static struct world_link links[PLAN_LINKS_MAX];

	world_config_init(config);
	config->seed = seed;
	config->plain = true;
	config->options = plan->options;
	config->options.connections_max = 64 + 2 * plan_connections(plan);
	config->options.half_open_max = 32 + plan_connections(plan);
	config->options.timers_max = 16; // applications of the simulation have none
	config->options.buffers = 1024;  // of it only the number of descriptors is made
	config->ip6 = plan_has_ip6(plan);
	config->mtu_bytes = plan->mtu_bytes;
	config->tells_too_big = plan->icmp;
	config->rx_room_bytes = plan->room_bytes;
	config->frames_max =
		MAX(MIN((uint32_t)LINK_BYTES / plan->mtu_bytes, FRAMES_MAX), FRAMES_MIN);
	config->node_count = (int)plan->host_count;
	config->switch_count = plan->switch_count;
	for (uint32_t i = 0; i < plan->host_count; i++) {
		config->workers[i] = plan->host[i].workers;
		config->few_queues[i] = plan->host[i].few_queues;
		config->ecn[i] = (enum prism_ecn)plan->host[i].ecn;
	}
	for (int kind = 0; plan->buffers && kind < POOL_KINDS; kind++)
		config->pool_pkts[kind] = plan->buffers;
	for (uint32_t i = 0; i < plan->link_count; i++) {
		links[i] = (struct world_link){.name = plan->link[i].name};
		memcpy(links[i].end, plan->link[i].end, sizeof(links[i].end));
		links[i].faults[0].delay_ns = plan->link[i].faults[0].delay_ns;
		links[i].faults[1].delay_ns = plan->link[i].faults[1].delay_ns;
	}
	config->links = links;
	config->link_count = plan->link_count;
}

// A worker gets no turn for a while: the machine had other things to do.
static void stall(struct run *r)
{
	struct world *world = r->world;
	uint32_t ppm = r->schedule.healed ? 0 : r->plan->stall_ppm;

	if (!ppm || !rng_chance_ppm(&r->flows.rng, ppm))
		return;
	struct node *node = &world->node[rng_below(&r->flows.rng, (uint64_t)world->node_count)];
	uint32_t w = (uint32_t)rng_below(&r->flows.rng, node->worker_count);

	node->stalled_until_ns[w] = world->now_ns + rng_below(&r->flows.rng, STALL_NS_MAX);
}

// What went into a link came out, is under way, or was lost for a reason.
static bool wires_are_whole(const struct world *world)
{
	for (uint32_t i = 0; i < world->wire_count; i++) {
		for (int end = 0; end < 2; end++) {
			const struct pair_stats *s = pair_stats(world->wire[i].pair, end);

			if (s->sent + s->duplicated !=
			    s->delivered + s->lost_random + s->lost_burst + s->lost_down +
				    s->lost_queue + s->lost_too_long + s->lost_corrupt +
				    pair_in_flight(world->wire[i].pair, end))
				return false;
		}
	}
	return true;
}

static const char *step(struct run *r, uint64_t until_ns)
{
	struct world *world = r->world;
	uint64_t plan_ns = MIN(flows_next_ns(&r->flows), r->schedule.change_ns);

	*r->step = world->steps;
	until_ns = MIN(until_ns, plan_ns);
	if (plan_ns != TIME_NEVER_NS)
		r->waited_ns = until_ns;
	world_step(world, until_ns, flows_take, &r->flows);
	schedule_run(&r->schedule);
	flows_act(&r->flows);
	stall(r);
	if (world->failure)
		return world->failure;
	if (!wires_are_whole(world))
		return "a frame on a link is unaccounted for";
	return r->flows.failure ? r->flows.failure : judge_step(r);
}

// When patience ends: not while faults are still to come or go, nor while applications mean to go
// on later.
static bool hopeless(const struct run *r)
{
	uint64_t now_ns = r->world->now_ns;

	return now_ns > MAX(r->flows.event_ns, r->waited_ns) + PATIENCE_NS ||
	       now_ns > r->schedule.start_ns + RUN_NS_MAX;
}

static const char *run_flows(struct run *r)
{
	uint64_t give_up_ns = r->schedule.start_ns + r->plan->heal_ns + GIVE_UP_NS;
	const char *failure = NULL;

	while (!failure && !flows_over(&r->flows)) {
		if (hopeless(r))
			return "a connection does not come to its end";
		failure = step(r, give_up_ns);
		if (r->world->now_ns < give_up_ns)
			continue;
		give_up_ns += GIVE_UP_NS;
		for (uint32_t i = 0; i < r->flows.count; i++)
			flows_give_up(&r->flows, i);
	}
	return failure;
}

static const char *run_to_rest(struct run *r)
{
	uint64_t end_ns = r->world->now_ns + REST_NS;
	const char *failure = NULL;

	while (!failure && !world_at_rest(r->world)) {
		if (r->world->now_ns >= end_ns)
			return "all is over, and a connection or a buffer remains";
		failure = step(r, end_ns);
	}
	return failure;
}

static void count_node(const struct world *world, int node, struct run_result *result,
		       uint64_t *most_pkts)
{
	enum drop most;
	uint64_t drops = world_drops(world, node, &most);

	result->segments += world_counter(world, node, COUNTER_tcp_segs_out);
	result->retransmits += world_counter(world, node, COUNTER_tcp_retrans_segs);
	result->drops += drops;
	if (drops <= *most_pkts)
		return;
	*most_pkts = drops;
	result->drop_most = most;
}

static void sum_up(const struct run *r, struct run_result *result)
{
	const struct world *world = r->world;
	uint64_t most_pkts = 0;

	result->hash = world->hash;
	result->steps = world->steps;
	result->virtual_ns = MAX(r->flows.ended_ns, r->schedule.start_ns) - r->schedule.start_ns;
	result->received_bytes = r->flows.received_bytes;
	result->connections = r->flows.count;
	result->stall_ns = r->flows.stall_ns;
	for (int i = 0; i < world->node_count; i++)
		count_node(world, i, result, &most_pkts);
	for (uint32_t i = 0; i < world->wire_count; i++) {
		for (int end = 0; end < 2; end++) {
			const struct pair_stats *s = pair_stats(world->wire[i].pair, end);

			result->frames += s->sent;
			result->lost += s->sent + s->duplicated - s->delivered -
					pair_in_flight(world->wire[i].pair, end);
		}
	}
}

static const char *run_all(struct run *r, struct run_result *result)
{
	const char *failure = run_flows(r);

	if (!failure)
		failure = run_to_rest(r);
	sum_up(r, result);
	return failure ? failure : judge_end(r, result);
}

// False when a file that was asked for could not be written whole.
static bool write_down(void)
{
	bool good = true;

	if (!current)
		return true;
	if (current_paths.trace)
		good = world_write_trace(current, current_paths.trace);
	if (current_paths.capture)
		good &= current->capture && pcapng_close(current->capture);
	current->capture = NULL;
	return good;
}

bool run_plan(const struct plan *plan, uint64_t seed, const struct run_paths *paths,
	      struct run_result *result, uint64_t *steps)
{
	static struct world_config config;
	static struct run r;

	r = (struct run){.plan = plan, .step = steps};
	*result = (struct run_result){.seed = seed};
	pattern_init();
	configure(&config, plan, seed);
	config.capture = paths ? paths->capture : NULL;
	config.capture_at = paths ? paths->capture_at : 0;
	pool_heap_fail(0, 0);
	r.world = r.flows.world = current = world_create(&config);
	r.waited_ns = r.world->now_ns;
	current_paths = paths ? *paths : (struct run_paths){0};
	schedule_start(&r.schedule, plan, r.world);
	flows_make(&r.flows, plan, seed);
	flows_listen(&r.flows);
	pool_heap_fail(plan->fail_ppm, seed);
	const char *failure = run_all(&r, result);

	if (failure) {
		result->failed = true;
		snprintf(result->failure, sizeof(result->failure), "%s", failure);
		judge_describe(&r, result);
		result->unwritten = !write_down();
		return false;
	}
	result->unwritten = !write_down();
	flows_free(&r.flows);
	current = NULL;
	result->failed = !world_destroy(r.world);
	if (result->failed)
		snprintf(result->failure, sizeof(result->failure),
			 "a buffer did not come home when the stacks ended");
	return !result->failed;
}

void run_last_words(void)
{
	write_down();
}
