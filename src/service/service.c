// SPDX-License-Identifier: BSD-3-Clause
// The table of services and their common life: defaults, start, drain, stop, and how a connection
// goes from one worker's service to another's (types.h). Called by the prism
// command; what a type does with an event is in its own file, reached through its handler without
// coming by here.
#include "service/service.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "service/types.h"

static const struct service_type *const types[] = {&service_http, &service_echo, &service_discard};

const char *service_type_name(uint32_t index)
{
	return index < ARRAY_COUNT(types) ? types[index]->name : NULL;
}

static const struct service_type *type_find(const char *name)
{
	for (uint32_t i = 0; name && i < ARRAY_COUNT(types); i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}

static void default_u64(uint64_t *value, uint64_t normal)
{
	if (*value == 0)
		*value = normal;
}

static void config_defaults(struct service_config *c)
{
	if (c->connections_max == 0)
		c->connections_max = 16384;
	if (!c->index)
		c->index = "index.html";
	default_u64(&c->file_bytes_max, UINT64_C(1) << 30);
	default_u64(&c->body_bytes_max, 64 << 10);
	default_u64(&c->request_timeout_ns, 10 * NS_PER_S);
	default_u64(&c->idle_timeout_ns, 60 * NS_PER_S);
	default_u64(&c->stall_timeout_ns, 30 * NS_PER_S);
	default_u64(&c->linger_timeout_ns, 60 * NS_PER_S);
}

int service_start(struct prism *prism, struct prism_worker *worker,
		  const struct service_config *config, struct service **out)
{
	const struct service_type *type = type_find(config->type);

	if (!type)
		return err_set(ERR_SERVICE_TYPE, "service type \"%s\"",
			       config->type ? config->type : "");
	struct service *service = mem_map("service", sizeof(*service));

	if (!service)
		return -err_infos[ERR_OUT_OF_MEMORY].number;
	service->type = type;
	service->prism = prism;
	service->worker = worker;
	service->config = *config;
	config_defaults(&service->config);
	int status = type->start(service);

	if (status < 0) {
		mem_unmap(service, sizeof(*service));
		return status;
	}
	*out = service;
	return 0;
}

void service_join(struct service *const *peers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		peers[i]->peers = peers;
		peers[i]->peer_count = count;
	}
}

bool service_give(const struct prism_event *event, uint32_t to)
{
	struct handler *handler = (struct handler *)(uintptr_t)event->user;
	bool given = false;
	struct service_give give = {
		.event = {.type = SERVICE_EVENT_GIVE, .user = event->user, .conn = event->conn},
		.to = to,
		.given = &given,
	};

	handler->on_event(handler, &give.event);
	return given;
}

uint32_t service_conn_objects(const struct service *service)
{
	uint32_t workers = prism_worker_count(service->prism);

	return service->config.connections_max + (workers > 1 ? workers * MOVERS_MAX : 0);
}

void service_leave(struct service *service, struct mover *mover, const struct prism_event *event)
{
	const struct service_give *give = CONTAINER_OF(event, const struct service_give, event);
	struct service *to = give->to < service->peer_count ? service->peers[give->to] : NULL;

	service_reclaim(service);
	if (!to || to == service || token_see(&mover->token) ||
	    service->leaving_count == MOVERS_MAX ||
	    cell_get(&to->stats.connections_open) >= to->config.connections_max ||
	    prism_tcp_move(service->worker, event->conn, give->to) != 0)
		return;
	token_pass(&mover->token, (uintptr_t)to);
	mover->next = service->leaving;
	service->leaving = mover;
	service->leaving_count++;
	cell_add(&service->stats.connections_open, UINT64_MAX);
	*give->given = true;
}

static void unlink_mover(struct service *service, struct mover **link)
{
	struct mover *mover = *link;

	*link = mover->next;
	service->leaving_count--;
	token_pass(&mover->token, 0);
}

void service_stays(struct service *service, struct mover *mover)
{
	struct mover **link = &service->leaving;

	if (!token_see(&mover->token))
		return;
	while (*link != mover)
		link = &(*link)->next;
	unlink_mover(service, link);
	cell_add(&service->stats.connections_open, 1);
}

bool service_left(const struct service *service, const struct mover *mover, prism_conn conn)
{
	return token_see(&mover->token) &&
	       prism_tcp_endpoints(service->worker, conn, NULL, NULL) != 0;
}

void service_reclaim(struct service *service)
{
	struct mover **link = &service->leaving;

	while (*link) {
		struct mover *mover = *link;

		if (token_see(&mover->token) != MOVER_TAKEN) {
			link = &mover->next;
			continue;
		}
		unlink_mover(service, link);
		service->type->forget(service, mover);
	}
}

void service_taken(struct service *service, struct mover *mover, prism_conn conn,
		   struct handler *handler)
{
	cell_add(&service->stats.connections_open, 1);
	(void)prism_tcp_set_user(service->worker, conn, handler_cookie(handler));
	token_pass(&mover->token, MOVER_TAKEN);
}

// A share of what may be open to the worker's service without a complete handshake: a flood of SYNs
// with cookies that others were given takes no more of its connections.
#define FAST_OPENS_PENDING 256

int service_listen(struct service *service, struct handler *handler, prism_listener *listener)
{
	uint32_t most = MIN(service->config.connections_max / 4 + 1, (uint32_t)FAST_OPENS_PENDING);
	int status = prism_tcp_listen(service->worker, &service->config.listen,
				      handler_cookie(handler), listener);

	if (status == 0 && service->config.fast_open)
		status = prism_tcp_set_listener_option(service->worker, *listener,
						       PRISM_TCP_FAST_OPEN, most);
	return status;
}

bool service_drain(struct service *service)
{
	service_reclaim(service);
	service->type->drain(service);
	return service->stats.connections_open == 0 && service->leaving_count == 0;
}

void service_stop(struct service *service)
{
	if (!service)
		return;
	service_reclaim(service);
	service->type->stop(service);
	mem_unmap(service, sizeof(*service));
}

const struct service_config *service_config_of(const struct service *service)
{
	return &service->config;
}

const struct service_stats *service_stats_of(const struct service *service)
{
	return &service->stats;
}
