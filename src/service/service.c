// SPDX-License-Identifier: BSD-3-Clause
// The table of services and their common life: defaults, start, drain, stop. Called by the prism
// command; what a type does with an event is in its own file, reached through its handler without
// coming by here.
#include "service/service.h"

#include <string.h>

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

bool service_drain(struct service *service)
{
	service->type->drain(service);
	return service->stats.connections_open == 0;
}

void service_stop(struct service *service)
{
	if (!service)
		return;
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
