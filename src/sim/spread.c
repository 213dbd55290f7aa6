// SPDX-License-Identifier: BSD-3-Clause
// Queues on a port that has none. Called by world.c, which gives each worker of a node one; calls
// the port below. A queue that is full makes packets wait in the port below, in order. Which queue
// a packet goes to is drawn from the seed.
#include "sim/spread.h"

static void refill(struct spread *s)
{
	struct pkt *p;

	for (uint32_t i = 0; i < s->queue_count; i++)
		if (s->queue[i].count == BURST_PKTS)
			return;
	while (s->below->ops->rx(s->below, &p, 1)) {
		struct spread_queue *q = &s->queue[rng_below(&s->rng, s->queue_count)];

		q->waiting[(q->first + q->count++) % BURST_PKTS] = p;
		if (q->count == BURST_PKTS)
			return;
	}
}

static uint16_t spread_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct spread_queue *q = CONTAINER_OF(port, struct spread_queue, port);
	uint16_t n = 0;

	refill(q->spread);
	for (; n < count && q->count; n++, q->count--) {
		pkts[n] = q->waiting[q->first];
		q->first = (q->first + 1) % BURST_PKTS;
	}
	return n;
}

static uint16_t spread_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct spread *s = CONTAINER_OF(port, struct spread_queue, port)->spread;

	return s->below->ops->tx(s->below, pkts, count);
}

static const struct port_ops spread_ops = {.rx = spread_rx, .tx = spread_tx};

void spread_init(struct spread *s, struct port *below, uint32_t queue_count, uint64_t seed)
{
	*s = (struct spread){.below = below, .queue_count = queue_count};
	rng_seed(&s->rng, seed);
	for (uint32_t i = 0; i < queue_count; i++) {
		s->queue[i].port = *below;
		s->queue[i].port.ops = &spread_ops;
		s->queue[i].spread = s;
	}
}

void spread_fini(struct spread *s)
{
	for (uint32_t i = 0; i < s->queue_count; i++) {
		struct spread_queue *q = &s->queue[i];

		for (; q->count; q->count--) {
			pkt_free(q->waiting[q->first]);
			q->first = (q->first + 1) % BURST_PKTS;
		}
	}
}

bool spread_waits(const struct spread *s, uint32_t queue)
{
	return s->queue[queue].count > 0;
}
