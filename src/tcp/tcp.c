// SPDX-License-Identifier: BSD-3-Clause
// TCP as a whole: its memory, its flush, its end, what ICMP says about it. Called by the worker's
// turn; calls output.c for each connection with something to say. ICMP: RFC 9293 3.9.2.2,
// RFC 5927. Not here: requests (request.c), events (deliver.c).
#include "tcp/tcp.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "observe/counter.h"
#include "pkt/pkt.h"
#include "pkt/pressure.h"
#include "tcp/bbr.h"
#include "tcp/close.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/homeless.h"
#include "tcp/isn.h"
#include "tcp/listener.h"
#include "tcp/move.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/show.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/timewait.h"
#include "tcp/trouble.h"
#include "tcp/tune.h"
#include "tcp/window.h"

#define ACK_DELAY_NS_MAX (499 * NS_PER_MS)

static size_t time_wait_records(const struct tcp_config *config)
{
	return bits_ceil_pow2(config->time_wait_max);
}

static void init_lists(struct tcp *tcp)
{
	tcp->flush = tcp->births = tcp->ready = (struct conn_list){NO_INDEX, NO_INDEX};
	uint32_t first = tcp->worker * tcp->config.connections_max;

	for (uint32_t i = 0; i < tcp->config.connections_max; i++)
		tcp->conn[first + i].flush_next =
			i + 1 < tcp->config.connections_max ? first + i + 1 : NO_INDEX;
	tcp->conn_free = first;
	tcp->early_hand = NO_INDEX;
	for (uint32_t i = 0; i < LISTENER_CHAINS; i++)
		tcp->listener_chain[i] = NO_LISTENER;
	while (tcp->config.receive_bytes_max >> tcp->rcv_scale > UINT16_MAX)
		tcp->rcv_scale++;
	tcp->port_next = (uint32_t)rng_next(&tcp->env->rng);
}

// What the workers share, or our own of it.
static bool take_share(struct tcp *tcp)
{
	struct tcp_shared *s = tcp->config.shared;

	tcp->is_alone = s == NULL;
	if (!s)
		s = tcp_shared_create(&tcp->config, 1, tcp->env->secret);
	if (!s)
		return false;
	tcp->shared = s;
	tcp->table = s->table;
	tcp->table6 = s->table6;
	tcp->conn = s->conn;
	tcp->tuning = s->tuning;
	tcp->desc = s->desc;
	tcp->waiting = s->waiting;
	tcp->worker = tcp->is_alone ? 0 : tcp->env->worker_index;
	tcp->index_mask = (UINT32_C(1) << s->index_bits) - 1;
	tcp->worker_mask = ((UINT32_C(1) << OWNER_SHIFT) - 1) & ~tcp->index_mask;
	tcp->worker_bits = (tcp->worker << s->index_bits) & tcp->worker_mask;
	tcp->waiting_first = s->conn_count + tcp->worker;
	tcp->reader = epoch_join(&s->epoch);
	ASSERT(tcp->reader >= 0);
	epoch_online(&s->epoch, tcp->reader);
	return true;
}

static size_t debts_bytes(const struct tcp *tcp)
{
	return tcp->shared->worker_count * sizeof(*tcp->debt);
}

static bool map_memory(struct tcp *tcp)
{
	const struct tcp_config *config = &tcp->config;

	tcp->half_open =
		mem_map("half-open connections", config->half_open_max * sizeof(*tcp->half_open));
	tcp->time_wait =
		mem_map("TIME-WAIT records", time_wait_records(config) * sizeof(*tcp->time_wait));
	tcp->trouble =
		mem_map("records of trouble", trouble_records(config) * sizeof(*tcp->trouble));
	tcp->bbr = mem_map("records of BBR", bbr_records(config) * sizeof(*tcp->bbr));
	tcp->bbr_free = NO_INDEX;
	tcp->listener = mem_map("listeners", config->listeners_max * sizeof(*tcp->listener));
	tcp->time_wait_mask = (uint32_t)time_wait_records(config) - 1;
	if (!tcp->is_alone)
		tcp->debt = mem_map("what moves owe", debts_bytes(tcp));
	return fast_init(tcp) && show_init(tcp) && tcp->half_open && tcp->time_wait &&
	       tcp->trouble && tcp->bbr && tcp->listener && (tcp->debt || tcp->is_alone);
}

static void unmap(void *memory, size_t bytes)
{
	if (memory)
		mem_unmap(memory, bytes);
}

static void unmap_memory(struct tcp *tcp)
{
	const struct tcp_config *config = &tcp->config;

	show_fini(tcp);
	if (tcp->shared)
		epoch_leave(&tcp->shared->epoch, tcp->reader);
	if (tcp->debt)
		mem_unmap(tcp->debt, debts_bytes(tcp));
	if (tcp->shared && tcp->is_alone)
		tcp_shared_destroy(tcp->shared);
	fast_fini(tcp);
	unmap(tcp->bbr, bbr_records(config) * sizeof(*tcp->bbr));
	unmap(tcp->trouble, trouble_records(config) * sizeof(*tcp->trouble));
	unmap(tcp->listener, config->listeners_max * sizeof(*tcp->listener));
	unmap(tcp->time_wait, time_wait_records(config) * sizeof(*tcp->time_wait));
	unmap(tcp->half_open, config->half_open_max * sizeof(*tcp->half_open));
	mem_unmap(tcp, sizeof(*tcp));
}

struct tcp *tcp_create(const struct tcp_config *config, struct env *env, struct net *net,
		       struct wheel *wheel)
{
	struct tcp *tcp;

	tcp = mem_map("tcp", sizeof(*tcp));
	if (!tcp)
		return NULL;
	tcp->config = *config;
	tcp->descs_a_send = DESCS_OF(config->send_bytes_max);
	tcp->config.send_descs_max += tcp->descs_a_send; // the last ones do not count (room.h)
	// RFC 9293 MUST-40: below half a second.
	tcp->config.delayed_ack_ns = MIN(config->delayed_ack_ns, ACK_DELAY_NS_MAX);
	tcp->env = env;
	tcp->net = net;
	tcp->wheel = wheel;
	if (!take_share(tcp) || !map_memory(tcp)) {
		unmap_memory(tcp);
		return NULL;
	}
	init_lists(tcp);
	tcp->reopen_next = NO_INDEX;
	isn_init(env);
	sendq_init(tcp);
	trouble_init(tcp);
	room_init(tcp, config->send_descs_max);
	open_init(tcp);
	timers_init(tcp);
	timewait_init(tcp);
	return tcp;
}

static void release_data(struct tcp *tcp)
{
	while (tcp->data.head) {
		struct pkt *p = tcp->data.head;

		tcp->data.head = pkt_own(p)->queue_next;
		pkt_unkeep(tcp->env, p);
		pkt_free_seg(p);
	}
}

void tcp_destroy(struct tcp *tcp)
{
	for (uint32_t i = 0; i < tcp->shared->conn_count; i++) {
		struct conn *c = &tcp->conn[i];

		if (conn_worker(c) == tcp->worker && !conn_in(c, CLOSED))
			close_abort(tcp, c, PRISM_CLOSE_SHUTDOWN);
	}
	open_forget_all(tcp);
	if (timer_armed(&tcp->time_wait_timer))
		wheel_stop(tcp->wheel, &tcp->time_wait_timer);
	release_data(tcp);
	unmap_memory(tcp);
}

// Those that were not asked stand before those that have to come again.
static void put_back(struct tcp *tcp, struct conn_list rest)
{
	if (rest.head == NO_INDEX)
		return;
	tcp->conn[rest.tail].flush_next = tcp->flush.head;
	if (tcp->flush.head != NO_INDEX)
		rest.tail = tcp->flush.tail;
	tcp->flush = rest;
}

static NOINLINE void flush_marked(struct tcp *tcp)
{
	struct conn_list list = tcp->flush;

	tcp->flush_failed = false;
	// What is marked while this runs, or has to come again, waits for the next flush. While no
	// port takes anything, thousands that wait are not asked.
	tcp->flush.head = tcp->flush.tail = NO_INDEX;
	while (list.head != NO_INDEX && LIKELY(net_has_room_anywhere(tcp->net))) {
		struct conn *c = &tcp->conn[list.head];

		list.head = c->flush_next;
		if (list.head != NO_INDEX)
			bits_prefetch(&tcp->conn[list.head]);
		conn_unset(c, CONN_IN_FLUSH);
		if (UNLIKELY(!output_run(tcp, c))) {
			tcp->flush_failed = true;
			conn_mark(tcp, c);
		}
		if (UNLIKELY(conn_in(c, CLOSED)))
			conn_reap(tcp, c);
		else if (UNLIKELY(conn_is(c, CONN_MOVING)))
			move_step(tcp, c);
		else
			conn_check(tcp, c);
	}
	tcp->flush_failed |= list.head != NO_INDEX;
	put_back(tcp, list);
}

// Slots whose grace period is over are room for all workers: one who has nothing to enter or to
// take out any more gives them back too.
static void tend_tables(struct tcp *tcp)
{
	table_tend(tcp->table, tcp->worker);
	if (tcp->table6)
		table_tend(tcp->table6, tcp->worker);
}

// Slots looked at in a turn when pressure fell.
#define REOPEN_SLOTS 256

// What was taken under pressure opened no window, and whose text was all taken is looked at by
// nobody any more: some slots a turn are asked.
static COLD void reopen_some(struct tcp *tcp)
{
	uint32_t count = tcp->shared->conn_count;
	uint32_t end = MIN(tcp->reopen_next + REOPEN_SLOTS, count);

	for (; tcp->reopen_next < end; tcp->reopen_next++) {
		struct conn *c = &tcp->conn[tcp->reopen_next];

		if (conn_worker(c) == tcp->worker && window_update_due(tcp, c)) {
			conn_set(c, CONN_ACK_NOW);
			conn_mark(tcp, c);
		}
	}
	if (tcp->reopen_next == count)
		tcp->reopen_next = NO_INDEX;
}

static COLD void pressure_changed(struct tcp *tcp)
{
	if (pressure_of(tcp->env) < tcp->pressure_seen)
		tcp->reopen_next = 0;
	tcp->pressure_seen = (uint8_t)pressure_of(tcp->env);
}

// What a turn seldom has to do, or is not alone to do: all that do_chores looks for.
static inline bool has_chores(const struct tcp *tcp)
{
	return pressure_of(tcp->env) != tcp->pressure_seen || tcp->reopen_next != NO_INDEX ||
	       homeless_due(tcp) || !tcp->is_alone || tcp->owing;
}

static NOINLINE void do_chores(struct tcp *tcp)
{
	if (pressure_of(tcp->env) != tcp->pressure_seen)
		pressure_changed(tcp);
	if (tcp->reopen_next != NO_INDEX)
		reopen_some(tcp);
	if (homeless_due(tcp))
		homeless_end_some(tcp);
	if (!tcp->is_alone)
		tend_tables(tcp);
	if (tcp->owing)
		move_pay(tcp);
}

void tcp_flush(struct tcp *tcp)
{
	epoch_quiescent(&tcp->shared->epoch, tcp->reader);
	pressure_look(tcp->env);
	if (UNLIKELY(has_chores(tcp)))
		do_chores(tcp);
	tcp_flush_again(tcp);
	if (UNLIKELY(show_is_due(tcp))) // once what waits does not only wait for us
		show_some(tcp);
}

void tcp_flush_again(struct tcp *tcp)
{
	if (tcp->flush.head == NO_INDEX)
		return;
	pressure_look(tcp->env); // a burst was taken since: windows are by what is held now
	flush_marked(tcp);
}

bool tcp_busy(const struct tcp *tcp)
{
	return tcp->flush.head != NO_INDEX || tcp->births.head != NO_INDEX ||
	       tcp->ready.head != NO_INDEX || tcp->data.head || room_due(tcp) ||
	       tcp->reopen_next != NO_INDEX || homeless_due(tcp);
}

struct epoch *tcp_epoch(struct tcp *tcp)
{
	return &tcp->shared->epoch;
}

void tcp_count(const struct tcp *tcp, struct tcp_counts *counts)
{
	*counts = (struct tcp_counts){
		.half_open = tcp->half_open_count,
		.open = tcp->conn_count,
		.time_wait = tcp->time_wait_count,
	};
}

// Two microseconds; a table for a million connections is looked at in two or three minutes.
#define SURVEY_BUCKETS 64

void tcp_survey(struct tcp *tcp, struct tcp_table *result)
{
	survey_go_on(&tcp->survey, tcp->table, SURVEY_BUCKETS, &result->now);
	result->capacity = tcp->shared->keys_max;
}

uint32_t tcp_idle_conn_bytes(const struct tcp *tcp)
{
	const struct tcp_config *config = &tcp->config;
	uint64_t tables = table_bytes(tcp->table) + (tcp->table6 ? table_bytes(tcp->table6) : 0);
	uint64_t shared = tables / tcp->shared->worker_count +
			  config->send_descs_max * sizeof(struct send_desc) +
			  (config->connections_max + 1) * sizeof(struct room_link) +
			  config->half_open_max * sizeof(struct half_open) +
			  trouble_records(config) * sizeof(struct trouble) +
			  bbr_records(config) * sizeof(struct bbr_record) +
			  time_wait_records(config) * sizeof(struct time_wait);

	return (uint32_t)(sizeof(struct conn) + sizeof(struct tuning) +
			  shared / config->connections_max);
}

enum icmp_meaning { ICMP_NOTHING, ICMP_SOFT, ICMP_HARD, ICMP_TOO_BIG };

// RFC 9293 3.9.2.2: net, host and source route are soft (MUST-56), protocol and port hard; time
// exceeded and parameter problem soft; source quench means nothing (MUST-55).
static enum icmp_meaning meaning_of(const struct icmp_report *r)
{
	if (r->type == 11 || r->type == 12)
		return ICMP_SOFT;
	if (r->type != 3)
		return ICMP_NOTHING;
	if (r->code == 4)
		return ICMP_TOO_BIG;
	return r->code == 2 || r->code == 3 ? ICMP_HARD : ICMP_SOFT;
}

// RFC 1191 3 with RFC 5927 7: only down, and not below what every host takes.
#define MTU_MIN 576u

static void path_shrank(struct tcp *tcp, struct conn *c, uint32_t mtu_bytes)
{
	uint32_t mtu = MAX(mtu_bytes, MTU_MIN);
	uint32_t carries = mtu - net_path_option_bytes(tcp->net, &c->path);

	if (carries >= c->path.mtu_bytes)
		return;
	// Other connections learn it with their path, whatever gateways are named on it.
	net_lower_mtu(tcp->net, &c->path.remote, mtu);
	c->path.mtu_bytes = (uint16_t)carries;
	output_mtu_changed(tcp, c);
}

static void icmp_error(struct tcp *tcp, struct conn *c, const struct icmp_report *report)
{
	enum icmp_meaning meaning = meaning_of(report);
	uint64_t quoted;

	quoted = offset_near(c->snd.una, report->seq);
	if (quoted < c->snd.una || quoted >= c->snd.nxt)
		return;
	if (meaning == ICMP_TOO_BIG)
		path_shrank(tcp, c, report->mtu_bytes);
	else if (meaning == ICMP_HARD && conn_in(c, SYN_SENT | SYN_RECEIVED))
		close_now(tcp, c, PRISM_CLOSE_UNREACHABLE);
	else if (meaning == ICMP_SOFT && conn_in(c, SYN_SENT | SYN_RECEIVED))
		c->reason = PRISM_CLOSE_UNREACHABLE; // RFC 9293 MUST-47: said with the end
	// RFC 5927 5.2: in a synchronized connection hard errors are soft, and soft ones are waited
	// out.
}

// RFC 9293 MUST-54: the report names its connection. RFC 5927 4.1: what it quotes must be in
// flight. RFC 8899 R3.
uint32_t tcp_icmp_error(struct tcp *tcp, const struct icmp_report *report)
{
	const struct flow f = {&report->local, &report->remote, report->local_port,
			       report->remote_port};
	uint32_t owner;

	if (!flow_find(tcp, &f, &owner))
		return tcp->worker;
	if (!owner_is_us(tcp, owner))
		return owner_worker(tcp, owner);
	if (owner_kind(owner) == OWNER_CONN &&
	    conn_worker(&tcp->conn[owner_index(tcp, owner)]) == tcp->worker)
		icmp_error(tcp, &tcp->conn[owner_index(tcp, owner)], report);
	return tcp->worker;
}
