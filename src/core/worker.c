// SPDX-License-Identifier: BSD-3-Clause
// The worker's turn, its birth and its end. Production calls the turn with the clock's time
// (api/poll.c), the simulator with its own; the object code is the same.
//
// What the application said since the last turn leaves first. Acknowledgements that a reply might
// carry wait for the application, which sees the events when the turn returns; without events they
// leave in the turn itself. So a request costs one packet in and one packet out.
#include "core/worker.h"

#include <prismnet/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/stack.h"
#include "core/start.h"
#include "core/team.h"
#include "core/timers.h"
#include "net/udp.h"
#include "observe/conn_row.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "port/sample.h"

// Timers fired in one turn at most, so that a million due at once do not stop the ports.
#define FIRED_MAX 4096

// Looks for packets in an idle turn, when all ports only look into memory.
#define IDLE_LOOKS 8u

// What worker_create made itself.
struct worker_own {
	struct counters counters;
	struct trace trace;
	struct verdicts verdicts;
	struct verdict records[VERDICT_RECORDS_PRIVATE];
	struct verdicts samples;
	struct verdict sampled[VERDICT_RECORDS_PRIVATE];
	struct conn_row conn_rows[CONN_ROWS_PRIVATE];
};

static_assert(offsetof(struct worker_own, records) ==
			      offsetof(struct worker_own, verdicts) + sizeof(struct verdicts) &&
		      offsetof(struct worker_own, sampled) ==
			      offsetof(struct worker_own, samples) + sizeof(struct verdicts),
	      "the records are the rings'");

static void receive_once(struct prism_worker *w)
{
	struct pkt *pkts[BURST_PKTS];

	for (uint32_t i = 0; i < w->port_count; i++) {
		uint16_t n = w->port[i]->index == i ? port_rx(&w->env, w->port[i], pkts, BURST_PKTS)
						    : 0; // a VLAN of another

		if (n == 0)
			continue;
		w->worked = true;
		stack_input(w, (uint16_t)i, pkts, n);
	}
}

static void receive_handed(struct prism_worker *w)
{
	struct pkt *pkts[BURST_PKTS];

	for (uint32_t from = 0; from < w->env.worker_count; from++) {
		uint32_t n = hands_take(&w->env, from, pkts, BURST_PKTS);

		if (n == 0)
			continue;
		w->worked = true;
		stack_handed(w, pkts, n);
	}
	hands_flush(&w->env);
}

// Who has nothing else to do looks several times where a look is cheap: what comes is found sooner,
// and the clock is read already.
static void worker_receive(struct prism_worker *w)
{
	uint32_t looks = w->last_turn_busy ? 1 : w->idle_looks;

	// An application that has not taken all its news makes the ports' rings fill, not ours.
	if (w->undelivered)
		return;
	do {
		receive_once(w);
		if (w->env.hands)
			receive_handed(w);
	} while (--looks && !w->worked);
}

static int worker_deliver(struct prism_worker *w, struct prism_event *events, int count)
{
	int n = udp_turn_end(w->net);

	n += tcp_deliver(w->tcp, events + n, count - n);
	n += udp_deliver(w->net, events + n, count - n);
	n += app_timers_deliver(w->timers, events + n, count - n);
	w->undelivered = n == count && count > 0;
	return n;
}

// Waiting for a device that takes nothing is not work: what left is.
void worker_transmit(struct prism_worker *w)
{
	for (uint32_t i = 0; i < w->port_count; i++)
		w->worked |= port_tx_flush(&w->env, w->port[i]) != 0;
	if (w->env.hands)
		hands_flush(&w->env);
}

// Time of the turn that just ended goes to busy or idle, the application's share included.
static void account_time(struct prism_worker *w, uint64_t now_ns)
{
	counter_add(&w->env, w->last_turn_busy ? COUNTER_busy_ns : COUNTER_idle_ns,
		    now_ns - w->last_turn_ns);
	w->last_turn_ns = now_ns;
}

// Nothing disappears, and of all that was dropped there is a record. For a DCHECK, which may be
// off.
static __attribute__((unused)) bool adds_up(const struct prism_worker *w)
{
	return counters_unaccounted(w->env.counters) == 0 &&
	       counters_drops(w->env.counters) == w->env.verdicts->written;
}

int worker_turn(struct prism_worker *w, uint64_t now_ns, struct prism_event *events, int count)
{
	DCHECK(now_ns >= w->env.now_ns);
	account_time(w, now_ns);
	w->env.now_ns = now_ns;
	w->worked = false;
	tcp_flush(w->tcp);
	worker_transmit(w);
	udp_turn_begin(w->net, events, count);
	worker_receive(w);
	w->worked |= wheel_run(w->wheel, now_ns, FIRED_MAX) != 0;
	int n = worker_deliver(w, events, count);

	if (n == 0)
		tcp_flush_again(w->tcp);
	worker_transmit(w);
	w->worked |= n != 0;
	w->last_turn_busy = w->worked;
	counter_add(&w->env, COUNTER_turns, 1);
	counter_add(&w->env, COUNTER_turns_busy, w->worked);
	DCHECK(adds_up(w));
	return n;
}

static bool ports_wait(const struct prism_worker *w)
{
	for (uint32_t i = 0; i < w->port_count; i++)
		if (w->port[i]->stage_count)
			return true;
	return false;
}

uint64_t worker_next_ns(const struct prism_worker *w)
{
	if (w->last_turn_busy || ports_wait(w) || (w->env.hands && hands_waiting(&w->env)) ||
	    tcp_busy(w->tcp) || udp_pending(w->net) || app_timers_pending(w->timers))
		return w->env.now_ns;
	return wheel_next_ns(w->wheel);
}

// A worker's share of a limit of the instance, and a quarter more: flows do not spread evenly.
static uint32_t share(uint32_t limit, uint32_t worker_count)
{
	return worker_count == 1 ? limit : (limit + limit / 4) / worker_count + 1;
}

static uint32_t address_count(const struct prism_options *o)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < o->port_count; i++)
		count += o->ports[i].address_count;
	return count;
}

static struct addr internal_addr(const struct prism_addr *a)
{
	struct addr out;

	static_assert(sizeof(out) == sizeof(*a), "the public address is the internal one");
	memcpy(&out, a, sizeof(out));
	return out;
}

static bool has_ip6(const struct prism_options *o)
{
	for (uint32_t i = 0; i < o->port_count; i++)
		if (options_speak_ip6(&o->ports[i]))
			return true;
	return false;
}

struct tcp_config worker_tcp_limits(const struct prism_options *o, uint32_t worker_count)
{
	return (struct tcp_config){
		.connections_max = share(o->connections_max, worker_count),
		.half_open_max = share(o->half_open_max, worker_count),
		.time_wait_max = share(o->time_wait_max, worker_count),
		.listeners_max = o->listeners_max,
		.send_descs_max = share(2 * o->buffers + o->connections_max, worker_count),
		.send_bytes_max = o->send_bytes_max,
		.receive_bytes_max = o->receive_bytes_max,
		.time_wait_ns = o->time_wait_ns,
		.keepalive_ns = o->keepalive_ns,
		.user_timeout_ns = o->user_timeout_ns,
		.delayed_ack_ns = o->delayed_ack_ns,
		.rto_ns_min = o->rto_ns_min,
		.mss_max = (uint16_t)MIN(o->segment_bytes_max, 65535u),
		.congestion = o->congestion,
		.sack_off = o->sack_off,
		.ecn = o->ecn,
		.paces = o->pacing,
		.pmtu_off = o->pmtu_probing_off,
		.fixed_window_bytes = o->fixed_window_bytes,
		.address_count = address_count(o),
		.has_ip6 = has_ip6(o),
	};
}

// It is a VLAN of a port that was added before.
static bool shares_device(const struct prism_worker *w, const struct port *port)
{
	for (uint32_t i = 0; i < w->port_count; i++)
		if (w->port[i] == port)
			return true;
	return false;
}

static int add_port(struct prism_worker *w, struct port *port, const struct prism_port_options *o)
{
	struct net_port_config config = {.vlan_id = o->vlan_id,
					 .gateway = internal_addr(&o->gateway),
					 .dhcp = o->dhcp,
					 .speaks_ip6 = options_speak_ip6(o),
					 .no_routers = o->router_advertisements == PRISM_RA_OFF};

	config.address_count = o->address_count;
	for (uint32_t i = 0; i < o->address_count; i++) {
		config.addresses[i].addr = internal_addr(&o->addresses[i].addr);
		config.addresses[i].prefix_len = o->addresses[i].len;
	}
	if (!shares_device(w, port))
		port->index = (uint16_t)w->port_count;
	w->port[w->port_count++] = port;
	w->idle_looks = port->flags & PORT_RX_IN_MEMORY ? MIN(w->idle_looks, IDLE_LOOKS) : 1;
	return net_add_port(w->net, port, &config);
}

static int add_network(struct prism_worker *w, const struct worker_config *config)
{
	const struct prism_options *o = config->options;

	for (uint32_t i = 0; i < o->port_count; i++) {
		int error = add_port(w, config->port[i], &o->ports[i]);

		if (error)
			return error;
	}
	for (uint32_t i = 0; i < o->route_count; i++) {
		struct addr prefix = internal_addr(&o->routes[i].prefix.addr);
		struct addr via = internal_addr(&o->routes[i].via);
		int error = net_add_route(w->net, &prefix, o->routes[i].prefix.len, &via);

		if (error)
			return error;
	}
	if (config->index == 0)
		net_announce(w->net);
	return 0;
}

static uint32_t sampling(uint32_t one_in)
{
	return one_in == PRISM_SAMPLE_NONE ? 0 : one_in;
}

void worker_sample(struct prism_worker *w, uint32_t one_in)
{
	if (sampling(one_in) == w->env.sample_one_in)
		return;
	w->env.sample_one_in = sampling(one_in);
	for (uint32_t i = 0; i < w->port_count; i++)
		sample_again(w->port[i]);
}

void worker_tape(struct prism_worker *w, const struct tapings *tapings)
{
	w->tapings = *tapings;
	w->env.tapings = tapings->count ? &w->tapings : NULL;
	for (uint32_t i = 0; i < w->port_count; i++)
		sample_again(w->port[i]);
}

static void init_env(struct prism_worker *w, const struct worker_config *config)
{
	w->env.now_ns = config->now_ns;
	w->idle_looks = IDLE_LOOKS;
	w->last_turn_ns = config->now_ns;
	w->env.worker_index = config->index;
	w->env.worker_count = config->team ? team_count(config->team) : 1;
	w->env.hands = config->team ? team_hands(config->team, config->index) : NULL;
	rng_seed(&w->env.rng, config->seed);
	w->env.counters = config->counters ? config->counters : &w->own->counters;
	w->env.trace = config->trace ? config->trace : &w->own->trace;
	w->env.verdicts = config->verdicts ? config->verdicts : &w->own->verdicts;
	w->env.samples = config->verdicts ? config->samples : &w->own->samples;
	w->env.verdict_mask = (config->verdicts ? VERDICT_RECORDS : VERDICT_RECORDS_PRIVATE) - 1;
	w->env.conn_rows = config->conn_rows ? config->conn_rows : w->own->conn_rows;
	w->env.conn_row_count =
		config->conn_rows ? conn_rows_of_worker(w->env.worker_count) : CONN_ROWS_PRIVATE;
	w->env.sample_one_in = sampling(config->options->sample_one_in);
	w->env.seals = config->seals;
	memcpy(w->env.secret, config->secret, sizeof(w->env.secret));
	memcpy(w->env.pool, config->pool, sizeof(w->env.pool));
	w->env.kept_pkts_max = pkt_keep_max(
		(pool_capacity(config->pool[POOL_RX]) - config->ring_pkts) / w->env.worker_count);
}

static int create_parts(struct prism_worker *w, const struct worker_config *config)
{
	const struct prism_options *o = config->options;
	struct net_config net = {.udp_max = o->udp_max, .source_routes = o->source_routes};
	struct tcp_config tcp = worker_tcp_limits(o, config->team ? team_count(config->team) : 1);

	if (config->team) {
		net.udp_claims = team_udp_claims(config->team);
		tcp.shared = team_tcp(config->team);
	}

	if (!config->counters || !config->trace || !config->verdicts || !config->conn_rows) {
		w->own = mem_map("a worker's own counters", sizeof(*w->own));
		if (!w->own)
			return -1;
	}
	init_env(w, config);
	w->wheel = wheel_create(config->now_ns);
	if (!w->wheel)
		return -1;
	w->timers = app_timers_create(o->timers_max, &w->env, w->wheel);
	w->net = w->timers ? net_create(&net, &w->env, w->wheel) : NULL;
	w->tcp = w->net ? tcp_create(&tcp, &w->env, w->net, w->wheel) : NULL;
	return w->tcp ? add_network(w, config) : -1;
}

struct prism_worker *worker_create(const struct worker_config *config)
{
	struct prism_worker *w = mem_map("a worker", sizeof(*w));

	if (!w)
		return NULL;
	if (create_parts(w, config)) {
		worker_destroy(w);
		return NULL;
	}
	return w;
}

// All of it: a note may lie behind thousands of segments.
void worker_settle(struct prism_worker *w)
{
	while (w->env.hands && hands_waiting(&w->env))
		receive_handed(w);
}

void worker_destroy(struct prism_worker *w)
{
	if (w->tcp) {
		worker_settle(w); // those who ended before have their last segments on the way here
		tcp_destroy(w->tcp);
	}
	if (w->net)
		worker_transmit(w);
	if (w->net)
		net_destroy(w->net);
	for (uint32_t i = 0; i < w->port_count; i++)
		port_tx_discard(&w->env, w->port[i]);
	app_timers_destroy(w->timers);
	if (w->wheel)
		wheel_destroy(w->wheel);
	if (w->own)
		mem_unmap(w->own, sizeof(*w->own));
	mem_unmap(w, sizeof(*w));
}
