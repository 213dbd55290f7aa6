// SPDX-License-Identifier: BSD-3-Clause
// The workers of an instance: their secrets, shared memory and ports, and what they publish for
// tools. Called by start.c when platform, pools and ports are there, and to take apart; calls
// worker.c for each worker and team.c for what several share.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "core/start.h"
#include "core/team.h"
#include "net/dhcp.h"
#include "observe/shm.h"
#include "pkt/pool.h"
#include "pkt/pressure.h"

// Secrets and seed: from the kernel, or all from the one seed that makes a run replayable.
// RFC 6528 R4; RFC 6056 R7
static int draw_secrets(const struct prism_options *o, struct worker_config *config)
{
	struct rng rng;
	uint64_t words[2];

	config->seed = o->seed;
	if (o->seed == 0) {
		if (getrandom(&config->seed, sizeof(config->seed), 0) < 0 ||
		    getrandom(config->secret, sizeof(config->secret), 0) < 0)
			return err_set(ERR_NO_RANDOM, "getrandom: %s", strerror(errno));
		return 0;
	}
	rng_seed(&rng, o->seed);
	words[0] = rng_next(&rng);
	words[1] = rng_next(&rng);
	memcpy(config->secret, words, sizeof(words));
	return 0;
}

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void describe_ports(struct prism *p)
{
	for (uint32_t i = 0; i < p->port_count; i++) {
		struct shm_port *row = shm_port(p->shm, i);

		bool is_vlan = p->device_of[i] != i;

		snprintf(row->name, sizeof(row->name), "%s",
			 is_vlan ? p->options.ports[i].name : p->port[i]->name);
		snprintf(row->device, sizeof(row->device), "%s",
			 is_vlan ? p->options.ports[i].device : p->port[i]->device);
		memcpy(row->mac, p->port[i]->mac, sizeof(p->port[i]->mac));
		row->mtu_bytes = p->port[i]->mtu_bytes;
	}
}

static int open_shared_memory(struct prism *p, uint64_t now_ns)
{
	const struct prism_options *o = &p->options;
	struct shm_config config = {
		.instance = o->instance,
		.run_dir = o->run_dir,
		.worker_count = o->workers,
		.port_count = p->port_count,
		.wall_ns = wall_ns(),
		.now_ns = now_ns,
	};

	if (o->no_shared_memory)
		return 0;
	p->shm = shm_create(&config);
	if (!p->shm)
		return -err_infos[err_last()->id].number;
	taping_clean(p);
	describe_ports(p);
	return 0;
}

// The port of a worker: a queue of the device, or a way through a worker who has one.
static struct port *worker_port(struct prism *p, struct port *port, uint32_t worker)
{
	uint32_t queues = MAX(port->queue_count, 1u);

	if (queues < p->options.workers)
		port->flags |= PORT_FEW_QUEUES;
	if (worker < queues) {
		port_queue(port, worker)->flags |= port->flags & PORT_FEW_QUEUES;
		return port_queue(port, worker);
	}
	return relay_open(port, team_hands(p->team, worker), worker % queues);
}

static int start_worker(struct prism *p, uint32_t index, struct worker_config *config)
{
	config->index = index;
	if (p->shm) {
		config->counters = shm_counters(p->shm, index);
		config->trace = shm_trace(p->shm, index);
		config->verdicts = shm_verdicts(p->shm, index);
		config->samples = shm_samples(p->shm, index);
		config->conn_rows = shm_conn_rows(p->shm, index);
	}
	for (uint32_t i = 0; i < p->port_count; i++) {
		uint32_t device = p->device_of[i];

		config->port[i] =
			device == i ? worker_port(p, p->port[i], index) : config->port[device];
		if (!config->port[i])
			return -ENOMEM;
		if (device == i && config->port[i]->flags & PORT_RELAY)
			p->relay[index][i] = config->port[i];
	}
	struct prism_worker *w = worker_create(config);

	p->worker[index] = w;
	if (!w)
		return -err_infos[err_last()->id].number;
	config->seed++;
	w->prism = p;
	w->core = p->options.cores[index];
	last_words_add(&p->last_words[index], p->options.instance, w->env.trace);
	return 0;
}

static int create_team(struct prism *p, struct worker_config *config)
{
	if (p->options.workers == 1)
		return 0;
	p->team = team_create(&p->options, p->options.workers, config->secret);
	config->team = p->team;
	return p->team ? 0 : -err_infos[err_last()->id].number;
}

int start_workers(struct prism *p)
{
	struct worker_config config = {
		.options = &p->options, .ring_pkts = p->ring_pkts, .seals = &p->seals};
	struct clock clock;
	int error = draw_secrets(&p->options, &config);

	clock_init(&clock);
	config.now_ns = clock_ns(&clock);
	memcpy(config.pool, p->pool, sizeof(config.pool));
	if (!error)
		error = open_shared_memory(p, config.now_ns);
	if (!error)
		error = create_team(p, &config);
	for (uint32_t i = 0; !error && i < p->options.workers; i++)
		error = start_worker(p, i, &config);
	if (error)
		return error;
	assert_set_hook(last_words_say);
	for (uint32_t i = 0; i < p->options.workers; i++) {
		p->worker[i]->clock = clock;
		start_publish(p->worker[i], config.now_ns);
	}
	if (p->shm)
		shm_set_state(p->shm, SHM_RUNNING);
	return 0;
}

// From the last to the first, whose queues the others' last segments leave by.
void end_workers(struct prism *p)
{
	for (uint32_t i = 0; i < 2 * WORKERS_MAX; i++) // what comes may send something back
		if (p->worker[i % WORKERS_MAX])
			worker_settle(p->worker[i % WORKERS_MAX]);
	for (uint32_t i = WORKERS_MAX; i-- > 0;) {
		if (p->worker[i])
			worker_destroy(p->worker[i]);
		last_words_remove(&p->last_words[i]);
		for (uint32_t k = 0; k < p->port_count; k++)
			if (p->relay[i][k])
				port_close(p->relay[i][k]);
	}
	if (p->team)
		team_destroy(p->team);
}

// Two workers on one cpu take it from each other; one on none never runs.
int cores_check(const struct prism_options *o)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 0; // more cpus than the set has: whoever pins will say
	for (uint32_t i = 0; i < o->workers; i++) {
		if (o->cores[i] < 0)
			continue;
		if (o->cores[i] >= CPU_SETSIZE || !CPU_ISSET(o->cores[i], &allowed))
			return err_set(ERR_NO_CPU, "worker %u on cpu %d", i, o->cores[i]);
		for (uint32_t k = 0; k < i; k++)
			if (o->cores[k] == o->cores[i])
				return err_set(ERR_CPU_TWICE, "workers %u and %u on cpu %d", k, i,
					       o->cores[i]);
	}
	return 0;
}

void start_enter(struct prism_worker *w)
{
	cpu_set_t set;

	w->entered = true;
	pool_thread_enter(); // without caches of its own it works too
	if (w->core < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(w->core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void start_leave(struct prism_worker *w)
{
	if (w->entered)
		pool_thread_leave();
	w->entered = false;
}

static uint64_t cycles_of(const struct clock *clock, uint64_t ns)
{
	if (!clock->ns_per_cycle_q32)
		return 0;
	return (uint64_t)(((unsigned __int128)ns << 32) / clock->ns_per_cycle_q32);
}

// What tools show of each worker is counted anyway; here it is copied to where they find it apart.
static void publish_counts(const struct prism_worker *w, struct shm_worker *row)
{
	const uint64_t *count = w->env.counters->value;
	uint64_t busy_ns = cell_get(&count[COUNTER_busy_ns]);

	cell_set(&row->turns, cell_get(&count[COUNTER_turns]));
	cell_set(&row->turns_busy, cell_get(&count[COUNTER_turns_busy]));
	cell_set(&row->busy_ns, busy_ns);
	cell_set(&row->busy_cycles, cycles_of(&w->clock, busy_ns));
	cell_set(&row->in_pkts,
		 cell_get(&count[COUNTER_rx_pkts]) + cell_get(&count[COUNTER_handed_in_pkts]));
	cell_set(&row->handed_out_pkts, cell_get(&count[COUNTER_handed_out_pkts]));
	cell_set(&row->accepted, cell_get(&count[COUNTER_tcp_passive_opens]));
	cell_set(&row->moved, cell_get(&count[COUNTER_tcp_moved]));
}

static void publish_worker(const struct prism_worker *w, uint64_t now_ns)
{
	struct shm_worker *row = shm_worker(w->prism->shm, w->env.worker_index);
	struct tcp_counts counts;

	tcp_count(w->tcp, &counts);
	cell_set(&row->heartbeat_ns, now_ns);
	cell_set(&row->core, (uint64_t)(int64_t)w->core);
	cell_set(&row->conns_half_open, counts.half_open);
	cell_set(&row->conns_open, counts.open);
	cell_set(&row->conns_time_wait, counts.time_wait);
	cell_set(&row->timers, wheel_count(w->wheel));
	cell_set(&row->handed_pkts, w->env.hands ? hands_depth(w->env.hands) : 0);
	cell_set(&row->pressure, pressure_of(&w->env));
	cell_set(&row->sample_one_in, w->env.sample_one_in);
}

// All workers have the same: the first looks at it and publishes it.
static void publish_table(const struct prism_worker *w)
{
	struct shm_flow_table *row = shm_flow_table(w->prism->shm);
	struct tcp_table table;

	tcp_survey(w->tcp, &table);
	cell_set(&row->keys, table.now.keys);
	cell_set(&row->capacity, table.capacity);
	cell_set(&row->slots, table.now.slots);
	cell_set(&row->waiting, table.now.waiting);
	cell_set(&row->longest, table.now.longest);
	cell_set(&row->retries, table.now.retries);
}

// The first worker's clients ask.
static void publish_lease(const struct prism_worker *w, uint16_t port_index)
{
	const char *state = dhcp_state_name(w->net, port_index);
	const struct lease *lease = lease_of(w->net, port_index);
	struct shm_port *row = shm_port(w->prism->shm, port_index);
	struct addr addr = addr_from_v4(lease->addr);
	char text[sizeof(row->dhcp)] = "", of[ADDR_TEXT_BYTES];

	if (state && lease->addr.raw)
		snprintf(text, sizeof(text), "%s %s/%u", state, addr_format(&addr, of),
			 lease->prefix_len);
	else if (state)
		snprintf(text, sizeof(text), "%s", state);
	if (strcmp(text, row->dhcp) != 0)
		memcpy(row->dhcp, text, sizeof(text));
}

static void publish_ports(const struct prism_worker *w)
{
	for (uint32_t i = 0; i < w->port_count; i++) {
		struct shm_port_totals *row =
			shm_port_totals(w->prism->shm, w->env.worker_index, i);

		if (w->env.worker_index == 0)
			publish_lease(w, (uint16_t)i);
		if (w->prism->device_of[i] != i) // a VLAN's packets are its device's
			continue;
		cell_set(&row->rx_pkts, w->port[i]->rx_pkts);
		cell_set(&row->rx_bytes, w->port[i]->rx_bytes);
		cell_set(&row->tx_pkts, w->port[i]->tx_pkts);
		cell_set(&row->tx_bytes, w->port[i]->tx_bytes);
	}
}

// All workers draw from the same: the first publishes them.
static void publish_pools(const struct prism *p)
{
	static const char *const names[POOL_KINDS] = {"rx", "tx", "head", "ctrl"};

	for (int i = 0; i < POOL_KINDS; i++) {
		struct shm_pool *row = shm_pool(p->shm, 0, (enum pool_kind)i);

		if (!row->name[0])
			snprintf(row->name, sizeof(row->name), "%s", names[i]);
		cell_set(&row->capacity_pkts, pool_capacity(p->pool[i]));
		cell_set(&row->available_pkts, pool_available(p->pool[i]));
	}
}

void start_publish(struct prism_worker *w, uint64_t now_ns)
{
	w->published_ns = now_ns;
	worker_sample(w, cell32_get(&w->prism->sample_one_in));
	taping_look(w);
	if (!w->prism->shm)
		return;
	publish_worker(w, now_ns);
	publish_counts(w, shm_worker(w->prism->shm, w->env.worker_index));
	publish_ports(w);
	if (w->env.worker_index != 0)
		return;
	publish_table(w);
	publish_pools(w->prism);
}
