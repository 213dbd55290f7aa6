// SPDX-License-Identifier: BSD-3-Clause
// How short received buffers are, as a worker sees it, in steps that have names: what is held above
// the ports of what may be held (pkt_keep_max).
//
//   NONE    less than a half
//   SHRINK  half: receive windows open less far
//   SHED    seven eighths: handshakes are not kept, SYNs have cookies, early text gets no room
//   REFUSE  all: nothing new is begun
//
// A step is left when a sixteenth less is held than led to it. Each change is an event and counted.
#pragma once

#include "base/bits.h"
#include "base/env.h"

enum pressure { PRESSURE_NONE, PRESSURE_SHRINK, PRESSURE_SHED, PRESSURE_REFUSE };

// What is held left the band of the present step.
void pressure_change(struct env *env);

// Once a turn.
static inline void pressure_look(struct env *env)
{
	if (UNLIKELY(env->kept_pkts - env->pressure.low_pkts > env->pressure.span_pkts))
		pressure_change(env);
}

static inline enum pressure pressure_of(const struct env *env)
{
	return (enum pressure)env->pressure.level;
}

// At least this much from now on, whatever is held: how it is tried out.
void pressure_force(struct env *env, enum pressure least);
