// SPDX-License-Identifier: BSD-3-Clause
// Timers: a hierarchical wheel a worker (Varghese and Lauck, 1987). Arming, stopping and a tick
// cost the same with ten timers as with ten million; nothing is allocated: nodes are the owner's.
//
// Resolution is 2^WHEEL_TICK_SHIFT ns, fine enough for RACK's quarter round trips. A timer never
// fires early and at most one tick late (as long as wheel_run is called). wheel_run costs a
// bounded number of steps for elapsed time too, by skipping empty slots through bitmaps.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_SHIFT 14 // 16.4 us

struct timer {
	struct timer *next;
	struct timer **link; // what points at this node; NULL when not armed
	uint64_t deadline_ns;
	uint32_t kind; // enum timer_kind: whom to call, by wheel_set_kind
};

typedef void (*timer_fire)(void *context, struct timer *timer, uint64_t now_ns);

#define WHEEL_KINDS 16

struct wheel;

struct wheel *wheel_create(uint64_t now_ns);
void wheel_destroy(struct wheel *wheel);

// What to call for timers of this kind. Before any is armed.
void wheel_set_kind(struct wheel *wheel, uint32_t kind, timer_fire fire, void *context);

// Arms or moves. A deadline in the past fires at the next run.
void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns);
void wheel_stop(struct wheel *wheel, struct timer *timer);

static inline bool timer_armed(const struct timer *timer)
{
	return timer->link != 0;
}

// Fires all that is due at now_ns, at most max_fired (the rest at the next run), in order of tick.
// A fired timer is not armed; its callback may arm or stop any timer. Returns how many fired.
uint32_t wheel_run(struct wheel *wheel, uint64_t now_ns, uint32_t max_fired);

// When wheel_run may next have something to do: at most a tick after the next deadline, often
// earlier (it has housekeeping); 0 when something is due already; TIME_NEVER_NS without timers.
uint64_t wheel_next_ns(const struct wheel *wheel);
uint64_t wheel_count(const struct wheel *wheel);

// Asserts the wheel's invariants over all its timers: for tests.
void wheel_check(const struct wheel *wheel);

// Timer kinds of the whole house.
enum timer_kind {
	TIMER_TCP,
	TIMER_TCP_HALF_OPEN,
	TIMER_TCP_TIME_WAIT,
	TIMER_ARP,
	TIMER_FRAGMENT,
	TIMER_APP,
	TIMER_PMTU,
	TIMER_ND,
	TIMER_IP6,
	TIMER_DHCP,
	TIMER_LEASE,
	TIMER_GROUP,
};
