// SPDX-License-Identifier: BSD-3-Clause
// See survey.h. A slice is a walk of one bucket after the other: of each key that is shown, how far
// it lies from where its lookup begins; of each slot, whether it waits to be free again. Called by
// the worker with what it publishes (tcp/tcp.c); calls the table's walk.
#include "sync/survey.h"

#include "sync/table_slot.h"

struct place {
	const struct table *table;
	struct survey *survey;
	uint64_t bucket;
};

static void measure(const struct place *place, uint64_t hash)
{
	struct probe p = probe_first(place->table, hash);

	while (p.bucket != place->bucket && p.round < place->table->probes)
		probe_next(place->table, hash, &p);
	place->survey->now.longest = MAX(place->survey->now.longest, (uint64_t)p.round + 1);
}

static void see16(void *context, const struct flow_key16 *key, uint32_t value)
{
	const struct place *place = context;

	(void)value;
	measure(place, table16_hash(place->table, key));
}

static void see40(void *context, const struct flow_key40 *key, uint32_t value)
{
	const struct place *place = context;

	(void)value;
	measure(place, table40_hash(place->table, key));
}

static uint64_t waiting_in(const struct table *t, uint64_t bucket)
{
	const struct bucket16 *of16 = t->buckets;
	const struct bucket40 *of40 = t->buckets;
	uint64_t ctrl = t->slots == 3 ? atomic_get(&of16[bucket].ctrl, RELAXED)
				      : atomic_get(&of40[bucket].ctrl, RELAXED);
	uint64_t waiting = 0;

	for (uint32_t slot = 0; slot < t->slots; slot++)
		waiting += (uint8_t)(ctrl >> 8 * slot) == BUSY;
	return waiting;
}

// One bucket. True when it was the last.
static bool look(struct survey *s, const struct table *t)
{
	struct place place = {t, s, s->at};

	s->now.waiting += waiting_in(t, s->at);
	return t->slots == 3 ? table16_walk(t, &s->at, 1, see16, &place)
			     : table40_walk(t, &s->at, 1, see40, &place);
}

void survey_go_on(struct survey *s, const struct table *t, uint32_t buckets,
		  struct survey_result *result)
{
	while (buckets--) {
		if (!look(s, t))
			continue;
		s->done = s->now;
		s->now.waiting = s->now.longest = 0;
	}
	*result = (struct survey_result){.keys = table_count(t),
					 .slots = (uint64_t)t->bucket_count * t->slots,
					 .waiting = s->done.waiting,
					 .longest = s->done.longest};
	for (uint32_t i = 0; i < t->writers; i++)
		result->retries += cell_get(&t->writer[i].retries);
}
