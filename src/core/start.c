// SPDX-License-Identifier: BSD-3-Clause
// From options to a running instance, and back: platform, pools, ports, shared memory, worker, in
// this order; taken apart in reverse. It succeeds wholly or leaves nothing. Called by api/stack.c.
//
// Sizes of the pools follow from the limits: what the ports' rings hold, what connections may pin,
// headers and references for what is in flight, and a reserve that answers when all else is gone.
#include "core/start.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "observe/shm.h"
#include "pkt/pool.h"
#include "port/probe.h"

// Descriptors of a port's rings when the configuration does not say: rx and tx together.
#define RING_PKTS_DEFAULT 2048

// The reserve for ACK, RST, ARP and ICMP. Enough for some bursts from every port at once.
#define CTRL_PKTS 2048
// An ICMP error quotes up to 576 bytes in all (RFC 1812 4.3.2.3).
#define CTRL_ROOM_BYTES (PKT_FRONT_BYTES + 640)
// Headers only, or the 24 bytes a region reference keeps.
#define HEAD_ROOM_BYTES (PKT_FRONT_BYTES + 64)
// An ethernet frame of 1500 and then some, in one buffer.
#define DATA_BYTES_MIN 2048
// EAL, ethdev and driver memory beside the pools.
#define PLATFORM_MIB 48

static void report_line(struct prism *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void report_line(struct prism *p, const char *format, ...)
{
	size_t used = strlen(p->report);
	va_list args;

	va_start(args, format);
	vsnprintf(p->report + used, sizeof(p->report) - used, format, args);
	va_end(args);
}

static_assert(2 * (MTU_BYTES_MAX + 64 + CACHE_LINE_BYTES) <= PRISM_SEND_BYTES_MIN,
	      "two whole buffers fit in a send buffer");

static uint32_t data_bytes(const struct prism_options *o)
{
	uint32_t bytes = DATA_BYTES_MIN;

	for (uint32_t i = 0; i < o->port_count; i++)
		bytes = MAX(bytes, probe_packet_bytes(o->ports[i].device, o->ports[i].mtu_bytes));
	return (uint32_t)bits_round_up(bytes, CACHE_LINE_BYTES);
}

static uint32_t ring_pkts(const struct prism_options *o)
{
	uint32_t pkts = 0;

	for (uint32_t i = 0; i < o->port_count; i++)
		pkts += o->ports[i].queue_pkts ? 2u * o->ports[i].queue_pkts : RING_PKTS_DEFAULT;
	return pkts;
}

static void plan_pools(const struct prism_options *o, struct pool_config plan[POOL_KINDS])
{
	uint16_t room_bytes = (uint16_t)(PKT_FRONT_BYTES + data_bytes(o));
	uint32_t rings = ring_pkts(o);

	plan[POOL_RX] = (struct pool_config){"rx", o->buffers + rings, room_bytes, -1};
	plan[POOL_TX] = (struct pool_config){"tx", o->buffers + rings, room_bytes, -1};
	plan[POOL_HEAD] =
		(struct pool_config){"head", 2 * (o->buffers + rings), HEAD_ROOM_BYTES, -1};
	plan[POOL_CTRL] = (struct pool_config){"ctrl", CTRL_PKTS + rings, CTRL_ROOM_BYTES, -1};
}

static uint32_t memory_mib(const struct prism_options *o, const struct pool_config *plan)
{
	uint64_t bytes = 0;

	if (o->memory_mib)
		return o->memory_mib;
	for (int i = 0; i < POOL_KINDS; i++) // a packet, its room, and the allocator's header
		bytes += (uint64_t)plan[i].pkts * (sizeof(struct pkt) + plan[i].room_bytes + 128u);
	return (uint32_t)(bytes >> 20) + o->region_mib + PLATFORM_MIB;
}

static bool wants_pci(const struct prism_options *o, const char *allow[PORTS_MAX + 1])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->port_count; i++)
		if (strncmp(o->ports[i].device, "pci:", 4) == 0)
			allow[n++] = o->ports[i].device + 4;
	allow[n] = NULL;
	return n > 0;
}

static int start_platform(struct prism *p, const struct pool_config *plan)
{
	const struct prism_options *o = &p->options;
	const char *allow[PORTS_MAX + 1];
	struct platform_report report = {0};
	struct platform_config config = {
		.instance = o->instance,
		.memory = (enum platform_memory)o->memory,
		.memory_mib = memory_mib(o, plan),
		.main_core = o->core,
		.probe_pci = wants_pci(o, allow),
		.pci_allow = allow,
		.extra_args = o->eal_args,
		.already_running = o->eal_running,
	};
	int error = platform_start(&config, &report);

	if (error)
		return error;
	p->platform_up = true;
	report_line(p, "memory: %u MiB, %s\n", config.memory_mib, report.sentence);
	return 0;
}

static int create_pools(struct prism *p, const struct pool_config *plan)
{
	for (int i = 0; i < POOL_KINDS; i++) {
		p->pool[i] = pool_create(&plan[i]);
		if (!p->pool[i])
			return -ENOMEM;
	}
	return 0;
}

static int open_port(struct prism *p, const struct prism_port_options *o)
{
	struct port_report report = {0};
	struct port_config config = {
		.name = o->name,
		.device = o->device,
		.mtu_bytes = o->mtu_bytes,
		.queue_pkts = o->queue_pkts,
		.rx_pool = p->pool[POOL_RX],
		.allow_default_route_device = o->allow_default_route_device,
		.kernel_address_count = o->kernel_address_count,
	};

	for (uint32_t i = 0; i < o->kernel_address_count; i++) {
		memcpy(&config.kernel_addresses[i].addr, &o->kernel_addresses[i].addr,
		       sizeof(struct addr));
		config.kernel_addresses[i].prefix_len = o->kernel_addresses[i].len;
	}
	int error = port_open(&config, &p->port[p->port_count], &report);

	if (error)
		return error;
	struct port *port = p->port[p->port_count++];

	report_line(p, "%s: %s, mtu %u, granted: %s, refused: %s%s%s\n", o->name, report.chosen,
		    port->mtu_bytes, report.granted[0] ? report.granted : "nothing",
		    report.refused[0] ? report.refused : "nothing", report.cost[0] ? "; " : "",
		    report.cost);
	return 0;
}

static int open_ports(struct prism *p)
{
	for (uint32_t i = 0; i < p->options.port_count; i++) {
		int error = open_port(p, &p->options.ports[i]);

		if (error)
			return error;
	}
	return 0;
}

// Secrets and seed: from the kernel, or all from the one seed that makes a run replayable.
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

		snprintf(row->name, sizeof(row->name), "%s", p->port[i]->name);
		snprintf(row->device, sizeof(row->device), "%s", p->port[i]->device);
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
		.worker_count = 1,
		.port_count = p->port_count,
		.wall_ns = wall_ns(),
		.now_ns = now_ns,
	};

	if (o->no_shared_memory)
		return 0;
	p->shm = shm_create(&config);
	if (!p->shm)
		return -err_infos[err_last()->id].number;
	describe_ports(p);
	return 0;
}

static int start_worker(struct prism *p)
{
	struct worker_config config = {
		.options = &p->options, .ring_pkts = ring_pkts(&p->options), .seals = &p->seals};
	struct clock clock;
	int error = draw_secrets(&p->options, &config);

	clock_init(&clock);
	config.now_ns = clock_ns(&clock);
	if (!error)
		error = open_shared_memory(p, config.now_ns);
	if (error)
		return error;
	if (p->shm) {
		config.counters = shm_counters(p->shm, 0);
		config.trace = shm_trace(p->shm, 0);
	}
	memcpy(config.port, p->port, sizeof(config.port));
	memcpy(config.pool, p->pool, sizeof(config.pool));
	p->worker = worker_create(&config);
	if (!p->worker)
		return -err_infos[err_last()->id].number;
	p->worker->clock = clock;
	p->worker->prism = p;
	last_words_add(&p->last_words, p->options.instance, p->worker->env.trace);
	assert_set_hook(last_words_say);
	start_publish(p, config.now_ns);
	if (p->shm)
		shm_set_state(p->shm, SHM_RUNNING);
	return 0;
}

static int start_all(struct prism *p)
{
	struct pool_config plan[POOL_KINDS];
	int error;

	plan_pools(&p->options, plan);
	error = start_platform(p, plan);
	if (!error)
		error = create_pools(p, plan);
	if (!error)
		error = open_ports(p);
	if (!error)
		error = start_worker(p);
	return error;
}

struct prism *start_open(const struct prism_options *given)
{
	struct prism *p;

	p = mem_map("an instance", sizeof(*p));
	if (!p)
		return NULL;
	options_fill(&p->options, given);
	if (options_check(&p->options) || start_all(p)) {
		start_close(p);
		return NULL;
	}
	return p;
}

void start_close(struct prism *p)
{
	if (p->shm)
		shm_set_state(p->shm, SHM_STOPPING);
	if (p->worker)
		worker_destroy(p->worker);
	seals_fini(&p->seals);
	last_words_remove(&p->last_words);
	for (uint32_t i = p->port_count; i-- > 0;)
		port_close(p->port[i]);
	for (int i = POOL_KINDS; i-- > 0;)
		if (p->pool[i])
			pool_destroy(p->pool[i]);
	if (p->platform_up)
		platform_stop();
	if (p->shm)
		shm_destroy(p->shm);
	mem_unmap(p, sizeof(*p));
}

static void publish_worker(const struct prism *p, uint64_t now_ns)
{
	struct shm_worker *row = shm_worker(p->shm, 0);
	struct tcp_counts counts;

	tcp_count(p->worker->tcp, &counts);
	cell_set(&row->heartbeat_ns, now_ns);
	cell_set(&row->core, (uint64_t)p->options.core);
	cell_set(&row->conns_half_open, counts.half_open);
	cell_set(&row->conns_open, counts.open);
	cell_set(&row->conns_time_wait, counts.time_wait);
	cell_set(&row->timers, wheel_count(p->worker->wheel));
}

static void publish_table(const struct prism *p)
{
	struct shm_worker *row = shm_worker(p->shm, 0);
	struct tcp_table table;

	tcp_survey(p->worker->tcp, &table);
	cell_set(&row->table_keys, table.now.keys);
	cell_set(&row->table_capacity, table.capacity);
	cell_set(&row->table_slots, table.now.slots);
	cell_set(&row->table_waiting, table.now.waiting);
	cell_set(&row->table_longest, table.now.longest);
	cell_set(&row->table_retries, table.now.retries);
}

static void publish_ports(const struct prism *p)
{
	for (uint32_t i = 0; i < p->port_count; i++) {
		struct shm_port_totals *row = shm_port_totals(p->shm, 0, i);

		cell_set(&row->rx_pkts, p->port[i]->rx_pkts);
		cell_set(&row->rx_bytes, p->port[i]->rx_bytes);
		cell_set(&row->tx_pkts, p->port[i]->tx_pkts);
		cell_set(&row->tx_bytes, p->port[i]->tx_bytes);
	}
}

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

void start_publish(struct prism *p, uint64_t now_ns)
{
	p->published_ns = now_ns;
	if (!p->shm)
		return;
	publish_worker(p, now_ns);
	publish_table(p);
	publish_ports(p);
	publish_pools(p);
}
