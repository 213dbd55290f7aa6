// SPDX-License-Identifier: BSD-3-Clause
// What a congestion control is to others: two connections over one link in virtual time, of the
// same kind and of two, how much each gets, and how long the queue is that they make. `beside FILE`
// compares with a table in git, `beside --update FILE` writes it; `beside --seconds N` prints one
// of longer runs.
//
// 100 Mbit/s and 10 ms each way, so 250 KB fill it; queues of a quarter of that, of it, and of four
// times that. The second connection begins a second later. The queue is the smoothed round trip,
// less 20 ms, of the first, on average of the second half.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sim/flow.h"
#include "tcp/conn.h"

#define CHUNK_BYTES 8192
#define LINK_BITS_S 100000000
#define DELAY_NS (10 * NS_PER_MS)
#define LOOK_NS (10 * NS_PER_MS)
#define SECONDS 6

static const uint32_t queues_bytes[] = {62500, 250000, 1000000};

static const struct {
	const char *name;
	int count;
	enum prism_congestion kind[2];
} pairs[] = {
	{"cubic", 1, {PRISM_CONGESTION_CUBIC}},
	{"bbr", 1, {PRISM_CONGESTION_BBR}},
	{"cubic cubic", 2, {PRISM_CONGESTION_CUBIC, PRISM_CONGESTION_CUBIC}},
	{"bbr bbr", 2, {PRISM_CONGESTION_BBR, PRISM_CONGESTION_BBR}},
	{"cubic bbr", 2, {PRISM_CONGESTION_CUBIC, PRISM_CONGESTION_BBR}},
};

struct transfer {
	prism_conn conn;
	bool begun, open;
	uint64_t sent_bytes, received_bytes;
	uint64_t begins_ns;
};

struct run {
	struct world *world;
	struct transfer transfer[2];
	uint64_t from_ns, next_look_ns;
	uint64_t queue_ns, looks;
};

// By the port that it connects to.
static struct transfer *transfer_of(struct run *r, uint64_t user)
{
	return &r->transfer[user & 1];
}

static void take(void *context, int node, const struct prism_event *e)
{
	struct run *r = context;

	if (e->type == PRISM_EVENT_CONNECTED)
		transfer_of(r, e->user)->open = true;
	if (e->type != PRISM_EVENT_DATA)
		return;
	if (r->world->now_ns >= r->from_ns)
		transfer_of(r, e->user)->received_bytes += e->len;
	prism_buf_release(r->world->node[node].worker, e->buf);
}

static void begin(struct run *r, int which, enum prism_congestion kind)
{
	struct transfer *t = &r->transfer[which];
	struct prism_endpoint remote = world_endpoint(1, (uint16_t)(80 + which));
	struct prism_worker *w = r->world->node[0].worker;

	t->begun = true;
	if (prism_tcp_connect(w, &remote, NULL, (uint64_t)which, &t->conn) ||
	    prism_tcp_set_option(w, t->conn, PRISM_TCP_CONGESTION, kind))
		abort();
}

static void send_all_that_fits(struct run *r, struct transfer *t)
{
	while (t->open && prism_tcp_send_region(r->world->node[0].worker, t->conn,
						pattern_at(0, t->sent_bytes), CHUNK_BYTES) == 0)
		t->sent_bytes += CHUNK_BYTES;
}

static void look_at_queue(struct run *r)
{
	const struct conn *c = conn_of(r->world->node[0].worker->tcp, r->transfer[0].conn.id);

	if (!c || r->world->now_ns < MAX(r->from_ns, r->next_look_ns))
		return;
	r->next_look_ns = r->world->now_ns + LOOK_NS;
	r->queue_ns += c->rtt.srtt_us * NS_PER_US - MIN(c->rtt.srtt_us * NS_PER_US, 2 * DELAY_NS);
	r->looks++;
}

static void make_world(struct run *r, uint32_t queue_bytes)
{
	struct world_config config;

	world_config_init(&config);
	config.seed = 1;
	config.frames_max = 32768;
	for (int kind = 0; kind < POOL_KINDS; kind++)
		config.pool_pkts[kind] = 32768;
	config.options.buffers = 32768;
	config.options.send_bytes_max = 4 << 20;
	config.options.receive_bytes_max = 2 << 20;
	for (int end = 0; end < 2; end++)
		config.faults[end] = (struct pair_faults){.rate_bits_s = LINK_BITS_S,
							  .delay_ns = DELAY_NS,
							  .queue_bytes = queue_bytes};
	r->world = world_create(&config);
	for (uint64_t which = 0; which < 2; which++) {
		struct prism_endpoint local = {.port = (uint16_t)(80 + which)};
		prism_listener listener;

		if (prism_tcp_listen(r->world->node[1].worker, &local, which, &listener))
			abort();
	}
}

static void run(FILE *out, size_t pair, uint32_t queue_bytes, uint64_t seconds)
{
	struct run r = {0};
	uint64_t begin_ns, end_ns;
	int begun = 0;

	make_world(&r, queue_bytes);
	begin_ns = r.world->now_ns;
	end_ns = begin_ns + seconds * NS_PER_S;
	r.from_ns = begin_ns + seconds * NS_PER_S / 2;
	while (r.world->now_ns < end_ns && world_step(r.world, end_ns, take, &r)) {
		if (begun < pairs[pair].count &&
		    r.world->now_ns >= begin_ns + (uint64_t)begun * NS_PER_S) {
			begin(&r, begun, pairs[pair].kind[begun]);
			begun++;
		}
		send_all_that_fits(&r, &r.transfer[0]);
		send_all_that_fits(&r, &r.transfer[1]);
		look_at_queue(&r);
	}
	if (r.world->failure)
		abort();
	world_destroy(r.world);
	fprintf(out, "  %7u  %-12s", queue_bytes, pairs[pair].name);
	for (int i = 0; i < 2; i++)
		fprintf(out, " %7.1f",
			(double)r.transfer[i].received_bytes * 8 / 1e6 / ((double)seconds / 2));
	fprintf(out, " %7.1f\n", (double)r.queue_ns / (double)MAX(r.looks, 1u) / 1e6);
}

static void write_table(FILE *out, uint64_t seconds)
{
	fprintf(out,
		"# two connections over 100 Mbit/s and 20 ms: Mbit/s of each in the second half of "
		"%lu s, ms of queue\n#   queue  kinds          first  second   queue\n",
		seconds);
	for (size_t q = 0; q < ARRAY_COUNT(queues_bytes); q++)
		for (size_t pair = 0; pair < ARRAY_COUNT(pairs); pair++)
			run(out, pair, queues_bytes[q], seconds);
}

static bool compare(FILE *golden, FILE *now)
{
	char want[256], got[256];
	bool same = true;

	rewind(now);
	while (fgets(got, sizeof(got), now)) {
		if (!fgets(want, sizeof(want), golden))
			want[0] = '\0';
		if (strcmp(want, got) == 0)
			continue;
		printf("- %s+ %s", want, got);
		same = false;
	}
	return same;
}

int main(int argc, char **argv)
{
	bool update = argc == 3 && strcmp(argv[1], "--update") == 0;

	if (argc < 2)
		return 2;
	pattern_init();
	if (argc == 3 && strcmp(argv[1], "--seconds") == 0) {
		write_table(stdout, strtoull(argv[2], NULL, 10));
		return 0;
	}
	FILE *golden = fopen(argv[argc - 1], update ? "w" : "r");
	FILE *now = update ? golden : tmpfile();

	if (!golden || !now) {
		perror(argv[argc - 1]);
		return 2;
	}
	write_table(now, SECONDS);
	if (update || compare(golden, now))
		return 0;
	printf("shares changed; if that is meant: beside --update %s\n", argv[argc - 1]);
	return 1;
}
