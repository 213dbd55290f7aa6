// SPDX-License-Identifier: BSD-3-Clause
// Timers of the application. Slots come from a free list; the wheel fires them into a list of due
// ones, which core/worker.c turns into TIMER events. A handle is generation and slot, so a timer
// that fired is recognised as gone.
#include "core/timers.h"

#include <errno.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/mem.h"

struct slot {
	struct timer timer;
	uint64_t user;
	struct slot *next;   // in the free list or the due list
	uint32_t generation; // odd while in use
	bool due;
};

struct app_timers {
	struct env *env;
	struct wheel *wheel;
	struct slot *free;
	struct slot *due_head, **due_tail;
	uint32_t count_max;
	struct slot slot[];
};

static size_t timers_bytes(uint32_t count_max)
{
	return sizeof(struct app_timers) + count_max * sizeof(struct slot);
}

static void slot_due(void *context, struct timer *timer, uint64_t now_ns)
{
	struct app_timers *t = context;
	struct slot *s = CONTAINER_OF(timer, struct slot, timer);

	(void)now_ns;
	s->due = true;
	s->next = NULL;
	*t->due_tail = s;
	t->due_tail = &s->next;
}

struct app_timers *app_timers_create(uint32_t count_max, struct env *env, struct wheel *wheel)
{
	struct app_timers *t = mem_map("application timers", timers_bytes(count_max));

	if (!t)
		return NULL;
	t->env = env;
	t->wheel = wheel;
	t->count_max = count_max;
	t->due_tail = &t->due_head;
	for (uint32_t i = count_max; i-- > 0;) {
		t->slot[i].next = t->free;
		t->free = &t->slot[i];
	}
	wheel_set_kind(wheel, TIMER_APP, slot_due, t);
	return t;
}

void app_timers_destroy(struct app_timers *t)
{
	if (t)
		mem_unmap(t, timers_bytes(t->count_max));
}

int app_timer_start(struct app_timers *t, uint64_t delay_ns, uint64_t user, prism_timer *timer)
{
	struct slot *s = t->free;

	if (!s)
		return err_set(ERR_TIMERS_FULL, "%u timers are pending", t->count_max);
	t->free = s->next;
	s->generation++;
	s->user = user;
	s->timer.kind = TIMER_APP;
	wheel_arm(t->wheel, &s->timer, t->env->now_ns + delay_ns);
	timer->id = (uint64_t)t->env->worker_index << 56 |
		    (uint64_t)(s->generation & 0xffffff) << 32 | (uint32_t)(s - t->slot);
	return 0;
}

static void slot_free(struct app_timers *t, struct slot *s)
{
	s->generation++;
	s->due = false;
	s->next = t->free;
	t->free = s;
}

int app_timer_stop(struct app_timers *t, prism_timer timer)
{
	uint32_t index = (uint32_t)timer.id;
	uint32_t generation = (uint32_t)(timer.id >> 32) & 0xffffff;
	struct slot *s = &t->slot[index];

	if (index >= t->count_max || (s->generation & 0xffffff) != generation || s->due ||
	    timer.id >> 56 != t->env->worker_index)
		return err_set(ERR_STALE_HANDLE, "timer %#llx", (unsigned long long)timer.id);
	wheel_stop(t->wheel, &s->timer);
	slot_free(t, s);
	return 0;
}

int app_timers_deliver(struct app_timers *t, struct prism_event *events, int count)
{
	int n = 0;

	for (; n < count && t->due_head; n++) {
		struct slot *s = t->due_head;

		t->due_head = s->next;
		if (!t->due_head)
			t->due_tail = &t->due_head;
		events[n] = (struct prism_event){.type = PRISM_EVENT_TIMER, .user = s->user};
		events[n].timer.id = (uint64_t)t->env->worker_index << 56 |
				     (uint64_t)(s->generation & 0xffffff) << 32 |
				     (uint32_t)(s - t->slot);
		slot_free(t, s);
	}
	return n;
}

bool app_timers_pending(const struct app_timers *t)
{
	return t->due_head != NULL;
}
