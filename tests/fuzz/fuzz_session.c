// SPDX-License-Identifier: BSD-3-Clause
// Two whole stacks, driven by the input: calls of both applications, faults of the wire, time. What
// arrives must be what was sent; at the end the wire is healed, both applications end everything,
// and every buffer must come home.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "fuzz.h"

#define CONNS 8
#define STEPS_MAX 400

struct end {
	prism_conn conn;
	bool open;
	uint8_t key;
	uint64_t sent_bytes, received_bytes;
};

struct session {
	struct fuzz f;
	struct world *world;
	struct end end[2][CONNS]; // by node; connection i of node 0 is connection i of node 1
	uint16_t port[CONNS];     // the connecting side's
	int opener[CONNS];
	uint32_t count;
	struct prism_buf *held[64];
	int held_node[64];
	uint32_t held_count;
	bool hold;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "session: %s\n", what);
	abort();
}

static struct end *end_of(struct session *s, int node, prism_conn conn)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->end[node][i].conn.id == conn.id)
			return &s->end[node][i];
	return NULL;
}

static void accepted(struct session *s, int node, const struct prism_event *e)
{
	struct prism_endpoint remote;

	if (prism_tcp_endpoints(s->world->node[node].worker, e->conn, NULL, &remote))
		broken("an accepted connection has no endpoints");
	for (uint32_t i = s->count; i-- > 0;) {
		if (s->port[i] != remote.port || s->opener[i] == node)
			continue;
		s->end[node][i].conn = e->conn;
		s->end[node][i].open = true;
		return;
	}
	broken("a connection nobody opened was accepted");
}

static void data_arrived(struct session *s, int node, const struct prism_event *e)
{
	struct end *end = end_of(s, node, e->conn);

	if (!end)
		broken("data for a connection nobody has");
	struct end *other = &s->end[!node][end - s->end[node]];

	if (end->received_bytes + e->len > other->sent_bytes)
		broken("more arrived than was sent");
	for (uint32_t i = 0; i < e->len; i++)
		if (((const uint8_t *)e->data)[i] != seg_byte(end->received_bytes + i + other->key))
			broken("wrong bytes arrived");
	end->received_bytes += e->len;
	if (s->hold && s->held_count < ARRAY_COUNT(s->held)) {
		s->held_node[s->held_count] = node;
		s->held[s->held_count++] = e->buf;
	} else {
		prism_buf_release(s->world->node[node].worker, e->buf);
	}
}

static void take(void *context, int node, const struct prism_event *e)
{
	struct session *s = context;
	struct end *end = end_of(s, node, e->conn);

	switch (e->type) {
	case PRISM_EVENT_ACCEPTED:
		accepted(s, node, e);
		break;
	case PRISM_EVENT_CONNECTED:
		end->open = true;
		break;
	case PRISM_EVENT_DATA:
		data_arrived(s, node, e);
		break;
	case PRISM_EVENT_CLOSED:
		if (end)
			end->open = false;
		break;
	default:
		break;
	}
}

static void release_all(struct session *s)
{
	for (uint32_t i = 0; i < s->held_count; i++)
		prism_buf_release(s->world->node[s->held_node[i]].worker, s->held[i]);
	s->held_count = 0;
}

static void pass(struct session *s, uint64_t ns)
{
	uint64_t end_ns = s->world->now_ns + ns;
	int steps = 0;

	do {
		if (!world_step(s->world, end_ns, take, s))
			broken(s->world->failure);
	} while (s->world->now_ns < end_ns && ++steps < STEPS_MAX);
}

static void open_one(struct session *s, int node)
{
	struct prism_worker *worker = s->world->node[node].worker;
	struct prism_endpoint remote = world_endpoint(!node, 80), local;
	uint32_t i = s->count;

	if (i == CONNS || prism_tcp_connect(worker, &remote, NULL, 0, &s->end[node][i].conn))
		return;
	prism_tcp_endpoints(worker, s->end[node][i].conn, &local, NULL);
	s->opener[i] = node;
	s->port[i] = local.port;
	s->end[0][i].key = (uint8_t)(i * 2);
	s->end[1][i].key = (uint8_t)(i * 2 + 1);
	s->count++;
}

static void send_one(struct session *s, int node, struct end *end)
{
	uint8_t bytes[8192];
	uint32_t len = 1 + fuzz_u16(&s->f) % sizeof(bytes);

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = seg_byte(end->sent_bytes + i + end->key);
	if (prism_tcp_send_copy(s->world->node[node].worker, end->conn, bytes, len) == 0)
		end->sent_bytes += len;
}

static void set_faults(struct session *s, int node)
{
	struct pair_faults faults = {.delay_ns = (uint64_t)fuzz_u8(&s->f) * 100 * NS_PER_US};
	uint8_t which = fuzz_u8(&s->f);

	faults.loss_ppm = which & 1 ? fuzz_u8(&s->f) * 2000u : 0;
	faults.duplicate_ppm = which & 2 ? fuzz_u8(&s->f) * 2000u : 0;
	faults.corrupt_ppm = which & 4 ? fuzz_u8(&s->f) * 2000u : 0;
	faults.reorder_ppm = which & 8 ? fuzz_u8(&s->f) * 2000u : 0;
	faults.refuse_ppm = which & 16 ? fuzz_u8(&s->f) * 2000u : 0;
	faults.reorder_ns = 2 * faults.delay_ns + 1;
	pair_set_faults(s->world->pair, node, &faults);
}

static void act(struct session *s)
{
	uint8_t step = fuzz_u8(&s->f);
	int node = step >> 7;
	struct end *end = &s->end[node][step >> 4 & (CONNS - 1)];
	struct prism_worker *worker = s->world->node[node].worker;

	switch (step & 15) {
	case 0:
		open_one(s, node);
		break;
	case 1:
		set_faults(s, node);
		break;
	case 2:
		if (end->open)
			prism_tcp_close(worker, end->conn);
		break;
	case 3:
		if (end->open)
			prism_tcp_abort(worker, end->conn);
		break;
	case 4:
		s->hold = !s->hold;
		break;
	case 5:
		release_all(s);
		break;
	case 6:
	case 7:
		pass(s, (1 + (uint64_t)fuzz_u8(&s->f)) * 5 * NS_PER_MS);
		break;
	default:
		if (end->open)
			send_one(s, node, end);
		pass(s, (uint64_t)(step & 7) * 100 * NS_PER_US);
		break;
	}
}

static void listen_on(struct session *s, int node)
{
	struct prism_endpoint local = {.port = 80};
	prism_listener listener;

	if (prism_tcp_listen(s->world->node[node].worker, &local, 0, &listener))
		broken("listen was refused");
}

// Heals the wire, ends everything, and waits until nothing is left. What is under way arrives
// first: a handshake's last ACK may come after the reset that was lost, and nobody would know of
// that connection but the one who accepted it.
static void finish(struct session *s)
{
	for (int node = 0; node < 2; node++)
		pair_set_faults(s->world->pair, node, &(struct pair_faults){.delay_ns = NS_PER_MS});
	s->hold = false;
	release_all(s);
	pass(s, NS_PER_S);
	for (int node = 0; node < 2; node++)
		for (uint32_t i = 0; i < s->count; i++)
			if (s->end[node][i].conn.id)
				prism_tcp_abort(s->world->node[node].worker, s->end[node][i].conn);
	for (int i = 0; i < 600 && !world_at_rest(s->world); i++)
		pass(s, NS_PER_S);
	if (!world_at_rest(s->world))
		broken("all is ended, and a connection or a buffer remains");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s = {.f = {data, size}};
	struct world_config config;

	world_config_init(&config);
	config.options.connections_max = 2 * CONNS;
	config.options.half_open_max = CONNS;
	config.options.buffers = 512;
	config.frames_max = 512;
	for (int kind = 0; kind < POOL_KINDS; kind++)
		config.pool_pkts[kind] = 512;
	s.world = world_create(&config);
	listen_on(&s, 0);
	listen_on(&s, 1);
	open_one(&s, 0);
	pass(&s, 10 * NS_PER_MS);
	while (s.f.left > 0)
		act(&s);
	finish(&s);
	if (!world_destroy(s.world))
		broken("a buffer did not come home");
	return 0;
}
