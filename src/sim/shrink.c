// SPDX-License-Identifier: BSD-3-Clause
// Shrinking (delta debugging: Zeller and Hildebrandt, 2002, in its simplest form): leave out one
// thing at a time, applications by halves first, and keep what still fails with the same words.
// Over and over until a whole round keeps nothing. Called by cli/sim.c; each trial is a run in a
// process of its own (batch.c).
#include "sim/shrink.h"

#include <string.h>
#include <time.h>

#include "base/time.h"
#include "sim/field.h"

// A way to make a plan smaller. n counts the places where it can be tried; false: there is no n-th.
typedef bool reduction(struct plan *plan, uint32_t n);

static void remove_apps(struct plan *plan, uint32_t first, uint32_t count)
{
	memmove(&plan->app[first], &plan->app[first + count],
		(plan->app_count - first - count) * sizeof(plan->app[0]));
	plan->app_count -= count;
}

// Halves, then quarters, and so on down to one.
static bool fewer_apps(struct plan *plan, uint32_t n)
{
	for (uint32_t size = plan->app_count / 2; size > 0; size /= 2) {
		uint32_t pieces = (plan->app_count + size - 1) / size;

		if (n >= pieces) {
			n -= pieces;
			continue;
		}
		remove_apps(plan, n * size, MIN(size, plan->app_count - n * size));
		return true;
	}
	return false;
}

static bool fewer_connections(struct plan *plan, uint32_t n)
{
	static const uint32_t divisors[] = {16, 4, 2};

	if (n >= plan->app_count * ARRAY_COUNT(divisors))
		return false;
	struct plan_app *app = &plan->app[n / ARRAY_COUNT(divisors)];

	app->connections = MAX(app->connections / divisors[n % ARRAY_COUNT(divisors)], 1u);
	return true;
}

static bool fewer_events(struct plan *plan, uint32_t n)
{
	if (n >= plan->event_count)
		return false;
	memmove(&plan->event[n], &plan->event[n + 1],
		(plan->event_count - n - 1) * sizeof(plan->event[0]));
	plan->event_count--;
	return true;
}

static bool has_app(const struct plan *plan, uint32_t host)
{
	for (uint32_t i = 0; i < plan->app_count; i++)
		if (plan->app[i].from == host || plan->app[i].to == host)
			return true;
	return false;
}

static uint32_t without(uint32_t bits, uint32_t bit)
{
	uint32_t low = bits & ((1u << bit) - 1);

	return low | (bits >> (bit + 1) << bit);
}

static void lower(uint32_t *index, uint32_t removed)
{
	if (*index<WORLD_SWITCH && * index> removed)
		--*index;
}

static void remove_link(struct plan *plan, uint32_t link)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->event_count; i++) {
		struct plan_event e = plan->event[i];

		if (e.deed != DO_PARTITION && e.link == link)
			continue;
		if (e.link > link)
			e.link--;
		plan->event[kept++] = e;
	}
	plan->event_count = kept;
	memmove(&plan->link[link], &plan->link[link + 1],
		(plan->link_count - link - 1) * sizeof(plan->link[0]));
	plan->link_count--;
}

// A host that does nothing goes, with its link; the others move up.
static bool fewer_hosts(struct plan *plan, uint32_t n)
{
	uint32_t kept = 0;

	if (n >= plan->host_count)
		return false;
	if (plan->host_count <= 2 || has_app(plan, n))
		return true;
	for (uint32_t i = 0; i < plan->link_count; i++) {
		if (plan->link[i].end[0] != n && plan->link[i].end[1] != n)
			continue;
		remove_link(plan, i);
		break;
	}
	for (uint32_t i = 0; i < plan->host_count; i++)
		if (i != n)
			plan->host[kept++] = plan->host[i];
	plan->host_count = kept;
	for (uint32_t i = 0; i < plan->link_count; i++)
		for (int end = 0; end < 2; end++)
			lower(&plan->link[i].end[end], n);
	for (uint32_t i = 0; i < plan->app_count; i++) {
		lower(&plan->app[i].from, n);
		lower(&plan->app[i].to, n);
	}
	kept = 0;
	for (uint32_t i = 0; i < plan->event_count; i++) {
		struct plan_event e = plan->event[i];

		lower(&e.from, n);
		e.hosts = without(e.hosts, n);
		if (e.deed != DO_PARTITION || e.hosts)
			plan->event[kept++] = e;
	}
	plan->event_count = kept;
	return true;
}

// One member to its default.
static void reset(const struct field *f, void *base, const void *fallback)
{
	memcpy((char *)base + f->offset, (const char *)fallback + f->offset, f->width);
}

static bool reset_nth(const struct fields *fields, void *base, const void *fallback, uint32_t *n)
{
	if (*n >= fields->count) {
		*n -= fields->count;
		return false;
	}
	reset(&fields->field[*n], base, fallback);
	return true;
}

static bool fewer_faults(struct plan *plan, uint32_t n)
{
	struct plan_link fallback;

	plan_link_init(&fallback);
	for (uint32_t i = 0; i < plan->link_count; i++)
		for (int way = 0; way < 2; way++)
			if (reset_nth(&fields_faults, &plan->link[i].faults[way],
				      &fallback.faults[0], &n))
				return true;
	return false;
}

// What is expected stays: without it nothing would fail.
static bool fewer_settings(struct plan *plan, uint32_t n)
{
	static struct plan fallback;

	plan_init(&fallback);
	if (reset_nth(&fields_tcp, &plan->options, &fallback.options, &n) ||
	    reset_nth(&fields_hardship, plan, &fallback, &n) ||
	    reset_nth(&fields_top, plan, &fallback, &n))
		return true;
	for (uint32_t i = 0; i < plan->host_count; i++)
		if (reset_nth(&fields_host, &plan->host[i], &fallback.host[0], &n))
			return true;
	return false;
}

// All but who, whom, and how much: what less_data made less is not made more again.
static bool simpler_apps(struct plan *plan, uint32_t n)
{
	for (uint32_t i = 0; i < plan->app_count; i++) {
		struct plan_app fallback, *app = &plan->app[i];

		plan_app_init(&fallback, app->type);
		fallback.from = app->from;
		fallback.to = app->to;
		for (int s = 0; s < 2; s++)
			fallback.side[s].send_bytes = app->side[s].send_bytes;
		fallback.connections = app->connections;
		fallback.rounds = app->rounds;
		fallback.request_bytes = app->request_bytes;
		fallback.response_bytes = app->response_bytes;
		if (reset_nth(&fields_app, app, &fallback, &n) ||
		    reset_nth(&fields_side, &app->side[0], &fallback.side[0], &n) ||
		    reset_nth(&fields_side, &app->side[1], &fallback.side[1], &n))
			return true;
	}
	return false;
}

static bool less_data(struct plan *plan, uint32_t n)
{
	static const uint32_t divisors[] = {64, 8, 2};
	uint32_t each = 2 * ARRAY_COUNT(divisors);

	if (n >= plan->app_count * each)
		return false;
	struct plan_app *app = &plan->app[n / each];
	uint32_t divisor = divisors[n % ARRAY_COUNT(divisors)];

	if (app->type == APP_BULK) {
		app->side[n / ARRAY_COUNT(divisors) % 2].send_bytes /= divisor;
		return true;
	}
	app->rounds = MAX(app->rounds / divisor, 1u);
	app->response_bytes = MAX(app->response_bytes / divisor, 1u);
	app->request_bytes = MAX(app->request_bytes / divisor, 1u);
	return true;
}

static bool sooner_healed(struct plan *plan, uint32_t n)
{
	if (n >= 3)
		return false;
	plan->heal_ns = plan->heal_ns / 2 / NS_PER_MS * NS_PER_MS;
	return true;
}

static reduction *const reductions[] = {fewer_apps,   fewer_connections, fewer_events,
					fewer_hosts,  fewer_faults,      fewer_settings,
					simpler_apps, less_data,         sooner_healed};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool still_fails(struct shrink *s, const struct plan *plan)
{
	struct run_result result;

	s->trials++;
	return !batch_run_one(plan, s->seed, NULL, &result) &&
	       strcmp(result.failure, s->failure) == 0;
}

static bool out_of_budget(const struct shrink *s, double end_s)
{
	return (s->trials_max && s->trials >= s->trials_max) ||
	       (end_s > 0 && seconds_now() > end_s);
}

// All places of one reduction, once. True when one of them was kept.
static bool reduce(struct shrink *s, struct plan *plan, reduction *attempt, double end_s)
{
	static struct plan smaller;
	bool any = false;

	for (uint32_t n = 0; !out_of_budget(s, end_s);) {
		smaller = *plan;
		if (!attempt(&smaller, n))
			break;
		if (memcmp(&smaller, plan, sizeof(smaller)) == 0 || !still_fails(s, &smaller)) {
			n++;
			continue;
		}
		*plan = smaller; // and what is now n-th is another place, or smaller yet
		s->kept++;
		any = true;
	}
	if (s->progress)
		s->progress(s->context, s);
	return any;
}

void shrink_plan(struct shrink *s, struct plan *plan)
{
	double end_s = s->seconds_max > 0 ? seconds_now() + s->seconds_max : 0;
	bool any = true;

	s->trials = s->kept = 0;
	while (any && !out_of_budget(s, end_s)) {
		any = false;
		for (size_t i = 0; i < ARRAY_COUNT(reductions); i++)
			any |= reduce(s, plan, reductions[i], end_s);
	}
}
