// SPDX-License-Identifier: BSD-3-Clause
// Events of a plan on the links of a world. At each time at which something begins or ends, the
// state of every link is worked out anew from the plan, so that events may overlap. Called by run.c
// before each step; sets faults of port/pair.h and who is apart in sim/bridge.h.
#include "sim/schedule.h"

#include "base/time.h"
#include "pkt/pool_heap.h"

// The link after the heal: a good one. What was on it still arrives.
static const struct pair_faults good = {.delay_ns = NS_PER_MS, .rate_bits_s = 1000000000};

static bool is_on(const struct schedule *s, const struct plan_event *e)
{
	uint64_t now_ns = s->world->now_ns - s->start_ns;

	return e->at_ns <= now_ns && (!e->until_ns || now_ns < e->until_ns);
}

static void apply(const struct plan_event *e, const struct plan_link *link, int way,
		  struct pair_faults *faults)
{
	switch (e->deed) {
	case DO_DOWN:
		faults->down = true;
		break;
	case DO_ONE_WAY:
		faults->down |= link->end[way] == e->from;
		break;
	case DO_MTU:
		faults->mtu_bytes = e->mtu_bytes;
		break;
	case DO_LOSS:
		faults->loss_ppm = MAX(faults->loss_ppm, e->loss_ppm);
		break;
	default:
		break;
	}
}

// Hosts of different parts joined by the wire itself: no switch keeps them apart.
static bool is_cut(const struct world *world, const struct plan_link *link)
{
	uint32_t a = link->end[0], b = link->end[1], apart = world->hosts.apart;

	return a < WORLD_SWITCH && b < WORLD_SWITCH && (apart >> a & 1) != (apart >> b & 1);
}

static void set_link(const struct schedule *s, uint32_t index)
{
	const struct plan_link *link = &s->plan->link[index];
	struct pair *pair = s->world->wire[index].pair;

	for (int way = 0; way < 2; way++) {
		struct pair_faults faults = s->healed ? good : link->faults[way];

		for (uint32_t i = 0; i < s->plan->event_count && !s->healed; i++) {
			const struct plan_event *e = &s->plan->event[i];

			if (is_on(s, e) && e->deed != DO_PARTITION && e->link == index)
				apply(e, link, way, &faults);
		}
		faults.down |= is_cut(s->world, link);
		if (link->end[way] >= WORLD_SWITCH)
			faults.refuse_ppm = 0; // a switch does not try again
		pair_set_faults(pair, way, &faults);
	}
}

static void set_all(struct schedule *s)
{
	s->world->hosts.apart = 0;
	for (uint32_t i = 0; i < s->plan->event_count && !s->healed; i++)
		if (s->plan->event[i].deed == DO_PARTITION && is_on(s, &s->plan->event[i]))
			s->world->hosts.apart ^= s->plan->event[i].hosts;
	for (uint32_t i = 0; i < s->plan->link_count; i++)
		set_link(s, i);
}

static void consider(struct schedule *s, uint64_t at_ns)
{
	uint64_t change_ns = s->start_ns + at_ns;

	if (change_ns > s->world->now_ns)
		s->change_ns = MIN(s->change_ns, change_ns);
}

static void find_next(struct schedule *s)
{
	s->change_ns = TIME_NEVER_NS;
	if (s->healed)
		return;
	for (uint32_t i = 0; i < s->plan->event_count; i++) {
		consider(s, s->plan->event[i].at_ns);
		consider(s, s->plan->event[i].until_ns);
	}
	consider(s, s->plan->heal_ns);
}

void schedule_start(struct schedule *s, const struct plan *plan, struct world *world)
{
	*s = (struct schedule){.plan = plan, .world = world, .start_ns = world->now_ns};
	set_all(s);
	find_next(s);
}

void schedule_run(struct schedule *s)
{
	if (s->world->now_ns < s->change_ns)
		return;
	if (s->plan->heal_ns && s->world->now_ns >= s->start_ns + s->plan->heal_ns) {
		s->healed = true;
		pool_heap_fail(0, 0);
	}
	set_all(s);
	find_next(s);
}
