// SPDX-License-Identifier: BSD-3-Clause
// A whole instance: what prism_open makes and prism_close takes apart.
#pragma once

#include <prismnet/stack.h>

#include "core/tapings.h"
#include "core/last_words.h"
#include "core/worker.h"
#include "pkt/seal.h"
#include "port/platform.h"

#define REPORT_BYTES 8192

struct shm;

struct prism {
	struct prism_options
		options; // filled in; strings are the caller's, needed during open only
	struct port *port[PORTS_MAX];
	uint32_t port_count;
	uint32_t device_of[PORTS_MAX]; // the port whose device it has: itself, or a VLAN's
	struct pool *pool[POOL_KINDS];
	struct prism_worker *worker[WORKERS_MAX]; // the first options.workers
	struct team *team;                        // of several
	struct port *relay[WORKERS_MAX][PORTS_MAX];
	uint32_t ring_pkts; // in the ports' rings
	struct seals seals;
	struct shm *shm;        // NULL without shared memory
	uint32_t sample_one_in; // cell; workers look when they publish, and at these:
	struct taping_set tapings;
	bool platform_up;
	struct last_words last_words[WORKERS_MAX];
	char report[REPORT_BYTES];
};

// The given options with every default in its place (core/options.c).
void options_fill(struct prism_options *out, const struct prism_options *given);

// True when the port has an IPv6 address.
bool options_speak_ip6(const struct prism_port_options *port);

// True when its device is another port's (`vlan:NAME`).
bool options_is_vlan(const struct prism_port_options *port);

// The port whose device this one has: itself, or the one that `vlan:NAME` names before it;
// PORTS_MAX when there is none of that name.
uint32_t options_device_of(const struct prism_options *options, uint32_t index);

// 1 to PRISM_SAMPLE_ONE_IN_MAX, or PRISM_SAMPLE_NONE.
bool options_sample_is_good(uint32_t one_in);

// 0, or a negative errno with err_set naming the field.
int options_check(const struct prism_options *options);

// A running instance, or NULL with err_set and nothing left behind.
struct prism *start_open(const struct prism_options *given);
void start_close(struct prism *prism);

// start_workers.c. 0 or a negative errno with err_set; what was made is end_workers' to unmake.
int start_workers(struct prism *prism);
void end_workers(struct prism *prism);

// 0, or a negative errno with err_set: a cpu that is not there, or two workers on one.
int cores_check(const struct prism_options *options);

// The calling thread drives this worker from now on: pins it where the options say.
void start_enter(struct prism_worker *worker);

// It does no longer.
void start_leave(struct prism_worker *worker);

// Writes gauges (pools, ports, connections, heartbeat) for tools; the worker calls it now and then.
void start_publish(struct prism_worker *worker, uint64_t now_ns);

// How often: a tool that looks once a second sees fresh values, the worker hardly notices.
#define PUBLISH_NS (10 * UINT64_C(1000000))
