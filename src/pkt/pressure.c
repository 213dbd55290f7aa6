// SPDX-License-Identifier: BSD-3-Clause
// Steps of memory pressure, see pressure.h. Called by tcp_flush when what is held left the band of
// the present step: a quiet worker pays one comparison a turn. What each step does is decided where
// it is done: tcp/window.h, tcp/open.c, tcp/input.c.
#include "pkt/pressure.h"

#include "observe/counter.h"
#include "observe/trace.h"

#define LEVELS 4

// What leads to a step. The last is pkt_short's; early text stops before the one before it.
static uint32_t threshold_pkts(const struct env *env, uint32_t level)
{
	const uint32_t max = env->kept_pkts_max;
	const uint32_t pkts[LEVELS] = {0, max - max / 2, max - max / 8, max};

	return pkts[level];
}

static uint32_t left_below_pkts(const struct env *env, uint32_t level)
{
	return level ? threshold_pkts(env, level) - env->kept_pkts_max / 16 : 0;
}

// The step of what is held: up by what leads to it, down by a sixteenth less.
static uint32_t level_by_held(const struct env *env, uint32_t level)
{
	while (level + 1 < LEVELS && env->kept_pkts >= threshold_pkts(env, level + 1))
		level++;
	while (level && env->kept_pkts < left_below_pkts(env, level))
		level--;
	return level;
}

static void told(struct env *env, uint32_t from, uint32_t to)
{
	static const enum counter counters[LEVELS] = {
		[PRESSURE_SHRINK] = COUNTER_pressure_shrinks,
		[PRESSURE_SHED] = COUNTER_pressure_sheds,
		[PRESSURE_REFUSE] = COUNTER_pressure_refusals,
	};

	trace_add(env, EVENT_MEMORY_PRESSURE, TRACE_NO_SUBJECT, from, to);
	for (uint32_t level = from + 1; level <= to; level++)
		counter_add(env, counters[level], 1);
}

COLD void pressure_change(struct env *env)
{
	uint32_t held = level_by_held(env, env->pressure.held_level);
	uint32_t level = MAX(held, (uint32_t)env->pressure.least_level);
	uint32_t high_pkts = held + 1 < LEVELS ? threshold_pkts(env, held + 1) : UINT32_MAX;

	if (level != env->pressure.level)
		told(env, env->pressure.level, level);
	env->pressure.level = (uint8_t)level;
	env->pressure.held_level = (uint8_t)held;
	env->pressure.low_pkts = left_below_pkts(env, held);
	env->pressure.span_pkts = high_pkts - 1 - env->pressure.low_pkts;
}

void pressure_force(struct env *env, enum pressure least)
{
	env->pressure.least_level = (uint8_t)least;
	pressure_change(env);
}
