// SPDX-License-Identifier: BSD-3-Clause
// Packets from one worker's hands into another's, and ports that send by way of another worker.
// Called by net/ and tcp/ (give) and core/worker.c (flush, take); calls sync/ring.h.
//
// What is given is staged and leaves in bursts, so that the shared lines of a ring are touched once
// for many packets.
#include "port/mesh.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "sync/claims.h"
#include "sync/ring.h"

struct stage {
	uint32_t count;
	bool asked;          // hands_stuck was, at least once
	uint64_t taken_pkts; // by the other side, when hands_stuck last saw that it moves,
	uint64_t moved_ns;   // and when that was
	struct pkt *pkt[BURST_PKTS];
};

struct hands {
	struct mesh *mesh;
	uint32_t worker;
	uint64_t staged;     // a bit for each worker whose stage is not empty
	struct stage *stage; // of each worker
};

struct mesh {
	uint32_t worker_count;
	struct ring **ring; // from * worker_count + to
	struct hands hands[WORKERS_MAX];
};

static struct ring *ring_between(const struct mesh *m, uint32_t from, uint32_t to)
{
	return m->ring[from * m->worker_count + to];
}

static uint32_t ring_pkts(uint32_t worker_count)
{
	uint32_t crowd = (worker_count + MESH_FEW - 1) / MESH_FEW;

	return MESH_RING_PKTS / (uint32_t)bits_ceil_pow2(crowd);
}

static bool create_ends(struct mesh *m, uint32_t worker)
{
	struct hands *h = &m->hands[worker];
	uint32_t count = m->worker_count;

	h->mesh = m;
	h->worker = worker;
	h->stage = mem_map("a worker's hands", count * sizeof(*h->stage));
	for (uint32_t to = 0; h->stage && to < count; to++) {
		struct ring **ring = &m->ring[worker * count + to];

		if (to != worker && !(*ring = ring_spsc_create(ring_pkts(count))))
			return false;
	}
	return h->stage != NULL;
}

struct mesh *mesh_create(uint32_t worker_count)
{
	ASSERT(worker_count > 0 && worker_count <= WORKERS_MAX);
	struct mesh *m = mem_map("the mesh", sizeof(*m));
	bool whole = m != NULL;

	if (!m)
		return NULL;
	m->worker_count = worker_count;
	m->ring = mem_map("the mesh's rings",
			  (size_t)worker_count * worker_count * sizeof(struct ring *));
	whole = m->ring != NULL;
	for (uint32_t i = 0; whole && i < worker_count; i++)
		whole = create_ends(m, i);
	if (whole)
		return m;
	mesh_destroy(m);
	return NULL;
}

static void destroy_ring(struct ring *ring)
{
	struct pkt *p;

	while (ring_spsc_take(ring, (void **)&p, 1))
		pkt_free(p);
	ring_spsc_destroy(ring);
}

static void destroy_ends(struct mesh *m, uint32_t worker)
{
	struct hands *h = &m->hands[worker];

	for (uint32_t to = 0; to < m->worker_count; to++) {
		struct ring *ring = ring_between(m, worker, to);

		for (uint32_t i = 0; h->stage && i < h->stage[to].count; i++)
			pkt_free(h->stage[to].pkt[i]);
		if (ring)
			destroy_ring(ring);
	}
	if (h->stage)
		mem_unmap(h->stage, m->worker_count * sizeof(*h->stage));
}

void mesh_destroy(struct mesh *m)
{
	uint32_t count = m->worker_count;

	for (uint32_t i = 0; m->ring && i < count; i++)
		destroy_ends(m, i);
	if (m->ring)
		mem_unmap(m->ring, (size_t)count * count * sizeof(struct ring *));
	mem_unmap(m, sizeof(*m));
}

struct hands *mesh_hands(struct mesh *mesh, uint32_t worker)
{
	ASSERT(worker < mesh->worker_count);
	return &mesh->hands[worker];
}

static COLD void drop_handed(const struct env *env, struct pkt *p)
{
	if (mesh_what(pkt_word(p)) == HANDED_OUTPUT)
		pkt_drop_frame(env, p, DROP_WORKER_RING_FULL);
	else
		pkt_drop(env, p, DROP_WORKER_RING_FULL); // received, or a note
}

static void send_stage(const struct env *env, struct hands *h, uint32_t to)
{
	struct stage *s = &h->stage[to];
	struct ring *ring = ring_between(h->mesh, h->worker, to);
	uint32_t put = ring_spsc_put(ring, (void *const *)s->pkt, s->count);

	counter_add(env, COUNTER_handed_out_pkts, put);
	for (uint32_t i = put; i < s->count; i++)
		drop_handed(env, s->pkt[i]);
	s->count = 0;
	h->staged &= ~(UINT64_C(1) << to);
}

void hands_give(const struct env *env, struct pkt *p, uint32_t to, uint16_t word)
{
	struct hands *h = env->hands;
	struct stage *s = &h->stage[to];

	ASSERT(to < h->mesh->worker_count && to != h->worker);
	pkt_set_word(p, word);
	s->pkt[s->count++] = p;
	h->staged |= UINT64_C(1) << to;
	if (s->count == BURST_PKTS)
		send_stage(env, h, to);
}

// Shorter than what ARP waits for an answer: the second passes by who kept the first.
#define STUCK_NS (NS_PER_S / 2)

bool hands_stuck(const struct env *env, uint32_t to)
{
	struct hands *h = env->hands;
	struct stage *s = &h->stage[to];
	const struct ring *ring = ring_between(h->mesh, h->worker, to);
	uint64_t taken_pkts = ring_spsc_taken(ring);

	// Before the first question nobody looked: what lies there may have come just now.
	if (s->asked && taken_pkts == s->taken_pkts && ring_spsc_count(ring) > 0)
		return env->now_ns - s->moved_ns > STUCK_NS;
	s->asked = true;
	s->taken_pkts = taken_pkts;
	s->moved_ns = env->now_ns;
	return false;
}

bool hands_have_room(const struct env *env, uint32_t to)
{
	struct hands *h = env->hands;

	if (h->stage[to].count)
		send_stage(env, h, to);
	return ring_spsc_count(ring_between(h->mesh, h->worker, to)) <
	       ring_pkts(h->mesh->worker_count);
}

void hands_flush(const struct env *env)
{
	struct hands *h = env->hands;

	while (h->staged)
		send_stage(env, h, (uint32_t)__builtin_ctzll(h->staged));
}

uint32_t hands_take(const struct env *env, uint32_t from, struct pkt **pkts, uint32_t count)
{
	struct hands *h = env->hands;
	uint32_t n;

	if (from == h->worker)
		return 0;
	n = ring_spsc_take(ring_between(h->mesh, from, h->worker), (void **)pkts, count);
	if (n)
		counter_add(env, COUNTER_handed_in_pkts, n);
	return n;
}

uint32_t hands_depth(const struct hands *h)
{
	uint32_t pkts = 0;

	for (uint32_t from = 0; from < h->mesh->worker_count; from++)
		if (from != h->worker)
			pkts += ring_spsc_count(ring_between(h->mesh, from, h->worker));
	return pkts;
}

bool hands_waiting(const struct env *env)
{
	return hands_depth(env->hands) > 0;
}

struct relay {
	struct port port;
	struct ring *ring; // to the worker with a queue
	uint32_t worker;   // whose port this is
};

static uint16_t relay_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	return 0;
}

static uint16_t relay_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct relay *r = CONTAINER_OF(port, struct relay, port);

	for (uint16_t i = 0; i < count; i++)
		pkt_set_word(pkts[i], mesh_word(HANDED_OUTPUT, port->index, r->worker));
	return (uint16_t)ring_spsc_put(r->ring, (void *const *)pkts, count);
}

static void relay_close(struct port *port)
{
	mem_unmap(CONTAINER_OF(port, struct relay, port), sizeof(struct relay));
}

static const struct port_ops relay_ops = {.rx = relay_rx, .tx = relay_tx, .close = relay_close};

struct port *relay_open(const struct port *like, struct hands *hands, uint32_t to)
{
	struct relay *r = mem_map("a port by way of another worker", sizeof(*r));

	if (!r)
		return NULL;
	r->ring = ring_between(hands->mesh, hands->worker, to);
	r->worker = hands->worker;
	r->port = (struct port){
		.ops = &relay_ops,
		.flags = like->flags | PORT_RELAY | PORT_RX_IN_MEMORY,
		.index = like->index,
		.mtu_bytes = like->mtu_bytes,
		.tso_bytes_max = like->tso_bytes_max,
		.tx_segs_max = like->tx_segs_max,
	};
	memcpy(r->port.mac, like->mac, sizeof(like->mac));
	memcpy(r->port.name, like->name, sizeof(like->name));
	memcpy(r->port.device, like->device, sizeof(like->device));
	return &r->port;
}
