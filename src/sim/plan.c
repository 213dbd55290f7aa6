// SPDX-License-Identifier: BSD-3-Clause
// Plans: defaults, and what follows from their numbers. Called by whatever makes plans
// (plan_read.c, draw.c), by run.c and judge.c. What does not go together in a file is
// plan_check.c's; what a seed leaves in is swarm.c's.
#include "sim/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"

// Beyond this share of frames lost, both ways together, a connection may give up.
#define HARSH_PPM 60000

// Longer silence may end a connection, by its handshake, its timers or its keep-alive.
#define HARSH_OUTAGE_NS (10 * NS_PER_S)

void plan_link_init(struct plan_link *link)
{
	*link = (struct plan_link){.end = {0, 1}};
	link->faults[0].delay_ns = link->faults[1].delay_ns = NS_PER_MS;
}

void plan_event_init(struct plan_event *event)
{
	*event = (struct plan_event){.mtu_bytes = 1280, .loss_ppm = 100000};
}

void plan_app_init(struct plan_app *app, uint32_t type)
{
	*app = (struct plan_app){.type = type,
				 .to = 1,
				 .connections = 1,
				 .rounds = 10,
				 .request_bytes = 100,
				 .response_bytes = 1000,
				 .idle_ns = 60 * NS_PER_S};
	for (int s = 0; s < 2; s++)
		app->side[s] = (struct plan_side){.chunk_bytes = 16384, .call = SEND_REGION};
	app->side[0].send_bytes = 1 << 20;
	app->side[0].close =
		type == APP_REQUEST || type == APP_SHORT ? CLOSE_WHEN_DONE : CLOSE_WHEN_SENT;
	app->side[1].close = CLOSE_ON_EOF;
}

void plan_init(struct plan *plan)
{
	struct world_config world;

	memset(plan, 0, sizeof(*plan));
	world_config_init(&world);
	plan->options = world.options;
	plan->options.time_wait_ns = 30 * NS_PER_S; // longer than a lost last ACK takes
	plan->mtu_bytes = 1500;
	plan->icmp = true;
	plan->host_count = 2;
	for (int i = 0; i < 2; i++)
		plan->host[i] = (struct plan_host){.name = {(char)('a' + i)}, .workers = 1};
	plan->link_count = 1;
	plan_link_init(&plan->link[0]);
	strcpy(plan->link[0].name, "a-b");
}

static uint64_t lost_ppm(const struct pair_faults *f)
{
	uint64_t bad_ppm = 0;

	if (f->burst_ppm) // the share of time that is bad, and of it what is lost
		bad_ppm = (uint64_t)f->burst_loss_ppm * f->burst_ppm /
			  MAX(f->burst_ppm + f->burst_end_ppm, 1u);
	return f->loss_ppm + f->corrupt_ppm + bad_ppm + (f->down ? 1000000u : 0u);
}

static bool event_is_harsh(const struct plan *plan, const struct plan_event *e)
{
	uint64_t until_ns = e->until_ns ? e->until_ns : plan->heal_ns;

	if (e->deed == DO_MTU)
		return !plan->icmp || e->mtu_bytes < 1280;
	if (e->deed == DO_LOSS && e->loss_ppm < HARSH_PPM / 2)
		return false;
	return !until_ns || until_ns > e->at_ns + HARSH_OUTAGE_NS;
}

bool plan_is_harsh(const struct plan *plan)
{
	uint64_t worst_ppm = 0;

	for (uint32_t i = 0; i < plan->link_count; i++) {
		const struct plan_link *link = &plan->link[i];

		worst_ppm += lost_ppm(&link->faults[0]) + lost_ppm(&link->faults[1]);
	}
	for (uint32_t i = 0; i < plan->event_count; i++)
		if (event_is_harsh(plan, &plan->event[i]))
			return true;
	return worst_ppm > HARSH_PPM || plan->fail_ppm || (plan->buffers && plan->buffers <= 512);
}

bool plan_has_ip6(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->app_count; i++)
		if (plan->app[i].family != FAMILY_IP4)
			return true;
	return false;
}

uint32_t plan_connections(const struct plan *plan)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->app_count; i++)
		count += plan->app[i].connections;
	return count;
}

const char *plan_end_name(const struct plan *plan, uint32_t end)
{
	return end >= WORLD_SWITCH ? plan->switches[end - WORLD_SWITCH] : plan->host[end].name;
}
