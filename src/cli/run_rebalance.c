// SPDX-License-Identifier: BSD-3-Clause
// Called by the monitor (decisions, the control socket) and by the workers' loops (giving away);
// calls control/balance.c and the services. Between the two is one cell a worker: an order that
// comes before the last is done takes its place, and one for none ends it. Nobody waits for
// anybody.
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/time.h"
#include "cli/run.h"
#include "core/start.h"
#include "observe/shm.h"
#include "sync/cell.h"

#define LOOK_EVERY_NS (250 * NS_PER_MS)

// A turn: leaving costs about as much as two requests, and the others wait meanwhile.
#define GIVES_A_TURN 2u

static void publish(struct run *run)
{
	if (run->prism->shm)
		cell_set(&shm_control(run->prism->shm)->rebalance, run->rebalance.on);
}

void rebalance_begin(struct run *run)
{
	run->rebalance.on = run->config->rebalance;
	balance_init(&run->rebalance.balance);
	publish(run);
}

// The monitor's thread.
static void put_order(struct run_worker *w, uint32_t to, uint32_t count)
{
	cell_set(&w->order, rebalance_order((w->order >> 24) + 1, to, count));
}

static void turn_off(struct run *run)
{
	run->rebalance.on = run->rebalance.asked = false;
	for (uint32_t i = 0; i < run->worker_count; i++)
		put_order(&run->workers[i], 0, 0);
}

int rebalance_request(void *context, const char *word)
{
	struct run *run = context;
	struct rebalance *r = &run->rebalance;
	bool on = strcmp(word, "on") == 0, now = strcmp(word, "now") == 0;
	bool off = strcmp(word, "off") == 0;

	if (!on && !now && !off)
		return -ENOENT;
	if (run->worker_count < 2 && (on || now))
		return err_set(ERR_INVALID_ARGUMENT, "rebalance %s: there is one worker", word);
	if (!r->on && !r->asked) // what was last seen is old
		balance_init(&r->balance);
	r->asked |= now;
	r->on |= on;
	if (off)
		turn_off(run);
	publish(run);
	return 0;
}

static void see(const struct run *run, struct balance_look *look)
{
	*look = (struct balance_look){.worker_count = run->worker_count};
	for (uint32_t i = 0; i < run->worker_count; i++) {
		const struct run_worker *w = &run->workers[i];
		const uint64_t *count = w->worker->env.counters->value;

		look->worker[i].busy_ns = cell_get(&count[COUNTER_busy_ns]);
		look->worker[i].idle_ns = cell_get(&count[COUNTER_idle_ns]);
		for (uint32_t k = 0; k < w->service_count; k++)
			look->worker[i].conns +=
				cell_get(&service_stats_of(w->services[k])->connections_open);
	}
}

uint64_t rebalance_look(struct run *run, uint64_t now_ns)
{
	struct rebalance *r = &run->rebalance;
	struct balance_look look;
	struct balance_order order;
	bool first = r->balance.last.worker_count == 0;

	if ((!r->on && !r->asked) || cell_get(&run->stop) != RUN_GO)
		return TIME_NEVER_NS;
	if (now_ns < r->look_ns)
		return r->look_ns;
	r->look_ns = now_ns + LOOK_EVERY_NS;
	see(run, &look);
	order = balance_decide(&r->balance, &look, r->asked);
	r->asked &= first; // two looks tell who is busy
	if (order.count)
		put_order(&run->workers[order.from], order.to, order.count);
	return r->look_ns;
}

static void take_up(struct run_worker *w, uint64_t order)
{
	const struct env *env = &w->worker->env;
	uint32_t count = order & 0xffff, to = order >> 16 & 0xff;

	w->order_seen = order;
	w->order_left = count;
	w->order_end_ns = env->now_ns + LOOK_EVERY_NS;
	if (count == 0)
		return;
	counter_add(env, COUNTER_rebalance_orders, 1);
	trace_add(env, EVENT_REBALANCE, TRACE_NO_SUBJECT, count, to);
}

void rebalance_give(struct run_worker *w, const struct prism_event *events, int count)
{
	uint64_t order = cell_get(&w->order);
	uint32_t tried = 0, given = 0, to = order >> 16 & 0xff;

	if (order != w->order_seen)
		take_up(w, order);
	// What it was decided by is old; or each ends what it has.
	if (w->worker->env.now_ns >= w->order_end_ns || cell_get(&w->run->stop) != RUN_GO)
		w->order_left = 0;
	for (int i = 0; i < count && tried < MIN(w->order_left, GIVES_A_TURN); i++)
		if (events[i].type == PRISM_EVENT_DATA || events[i].type == PRISM_EVENT_WRITABLE) {
			given += service_give(&events[i], to);
			tried++;
		}
	w->order_left -= given;
	counter_add(&w->worker->env, COUNTER_rebalance_conns, given);
}
