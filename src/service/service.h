// SPDX-License-Identifier: BSD-3-Clause
// A service answers on an address of ours: http, echo, discard. It uses the public API only.
//
// Whoever drives the worker hands the events of each turn to handler_dispatch_all; the cookie of an
// event is the handler it belongs to: a listener, a connection, a UDP socket or a timer of some
// service. One indirect call, no lookup.
#pragma once

#include <prismnet/prism.h>

struct handler {
	void (*on_event)(struct handler *handler, const struct prism_event *event);
};

static inline uint64_t handler_cookie(struct handler *handler)
{
	return (uint64_t)(uintptr_t)handler;
}

static inline void handler_dispatch(const struct prism_event *event)
{
	struct handler *handler = (struct handler *)(uintptr_t)event->user;

	handler->on_event(handler, event);
}

// Events ahead whose handlers' state is being loaded while one is handled: with ten thousand
// connections each is in a line that nothing has touched for long.
#define HANDLERS_AHEAD 8

// All events of a turn, in order.
static inline void handler_dispatch_all(const struct prism_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		int later = i + HANDLERS_AHEAD;

		if (later < count)
			__builtin_prefetch((const void *)(uintptr_t)events[later].user);
		handler_dispatch(&events[i]);
	}
}

// A type of event of our own, told to a handler as the stack's are: whoever drives the worker wants
// the connection to go to another worker's service (struct service_give).
#define SERVICE_EVENT_GIVE 0x10000u

// Zero means the default. Strings are borrowed until service_stop.
struct service_config {
	const char *type;             // "http", "echo", "discard"
	struct prism_endpoint listen; // address all zero: any of ours
	uint32_t connections_max;     // default 16384; more are reset
	bool fast_open;               // text that comes with the SYN is taken (RFC 7413)
	const char *root;             // http: directory whose files are served
	const char *index;            // http: file a directory stands for, default "index.html"
	uint64_t file_bytes_max;      // http: a larger file refuses the start, default 1 GiB
	uint64_t body_bytes_max;      // http: request bodies, read and ignored, default 64 KiB
	uint64_t request_timeout_ns;  // http: from a request's first byte to its last, default 10 s
	uint64_t idle_timeout_ns;     // http: between requests, default 60 s
	uint64_t stall_timeout_ns;    // http: a reader that takes nothing, default 30 s
	uint64_t linger_timeout_ns; // http: from the last answer to the client's end, default 60 s
};

// Written by the worker. Any thread may read the two that are cells, the others whoever runs on the
// worker's.
struct service_stats {
	uint64_t connections;         // accepted
	uint64_t connections_open;    // cell; without those that are to go to another worker
	uint64_t connections_refused; // no slot was left
	uint64_t requests; // cell; http requests answered; echo, discard: buffers handled
	uint64_t responses_by_class[6]; // http: [2] counts 2xx, and so on
	uint64_t bytes;                 // http: body bytes sent; echo, discard: bytes handled
	uint64_t timeouts;              // connections ended for being slow
	uint64_t errors;                // replies that could not be sent
};

struct service;

// Names the types, NULL after the last.
const char *service_type_name(uint32_t index);

// All memory is had here. 0, or a negative errno with prism_last_error and nothing started.
int service_start(struct prism *prism, struct prism_worker *worker,
		  const struct service_config *config, struct service **service);

// The services of one entry of the configuration, of all workers in order: connections may go from
// one to another. peers is borrowed until service_stop. Before any of them has an event.
void service_join(struct service *const *peers, uint32_t count);

// The connection of this event goes to that worker, if it is a service's that takes part and
// nothing speaks against it: not while another move of it is under way, so many are, or the other
// has all the connections it may have. True when it goes, as soon as nothing of it waits here.
// The worker's thread, after the event was dispatched.
bool service_give(const struct prism_event *event, uint32_t to);

// No new connections; idle ones are closed, the others once they are answered. True when none is
// left. Call it again after polling until it is true or patience ends.
bool service_drain(struct service *service);

// Aborts what is left and releases everything. No event of its may be dispatched afterwards: call
// it after the last poll.
void service_stop(struct service *service);

const struct service_config *service_config_of(const struct service *service);
const struct service_stats *service_stats_of(const struct service *service);
