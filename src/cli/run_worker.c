// SPDX-License-Identifier: BSD-3-Clause
// The workers of prism run: a thread each, the first is the caller's. A worker's loop is poll,
// dispatch, and a nap when there is nothing to do; while busy it makes no system call. Called by
// run.c. When they are told to stop, all go on turning until the last has drained: what one still
// sends may leave by another's queue.
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/run.h"
#include "sync/cell.h"

#define EVENTS 64

// Shorter waits than this are spent looking: going to sleep and waking costs some microseconds.
#define IDLE_BEFORE_SLEEP_NS (1 * NS_PER_MS)
// The longest nap, and so what sleeping adds to the first packet after a silence.
#define NAP_NS_MAX (100 * NS_PER_US)
// How long connections may take to finish after the first signal. A second one ends it.
#define DRAIN_NS (5 * NS_PER_S)

static void nap(uint64_t ns)
{
	struct timespec wait = {.tv_nsec = (long)ns};

	nanosleep(&wait, NULL);
}

// A connection that comes now has not ended; counted out before who gave it learns that it is taken
// and counts himself in.
static void count_out(struct run_worker *w, const struct prism_event *events, int count)
{
	for (int i = 0; i < count && w->drained; i++)
		if (events[i].type == PRISM_EVENT_MOVED) {
			w->drained = false;
			shared_add(&w->run->drained, UINT64_MAX);
		}
}

static int turn(struct run_worker *w)
{
	struct prism_event events[EVENTS];
	int count = prism_poll(w->worker, events, EVENTS);

	if (UNLIKELY(w->drained))
		count_out(w, events, count);
	handler_dispatch_all(events, count);
	if (UNLIKELY(w->order_left || cell_get(&w->order) != w->order_seen))
		rebalance_give(w, events, count);
	return count;
}

static void serve(struct run_worker *w)
{
	bool sleeps = w->run->config->idle == IDLE_SLEEP;
	uint64_t busy_ns = 0; // when there was last something to do
	bool napped = false;  // before this turn

	while (cell_get(&w->run->stop) == RUN_GO) {
		int count = turn(w);
		uint64_t now_ns = prism_now_ns(w->worker), idle_ns;

		if (!sleeps)
			continue;
		idle_ns = count ? 0 : prism_idle_ns(w->worker, NAP_NS_MAX);
		// A timer that was due when a nap ended is no reason to stay awake.
		if (count || (idle_ns == 0 && !napped))
			busy_ns = now_ns;
		napped = idle_ns > 0 && now_ns - busy_ns > IDLE_BEFORE_SLEEP_NS;
		if (napped)
			nap(idle_ns);
	}
}

static bool all_drained(struct run_worker *w)
{
	bool drained = true;

	for (uint32_t i = 0; i < w->service_count; i++)
		drained &= service_drain(w->services[i]);
	return drained;
}

int workers_drain_turn(struct run_worker *w)
{
	// Also when nothing was left: another's may be on their way here.
	if (all_drained(w) && !w->drained) {
		w->drained = true;
		shared_add(&w->run->drained, 1);
	}
	return turn(w);
}

static void drain(struct run_worker *w)
{
	struct run *run = w->run;
	uint64_t begin_ns = prism_now_ns(w->worker);

	while (cell_get(&run->drained) < run->worker_count &&
	       prism_now_ns(w->worker) - begin_ns < DRAIN_NS && cell_get(&run->stop) != RUN_END)
		if (workers_drain_turn(w) == 0)
			nap(prism_idle_ns(w->worker, NAP_NS_MAX));
	for (int i = 0; i < 8; i++) // the last acknowledgments and FINs leave
		turn(w);
}

static void *drive(void *argument)
{
	struct run_worker *w = argument;

	serve(w);
	drain(w);
	prism_worker_leave(w->worker);
	return NULL;
}

static int start_services(struct run_worker *w)
{
	const struct config *config = w->run->config;

	for (uint32_t i = 0; i < config->service_count; i++) {
		int error = service_start(w->run->prism, w->worker, &config->services[i],
					  &w->services[w->service_count]);

		if (error)
			return error;
		w->service_count++;
	}
	return 0;
}

// The services of one entry belong together.
static void join_services(struct run *run)
{
	for (uint32_t i = 0; i < run->config->service_count; i++) {
		for (uint32_t w = 0; w < run->worker_count; w++)
			run->peers[i][w] = run->workers[w].services[i];
		service_join(run->peers[i], run->worker_count);
	}
}

int workers_prepare(struct run *run)
{
	int error = 0;

	run->worker_count = prism_worker_count(run->prism);
	for (uint32_t i = 0; i < run->worker_count && !error; i++) {
		run->workers[i].run = run;
		run->workers[i].worker = prism_worker_get(run->prism, i);
		error = start_services(&run->workers[i]);
	}
	if (!error)
		join_services(run);
	return error;
}

int workers_drive(struct run *run)
{
	int code = CLI_OK;
	uint32_t started = 1;

	for (; started < run->worker_count; started++) {
		struct run_worker *w = &run->workers[started];
		int error = pthread_create(&w->thread, NULL, drive, w);

		if (!error)
			continue;
		code = cli_error(CLI_ENVIRONMENT, NULL, "raise the limit: ulimit -u",
				 "no thread for worker %u: %s", started, strerror(error));
		cell_set(&run->stop, RUN_END);
		break;
	}
	drive(&run->workers[0]);
	for (uint32_t i = 1; i < started; i++)
		pthread_join(run->workers[i].thread, NULL);
	return code;
}

void workers_finish(struct run *run)
{
	for (uint32_t i = 0; i < run->worker_count; i++) {
		struct run_worker *w = &run->workers[i];

		while (w->service_count > 0)
			service_stop(w->services[--w->service_count]);
	}
}
