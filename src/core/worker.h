// SPDX-License-Identifier: BSD-3-Clause
// The worker: one core, one loop; it owns everything a packet meets. A turn is one function; the
// production loop calls it with the clock's time, the simulator with a time of its choosing.
#pragma once

#include <prismnet/stack.h>
#include <prismnet/types.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/wheel.h"
#include "core/clock.h"
#include "net/net.h"
#include "observe/counter.h"
#include "observe/trace.h"
#include "observe/verdict.h"
#include "pkt/taping.h"
#include "port/port.h"
#include "tcp/tcp.h"

struct app_timers; // core/timers.h
struct team;       // core/team.h

struct prism_worker {
	struct env env;
	struct net *net;
	struct tcp *tcp;
	struct wheel *wheel;
	struct app_timers *timers;
	struct port *port[PORTS_MAX];
	uint32_t port_count;
	uint32_t idle_looks; // for packets, in a turn with nothing else to do
	bool worked;         // the turn found something to do
	bool last_turn_busy; // the one before this did
	bool undelivered;    // the last turn's events filled what the application gave
	uint64_t last_turn_ns;
	uint64_t published_ns;  // when gauges were last written for tools
	int core;               // it is pinned to, or -1
	bool entered;           // its thread is known
	struct tapings tapings; // that it takes part in; env has them while there are any
	uint64_t tapings_seen;   // core/tapings.h
	struct clock clock;     // only prism_poll reads it
	struct prism *prism;    // NULL in simulations
	struct worker_own *own; // what worker_create made itself and must release
};

// What a worker is made of. Ports, pools, counters, trace and verdicts outlive it and stay the
// caller's.
struct worker_config {
	const struct prism_options
		*options; // limits, addresses and routes; ports' devices are not read
	uint32_t index;
	struct team *team;            // of several workers; NULL: it is alone
	struct port *port[PORTS_MAX]; // opened, in the order of options->ports
	struct pool *pool[POOL_KINDS];
	uint32_t ring_pkts;         // of POOL_RX, in the ports' rings
	const struct seals *seals;  // NULL: none
	struct counters *counters;  // NULL: private ones
	struct trace *trace;        // NULL: a private one
	struct verdicts *verdicts;  // of VERDICT_RECORDS; NULL: private ones, fewer
	struct verdicts *samples;   // the same
	struct conn_row *conn_rows; // conn_rows_of_worker; NULL: private ones, fewer
	uint64_t seed;
	uint8_t secret[16];
	uint64_t now_ns;
};

// What one of so many workers gets of the limits.
struct tcp_config worker_tcp_limits(const struct prism_options *options, uint32_t worker_count);

// A worker, or NULL with err_set.
struct prism_worker *worker_create(const struct worker_config *config);

// Takes what other workers have on the way here, when nobody takes turns any more: before the first
// of several is destroyed, so that no connection is between two.
void worker_settle(struct prism_worker *worker);

// Resets what is connected, releases everything it holds; all its buffers are back afterwards
// (buffers the application holds must have been released).
void worker_destroy(struct prism_worker *worker);

// One turn at now_ns, which never goes back. Writes up to count events, returns how many.
int worker_turn(struct prism_worker *worker, uint64_t now_ns, struct prism_event *events,
		int count);

// Of what passes its ports one packet in so many is recorded from now on; PRISM_SAMPLE_NONE.
void worker_sample(struct prism_worker *worker, uint32_t one_in);

// It takes part in these captures from now on.
void worker_tape(struct prism_worker *worker, const struct tapings *tapings);

// Hands what is staged to the ports: the beginning of a turn that needs no clock.
void worker_transmit(struct prism_worker *worker);

// The earliest time at which a turn would do something without a packet arriving; now or earlier
// when there is work already, TIME_NEVER_NS when only a packet can wake it.
uint64_t worker_next_ns(const struct prism_worker *worker);
