// SPDX-License-Identifier: BSD-3-Clause
// Two nodes of two workers each open 5,000 connections to each other at the same time, talk both
// ways on each, and end them in every way: opener first, acceptor first, both at once, reset by
// either. Every fourth goes to the other worker when it was accepted. At the end each event has
// come once, to the worker whose connection it was, and nothing is left of any.
#include "town.h"

#define LINES 10000u // half of them from each node
#define AT_ONCE 64u
#define LISTENS UINT64_MAX // the cookie of who was only just accepted

enum ending { OPENER_CLOSES, ACCEPTOR_CLOSES, BOTH_CLOSE, OPENER_RESETS, ACCEPTOR_RESETS, ENDINGS };

// One end of a connection, as the application of its node sees it.
struct end {
	prism_conn conn;
	uint32_t worker;
	uint32_t count[PRISM_EVENT_MOVED + 1];
	uint32_t reason;
	bool done_here; // closed or aborted
};

struct line {
	struct end opener, acceptor;
};

struct both {
	struct world *world;
	bool hold; // nothing ends before everything is open and has talked
	struct line line[LINES];
	uint16_t line_of[2][65536]; // by the port of the node that opened it
	uint32_t opened, answered, ending, closed;
};

static uint32_t opener_node(uint32_t line)
{
	return line % 2;
}

static enum ending ending_of(uint32_t line)
{
	return (enum ending)(line / 2 % ENDINGS);
}

static bool moves(uint32_t line)
{
	return line / 2 % 4 == 0;
}

static struct prism_worker *worker_of(struct both *b, const struct end *e, uint32_t node)
{
	return b->world->node[node].workers[e->worker];
}

static void say(struct both *b, struct end *e, uint32_t node, uint64_t word)
{
	assert_int_equal(prism_tcp_send_copy(worker_of(b, e, node), e->conn, &word, sizeof(word)),
			 0);
}

static void close_end(struct both *b, struct end *e, uint32_t node)
{
	assert_false(e->done_here);
	e->done_here = true;
	assert_int_equal(prism_tcp_close(worker_of(b, e, node), e->conn), 0);
}

static void abort_end(struct both *b, struct end *e, uint32_t node)
{
	assert_false(e->done_here);
	e->done_here = true;
	assert_int_equal(prism_tcp_abort(worker_of(b, e, node), e->conn), 0);
}

static void begin_ending(struct both *b, uint32_t line)
{
	struct line *l = &b->line[line];
	uint32_t node = opener_node(line);
	enum ending ending = ending_of(line);

	if (ending == OPENER_CLOSES || ending == BOTH_CLOSE)
		close_end(b, &l->opener, node);
	if (ending == ACCEPTOR_CLOSES || ending == BOTH_CLOSE)
		close_end(b, &l->acceptor, 1 - node);
	if (ending == OPENER_RESETS)
		abort_end(b, &l->opener, node);
	if (ending == ACCEPTOR_RESETS)
		abort_end(b, &l->acceptor, 1 - node);
}

// Whose connection it is says the port it came from.
static struct end *accepted(struct both *b, uint32_t node, const struct prism_event *e)
{
	struct prism_worker *worker = b->world->node[node].workers[b->world->acting];
	struct prism_endpoint remote;

	assert_int_equal(e->user, LISTENS);
	assert_int_equal(prism_tcp_endpoints(worker, e->conn, NULL, &remote), 0);
	uint32_t line = b->line_of[1 - node][remote.port];
	struct end *end = &b->line[line].acceptor;

	assert_int_equal(opener_node(line), 1 - node);
	*end = (struct end){.conn = e->conn, .worker = b->world->acting};
	assert_int_equal(prism_tcp_set_user(worker, e->conn, 2 * line + 1), 0);
	if (moves(line))
		assert_int_equal(prism_tcp_move(worker, e->conn, 1 - end->worker), 0);
	return end;
}

static void heard(struct both *b, uint32_t line, bool acceptor, const struct prism_event *e)
{
	struct line *l = &b->line[line];
	uint32_t node = opener_node(line);
	uint64_t word, want = acceptor ? line : ~(uint64_t)line;

	assert_int_equal(e->len, sizeof(word));
	memcpy(&word, e->data, sizeof(word));
	assert_true(word == want);
	if (acceptor) {
		prism_buf_release(worker_of(b, &l->acceptor, 1 - node), e->buf);
		say(b, &l->acceptor, 1 - node, ~word);
	} else {
		prism_buf_release(worker_of(b, &l->opener, node), e->buf);
		b->answered++;
	}
}

static struct end *end_of(struct both *b, uint64_t user)
{
	struct line *l = &b->line[user / 2];

	return user & 1 ? &l->acceptor : &l->opener;
}

static void both_event(void *context, int at, const struct prism_event *e)
{
	struct both *b = context;
	uint32_t node = (uint32_t)at;
	struct end *end =
		e->type == PRISM_EVENT_ACCEPTED ? accepted(b, node, e) : end_of(b, e->user);

	if (e->type == PRISM_EVENT_MOVED)
		end->worker = 1 - end->worker;
	end->count[e->type]++;
	assert_int_equal(end->worker, b->world->acting);
	assert_true(end->conn.id == e->conn.id);
	assert_int_equal(end->count[PRISM_EVENT_CLOSED], e->type == PRISM_EVENT_CLOSED); // the last
	if (e->type == PRISM_EVENT_CONNECTED)
		say(b, end, node, e->user / 2);
	else if (e->type == PRISM_EVENT_DATA)
		heard(b, (uint32_t)(e->user / 2), e->user & 1, e);
	else if (e->type == PRISM_EVENT_EOF && !end->done_here)
		close_end(b, end, node);
	else if (e->type == PRISM_EVENT_CLOSED) {
		end->reason = e->reason;
		b->closed++;
	}
}

static void open_line(struct both *b, uint32_t line)
{
	uint32_t node = opener_node(line);
	struct prism_endpoint remote = world_endpoint(1 - (int)node, TOWN_PORT), local;
	struct end *end = &b->line[line].opener;

	end->worker = line / 2 % 2;
	assert_int_equal(
		prism_tcp_connect(worker_of(b, end, node), &remote, NULL, 2 * line, &end->conn), 0);
	assert_int_equal(prism_tcp_endpoints(worker_of(b, end, node), end->conn, &local, NULL), 0);
	b->line_of[node][local.port] = (uint16_t)line;
}

static struct both *both_create(struct world_config *config)
{
	struct both *b = calloc(1, sizeof(*b));
	struct prism_endpoint local = {.port = TOWN_PORT};
	prism_listener listener;

	config->workers[0] = config->workers[1] = 2;
	config->options.connections_max = 2 * LINES; // a worker may get more than half of a node's
	config->options.half_open_max = LINES;
	config->options.keepalive_ns = 10 * NS_PER_S; // a reset may get lost
	config->frames_max = 65536;
	for (int i = 0; i < POOL_KINDS; i++)
		config->pool_pkts[i] = 16384;
	b->world = world_create(config);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(prism_tcp_listen(b->world->node[i / 2].workers[i % 2], &local,
						  LISTENS, &listener),
				 0);
	return b;
}

// A line ends once both have heard each other; with hold, once all have.
static bool may_end(const struct both *b, uint32_t line)
{
	const struct line *l = &b->line[line];

	if (b->hold && b->answered < LINES)
		return false;
	return l->opener.count[PRISM_EVENT_DATA] &&
	       l->acceptor.count[PRISM_EVENT_MOVED] == moves(line);
}

static struct prism_conn_counts counts_of(const struct both *b, uint32_t node)
{
	struct prism_conn_counts sum = {0}, one;

	for (uint32_t i = 0; i < 2; i++) {
		prism_conn_count(b->world->node[node].workers[i], &one);
		sum.half_open += one.half_open;
		sum.open += one.open;
		sum.time_wait += one.time_wait;
	}
	return sum;
}

static void all_are_open(const struct both *b)
{
	for (uint32_t node = 0; node < 2; node++) {
		assert_int_equal(counts_of(b, node).open, LINES);
		assert_int_equal(table_count(team_tcp(b->world->node[node].team)->table), LINES);
	}
}

static void step(struct both *b, uint64_t until_ns)
{
	for (uint32_t i = 0; i < AT_ONCE && b->opened < LINES; i++)
		open_line(b, b->opened++);
	for (uint32_t i = 0; i < AT_ONCE && b->ending < b->opened && may_end(b, b->ending); i++) {
		if (b->hold && b->ending == 0)
			all_are_open(b);
		begin_ending(b, b->ending++);
	}
	assert_true(world_step(b->world, until_ns, both_event, b));
}

static void each_event_came_once(const struct end *e, uint32_t birth, uint32_t moved, bool in_order)
{
	assert_int_equal(e->count[birth], 1);
	assert_int_equal(e->count[PRISM_EVENT_ACCEPTED] + e->count[PRISM_EVENT_CONNECTED], 1);
	assert_int_equal(e->count[PRISM_EVENT_MOVED], moved);
	assert_int_equal(e->count[PRISM_EVENT_DATA], 1);
	assert_int_equal(e->count[PRISM_EVENT_EOF], in_order);
	assert_int_equal(e->count[PRISM_EVENT_CLOSED], 1);
}

static enum prism_close_reason reason_of(enum ending ending, bool resets)
{
	if (ending < OPENER_RESETS)
		return PRISM_CLOSE_DONE;
	return resets ? PRISM_CLOSE_ABORTED : PRISM_CLOSE_RESET;
}

static void line_was_as_it_should(const struct line *l, uint32_t line)
{
	enum ending ending = ending_of(line);
	bool in_order = ending < OPENER_RESETS;

	each_event_came_once(&l->opener, PRISM_EVENT_CONNECTED, 0, in_order);
	each_event_came_once(&l->acceptor, PRISM_EVENT_ACCEPTED, moves(line), in_order);
	assert_int_equal(l->opener.reason, reason_of(ending, ending == OPENER_RESETS));
	assert_int_equal(l->acceptor.reason, reason_of(ending, ending == ACCEPTOR_RESETS));
}

static void worker_has_nothing(const struct prism_worker *worker, const struct counters *counters)
{
	const struct tcp *tcp = worker->tcp;

	assert_int_equal(tcp->conn_count, 0);
	assert_int_equal(tcp->half_open_count, 0);
	assert_int_equal(tcp->time_wait_count, 0);
	assert_int_equal(tcp->desc_count, 0);
	assert_int_equal(tcp->cost, 0);
	assert_int_equal(tcp->waiting_count, 0);
	assert_int_equal(tcp->flush.head, NO_INDEX);
	assert_int_equal(tcp->births.head, NO_INDEX);
	assert_int_equal(tcp->ready.head, NO_INDEX);
	assert_null(tcp->data.head);
	assert_int_equal(tcp->early_hand, NO_INDEX);
	assert_int_equal(counters->value[COUNTER_queued_pkts], 0);
	assert_int_equal(counters_unaccounted(counters), 0);
}

static void node_has_nothing(struct both *b, int index)
{
	const struct node *node = &b->world->node[index];
	const struct tcp_shared *shared = team_tcp(node->team);
	uint64_t out = 0, in = 0;
	struct table_stats stats;

	for (uint32_t i = 0; i < 2; i++) {
		const struct counters *c = i ? &node->more_counters[i] : &node->counters;

		worker_has_nothing(node->workers[i], c);
		out += c->value[COUNTER_handed_out_pkts];
		in += c->value[COUNTER_handed_in_pkts];
	}
	assert_int_equal(out, in);
	for (uint32_t i = 0; i < shared->conn_count; i++)
		assert_int_equal(shared->conn[i].state, CLOSED);
	table_stats(shared->table, &stats);
	assert_int_equal(stats.keys, 0);
	assert_int_equal(stats.dead, 0);
	table_check(shared->table);
	assert_int_equal(world_buffers_out(b->world, index), 0);
}

// Until the last TIME-WAIT is over, and what was taken out of the tables may be used again.
static void nothing_is_left(struct both *b)
{
	uint64_t end_ns = b->world->now_ns + 60 * NS_PER_S;

	while (b->world->now_ns < end_ns && !world_at_rest(b->world))
		assert_true(world_step(b->world, end_ns, both_event, b));
	for (int i = 0; i < 2000; i++)
		world_turn(b->world, both_event, b);
	for (int node = 0; node < 2; node++)
		node_has_nothing(b, node);
}

static void all_come_and_go(struct world_config *config, bool hold)
{
	struct both *b = both_create(config);
	uint64_t end_ns = b->world->now_ns + 600 * NS_PER_S;

	b->hold = hold;
	while (b->world->now_ns < end_ns && b->closed < 2 * LINES)
		step(b, end_ns);
	assert_int_equal(b->closed, 2 * LINES);
	nothing_is_left(b);
	for (uint32_t i = 0; i < LINES; i++)
		line_was_as_it_should(&b->line[i], i);
	assert_true(world_destroy(b->world));
	free(b);
}

static void ten_thousand_at_once_leave_nothing(void **state)
{
	struct world_config config;

	world_config_init(&config);
	all_come_and_go(&config, true);
}

static void they_leave_nothing_where_only_the_first_has_a_queue(void **state)
{
	struct world_config config;

	world_config_init(&config);
	config.few_queues[0] = config.few_queues[1] = true;
	all_come_and_go(&config, false);
}

static void they_leave_nothing_where_packets_are_lost_and_doubled(void **state)
{
	struct world_config config;

	world_config_init(&config);
	for (int i = 0; i < 2; i++) {
		config.faults[i].loss_ppm = 10000;
		config.faults[i].duplicate_ppm = 10000;
		config.faults[i].reorder_ppm = 10000;
		config.faults[i].reorder_ns = 3 * NS_PER_MS;
	}
	all_come_and_go(&config, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_at_once_leave_nothing),
		cmocka_unit_test(they_leave_nothing_where_only_the_first_has_a_queue),
		cmocka_unit_test(they_leave_nothing_where_packets_are_lost_and_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
