// SPDX-License-Identifier: BSD-3-Clause
// Opening and driving a stack: the public face of core/start.h and core/worker.h. prism_poll is
// the one place where a clock is read on the data path, once a turn. Timers and counters of the
// application go on to core/timers.h and the worker's own cells.
#include <prismnet/buf.h>
#include <prismnet/stack.h>

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/time.h"
#include "core/start.h"
#include "core/timers.h"
#include "observe/trace.h"
#include "pkt/pool.h"

// A turn that finds something to do takes some microseconds; who is traced was interrupted, or has
// an application that computes.
#define SLOW_TURN_NS (250 * NS_PER_US)

void prism_options_init(struct prism_options *options, size_t size)
{
	struct prism_options o = {.core = -1};

	for (uint32_t i = 0; i < PRISM_WORKERS_MAX; i++)
		o.cores[i] = -1;
	memset(options, 0, size);
	memcpy(options, &o, MIN(size, sizeof(o)));
	options->size = size;
}

struct prism *prism_open(const struct prism_options *options)
{
	return start_open(options);
}

void prism_close(struct prism *prism)
{
	start_close(prism);
}

uint32_t prism_worker_count(const struct prism *prism)
{
	return prism->options.workers;
}

struct prism_worker *prism_worker_get(struct prism *prism, uint32_t index)
{
	return index < prism->options.workers ? prism->worker[index] : NULL;
}

const char *prism_report(const struct prism *prism)
{
	return prism->report;
}

int prism_sample(struct prism *prism, uint32_t one_in)
{
	if (!options_sample_is_good(one_in))
		return err_set(ERR_INVALID_ARGUMENT,
			       "one_in is %u; it takes 1 to 2^30, or PRISM_SAMPLE_NONE", one_in);
	cell32_set(&prism->sample_one_in, one_in);
	return 0;
}

int prism_poll(struct prism_worker *worker, struct prism_event *events, int count)
{
	worker_transmit(worker); // before the clock, which takes as long as some packets
	uint64_t now_ns = clock_ns(&worker->clock);

	if (UNLIKELY(now_ns - worker->env.now_ns > SLOW_TURN_NS) && worker->last_turn_busy)
		trace_add(&worker->env, EVENT_SLOW_TURN, TRACE_NO_SUBJECT,
			  now_ns - worker->env.now_ns, 0);
	if (UNLIKELY(now_ns - worker->published_ns > PUBLISH_NS)) {
		if (!worker->entered)
			start_enter(worker);
		start_publish(worker, now_ns);
	}
	return worker_turn(worker, now_ns, events, count);
}

void prism_worker_leave(struct prism_worker *worker)
{
	start_leave(worker);
}

uint64_t prism_now_ns(const struct prism_worker *worker)
{
	return worker->env.now_ns;
}

uint64_t prism_idle_ns(const struct prism_worker *worker, uint64_t max_ns)
{
	uint64_t next_ns = worker_next_ns(worker);

	return next_ns <= worker->env.now_ns ? 0 : MIN(max_ns, next_ns - worker->env.now_ns);
}

int prism_timer_start(struct prism_worker *worker, uint64_t delay_ns, uint64_t user,
		      prism_timer *timer)
{
	return app_timer_start(worker->timers, delay_ns, user, timer);
}

int prism_timer_stop(struct prism_worker *worker, prism_timer timer)
{
	return app_timer_stop(worker->timers, timer);
}

static int find_drop(const char *name)
{
	for (int i = DROP_OK + 1; i < DROP_COUNT; i++)
		if (strcmp(drop_infos[i].name, name) == 0)
			return i;
	return -1;
}

// One number of one worker, by its name.
static bool count_of(const struct counters *c, const char *name, uint64_t *value)
{
	if (strcmp(name, "unaccounted") == 0) {
		*value = (uint64_t)counters_unaccounted(c);
		return true;
	}
	if (strncmp(name, "drop.", 5) == 0) {
		int drop = find_drop(name + 5);

		*value = drop < 0 ? 0 : cell_get(&c->drop[drop]);
		return drop >= 0;
	}
	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (strcmp(counter_infos[i].name, name) != 0)
			continue;
		*value = cell_get(&c->value[i]);
		return true;
	}
	return false;
}

int prism_counter(const struct prism *prism, const char *name, uint64_t *value)
{
	uint64_t sum = 0, one;

	for (uint32_t i = 0; i < prism->options.workers; i++) {
		if (!count_of(prism->worker[i]->env.counters, name, &one))
			return -ENOENT;
		sum += one;
	}
	*value = sum;
	return 0;
}

void prism_buffers(const struct prism *prism, uint32_t *available, uint32_t *capacity)
{
	*available = 0;
	*capacity = 0;
	for (int i = 0; i < POOL_KINDS; i++) {
		*available += pool_available(prism->pool[i]);
		*capacity += pool_capacity(prism->pool[i]);
	}
}

void prism_conn_count(const struct prism_worker *worker, struct prism_conn_counts *counts)
{
	struct tcp_counts c;

	tcp_count(worker->tcp, &c);
	*counts = (struct prism_conn_counts){c.half_open, c.open, c.time_wait};
}

void *prism_region_alloc(struct prism *prism, size_t bytes)
{
	(void)prism;
	return pool_region_alloc(bytes);
}

int prism_region_seal(struct prism *prism, const void *bytes, size_t len)
{
	return seals_add(&prism->seals, bytes, len);
}
