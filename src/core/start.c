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
	return pkts * o->workers; // each has queues of his own, where the device has so many
}

// What the caches of one thread may hold of a pool that several share.
#define THREAD_CACHE_PKTS 384

static void plan_pools(const struct prism_options *o, struct pool_config plan[POOL_KINDS])
{
	uint16_t room_bytes = (uint16_t)(PKT_FRONT_BYTES + data_bytes(o));
	uint32_t rings = ring_pkts(o);
	uint32_t cached = o->workers > 1 ? o->workers * THREAD_CACHE_PKTS : 0;

	plan[POOL_RX] = (struct pool_config){"rx", o->buffers + rings, room_bytes, -1};
	plan[POOL_TX] = (struct pool_config){"tx", o->buffers + rings, room_bytes, -1};
	plan[POOL_HEAD] =
		(struct pool_config){"head", 2 * (o->buffers + rings), HEAD_ROOM_BYTES, -1};
	plan[POOL_CTRL] = (struct pool_config){"ctrl", CTRL_PKTS + rings, CTRL_ROOM_BYTES, -1};
	for (int i = 0; i < POOL_KINDS; i++) {
		plan[i].pkts += cached;
		plan[i].shared = o->workers > 1;
	}
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
			return -err_infos[err_last()->id].number;
	}
	return 0;
}

// How packets come to several workers.
static void report_queues(struct prism *p, struct port *port)
{
	uint32_t workers = p->options.workers, queues = MAX(port->queue_count, 1u);

	if (workers == 1)
		return;
	if (queues >= workers && port->rss)
		report_line(p,
			    "%s: a queue for each worker; outgoing connections take local ports "
			    "whose answers come to their worker's queue (RSS, %u entries); what "
			    "comes to another's is handed over\n",
			    port->name, port->rss->entries);
	else if (queues >= workers && port->flags & PORT_ANSWERS_RETURN)
		report_line(p,
			    "%s: a queue for each worker; the kernel sends answers to the queue "
			    "their flow last left by; what comes to another's is handed over\n",
			    port->name);
	else if (queues < workers)
		report_line(
			p,
			"%s: %u queue%s for %u workers: who has one deals new flows out to all, "
			"the others receive and send through him\n",
			port->name, queues, queues > 1 ? "s" : "", workers);
	else
		report_line(p,
			    "%s: a queue for each worker, how flows are dealt out to them is not "
			    "known; what comes to another's is handed over, outgoing connections' "
			    "answers too\n",
			    port->name);
}

// Several ports have one device, each with a tag of its own.
static void add_vlan(struct prism *p, const struct prism_port_options *o, uint32_t device)
{
	p->device_of[p->port_count] = device;
	p->port[p->port_count++] = p->port[device];
	report_line(p, "%s: vlan %u of %s, mtu %u\n", o->name, o->vlan_id, p->port[device]->name,
		    p->port[device]->mtu_bytes);
}

static int open_port(struct prism *p, const struct prism_port_options *o)
{
	struct port_report report = {0};
	struct port_config config = {
		.name = o->name,
		.device = o->device,
		.mtu_bytes = o->mtu_bytes,
		.queue_pkts = o->queue_pkts,
		.queues = (uint16_t)p->options.workers,
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
	p->device_of[p->port_count] = p->port_count;
	struct port *port = p->port[p->port_count++];

	report_line(p, "%s: %s, mtu %u, granted: %s, refused: %s%s%s\n", o->name, report.chosen,
		    port->mtu_bytes, report.granted[0] ? report.granted : "nothing",
		    report.refused[0] ? report.refused : "nothing", report.cost[0] ? "; " : "",
		    report.cost);
	report_queues(p, port);
	return 0;
}

static int open_ports(struct prism *p)
{
	for (uint32_t i = 0; i < p->options.port_count; i++) {
		uint32_t device = options_device_of(&p->options, i);
		int error = 0;

		if (device != i)
			add_vlan(p, &p->options.ports[i], device);
		else
			error = open_port(p, &p->options.ports[i]);
		if (error)
			return error;
	}
	return 0;
}

// What is chosen on purpose and could be a fault elsewhere is said.
static void report_congestion(struct prism *p)
{
	if (p->options.congestion == PRISM_CONGESTION_NONE)
		report_line(p,
			    "tcp: no congestion control, %u bytes in flight a connection whatever "
			    "is lost; for a network of your own that carries them all\n",
			    p->options.fixed_window_bytes);
}

static int start_all(struct prism *p)
{
	const struct prism_options *o = &p->options;
	struct pool_config plan[POOL_KINDS];
	int error = o->no_shared_memory ? 0 : shm_refuse_running(o->instance, o->run_dir);

	if (error)
		return error;
	p->ring_pkts = ring_pkts(&p->options);
	plan_pools(&p->options, plan);
	error = start_platform(p, plan);
	if (!error)
		error = create_pools(p, plan);
	if (!error)
		error = open_ports(p);
	report_congestion(p);
	if (!error)
		error = start_workers(p);
	return error;
}

struct prism *start_open(const struct prism_options *given)
{
	struct prism *p;

	p = mem_map("an instance", sizeof(*p));
	if (!p)
		return NULL;
	options_fill(&p->options, given);
	p->sample_one_in = p->options.sample_one_in;
	if (options_check(&p->options) || cores_check(&p->options) || start_all(p)) {
		start_close(p);
		return NULL;
	}
	return p;
}

void start_close(struct prism *p)
{
	if (p->shm)
		shm_set_state(p->shm, SHM_STOPPING);
	end_workers(p);
	taping_end_all(p);
	seals_fini(&p->seals);
	for (uint32_t i = p->port_count; i-- > 0;)
		if (p->device_of[i] == i)
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
