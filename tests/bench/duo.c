// SPDX-License-Identifier: BSD-3-Clause
// See duo.h. prism_open starts each stack; from then on time is duo->now_ns and nobody's clock.
#include "duo.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "core/worker.h"

void duo_must(bool good, const char *what)
{
	if (good)
		return;
	prism_error_print(what);
	exit(1);
}

static struct prism *open_side(const char *device, const char *address, const char *address6,
			       const struct prism_options *limits)
{
	struct prism_options o = *limits;

	o.no_shared_memory = true;
	o.seed = 1;
	o.port_count = 1;
	o.ports[0].name = "p0";
	o.ports[0].device = device;
	o.ports[0].address_count = 1;
	o.ports[0].addresses[0].len = 24;
	prism_addr_parse(address, &o.ports[0].addresses[0].addr);
	if (address6) {
		o.ports[0].address_count = 2;
		o.ports[0].addresses[1].len = 64;
		prism_addr_parse(address6, &o.ports[0].addresses[1].addr);
	}
	struct prism *prism = prism_open(&o);

	duo_must(prism != NULL, "bench");
	return prism;
}

void duo_open(struct duo *duo, const char *name, const struct prism_options *limits)
{
	char device[64];

	snprintf(device, sizeof(device), "pair:%s,frames_max=4096", name);
	duo->prism[SERVER] = open_side(device, DUO_SERVER, duo->ip6 ? DUO_SERVER6 : NULL, limits);
	duo->prism[CLIENT] = open_side(device, DUO_CLIENT, duo->ip6 ? DUO_CLIENT6 : NULL, limits);
	for (int i = 0; i < 2; i++)
		duo->worker[i] = prism_worker_get(duo->prism[i], 0);
	duo->now_ns = MAX(prism_now_ns(duo->worker[SERVER]), prism_now_ns(duo->worker[CLIENT]));
}

void duo_close(struct duo *duo)
{
	prism_close(duo->prism[CLIENT]);
	prism_close(duo->prism[SERVER]);
}

int duo_turn(struct duo *duo, int side, struct prism_event *events, int count)
{
	return worker_turn(duo->worker[side], duo->now_ns, events, count);
}
