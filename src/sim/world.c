// SPDX-License-Identifier: BSD-3-Clause
// Stacks, links, switches, one clock. Time jumps from one thing that happens to the next, so an
// hour of back-off costs nothing; the same seed gives the same run to the last bit. Called by
// sim/run.c and by tests; calls the worker's turn (core/worker.h), the wire (port/pair.h) and
// sim/bridge.h.
#include "sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/start.h"
#include "pkt/pool.h"
#include "port/port.h"
#include "sim/world_see.h"

// What the clock moves when something is due now and nothing came of it: a stalled worker, a frame
// that waits for a buffer. It doubles every 16 times, to a millisecond.
#define NUDGE_NS 1000

#define FRAME_OVERHEAD_BYTES 18 // ethernet's header with one VLAN tag

// Steps in a row in which time moves by nudges only and nothing happens: more is a stack that
// claims to have work and has none.
#define IDLE_STEPS_MAX 20000

void world_config_init(struct world_config *config)
{
	*config = (struct world_config){.seed = 1, .mtu_bytes = 1500, .frames_max = 4096};
	PRISM_OPTIONS_INIT(&config->options);
	config->options.connections_max = 1024;
	config->options.half_open_max = 128;
	config->options.buffers = 4096;
	config->options.time_wait_ns = NS_PER_S;
	config->pool_pkts[POOL_RX] = 4096;
	config->pool_pkts[POOL_TX] = 4096;
	config->pool_pkts[POOL_HEAD] = 4096;
	config->pool_pkts[POOL_CTRL] = 512;
	config->faults[0].delay_ns = NS_PER_MS;
	config->faults[1].delay_ns = NS_PER_MS;
}

struct prism_endpoint world_endpoint(int node, uint16_t port)
{
	struct addr addr = addr_from_v4_octets(198, 18, 0, (uint8_t)(1 + node));
	struct prism_endpoint endpoint = {.port = port};

	memcpy(&endpoint.addr, &addr, sizeof(addr));
	return endpoint;
}

struct prism_endpoint world_endpoint_of(bool ip6, int node, uint16_t port)
{
	if (!ip6)
		return world_endpoint(node, port);
	struct addr addr = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = (uint8_t)(1 + node)}};
	struct prism_endpoint endpoint = {.port = port};

	memcpy(&endpoint.addr, &addr, sizeof(addr));
	return endpoint;
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "world: %s: %s\n", what, err_last()->message);
	abort();
}

static void *zeros(size_t count, size_t bytes)
{
	void *memory = mem_map("a simulated network", count * bytes);

	if (!memory)
		give_up("memory");
	return memory;
}

static void create_pools(struct node *node, const struct world_config *config)
{
	static const char *const names[POOL_KINDS] = {"rx", "tx", "head", "ctrl"};
	uint16_t frame_bytes = (uint16_t)(config->mtu_bytes + FRAME_OVERHEAD_BYTES);
	uint16_t room_bytes[POOL_KINDS] = {
		[POOL_RX] = config->rx_room_bytes ? config->rx_room_bytes : frame_bytes,
		[POOL_TX] = MAX(frame_bytes, 2048),
		[POOL_HEAD] = 128,
		[POOL_CTRL] = 640, // an ICMP error with its quote
	};

	for (int kind = 0; kind < POOL_KINDS; kind++) {
		struct pool_config pool = {.name = names[kind],
					   .pkts = config->pool_pkts[kind],
					   .room_bytes =
						   (uint16_t)(PKT_FRONT_BYTES + room_bytes[kind]),
					   .numa_node = -1,
					   .plain = config->plain};

		node->pool[kind] = pool_create(&pool);
		if (!node->pool[kind])
			give_up("pool");
	}
}

// The port of one worker of a node: the wire's end, a queue of it, or a way through the first.
static struct port *port_of(struct world *world, int index, uint32_t w,
			    const struct world_config *config)
{
	struct node *node = &world->node[index];
	struct port *end = node->end;

	if (node->worker_count == 1)
		return end;
	if (!config->few_queues[index])
		return &node->spread.queue[w].port;
	end->flags |= PORT_FEW_QUEUES;
	if (w == 0)
		return end;
	node->relay[w] = relay_open(end, team_hands(node->team, w), 0);
	if (!node->relay[w])
		give_up("relay");
	return node->relay[w];
}

static void create_worker(struct world *world, int index, uint32_t w,
			  const struct world_config *config, struct worker_config *worker)
{
	struct node *node = &world->node[index];

	worker->index = w;
	worker->team = node->team;
	worker->counters = w ? &node->more_counters[w] : &node->counters;
	worker->trace = w ? &node->more_trace[w] : &node->trace;
	worker->now_ns = world->now_ns;
	worker->seed = config->seed * 2 + (uint64_t)index + ((uint64_t)w << 32);
	worker->port[0] = port_of(world, index, w, config);
	memcpy(worker->pool, node->pool, sizeof(worker->pool));
	node->workers[w] = worker_create(worker);
	if (!node->workers[w])
		give_up("worker");
}

static void create_workers(struct world *world, int index, const struct world_config *config)
{
	struct node *node = &world->node[index];
	struct prism_options options;
	struct worker_config worker = {.options = &options};
	struct prism_endpoint endpoint = world_endpoint(index, 0);

	options_fill(&options, &config->options);
	options.port_count = 1;
	if (config->ecn[index] != PRISM_ECN_PASSIVE)
		options.ecn = config->ecn[index];
	options.ports[0] =
		(struct prism_port_options){.name = "p0", .device = "pair:", .address_count = 1};
	options.ports[0].addresses[0] = (struct prism_prefix){.addr = endpoint.addr, .len = 24};
	if (config->ip6)
		options.ports[0].addresses[options.ports[0].address_count++] =
			(struct prism_prefix){.addr = world_endpoint_of(true, index, 0).addr,
					      .len = 64};
	memset(worker.secret, 0x5a + index, sizeof(worker.secret));
	memcpy(worker.secret, &config->seed, sizeof(config->seed));
	node->worker_count = MAX(config->workers[index], 1u);
	if (node->worker_count > 1) {
		node->more_counters = zeros(node->worker_count, sizeof(*node->more_counters));
		node->more_trace = zeros(node->worker_count, sizeof(*node->more_trace));
		node->team = team_create(&options, node->worker_count, worker.secret);
		if (!node->team)
			give_up("team");
		spread_init(&node->spread, node->end, node->worker_count, config->seed);
	}
	for (uint32_t w = 0; w < node->worker_count; w++)
		create_worker(world, index, w, config, &worker);
	node->worker = node->workers[0];
}

static void take_nothing(void *context, int node, const struct prism_event *event)
{
	(void)context;
	(void)node;
	(void)event;
}

// Until nobody else can have said that an address is his (RFC 4862 5.4): a second and a little.
static void settle_addresses(struct world *world)
{
	uint64_t until_ns = world->now_ns + NS_PER_S + 100 * NS_PER_MS;

	while (world->now_ns < until_ns)
		world_step(world, until_ns, take_nothing, NULL);
}

static struct pool *create_switch_pool(const struct world_config *config)
{
	struct pool_config pool = {.name = "switch",
				   .pkts = 64,
				   .room_bytes = (uint16_t)(PKT_FRONT_BYTES + config->mtu_bytes +
							    FRAME_OVERHEAD_BYTES),
				   .numa_node = -1,
				   .plain = config->plain};
	struct pool *made = pool_create(&pool);

	if (!made)
		give_up("a switch's pool");
	return made;
}

static struct pool *pool_of_end(struct world *world, uint32_t end)
{
	return end >= WORLD_SWITCH ? world->bridge[end - WORLD_SWITCH].pool
				   : world->node[end].pool[POOL_RX];
}

static void join(struct world *world, const struct wire *wire, int which)
{
	struct port *port = pair_port(wire->pair, which);
	uint32_t end = wire->end[which], other = wire->end[!which];

	if (end < WORLD_SWITCH) {
		world->node[end].end = port;
		memcpy(world->hosts.mac[end], port->mac, 6);
		return;
	}
	struct bridge *b = &world->bridge[end - WORLD_SWITCH];

	ASSERT(b->port_count < BRIDGE_PORTS_MAX);
	b->host[b->port_count] = other < WORLD_SWITCH ? (int)other : -1;
	b->port[b->port_count++] = port;
}

static void create_wire(struct world *world, const struct world_config *config,
			const struct world_link *link)
{
	struct wire *wire = &world->wire[world->wire_count];
	char name[16] = "w"; // of the first: its addresses are known to tests
	struct pair_config pair = {
		.name = name,
		.seed = config->seed + world->wire_count,
		.now_ns = &world->now_ns,
		.mtu_bytes = config->mtu_bytes,
		.frames_max = config->frames_max,
		.rx_pool = {pool_of_end(world, link->end[0]), pool_of_end(world, link->end[1])},
		.faults = {link->faults[0], link->faults[1]}};

	if (world->wire_count)
		snprintf(name, sizeof(name), "w%u", world->wire_count);
	wire->world = world;
	wire->index = world->wire_count++;
	memcpy(wire->end, link->end, sizeof(wire->end));
	wire->pair = pair_create(&pair);
	if (!wire->pair)
		give_up("pair");
	pair_set_tap(wire->pair, world_see, wire);
	for (int which = 0; which < 2; which++)
		join(world, wire, which);
}

static void create_wires(struct world *world, const struct world_config *config)
{
	struct world_link alone = {
		.name = "a-b", .end = {0, 1}, .faults = {config->faults[0], config->faults[1]}};
	const struct world_link *links = config->links ? config->links : &alone;
	uint32_t link_count = config->links ? config->link_count : 1;
	struct pcapng_interface interfaces[WORLD_LINKS_MAX] = {0};

	for (uint32_t i = 0; i < link_count; i++) {
		create_wire(world, config, &links[i]);
		interfaces[i] = (struct pcapng_interface){.name = links[i].name,
							  .link = PCAPNG_ETHERNET};
	}
	world->pair = world->wire[0].pair;
	world->capture_at = config->capture_at;
	if (config->capture)
		world->capture = pcapng_create(config->capture, interfaces,
					       config->capture_at ? 1 : link_count);
}

struct world *world_create(const struct world_config *config)
{
	struct world *world = zeros(1, sizeof(*world));

	world->now_ns = WORLD_START_NS;
	world->node_count = config->node_count ? config->node_count : 2;
	world->tells_too_big = config->tells_too_big;
	world->hosts.count = (uint32_t)MAX(world->node_count, 2);
	world->node = zeros(world->hosts.count, sizeof(*world->node));
	for (uint32_t i = 0; i < world->hosts.count; i++)
		create_pools(&world->node[i], config);
	world->bridge_count = config->switch_count;
	for (uint32_t i = 0; i < world->bridge_count; i++) {
		world->bridge[i].pool = create_switch_pool(config);
		world->bridge[i].hosts = &world->hosts;
	}
	create_wires(world, config);
	for (int i = 0; i < world->node_count; i++)
		create_workers(world, i, config);
	if (config->ip6)
		settle_addresses(world);
	return world;
}

static void destroy_node(struct node *node)
{
	for (uint32_t i = 0; i < 2 * node->worker_count; i++)
		worker_settle(node->workers[i % node->worker_count]);
	for (uint32_t w = node->worker_count; w-- > 0;) {
		worker_destroy(node->workers[w]);
		if (node->relay[w])
			port_close(node->relay[w]);
	}
	if (node->team)
		team_destroy(node->team);
	spread_fini(&node->spread);
	mem_unmap(node->more_counters, node->worker_count * sizeof(*node->more_counters));
	mem_unmap(node->more_trace, node->worker_count * sizeof(*node->more_trace));
}

bool world_destroy(struct world *world)
{
	int node_count = (int)world->hosts.count;
	bool whole = true;

	for (int i = 0; i < world->node_count; i++)
		destroy_node(&world->node[i]);
	for (uint32_t i = 0; i < world->wire_count; i++)
		pair_destroy(world->wire[i].pair);
	for (int i = 0; i < node_count; i++)
		whole &= world_buffers_out(world, i) == 0;
	for (int i = 0; whole && i < node_count; i++)
		for (int kind = 0; kind < POOL_KINDS; kind++)
			pool_destroy(world->node[i].pool[kind]);
	for (uint32_t i = 0; i < world->bridge_count; i++)
		pool_destroy(world->bridge[i].pool);
	if (world->capture)
		pcapng_close(world->capture);
	mem_unmap(world->node, world->hosts.count * sizeof(*world->node));
	mem_unmap(world, sizeof(*world));
	return whole;
}

uint32_t world_buffers_out(const struct world *world, int node)
{
	uint32_t out = 0;

	for (int kind = 0; kind < POOL_KINDS; kind++) {
		const struct pool *pool = world->node[node].pool[kind];

		out += pool_capacity(pool) - pool_available(pool);
	}
	return out;
}

bool world_at_rest(const struct world *world)
{
	for (int i = 0; i < world->node_count; i++) {
		for (uint32_t w = 0; w < world->node[i].worker_count; w++) {
			struct prism_conn_counts counts;

			prism_conn_count(world->node[i].workers[w], &counts);
			if (counts.half_open + counts.open + counts.time_wait > 0)
				return false;
		}
		if (world_buffers_out(world, i) > 0)
			return false;
	}
	return true;
}

static uint64_t worker_wakes_ns(const struct world *world, const struct node *node, uint32_t w)
{
	uint64_t next_ns = worker_next_ns(node->workers[w]);

	if (node->worker_count > 1 && spread_waits(&node->spread, w))
		next_ns = world->now_ns;
	return MAX(next_ns, node->stalled_until_ns[w]);
}

static uint64_t node_next_ns(const struct world *world, const struct node *node)
{
	uint64_t next_ns = TIME_NEVER_NS;

	for (uint32_t w = 0; w < node->worker_count; w++)
		next_ns = MIN(next_ns, worker_wakes_ns(world, node, w));
	return next_ns;
}

static uint64_t next_ns(const struct world *world, uint64_t until_ns)
{
	uint64_t next = until_ns;

	for (uint32_t i = 0; i < world->wire_count; i++)
		next = MIN(next, pair_next_ns(world->wire[i].pair));
	for (int i = 0; i < world->node_count; i++)
		next = MIN(next, node_next_ns(world, &world->node[i]));
	return next;
}

static bool worker_takes_turn(struct world *world, int index, uint32_t w,
			      void (*take)(void *context, int node,
					   const struct prism_event *event),
			      void *context)
{
	struct node *node = &world->node[index];
	struct counters *counters = w ? &node->more_counters[w] : &node->counters;
	uint64_t rx_pkts =
		counters->value[COUNTER_rx_pkts] + counters->value[COUNTER_handed_in_pkts];
	uint64_t tx_pkts =
		counters->value[COUNTER_tx_pkts] + counters->value[COUNTER_handed_out_pkts];

	if (node->stalled_until_ns[w] > world->now_ns)
		return false;
	int n = worker_turn(node->workers[w], world->now_ns, node->events, WORLD_EVENTS);

	if (counters_unaccounted(counters) != 0)
		world->failure = "unaccounted packets";
	world->acting = w;
	for (int i = 0; i < n; i++) {
		const struct prism_event *e = &node->events[i];

		world->hash = world_mix(world->hash, (uint64_t)e->type << 32 | e->len);
		world->hash =
			world_mix(world->hash, e->user ^ (uint64_t)e->reason << 48 ^ e->cookie);
		take(context, index, e);
	}
	return n > 0 ||
	       rx_pkts !=
		       counters->value[COUNTER_rx_pkts] + counters->value[COUNTER_handed_in_pkts] ||
	       tx_pkts !=
		       counters->value[COUNTER_tx_pkts] + counters->value[COUNTER_handed_out_pkts];
}

bool world_turn(struct world *world,
		void (*take)(void *context, int node, const struct prism_event *event),
		void *context)
{
	bool happened = false;

	for (uint32_t i = 0; i < world->bridge_count; i++)
		happened |= bridge_turn(&world->bridge[i]);
	for (int i = 0; i < world->node_count; i++)
		for (uint32_t w = 0; w < world->node[i].worker_count; w++)
			happened |= worker_takes_turn(world, i, w, take, context);
	world->steps++;
	return happened;
}

bool world_step(struct world *world, uint64_t until_ns,
		void (*take)(void *context, int node, const struct prism_event *event),
		void *context)
{
	uint64_t next = next_ns(world, until_ns);
	bool happened = next > world->now_ns;

	if (happened)
		world->now_ns = next;
	else if (world->idle_steps > 0)
		world->now_ns += NUDGE_NS << MIN(world->idle_steps / 16, UINT64_C(10));
	happened |= world_turn(world, take, context);
	world->idle_steps = happened ? 0 : world->idle_steps + 1;
	if (world->idle_steps > IDLE_STEPS_MAX)
		world->failure = "a stack has work and does nothing";
	return !world->failure;
}
