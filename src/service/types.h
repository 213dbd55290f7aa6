// SPDX-License-Identifier: BSD-3-Clause
// What a type of service is made of, for the files of this directory.
#pragma once

#include "service/service.h"

struct service_type {
	const char *name;
	// Takes memory and listens; sets service->state. 0, or a negative errno and nothing is
	// held.
	int (*start)(struct service *service);
	void (*drain)(struct service *service);
	void (*stop)(struct service *service);
};

struct service {
	const struct service_type *type;
	struct prism *prism;
	struct prism_worker *worker;
	struct service_config config; // defaults filled in
	struct service_stats stats;
	void *state; // the type's own
};

extern const struct service_type service_echo, service_discard, service_http;
