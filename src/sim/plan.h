// SPDX-License-Identifier: BSD-3-Clause
// What a simulation is made of: hosts, switches, links and their faults, what applications do, what
// happens when, and what must come of it. A plan and a seed are one run, the same every time. Plans
// come from a file (plan_read.c), from a seed alone (draw.c), or from both (swarm.c).
#pragma once

#include <prismnet/stack.h>

#include "port/pair.h"
#include "sim/world.h"

#define PLAN_NAME_BYTES 24
#define PLAN_HOSTS_MAX WORLD_NODES_MAX
#define PLAN_SWITCHES_MAX WORLD_SWITCHES_MAX
#define PLAN_LINKS_MAX WORLD_LINKS_MAX
#define PLAN_APPS_MAX 160 // a world drawn from a seed has up to 124, each unlike the others
#define PLAN_EVENTS_MAX 64
#define PLAN_CONNECTIONS_MAX 4096 // of all applications

enum send_method { SEND_COPY, SEND_BUF, SEND_REGION, SEND_BORROWED, SEND_ECHO, SEND_METHODS };

// When a side closes, once all it had to send is queued.
enum close_rule {
	CLOSE_WHEN_SENT, // at once: half close
	CLOSE_ON_EOF,    // when the other side has closed
	CLOSE_WHEN_DONE, // when it has received all it expects
	CLOSE_ABORT,     // resets after abort_bytes were sent and received
	CLOSE_RULES,
};

// The members of struct plan_side beside those that a type of application decides.
struct plan_side {
	uint64_t send_bytes;
	uint64_t abort_bytes;
	uint64_t hold_ns;     // received buffers are kept up to so long
	uint64_t pause_ns;    // once, in the middle of sending
	uint32_t chunk_bytes; // a send call's at most
	uint32_t call;        // enum send_method
	uint32_t close;       // enum close_rule
};

enum app_type { APP_BULK, APP_REQUEST, APP_SHORT, APP_IDLE, APP_TYPES };
enum app_family { FAMILY_IP4, FAMILY_IP6, FAMILY_BOTH, FAMILIES }; // both: by turns

struct plan_app {
	uint32_t type; // enum app_type
	uint32_t from, to;
	uint32_t connections;
	uint32_t family;                                // enum app_family
	uint64_t start_ns;                              // of the first
	uint64_t spread_ns;                             // each begins up to so much later
	uint64_t every_ns;                              // and so much after the one before it
	uint64_t idle_ns;                               // APP_IDLE: how long nothing is said
	uint32_t rounds, request_bytes, response_bytes; // APP_REQUEST, APP_SHORT
	bool simultaneous;                              // both sides open
	struct plan_side side[2];                       // 0 opens
};

enum plan_deed { DO_DOWN, DO_ONE_WAY, DO_PARTITION, DO_MTU, DO_LOSS, DEEDS };

struct plan_event {
	uint64_t at_ns, until_ns; // 0: for good
	uint32_t deed;            // enum plan_deed
	uint32_t link;            // all but DO_PARTITION
	uint32_t from;            // DO_ONE_WAY: the end that is not heard any more
	uint32_t hosts;           // DO_PARTITION: a bit each of those cut off
	uint16_t mtu_bytes;       // DO_MTU
	uint32_t loss_ppm;        // DO_LOSS
};

struct plan_host {
	char name[PLAN_NAME_BYTES];
	uint32_t workers;
	bool few_queues; // only the first worker has one
	uint32_t ecn;    // enum prism_ecn
};

struct plan_link {
	char name[2 * PLAN_NAME_BYTES];
	uint32_t end[2]; // as in struct world_link
	struct pair_faults faults[2];
};

enum expect_orderly { ORDERLY_MILD, ORDERLY_YES, ORDERLY_NO, ORDERLY_KINDS };

// What a run must come to. 0: nothing is asked.
struct plan_expect {
	uint64_t goodput_bits_s_min; // all connections together, until the last one ended
	uint64_t stall_ns_max;       // no connection goes so long without progress
	uint64_t finish_ns_max;      // all have ended by then
	uint64_t retransmits_max;
	uint32_t orderly; // all end in order: enum expect_orderly; MILD: under mild faults
};

struct plan {
	struct plan_host host[PLAN_HOSTS_MAX];
	uint32_t host_count;
	char switches[PLAN_SWITCHES_MAX][PLAN_NAME_BYTES];
	uint32_t switch_count;
	struct plan_link link[PLAN_LINKS_MAX];
	uint32_t link_count;
	struct plan_app app[PLAN_APPS_MAX];
	uint32_t app_count;
	struct plan_event event[PLAN_EVENTS_MAX];
	uint32_t event_count;
	struct prism_options options; // tcp: alone is read
	uint16_t mtu_bytes;
	bool icmp;           // senders are told what a lowered MTU loses
	bool swarm;          // the seed draws what of all this is on
	uint64_t heal_ns;    // faults end by then; 0: they do not
	uint32_t buffers;    // of each pool; 0: plenty
	uint16_t room_bytes; // of a received buffer; 0: a whole frame fits
	uint32_t stall_ppm;  // of steps, after which a worker gets no turn for a while
	uint32_t fail_ppm;   // of requests for a buffer are refused
	uint32_t move_ppm;   // of a connection's chances to go to another worker
	struct plan_expect expect;
};

// Two hosts on one wire, defaults everywhere, no application.
void plan_init(struct plan *plan);
void plan_app_init(struct plan_app *app, uint32_t type);
void plan_event_init(struct plan_event *event);
void plan_link_init(struct plan_link *link);

// A lasting loss, an outage or an empty pool so bad that giving up is an answer too.
bool plan_is_harsh(const struct plan *plan);

// Some connection goes over IPv6.
bool plan_has_ip6(const struct plan *plan);

uint32_t plan_connections(const struct plan *plan);

// The name of a link's end.
const char *plan_end_name(const struct plan *plan, uint32_t end);

// Everything drawn from the seed (draw.c): one wire, two hosts, any fault, any application.
void plan_draw(struct plan *plan, uint64_t seed);

// Leaves in what the seed's coins leave in: kinds of faults, events, API calls (swarm.c).
void plan_swarm(struct plan *plan, uint64_t seed);
