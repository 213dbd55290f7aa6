// SPDX-License-Identifier: BSD-3-Clause
// prism load: opens a stack of its own, drives it and keeps the pace. Closed loop: each connection
// has up to --pipeline requests under way and sends the next when an answer came. Open loop
// (--rate): request n is due at n / rate whether answers come or not, and its latency counts from
// then, so that a server that stalls cannot hide it (no coordinated omission).
//
// One request goes first, alone: it resolves the neighbour, and its answer is what all others are
// compared with. What is sent and what must come back is the kind's (load_http.c, load_echo.c).
// Time is the turn's: a request is as old as the turn that sent it.
#include "cli/load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/time.h"
#include "cli/cli.h"
#include "core/start.h"
#include "pkt/pool.h"

#define EVENTS_A_TURN 256
#define OPENING_MAX 256u // handshakes at the same time; well below a server's half-open limit
#define BEGIN_AGAIN_NS (100 * NS_PER_MS)
#define FIRST_NS (10 * NS_PER_S)
#define FINISH_NS (2 * NS_PER_S)
#define CHECK_NS (100 * NS_PER_MS)
#define SETTLE_NS NS_PER_S // the last acknowledgments and closes

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void load_error_count(struct load *load, enum load_error error)
{
	load->stats.error[error]++;
}

void load_conn_ready(struct load_conn *c)
{
	struct load *load = c->load;

	if (c->ready)
		return;
	c->ready = true;
	c->ready_next = NULL;
	if (load->ready_first)
		load->ready_last->ready_next = c;
	else
		load->ready_first = c;
	load->ready_last = c;
}

static struct load_conn *ready_take(struct load *load)
{
	struct load_conn *c = load->ready_first;

	load->ready_first = c->ready_next;
	c->ready = false;
	return c;
}

static uint64_t *slot_of(const struct load_conn *c, uint64_t number)
{
	return &c->sent_ns[number & c->load->ring_mask];
}

static bool can_send(const struct load_conn *c)
{
	const struct load_options *options = c->load->options;

	if (options->new_connection)
		return c->state == LOAD_CONN_CLOSED;
	return c->state == LOAD_CONN_OPEN && c->outstanding < options->pipeline &&
	       *slot_of(c, c->next) == 0;
}

static void slot_free(struct load_conn *c, uint64_t *slot)
{
	*slot = 0;
	c->outstanding--;
	c->load->outstanding--;
	if (can_send(c))
		load_conn_ready(c);
}

bool load_answered(struct load_conn *c, uint64_t number)
{
	struct load *load = c->load;
	uint64_t *slot = slot_of(c, number);

	if (*slot == 0 || number >= c->next || c->next - number > load->ring_mask + 1)
		return false;
	load->stats.requests++;
	if (load->phase == LOAD_MEASURE)
		histogram_add(load->stats.latency_ns, prism_now_ns(load->worker) - *slot);
	if (load->phase == LOAD_FIRST)
		load->first_done = true;
	slot_free(c, slot);
	return true;
}

void load_give_up(struct load_conn *c, uint64_t before_ns)
{
	for (uint32_t i = 0; c->outstanding > 0 && i <= c->load->ring_mask; i++) {
		if (c->sent_ns[i] == 0 || c->sent_ns[i] >= before_ns)
			continue;
		load_error_count(c->load, LOAD_ERROR_LOST);
		slot_free(c, &c->sent_ns[i]);
	}
}

void load_conn_over(struct load_conn *c, enum load_error error, bool retry)
{
	struct load *load = c->load;

	if (c->state == LOAD_CONN_CONNECTING) {
		error = LOAD_ERROR_CONNECT;
		retry = false;
		load->connecting--;
		if (c->outstanding == 0)
			load_error_count(load, error);
	}
	if (retry)
		load->issued -= c->outstanding;
	else
		load->stats.error[error] += c->outstanding;
	load->outstanding -= c->outstanding;
	c->outstanding = 0;
	memset(c->sent_ns, 0, (load->ring_mask + 1) * sizeof(*c->sent_ns));
	c->state = LOAD_CONN_CLOSED;
	load_conn_ready(c); // to be opened again
}

// How many requests are due, and since when the first of them is.
static uint64_t due(const struct load *load, uint64_t now_ns, uint64_t *since_ns)
{
	const struct load_options *options = load->options;
	uint64_t count = UINT64_MAX;

	*since_ns = now_ns;
	if (load->phase == LOAD_FINISH)
		return 0;
	if (load->phase == LOAD_FIRST)
		return load->issued == 0;
	if (options->rate_hz > 0) {
		double passed_s = (double)(now_ns - load->pace_ns) / 1e9;
		uint64_t due_count = (uint64_t)(passed_s * options->rate_hz) + 1;

		count = due_count > load->issued ? due_count - load->issued : 0;
		passed_s = (double)load->issued / options->rate_hz;
		*since_ns = load->pace_ns + (uint64_t)(passed_s * 1e9);
	}
	if (options->requests > 0 && load->issued >= options->requests)
		return 0;
	return options->requests > 0 ? MIN(count, options->requests - load->issued) : count;
}

// Enters a request as under way.
static void request_add(struct load_conn *c, uint64_t since_ns)
{
	*slot_of(c, c->next) = since_ns ? since_ns : 1;
	c->next++;
	c->outstanding++;
	c->load->outstanding++;
	c->load->issued++;
}

static bool may_begin(const struct load *load, uint64_t now_ns)
{
	return load->connecting < OPENING_MAX && now_ns >= load->begin_again_ns;
}

// Our own stack cannot begin a connection, mostly for want of a port: said once. What was due stays
// due and is tried again, but not each turn: that would count turns.
static void begin_refused(struct load_conn *c, int status, uint64_t now_ns)
{
	struct load *load = c->load;
	bool no_port = status == -EADDRNOTAVAIL; // no local address was asked for
	struct prism_error why = prism_last_error();

	if (!load->refusal_said)
		cli_error(CLI_FAILED, why.cause,
			  no_port ? "ask for fewer --connections, or run several prism load at "
				    "once, each with an --address of its own"
				  : why.remedy,
			  "%s: %s (%s)",
			  no_port ? "no local port is free" : "no connection can be begun",
			  why.message, why.name);
	load->refusal_said = true;
	load->begin_again_ns = now_ns + BEGIN_AGAIN_NS;
	load->connecting--;
	load_error_count(load, no_port ? LOAD_ERROR_NO_PORT : LOAD_ERROR_CONNECT);
	c->state = LOAD_CONN_CLOSED; // it never was connecting
	load_conn_over(c, LOAD_ERROR_CONNECT, true);
}

// False when no more can be begun in this turn.
static bool conn_begin(struct load_conn *c, uint64_t now_ns)
{
	struct load *load = c->load;

	load->connecting++;
	c->state = LOAD_CONN_CONNECTING;
	int status = load->kind->open(c);

	if (status < 0)
		begin_refused(c, status, now_ns);
	return status == 0;
}

// Lets one connection do what is due. False when nothing more is to be done in this turn.
static bool conn_proceed(struct load_conn *c, uint64_t now_ns)
{
	struct load *load = c->load;
	const struct load_options *options = load->options;
	uint64_t since_ns;
	uint64_t count = due(load, now_ns, &since_ns);

	if (c->state == LOAD_CONN_CLOSED && !may_begin(load, now_ns))
		return false; // before a request is entered that nobody would send
	if (c->state == LOAD_CONN_CLOSED && !options->new_connection)
		return load->phase != LOAD_FINISH && conn_begin(c, now_ns);
	if (!can_send(c))
		return true;
	if (count == 0)
		return false;
	if (options->new_connection) {
		request_add(c, since_ns);
		return conn_begin(c, now_ns);
	}
	// In open loop one each, so that the load spreads over the connections.
	uint32_t n = 0, n_max = options->rate_hz > 0 ? 1 : (uint32_t)MIN(count, options->pipeline);

	for (; n < n_max && can_send(c); n++)
		request_add(c, since_ns);
	load->kind->send(c, n);
	return true;
}

// Everybody who can send sends what is due. Who is on the list now gets one turn.
static void issue(struct load *load, uint64_t now_ns)
{
	struct load_conn *last = load->ready_last;
	bool goes_on = load->ready_first != NULL;

	while (goes_on && load->ready_first) {
		struct load_conn *c = ready_take(load);

		goes_on = conn_proceed(c, now_ns);
		if (c->state == LOAD_CONN_CLOSED || can_send(c))
			load_conn_ready(c);
		goes_on = goes_on && c != last;
	}
}

static void pace_begin(struct load *load, enum load_phase phase, uint64_t now_ns)
{
	load->phase = phase;
	load->pace_ns = now_ns;
	load->issued = load->outstanding;
}

static void measure_begin(struct load *load, uint64_t now_ns)
{
	struct load_stats *stats = &load->stats;

	// The pace of an open loop goes on; what is counted begins here. Errors count from the
	// start.
	load->phase = LOAD_MEASURE;
	load->begin_ns = now_ns;
	load->end_ns = now_ns + load->options->duration_ns;
	stats->requests = stats->sent_bytes = stats->received_bytes = stats->connections = 0;
	histogram_clear(stats->latency_ns);
}

static uint32_t buffers_free(const struct load *load)
{
	uint32_t sum = 0;

	for (int i = 0; i < POOL_KINDS; i++)
		sum += pool_available(load->prism->pool[i]);
	return sum;
}

static void first_over(struct load *load, uint64_t now_ns)
{
	load->buffers_idle = buffers_free(load);
	pace_begin(load, LOAD_WARMUP, now_ns);
	load->end_ns = now_ns + load->options->warmup_ns;
	for (uint32_t i = 1; i < load->options->connections; i++)
		load_conn_ready(load_conn_at(load, i));
}

static bool all_sent(const struct load *load)
{
	return load->options->requests > 0 && load->issued >= load->options->requests &&
	       load->outstanding == 0;
}

// Moves from phase to phase. True when all is over.
static bool phase_step(struct load *load, uint64_t now_ns)
{
	if (load->phase == LOAD_FIRST) {
		if (load->first_done && load_error_sum(load) == 0)
			first_over(load, now_ns);
		else
			return load_error_sum(load) > 0 || now_ns >= load->end_ns || interrupted;
	}
	if (load->phase == LOAD_WARMUP && (now_ns >= load->end_ns || interrupted))
		measure_begin(load, now_ns);
	if (load->phase == LOAD_MEASURE &&
	    (now_ns >= load->end_ns || all_sent(load) || interrupted)) {
		load->phase = LOAD_FINISH;
		load->stopped_ns = now_ns;
		load->end_ns = now_ns + FINISH_NS;
	}
	return load->phase == LOAD_FINISH && (load->outstanding == 0 || now_ns >= load->end_ns);
}

static void check_all(struct load *load, uint64_t now_ns)
{
	for (uint32_t i = 0; load->kind->check && i < load->options->connections; i++)
		load->kind->check(load_conn_at(load, i), now_ns);
}

static uint64_t turn(struct load *load)
{
	struct prism_event events[EVENTS_A_TURN];
	int count = prism_poll(load->worker, events, EVENTS_A_TURN);

	handler_dispatch_all(events, count);
	return prism_now_ns(load->worker);
}

// An idle connection holds no buffer: as many must be free as after the first request.
static void settle(struct load *load)
{
	uint64_t now_ns = turn(load), end_ns = now_ns + SETTLE_NS;
	uint32_t free_now = buffers_free(load);

	while (free_now < load->buffers_idle && now_ns < end_ns) {
		now_ns = turn(load);
		free_now = buffers_free(load);
	}
	load->buffers_out = load->buffers_idle - MIN(free_now, load->buffers_idle);
}

static void drive(struct load *load)
{
	uint64_t now_ns = turn(load), check_ns = now_ns, progress_ns = now_ns + NS_PER_S;

	load->begin_ns = now_ns;
	load->end_ns = now_ns + FIRST_NS;
	load_conn_ready(load_conn_at(load, 0));
	do {
		now_ns = turn(load);
		issue(load, now_ns);
		if (now_ns >= check_ns + CHECK_NS) {
			check_all(load, now_ns);
			check_ns = now_ns;
		}
		if (now_ns >= progress_ns) {
			load_progress(load, now_ns);
			progress_ns += NS_PER_S;
		}
	} while (!phase_step(load, now_ns));
	if (load->phase == LOAD_FIRST && !load->first_done && load_error_sum(load) == 0)
		load_error_count(load, LOAD_ERROR_LOST);
	settle(load);
}

static bool memory_init(struct load *load)
{
	const struct load_options *options = load->options;

	load->conns = calloc(options->connections, load->kind->conn_bytes);
	uint32_t slots = (uint32_t)bits_ceil_pow2(options->pipeline);

	load->ring_mask = slots - 1;
	load->rings = calloc((size_t)options->connections * slots, sizeof(uint64_t));
	load->stats.latency_ns = calloc(1, sizeof(struct histogram));
	if (!load->conns || !load->rings || !load->stats.latency_ns)
		return false;
	for (uint32_t i = 0; i < options->connections; i++) {
		struct load_conn *c = load_conn_at(load, i);

		c->load = load;
		c->index = i;
		c->sent_ns = load->rings + (size_t)i * slots;
	}
	return true;
}

static const struct load_kind *kind_find(const char *name)
{
	static const struct load_kind *const kinds[] = {&load_http, &load_tcp_echo, &load_udp_echo};

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static int run(struct load *load)
{
	if (load->kind->start(load) < 0)
		return CLI_FAILED;
	drive(load);
	load_report(load);
	load->kind->stop(load);
	return load_error_sum(load) > 0 || (load->stats.requests == 0 && !interrupted) ? CLI_FAILED
										       : CLI_OK;
}

int cmd_load(int argc, char **argv)
{
	static struct load_options options;
	static struct prism_options stack;
	struct load load = {.options = &options};
	int code = load_options_read(argc, argv, &options, &stack);

	if (code != CLI_OK)
		return code;
	load.kind = kind_find(options.kind);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	load.prism = prism_open(&stack);
	if (!load.prism) {
		code = cli_last_error(CLI_ENVIRONMENT);
	} else {
		load.worker = prism_worker_get(load.prism, 0);
		if (!options.quiet)
			fprintf(stderr, "%s", prism_report(load.prism));
		code = memory_init(&load) ? run(&load)
					  : cli_error(CLI_FAILED, NULL, NULL, "out of memory");
		prism_close(load.prism);
	}
	free(load.conns);
	free(load.rings);
	free(load.stats.latency_ns);
	prism_options_free(&stack);
	return code;
}
