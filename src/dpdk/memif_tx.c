// SPDX-License-Identifier: BSD-3-Clause
// How a zero-copy memif port sends. DPDK's driver looks at the ring's room once for four packets
// when it is given more than four, and counts a slot for each; a chain takes several, so what
// follows it in such a four may overrun packets the peer has not read yet. Offered safely are
// therefore: any number of single packets, any four packets (the driver looks before each), and as
// many chains as surely find room. Called by port_memif.c.
//
// The room is known without asking the driver: a packet sent is marked by a second reference, and
// once the driver has dropped its own, the peer has read that far; only what was sent after it may
// still lie in the ring. Between looks the number of unread slots is an upper bound.
#include "dpdk/memif_tx.h"

#include "dpdk/port_dpdk.h"

// What the driver checks one by one.
#define ALWAYS_SAFE_PKTS 4

void memif_tx_init(struct memif_tx *tx, uint32_t ring_slots)
{
	*tx = (struct memif_tx){.ring_slots = ring_slots};
}

void memif_tx_forget(struct memif_tx *tx)
{
	if (tx->mark)
		pkt_free_seg(tx->mark);
	tx->mark = NULL;
	tx->unread_slots_max = tx->ring_slots; // until the next mark comes back
}

// The first packets that may be offered in one call, and the slots they take.
struct part {
	uint16_t pkts;
	bool has_chains;
	uint32_t slots;
};

static struct part safe_part(const struct memif_tx *tx, struct pkt **pkts, uint16_t count)
{
	uint32_t room_slots = tx->ring_slots - tx->unread_slots_max;
	struct part part = {0};

	for (; part.pkts < count; part.pkts++) {
		uint16_t segs = pkt_seg_count(pkts[part.pkts]);
		bool has_chains = part.has_chains || segs > 1;

		if (has_chains && part.slots + segs > room_slots && part.pkts >= ALWAYS_SAFE_PKTS)
			break;
		part.has_chains = has_chains;
		part.slots += segs;
	}
	return part;
}

// Has the peer read the marked packet? Then all that came before it is gone from the ring too.
static void look_at_mark(struct memif_tx *tx)
{
	if (!tx->mark || pkt_refs(tx->mark) != 1)
		return;
	memif_tx_forget(tx);
	tx->unread_slots_max = MIN(tx->slots_since_mark, tx->ring_slots);
}

// Marks the last packet that was taken. The driver frees only inside a call, so it still has it.
static void set_mark(struct memif_tx *tx, struct pkt *p)
{
	tx->mark = p;
	tx->slots_since_mark = pkt_seg_count(p) - 1u; // the mark is the first of its segments
}

uint16_t memif_tx_burst(struct memif_tx *tx, struct port *port, struct pkt **pkts, uint16_t count)
{
	uint16_t sent = 0, n;
	struct part part;

	do {
		look_at_mark(tx);
		part = safe_part(tx, pkts + sent, (uint16_t)(count - sent));
		struct pkt *last = pkts[sent + part.pkts - 1];
		bool marks = part.has_chains && !tx->mark && pkt_is_direct(last);

		if (marks)
			pkt_hold(last);
		n = ethdev_tx(port, pkts + sent, part.pkts);
		tx->unread_slots_max = MIN(tx->unread_slots_max + part.slots, tx->ring_slots);
		tx->slots_since_mark += part.slots;
		if (marks && n == part.pkts)
			set_mark(tx, last);
		else if (marks)
			pkt_free_seg(last); // not sent: only the second reference goes
		sent = (uint16_t)(sent + n);
	} while (n == part.pkts && sent < count);
	return sent;
}

void memif_tx_idle(struct memif_tx *tx, struct port *port)
{
	ethdev_tx(port, NULL, 0);
	look_at_mark(tx);
}
