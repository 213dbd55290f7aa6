// SPDX-License-Identifier: BSD-3-Clause
// What a type of service is made of, for the files of this directory.
//
// A connection's way from one worker's service to another's:
//
//	old worker                                  new worker
//	service_leave: its object says where to
//	TCP moves it (tcp/move.c)
//	the object is not touched any more ───────► MOVED comes with the object as cookie
//	                                            an object of his own, a copy; the cookie is that
//	service_reclaim: the object is free ◄────── mover_taken
//
// So each worker looks through objects of his own alone, and none needs to be told: whether a
// connection is still his, TCP says.
#pragma once

#include "service/service.h"
#include "sync/cell.h"

// In the object of each connection. Its own worker's, but for the token.
struct mover {
	uint64_t token;     // 0: stays here; the service it goes to; MOVER_TAKEN
	struct mover *next; // of those that go, its own worker's
};

#define MOVER_TAKEN 1 // no service is there

// Of a service's connections so many may be on their way: they have objects, but count no more
// (connections_open). And so many more than connections_max may another get from each.
#define MOVERS_MAX 32

struct service_type {
	const char *name;
	// Takes memory and listens; sets service->state. 0, or a negative errno and nothing is
	// held.
	int (*start)(struct service *service);
	void (*drain)(struct service *service);
	void (*stop)(struct service *service);
	// The new worker has taken the connection of this object: the object is free. What was in
	// it is the other's.
	void (*forget)(struct service *service, struct mover *mover);
};

struct service {
	const struct service_type *type;
	struct prism *prism;
	struct prism_worker *worker;
	struct service_config config; // defaults filled in
	struct service_stats stats;
	void *state;                  // the type's own
	struct service *const *peers; // of all workers; NULL: nothing goes anywhere
	uint32_t peer_count;
	struct mover *leaving; // not taken yet
	uint32_t leaving_count;
};

// What a handler is told with SERVICE_EVENT_GIVE.
struct service_give {
	struct prism_event event; // its conn says which; the handler may have another by now
	uint32_t to;
	bool *given;
};

// Opens the configured listener, with its settings. 0, or a negative errno.
int service_listen(struct service *service, struct handler *handler, prism_listener *listener);

// Objects for connections: with those that are on their way from here, and those that others give
// when it has its connections_max already.
uint32_t service_conn_objects(const struct service *service);

// A handler was told to give its connection away, and can. The old worker.
void service_leave(struct service *service, struct mover *mover, const struct prism_event *give);

// The connection ended here before it left. The old worker.
void service_stays(struct service *service, struct mover *mover);

// It left: the object is another's until it is forgotten.
bool service_left(const struct service *service, const struct mover *mover, prism_conn conn);

// Objects whose connections are taken become free.
void service_reclaim(struct service *service);

// Whose it is now, told by MOVED. The new worker.
static inline struct service *mover_target(const struct mover *mover)
{
	return (struct service *)(uintptr_t)token_see(&mover->token);
}

// Its connection has an object of ours: handler is in it. The new worker.
void service_taken(struct service *service, struct mover *mover, prism_conn conn,
		   struct handler *handler);

extern const struct service_type service_echo, service_discard, service_http;
