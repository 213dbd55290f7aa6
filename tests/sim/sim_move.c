// SPDX-License-Identifier: BSD-3-Clause
// One connection of bulk data goes from worker to worker a thousand times on its way, on both ends
// by turns, while others ask and are answered. Every byte is compared; nothing may be lost, doubled
// or left over; and the others' longest waits are set beside those of a run without moves.
//
//   sim_move [MIB [MOVES]]     1024 MiB and 1000 when not given
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sim/flow.h"

#define WORKERS 2
#define ASKERS 32
#define ASK_BYTES 64
#define CHUNK_BYTES 32768
#define SAMPLES_MAX (1 << 20)
#define BULK UINT64_C(1000)

// One end of a connection.
struct end {
	prism_conn conn;
	uint32_t worker;
	bool open, moving;
};

struct run {
	struct world *world;
	struct end bulk[2];          // node 0 sends to node 1
	struct end asker[2][ASKERS]; // node 0 asks, node 1 answers
	uint64_t asked_ns[ASKERS];
	uint64_t sent_bytes, received_bytes, total_bytes;
	uint64_t moves, moves_wanted, next_move_bytes;
	uint64_t *wait_ns;
	uint32_t wait_count;
	uint32_t unanswered;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "sim_move: %s\n", what);
	exit(1);
}

static struct prism_worker *worker_of(const struct run *r, int node, const struct end *e)
{
	return r->world->node[node].workers[e->worker];
}

static struct end *end_of(struct run *r, int node, uint64_t user)
{
	return user == BULK ? &r->bulk[node] : &r->asker[node][user];
}

static void accepted(struct run *r, int node, const struct prism_event *e)
{
	struct prism_worker *worker = r->world->node[node].workers[r->world->acting];
	struct prism_endpoint remote;
	uint64_t user = BULK;

	if (prism_tcp_endpoints(worker, e->conn, NULL, &remote))
		die("an accepted connection has no endpoints");
	for (uint32_t i = 0; i < ASKERS; i++) {
		struct prism_endpoint local;

		if (prism_tcp_endpoints(worker_of(r, 0, &r->asker[0][i]), r->asker[0][i].conn,
					&local, NULL) == 0 &&
		    local.port == remote.port)
			user = i;
	}
	*end_of(r, node, user) = (struct end){e->conn, r->world->acting, true, false};
	prism_tcp_set_user(worker, e->conn, user);
}

static void bulk_arrives(struct run *r, const struct prism_event *e)
{
	if (memcmp(e->data, pattern_at(0, r->received_bytes), e->len) != 0)
		die("a byte is not the one that was sent");
	r->received_bytes += e->len;
}

static void ask(struct run *r, uint32_t i)
{
	r->asked_ns[i] = r->world->now_ns;
	r->unanswered++;
	if (prism_tcp_send_region(worker_of(r, 0, &r->asker[0][i]), r->asker[0][i].conn,
				  pattern_at(0, 0), ASK_BYTES))
		die("a question was refused");
}

static void asker_hears(struct run *r, int node, const struct prism_event *e)
{
	struct end *end = &r->asker[node][e->user];

	if (e->len != ASK_BYTES)
		die("a question or answer came in pieces");
	if (node == 1) {
		if (prism_tcp_send_region(worker_of(r, 1, end), end->conn, pattern_at(0, 0),
					  ASK_BYTES))
			die("an answer was refused");
		return;
	}
	r->unanswered--;
	if (r->wait_count < SAMPLES_MAX)
		r->wait_ns[r->wait_count++] = r->world->now_ns - r->asked_ns[e->user];
	if (r->received_bytes < r->total_bytes)
		ask(r, (uint32_t)e->user);
}

static void take(void *context, int node, const struct prism_event *e)
{
	struct run *r = context;
	struct end *end;

	if (e->type == PRISM_EVENT_ACCEPTED) {
		accepted(r, node, e);
		return;
	}
	end = end_of(r, node, e->user);
	if (e->type == PRISM_EVENT_MOVED) {
		end->worker = r->world->acting;
		end->moving = false;
		r->moves++;
	}
	if (end->worker != r->world->acting)
		die("an event from a worker who does not own the connection");
	if (e->type == PRISM_EVENT_CONNECTED) {
		end->open = true;
		if (e->user != BULK)
			ask(r, (uint32_t)e->user);
	}
	if (e->type == PRISM_EVENT_CLOSED && e->reason != PRISM_CLOSE_DONE)
		die("a connection did not end in order");
	if (e->type != PRISM_EVENT_DATA)
		return;
	if (e->user == BULK)
		bulk_arrives(r, e);
	else
		asker_hears(r, node, e);
	prism_buf_release(r->world->node[node].workers[end->worker], e->buf);
}

// Both ends by turns, whenever so much more has arrived.
static void move(struct run *r)
{
	int node = (int)(r->moves % 2);
	struct end *end = &r->bulk[node];

	if (r->moves == r->moves_wanted || r->received_bytes < r->next_move_bytes || end->moving)
		return;
	if (prism_tcp_move(worker_of(r, node, end), end->conn, (end->worker + 1) % WORKERS))
		die("a move was refused");
	end->moving = true;
	r->next_move_bytes += r->total_bytes / (r->moves_wanted + 1);
}

static void send_what_fits(struct run *r)
{
	struct end *end = &r->bulk[0];

	while (end->open && r->sent_bytes < r->total_bytes) {
		uint64_t len = MIN(r->total_bytes - r->sent_bytes, (uint64_t)CHUNK_BYTES);

		if (prism_tcp_send_region(worker_of(r, 0, end), end->conn,
					  pattern_at(0, r->sent_bytes), len))
			return; // no credit, or between two workers
		r->sent_bytes += len;
	}
}

static void connect_all(struct run *r)
{
	struct prism_endpoint local = {.port = 80}, remote = world_endpoint(1, 80);
	prism_listener listener;

	for (uint32_t w = 0; w < WORKERS; w++)
		if (prism_tcp_listen(r->world->node[1].workers[w], &local, 0, &listener))
			die("listen was refused");
	if (prism_tcp_connect(r->world->node[0].worker, &remote, NULL, BULK, &r->bulk[0].conn))
		die("connect was refused");
	for (uint32_t i = 0; i < ASKERS; i++) {
		r->asker[0][i].worker = i % WORKERS;
		if (prism_tcp_connect(worker_of(r, 0, &r->asker[0][i]), &remote, NULL, i,
				      &r->asker[0][i].conn))
			die("connect was refused");
	}
}

static void close_all(struct run *r)
{
	for (int node = 0; node < 2; node++) {
		prism_tcp_close(worker_of(r, node, &r->bulk[node]), r->bulk[node].conn);
		for (uint32_t i = 0; i < ASKERS; i++)
			prism_tcp_close(worker_of(r, node, &r->asker[node][i]),
					r->asker[node][i].conn);
	}
}

static void step(struct run *r)
{
	if (!world_step(r->world, r->world->now_ns + NS_PER_S, take, r))
		die(r->world->failure);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void run(uint64_t total_bytes, uint64_t moves)
{
	struct run r = {.total_bytes = total_bytes, .moves_wanted = moves};
	struct world_config config;

	world_config_init(&config);
	config.mtu_bytes = 9000;
	for (int node = 0; node < 2; node++) {
		config.workers[node] = WORKERS;
		config.faults[node] = (struct pair_faults){.rate_bits_s = UINT64_C(100000000000),
							   .delay_ns = 20 * NS_PER_US,
							   .queue_bytes = 8 << 20};
	}
	config.few_queues[0] = true; // node 1: any packet comes to any worker
	r.wait_ns = calloc(SAMPLES_MAX, sizeof(*r.wait_ns));
	r.next_move_bytes = total_bytes / (moves + 1);
	r.world = world_create(&config);
	connect_all(&r);
	while (r.received_bytes < total_bytes) {
		step(&r);
		move(&r);
		send_what_fits(&r);
	}
	while (r.unanswered)
		step(&r);
	close_all(&r);
	for (uint64_t end_ns = r.world->now_ns + 60 * NS_PER_S; !world_at_rest(r.world);) {
		if (r.world->now_ns > end_ns)
			die("all is over, and a connection or a buffer remains");
		step(&r);
	}
	if (r.moves != moves)
		die("not all moves were made");
	qsort(r.wait_ns, r.wait_count, sizeof(*r.wait_ns), by_size);
	printf("%lu MiB, %lu moves: every byte as it was sent; %u questions of others, answered "
	       "after p50 %.1f us, p99 %.1f us, at most %.1f us\n",
	       total_bytes >> 20, r.moves, r.wait_count, (double)r.wait_ns[r.wait_count / 2] / 1000,
	       (double)r.wait_ns[(uint64_t)r.wait_count * 99 / 100] / 1000,
	       (double)r.wait_ns[r.wait_count - 1] / 1000);
	if (!world_destroy(r.world))
		die("a buffer did not come home when the stacks ended");
	free(r.wait_ns);
}

int main(int argc, char **argv)
{
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
	uint64_t moves = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;

	if (mib == 0 || mib > 1 << 20)
		die("MIB is from 1 to 1048576");
	pattern_init();
	run(mib << 20, 0);
	run(mib << 20, moves);
	return 0;
}
