// SPDX-License-Identifier: BSD-3-Clause
// Timers of the application: slots with generations on the worker's wheel; a fired one becomes a
// TIMER event.
#pragma once

#include <prismnet/types.h>

#include "base/env.h"
#include "base/wheel.h"

struct app_timers;

struct app_timers *app_timers_create(uint32_t count_max, struct env *env, struct wheel *wheel);
void app_timers_destroy(struct app_timers *timers);
int app_timer_start(struct app_timers *timers, uint64_t delay_ns, uint64_t user,
		    prism_timer *timer);
int app_timer_stop(struct app_timers *timers, prism_timer timer);
int app_timers_deliver(struct app_timers *timers, struct prism_event *events, int count);
bool app_timers_pending(const struct app_timers *timers);
