// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a scenario although each of its values is right: who is not linked to whom,
// what can never end. Called by plan_read.c when all values could be taken. Adds to file->diags,
// with place and remedy.
#include <string.h>

#include "sim/plan_file.h"

#define ENDS_MAX (PLAN_HOSTS_MAX + PLAN_SWITCHES_MAX)

static uint32_t number_of(const struct plan *plan, uint32_t end)
{
	return end >= WORLD_SWITCH ? plan->host_count + end - WORLD_SWITCH : end;
}

static uint32_t root_of(const uint32_t *above, uint32_t end)
{
	while (above[end] != end)
		end = above[end];
	return end;
}

static void check_names(struct plan_file *f)
{
	const struct plan *plan = f->plan;

	for (uint32_t i = 0; i < plan->host_count; i++) {
		bool taken = false;

		for (uint32_t j = 0; j < i; j++)
			taken |= strcmp(plan->host[i].name, plan->host[j].name) == 0;
		for (uint32_t j = 0; j < plan->switch_count; j++)
			taken |= strcmp(plan->host[i].name, plan->switches[j]) == 0;
		if (taken)
			diag_hint(diag_add(&f->diags, f->host_place[i], "`%s` is there twice",
					   plan->host[i].name),
				  "hosts and switches need names of their own");
	}
}

// One link a host, and no ring: there is no spanning tree.
static void check_links(struct plan_file *f)
{
	const struct plan *plan = f->plan;
	uint32_t above[ENDS_MAX], links_of[ENDS_MAX] = {0};
	uint32_t end_count = plan->host_count + plan->switch_count;

	for (uint32_t i = 0; i < end_count; i++)
		above[i] = i;
	for (uint32_t i = 0; i < plan->link_count; i++) {
		uint32_t a = number_of(plan, plan->link[i].end[0]);
		uint32_t b = number_of(plan, plan->link[i].end[1]);

		links_of[a]++;
		links_of[b]++;
		if (root_of(above, a) == root_of(above, b))
			diag_hint(diag_add(&f->diags, f->link_place[i],
					   "this link closes a ring, or joins an end to itself"),
				  "leave it out: frames would go round for ever");
		above[root_of(above, a)] = root_of(above, b);
	}
	for (uint32_t i = plan->host_count; i < end_count; i++)
		if (links_of[i] > BRIDGE_PORTS_MAX)
			diag_hint(diag_add(&f->diags, f->link_place[0], "switch `%s` has %u links",
					   plan->switches[i - plan->host_count], links_of[i]),
				  "it has %d ports: add another switch", BRIDGE_PORTS_MAX);
	for (uint32_t i = 0; i < plan->host_count; i++) {
		if (links_of[i] != 1)
			diag_hint(diag_add(&f->diags, f->host_place[i],
					   "host `%s` has %u links, and a host has one port",
					   plan->host[i].name, links_of[i]),
				  "join more than two hosts by a switch: switches: [s]");
		else if (root_of(above, i) != root_of(above, 0))
			diag_hint(diag_add(&f->diags, f->host_place[i],
					   "no way leads from host `%s` to host `%s`",
					   plan->host[i].name, plan->host[0].name),
				  "add a link between the two parts");
	}
}

static void check_app(struct plan_file *f, const struct plan_app *app, struct place place)
{
	const struct plan_side *side = app->side;

	if (app->from == app->to)
		diag_hint(diag_add(&f->diags, place, "from and to are the same host"), "name two");
	if (app->family != FAMILY_IP4 && f->plan->mtu_bytes < 1280)
		diag_hint(diag_add(&f->diags, place, "IPv6 needs an mtu of 1280B"),
			  "write family: ip4, or a larger mtu:");
	if (side[0].call == SEND_ECHO)
		diag_hint(diag_add(&f->diags, place, "who opens has nothing to echo"),
			  "write answer: {call: echo}");
	if (side[0].close == CLOSE_ON_EOF && side[1].close == CLOSE_ON_EOF)
		diag_hint(diag_add(&f->diags, place, "each side waits until the other closes"),
			  "one of them needs close: when_sent or when_done");
}

static void check_event(struct plan_file *f, const struct plan_event *e, struct place place)
{
	const struct plan_link *link = &f->plan->link[e->link];

	if (e->until_ns && e->until_ns <= e->at_ns)
		diag_hint(diag_add(&f->diags, place, "it ends before it begins"),
			  "until: is a time from the start, as at: is");
	if (e->deed == DO_ONE_WAY && e->from != link->end[0] && e->from != link->end[1])
		diag_hint(diag_add(&f->diags, place, "`%s` is no end of link `%s`",
				   plan_end_name(f->plan, e->from), link->name),
			  "write from: %s or from: %s", plan_end_name(f->plan, link->end[0]),
			  plan_end_name(f->plan, link->end[1]));
	if (e->deed == DO_PARTITION && e->hosts == 0)
		diag_hint(diag_add(&f->diags, place, "a partition of nobody"),
			  "for example hosts: [%s]", f->plan->host[0].name);
}

void plan_check(struct plan_file *f)
{
	const struct plan *plan = f->plan;

	if (plan->host_count < 2) {
		diag_hint(diag_add(&f->diags,
				   plan->host_count ? f->host_place[0] : (struct place){0},
				   "a scenario of %u hosts: nobody has anybody to talk to",
				   plan->host_count),
			  "two at least, for example hosts: [a, b]");
		return;
	}
	check_names(f);
	check_links(f);
	for (uint32_t i = 0; i < plan->app_count; i++)
		check_app(f, &plan->app[i], f->app_place[i]);
	for (uint32_t i = 0; i < plan->event_count; i++)
		check_event(f, &plan->event[i], f->event_place[i]);
	if (plan->app_count == 0)
		diag_hint(diag_add(&f->diags, (struct place){0}, "nobody does anything"),
			  "for example applications: [{type: bulk, from: a, to: b}]");
	if (plan_connections(plan) > PLAN_CONNECTIONS_MAX)
		diag_hint(diag_add(&f->diags, f->app_place[0], "%u connections in all",
				   plan_connections(plan)),
			  "at most %d", PLAN_CONNECTIONS_MAX);
}
