// SPDX-License-Identifier: BSD-3-Clause
// Captures as the control thread makes them (cli/run_capture.c) and workers find them
// (start_publish).
//
// A place goes round: free, active, ended, free. The control thread makes a capture, sets its bit
// and counts a change; a worker that sees the count changed reads the bits and says which change it
// has seen. A capture whose bit was cleared is taken apart when every worker has seen that: a
// worker that stands still keeps it, and one that died with its process needs nothing any more. So
// nobody waits, and no worker touches what is gone.
#include "core/tapings.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/time.h"
#include "core/start.h"
#include "core/worker.h"
#include "observe/shm.h"
#include "sync/cell.h"

// How long after its beginning a capture may be held by nobody yet.
#define GRACE_NS (5 * NS_PER_S)

static uint64_t place_bit(uint32_t place)
{
	return UINT64_C(1) << place;
}

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// Workers are told by the count, which comes behind the bits, which come behind what was made. A
// worker that reads newer bits than its count says looks once more.
static void tell(struct taping_set *set, uint64_t active)
{
	token_pass(&set->active, active);
	token_pass(&set->change, set->change + 1);
}

static bool is_free(const struct taping_set *set, uint32_t place)
{
	return !set->place[place].file;
}

static void take_apart(struct taping_set *set, uint32_t place)
{
	struct taping *c = &set->place[place];

	if (c->file)
		tape_destroy(c->file);
	match_destroy(c->frame);
	match_destroy(c->ip);
	*c = (struct taping){0};
	set->state[place].ended = 0;
	set->state[place].held = false;
}

static void describe(const struct prism *p, const struct taping_wish *wish, uint32_t place,
		     struct tape_config *out)
{
	*out = (struct tape_config){
		.run_dir = p->tapings.run_dir,
		.instance = p->options.instance,
		.number = place + 1,
		.worker_count = p->options.workers,
		.ring_bytes = wish->ring_bytes,
		.points = wish->points,
		.snap_bytes = wish->snap_bytes,
		.filter = wish->text,
		.wall_ns = wall_ns(),
		.clock_ns = clock_ns(&p->worker[0]->clock),
		.port_count = p->port_count,
	};
	for (uint32_t i = 0; i < p->port_count; i++) {
		const struct shm_port *port = shm_port(p->shm, i); // a VLAN's name is there

		memcpy(out->port[i].name, port->name, sizeof(port->name));
		memcpy(out->port[i].device, port->device, sizeof(port->device));
	}
}

static bool make(const struct prism *p, const struct taping_wish *wish, uint32_t place,
		 struct taping *c)
{
	struct tape_config tape;

	*c = (struct taping){
		.all = wish->frame_count == 0,
		.points = wish->points,
		.snap_bytes = wish->snap_bytes,
	};
	if (wish->frame_count && !(c->frame = match_create(wish->frame, wish->frame_count)))
		return false;
	if (wish->ip_count && !(c->ip = match_create(wish->ip, wish->ip_count)))
		return false;
	describe(p, wish, place, &tape);
	c->file = tape_create(&tape);
	return c->file != NULL;
}

const char *taping_begin(struct prism *p, const struct taping_wish *wish)
{
	struct taping_set *set = &p->tapings;
	uint32_t place = 0;

	if (!set->run_dir[0]) {
		err_set(ERR_TAPE, "the instance has no shared memory");
		return NULL;
	}
	if (wish->ring_bytes > TAPE_RING_BYTES_MAX / p->options.workers) {
		err_set(ERR_TAPE, "rings of all workers may have 1 GiB together, for each %lu MiB",
			(unsigned long)(TAPE_RING_BYTES_MAX / p->options.workers >> 20));
		return NULL;
	}
	taping_tend(p);
	while (place < TAPINGS_MAX && !is_free(set, place))
		place++;
	if (place == TAPINGS_MAX) {
		err_set(ERR_CAPTURES_MANY, "%u", TAPINGS_MAX);
		return NULL;
	}
	if (!make(p, wish, place, &set->place[place])) {
		take_apart(set, place);
		return NULL;
	}
	set->state[place].begun_ns = clock_kernel_ns();
	tell(set, set->active | place_bit(place));
	return tape_path(set->place[place].file);
}

static bool all_have_seen(const struct prism *p, uint64_t change)
{
	for (uint32_t w = 0; w < p->options.workers; w++)
		if (p->worker[w] && token_see(&p->worker[w]->tapings_seen) < change)
			return false;
	return true;
}

static bool is_over(struct taping_set *set, uint32_t place)
{
	if (!tape_is_forsaken(set->place[place].file)) {
		set->state[place].held = true;
		return false;
	}
	return set->state[place].held || clock_kernel_ns() - set->state[place].begun_ns > GRACE_NS;
}

uint32_t taping_tend(struct prism *p)
{
	struct taping_set *set = &p->tapings;
	uint32_t count = 0;

	for (uint32_t i = 0; i < TAPINGS_MAX; i++) {
		if (is_free(set, i))
			continue;
		if (!set->state[i].ended && is_over(set, i)) {
			tape_end(set->place[i].file);
			tell(set, set->active & ~place_bit(i));
			set->state[i].ended = set->change;
		}
		if (set->state[i].ended && all_have_seen(p, set->state[i].ended))
			take_apart(set, i);
		count += !is_free(set, i);
	}
	return count;
}

void taping_end_all(struct prism *p)
{
	for (uint32_t i = 0; i < TAPINGS_MAX; i++)
		if (!is_free(&p->tapings, i))
			take_apart(&p->tapings, i);
}

void taping_clean(struct prism *p)
{
	char *dir = p->tapings.run_dir, path[512];

	snprintf(dir, sizeof(p->tapings.run_dir), "%s", shm_path(p->shm));
	*strrchr(dir, '/') = '\0';
	for (uint32_t i = 1; i <= TAPINGS_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%s-%u.tape", dir, p->options.instance, i);
		unlink(path);
	}
}

static COLD void take_up(struct prism_worker *w, uint64_t change)
{
	struct taping_set *set = &w->prism->tapings;
	uint64_t active = token_see(&set->active);
	struct tapings taken = {0};

	for (uint32_t i = 0; i < TAPINGS_MAX; i++) {
		if (!(active & place_bit(i)))
			continue;
		taken.of[taken.count].taping = &set->place[i];
		taken.of[taken.count++].tape = tape_of(set->place[i].file, w->env.worker_index);
		taken.points |= set->place[i].points;
	}
	worker_tape(w, &taken);
	for (uint32_t i = 0; i < taken.count; i++)
		cell_set(&taken.of[i].tape->taken, 1);
	token_pass(&w->tapings_seen, change);
}

void taping_look(struct prism_worker *w)
{
	uint64_t change = token_see(&w->prism->tapings.change);

	if (UNLIKELY(change != w->tapings_seen))
		take_up(w, change);
}
