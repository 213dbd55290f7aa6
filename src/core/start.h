// SPDX-License-Identifier: BSD-3-Clause
// A whole instance: what prism_open makes and prism_close takes apart.
#pragma once

#include <prismnet/stack.h>

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
	struct pool *pool[POOL_KINDS];
	struct prism_worker *worker;
	struct seals seals;
	struct shm *shm; // NULL without shared memory
	bool platform_up;
	struct last_words last_words;
	uint64_t published_ns; // when gauges were last written for tools
	char report[REPORT_BYTES];
};

// The given options with every default in its place (core/options.c).
void options_fill(struct prism_options *out, const struct prism_options *given);

// 0, or a negative errno with err_set naming the field.
int options_check(const struct prism_options *options);

// A running instance, or NULL with err_set and nothing left behind.
struct prism *start_open(const struct prism_options *given);
void start_close(struct prism *prism);

// Writes gauges (pools, ports, connections, heartbeat) for tools; the worker calls it now and then.
void start_publish(struct prism *prism, uint64_t now_ns);

// How often: a tool that looks once a second sees fresh values, the worker hardly notices.
#define PUBLISH_NS (10 * UINT64_C(1000000))
