// SPDX-License-Identifier: BSD-3-Clause
// Whole stacks on faulty links in virtual time, two on one wire unless told otherwise. The
// simulator (sim/run.h), the goodput table, packet scripts and fuzzers drive it; what they do on
// top goes through the public API.
#pragma once

#include <prismnet/prism.h>

#include "core/team.h"
#include "core/worker.h"
#include "observe/pcapng.h"
#include "port/pair.h"
#include "sim/bridge.h"
#include "sim/spread.h"

#define WORLD_EVENTS 64
#define WORLD_WORKERS_MAX SPREAD_QUEUES_MAX
#define WORLD_NODES_MAX BRIDGE_PORTS_MAX
#define WORLD_SWITCHES_MAX 4
#define WORLD_LINKS_MAX (WORLD_NODES_MAX + WORLD_SWITCHES_MAX)
// As an end of a link, switch n is WORLD_SWITCH + n; less is a node.
#define WORLD_SWITCH 1000u

// When virtual time begins.
#define WORLD_START_NS (UINT64_C(1000) * NS_PER_S)

struct node {
	struct prism_worker *worker; // the first
	struct prism_worker *workers[WORLD_WORKERS_MAX];
	uint32_t worker_count;
	struct team *team; // of several
	struct spread spread;
	struct port *end;                      // of its link
	struct port *relay[WORLD_WORKERS_MAX]; // of those without a queue
	struct counters *more_counters;        // of all but the first, by its number
	struct trace *more_trace;
	struct pool *pool[POOL_KINDS];
	struct counters counters; // of the first
	struct trace trace;
	struct prism_event events[WORLD_EVENTS];
	uint64_t stalled_until_ns[WORLD_WORKERS_MAX]; // a worker gets no turn before
};

struct world_link {
	const char *name;
	uint32_t end[2];
	struct pair_faults faults[2]; // of what either end sends
};

struct world_config {
	uint64_t seed;
	uint32_t workers[WORLD_NODES_MAX];   // of each node; 0: one
	bool ip6;                            // each node has an IPv6 address too
	bool few_queues[WORLD_NODES_MAX];    // only the first of them has one; else packets come to
					     // any
	enum prism_ecn ecn[WORLD_NODES_MAX]; // of each node; PRISM_ECN_PASSIVE: as options say
	int node_count;                      // 1: end 1 of the wire is the caller's; 0: two
	struct prism_options options;        // limits of all stacks; ports are the world's own
	uint16_t mtu_bytes;
	uint32_t frames_max;
	uint32_t pool_pkts[POOL_KINDS];
	uint16_t rx_room_bytes;         // 0: a whole frame fits
	bool plain;                     // pools of plain heap, whatever the platform
	bool tells_too_big;             // who sends what a lowered MTU loses is told (ICMP)
	const struct world_link *links; // NULL: one wire between nodes 0 and 1
	uint32_t link_count, switch_count;
	struct pair_faults faults[2]; // of that one wire
	const char *capture;          // where to write a pcapng, or NULL
	uint32_t capture_at; // node n - 1 alone, as it sees its link; 0: all links, as frames enter
};

struct world;

struct wire {
	struct world *world;
	struct pair *pair;
	uint32_t index;
	uint32_t end[2];
};

struct world {
	uint64_t now_ns;
	uint64_t steps;
	uint64_t idle_steps; // in a row, without a packet or event
	uint64_t hash;       // of all that went over the wires and of all events
	struct pair *pair;   // of the first link
	struct wire wire[WORLD_LINKS_MAX];
	uint32_t wire_count;
	struct bridge bridge[WORLD_SWITCHES_MAX];
	uint32_t bridge_count;
	struct bridge_hosts hosts;
	struct node *node; // two at least
	int node_count;
	bool tells_too_big;
	uint32_t acting; // the worker of the node whose event take is given
	struct pcapng *capture;
	uint32_t capture_at;
	const char *failure; // a law that was broken, or NULL
};

// Fills in what most worlds want: defaults of prism_options, one second of TIME-WAIT, a perfect
// wire of 1 ms.
void world_config_init(struct world_config *config);

// Node 0 is 198.18.0.1/24, node 1 198.18.0.2/24, and so on. Aborts when memory is short.
struct world *world_create(const struct world_config *config);

// All stacks end; false when a buffer did not come home.
bool world_destroy(struct world *world);

struct prism_endpoint world_endpoint(int node, uint16_t port);

// The same of either family; over IPv6 2001:db8:18::1/64 and 2001:db8:18::2/64, with config.ip6.
struct prism_endpoint world_endpoint_of(bool ip6, int node, uint16_t port);

// Moves time to the next thing that happens (a frame, a timer, at the latest until_ns), gives all
// stacks a turn and hands each event to take. Checks conservation. False when a law was broken:
// world->failure says which.
bool world_step(struct world *world, uint64_t until_ns,
		void (*take)(void *context, int node, const struct prism_event *event),
		void *context);

// One turn of each stack without moving time. True when anything happened.
bool world_turn(struct world *world,
		void (*take)(void *context, int node, const struct prism_event *event),
		void *context);

// True when the stacks have no connection and no buffer in use.
bool world_at_rest(const struct world *world);

// Buffers of this node that are not in their pools.
uint32_t world_buffers_out(const struct world *world, int node);

// A number of this node, all its workers together.
uint64_t world_counter(const struct world *world, int node, enum counter which);

// Packets that the node dropped for whatever reason; for the most frequent of them, most is set.
uint64_t world_drops(const struct world *world, int node, enum drop *most);

// The records of all traces in words, oldest first (world_trace.c).
bool world_write_trace(const struct world *world, const char *path);
