// SPDX-License-Identifier: BSD-3-Clause
// The timer wheel: ten levels of 64 slots; a slot of level n is 32^n ticks wide. A timer lies on
// the finest level whose 64 slots reach its tick, and moves to finer ones as its time comes near.
// Called by tcp/, net/ and api/ to arm and stop, by the worker's turn to run.
//
//   level 1   |....k....|...k+1...|...k+2...|  ...      slots of 32 ticks
//   level 0   |||||||||||||||||||||                     64 slots of 1 tick: always k and k+1 whole
//
// 64 slots of one level cover two slots of the next. So while time is inside slot k, slot k+1 can
// be emptied downwards bit by bit (move_ahead, a bounded number at each tick): when a million
// timers share a slot no tick pays for them all. What is left when k+1 begins is moved at once:
// that happens only after a jump of the clock. Each timer moves at most nine times in its life.
//
// Bitmaps name the slots in use, and stop_tick the next tick at which there is anything to do;
// between stops a run is one comparison. Deliberately not here: order within a tick.
#include "base/wheel.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/mem.h"
#include "base/time.h"

#define LEVELS 10      // 32^9 * 64 ticks of 2^14 ns are more than 2^64 ns
#define LEVEL_SHIFT 5  // a slot of one level is 32 of the level below
#define LEVEL_SLOTS 64 // two such: see above. One bitmap word

// Timers moved ahead of their time at each tick. At 32 in every 16 us two million a second cascade
// without notice; a tick that moves them all costs about a microsecond.
#define MOVES_PER_TICK 32

static_assert(LEVEL_SLOTS == 2 << LEVEL_SHIFT, "a level covers two slots of the next");
static_assert(WHEEL_TICK_SHIFT + LEVEL_SHIFT * (LEVELS - 1) + 6 > 64, "the levels reach all time");

struct kind {
	timer_fire fire;
	void *context;
};

struct wheel {
	uint64_t tick;      // all before and at this tick have fired, or stand in due or firing
	uint64_t stop_tick; // no occupied slot begins before it; TIME_NEVER_NS: none is occupied
	uint64_t count;
	struct timer *due;    // armed for a time not after tick: the next run's
	struct timer *firing; // taken out of their slot, being fired
	uint32_t coarse;      // a bit for each level above 0 that may have an occupied slot
	uint64_t occupied[LEVELS];
	struct kind kind[WHEEL_KINDS];
	struct timer *slot[LEVELS][LEVEL_SLOTS];
};

struct wheel *wheel_create(uint64_t now_ns)
{
	struct wheel *w = mem_map("timer wheel", sizeof(*w));

	if (!w)
		return NULL;
	w->tick = now_ns >> WHEEL_TICK_SHIFT;
	w->stop_tick = TIME_NEVER_NS;
	return w;
}

void wheel_destroy(struct wheel *w)
{
	mem_unmap(w, sizeof(*w));
}

void wheel_set_kind(struct wheel *w, uint32_t kind, timer_fire fire, void *context)
{
	ASSERT(kind < WHEEL_KINDS);
	w->kind[kind] = (struct kind){fire, context};
}

uint64_t wheel_count(const struct wheel *w)
{
	return w->count;
}

// The first tick that is not before the deadline: never early.
static uint64_t deadline_tick(const struct timer *t)
{
	uint64_t part_ns = t->deadline_ns & ((UINT64_C(1) << WHEEL_TICK_SHIFT) - 1);

	return (t->deadline_ns >> WHEEL_TICK_SHIFT) + (part_ns != 0);
}

static void push(struct timer **list, struct timer *t)
{
	t->next = *list;
	t->link = list;
	if (t->next)
		t->next->link = &t->next;
	*list = t;
}

// Moves a whole list to another, empty one.
static void take_list(struct timer **to, struct timer **from)
{
	DCHECK(!*to);
	*to = *from;
	*from = NULL;
	if (*to)
		(*to)->link = to;
}

// Takes the timer out of whatever list it is in; a slot it leaves empty is no longer occupied.
static void detach(struct wheel *w, struct timer *t)
{
	size_t offset = (size_t)((uintptr_t)t->link - (uintptr_t)w->slot);

	*t->link = t->next;
	if (t->next) {
		t->next->link = t->link;
	} else if (offset < sizeof(w->slot)) {
		size_t index = offset / sizeof(w->slot[0][0]);

		w->occupied[index / LEVEL_SLOTS] &= ~(UINT64_C(1) << index % LEVEL_SLOTS);
	}
	t->link = NULL;
}

// The finest level on which the slot of this tick is fewer than 64 slots away.
static uint32_t level_of(uint64_t now_tick, uint64_t tick)
{
	uint64_t away = tick - now_tick;
	uint32_t top_bit = away < LEVEL_SLOTS ? LEVEL_SHIFT : 63 - (uint32_t)__builtin_clzll(away);
	uint32_t level = (top_bit - 1) / LEVEL_SHIFT;
	uint32_t shift = level * LEVEL_SHIFT;

	// away tells the number of slots between up to one: where in its slot does now stand?
	return (tick >> shift) - (now_tick >> shift) < LEVEL_SLOTS ? level : level + 1;
}

static void place(struct wheel *w, struct timer *t, uint64_t tick)
{
	uint32_t level = level_of(w->tick, tick);
	uint64_t number = tick >> level * LEVEL_SHIFT;
	uint64_t index = number % LEVEL_SLOTS;

	DCHECK(tick >= w->tick && level < LEVELS);
	push(&w->slot[level][index], t);
	w->occupied[level] |= UINT64_C(1) << index;
	w->coarse |= UINT32_C(1) << level & ~UINT32_C(1);
	w->stop_tick = MIN(w->stop_tick, number << level * LEVEL_SHIFT);
}

void wheel_arm(struct wheel *w, struct timer *t, uint64_t deadline_ns)
{
	DCHECK(t->kind < WHEEL_KINDS && w->kind[t->kind].fire);
	if (t->link)
		detach(w, t);
	else
		w->count++;
	t->deadline_ns = deadline_ns;
	uint64_t tick = deadline_tick(t);

	if (tick <= w->tick)
		push(&w->due, t);
	else
		place(w, t, tick);
}

void wheel_stop(struct wheel *w, struct timer *t)
{
	if (!t->link)
		return;
	detach(w, t);
	w->count--;
}

// Moves up to count timers of a slot to finer levels. Returns how many it moved.
static uint32_t move_down(struct wheel *w, uint32_t level, uint64_t index, uint32_t count)
{
	struct timer *t;
	uint32_t moved = 0;

	for (; moved < count && (t = w->slot[level][index]); moved++) {
		bits_prefetch(t->next);
		detach(w, t);
		place(w, t, deadline_tick(t));
	}
	return moved;
}

// A share of what begins with the next slot of each level, the most urgent first.
static void move_ahead(struct wheel *w)
{
	uint32_t left = MOVES_PER_TICK;

	for (uint32_t rest = w->coarse; rest && left > 0; rest &= rest - 1) {
		uint32_t level = (uint32_t)__builtin_ctz(rest);
		uint64_t index = ((w->tick >> level * LEVEL_SHIFT) + 1) % LEVEL_SLOTS;

		if (w->occupied[level] >> index & 1)
			left -= move_down(w, level, index, left);
		if (!w->occupied[level])
			w->coarse &= ~(UINT32_C(1) << level);
	}
}

// The first tick after now at which an occupied slot begins, over all levels.
static uint64_t find_stop(const struct wheel *w)
{
	uint64_t stop = TIME_NEVER_NS;

	for (uint32_t level = 0; level < LEVELS; level++) {
		uint64_t number = (w->tick >> level * LEVEL_SHIFT) + 1;
		uint32_t turn = number % LEVEL_SLOTS;
		uint64_t ahead = w->occupied[level];

		if (!ahead)
			continue;
		ahead = ahead >> turn | ahead << (-turn & 63); // bit 0 is the next slot now
		number += (uint32_t)__builtin_ctzll(ahead);
		stop = MIN(stop, number << level * LEVEL_SHIFT);
	}
	return stop;
}

// Time comes to the next stop: slots that begin there are emptied downwards, coarse ones first, and
// what is left on the finest is due.
static void advance(struct wheel *w)
{
	uint64_t tick = w->stop_tick;

	DCHECK(tick > w->tick);
	w->tick = tick;
	for (uint32_t level = LEVELS - 1; level > 0; level--) {
		uint64_t ticks_wide = UINT64_C(1) << level * LEVEL_SHIFT;

		if (tick % ticks_wide == 0)
			move_down(w, level, tick / ticks_wide % LEVEL_SLOTS, UINT32_MAX);
	}
	take_list(&w->firing, &w->slot[0][tick % LEVEL_SLOTS]);
	w->occupied[0] &= ~(UINT64_C(1) << tick % LEVEL_SLOTS);
	w->stop_tick = find_stop(w);
}

static uint32_t fire(struct wheel *w, uint64_t now_ns, uint32_t count)
{
	struct timer *t;
	uint32_t fired = 0;

	for (; fired < count && (t = w->firing); fired++) {
		bits_prefetch(t->next);
		detach(w, t);
		w->count--;
		w->kind[t->kind].fire(w->kind[t->kind].context, t, now_ns);
	}
	return fired;
}

static NOINLINE uint32_t run(struct wheel *w, uint64_t now_ns, uint32_t max_fired)
{
	uint64_t target = now_ns >> WHEEL_TICK_SHIFT;
	uint32_t fired = fire(w, now_ns, max_fired); // what the last run left over

	if (!w->firing && w->due) {
		take_list(&w->firing, &w->due);
		fired += fire(w, now_ns, max_fired - fired);
	}
	if (target <= w->tick)
		return fired;
	while (!w->firing && w->stop_tick <= target) {
		advance(w);
		fired += fire(w, now_ns, max_fired - fired);
	}
	if (!w->firing)
		w->tick = target;
	move_ahead(w);
	return fired;
}

// Asked in every turn, some hundred times between two ticks.
uint32_t wheel_run(struct wheel *w, uint64_t now_ns, uint32_t max_fired)
{
	if (LIKELY(now_ns >> WHEEL_TICK_SHIFT <= w->tick && !w->firing && !w->due))
		return 0;
	return run(w, now_ns, max_fired);
}

uint64_t wheel_next_ns(const struct wheel *w)
{
	if (w->due || w->firing)
		return 0;
	if (w->stop_tick > TIME_NEVER_NS >> WHEEL_TICK_SHIFT)
		return TIME_NEVER_NS;
	return w->stop_tick << WHEEL_TICK_SHIFT;
}

// Every node is linked both ways; returns how many there are.
static uint64_t check_list(struct timer *const *list)
{
	uint64_t count = 0;

	for (struct timer *const *link = list; *link; link = &(*link)->next, count++)
		ASSERT((*link)->link == link);
	return count;
}

// Timers of a slot belong there, and are found in time.
static void check_slot(const struct wheel *w, uint32_t level, uint64_t index)
{
	uint32_t shift = level * LEVEL_SHIFT;
	const struct timer *first = w->slot[level][index];

	ASSERT((w->occupied[level] >> index & 1) == (first != NULL));
	for (const struct timer *t = first; t; t = t->next) {
		uint64_t tick = deadline_tick(t);

		ASSERT(tick > w->tick);
		ASSERT((tick >> shift) % LEVEL_SLOTS == index);
		ASSERT((tick >> shift) - (w->tick >> shift) < LEVEL_SLOTS);
		ASSERT(level == 0 || tick >> shift > w->tick >> shift);
		ASSERT(w->stop_tick <= tick >> shift << shift);
	}
}

void wheel_check(const struct wheel *w)
{
	uint64_t count = check_list(&w->due) + check_list(&w->firing);

	for (uint32_t level = 0; level < LEVELS; level++) {
		ASSERT(level == 0 || !w->occupied[level] || w->coarse >> level & 1);
		for (uint64_t index = 0; index < LEVEL_SLOTS; index++) {
			check_slot(w, level, index);
			count += check_list(&w->slot[level][index]);
		}
	}
	ASSERT(count == w->count);
}
