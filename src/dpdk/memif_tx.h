// SPDX-License-Identifier: BSD-3-Clause
// Sending on a zero-copy memif port without overrunning its ring.
#pragma once

#include "port/port.h"

struct memif_tx {
	uint32_t ring_slots;
	uint32_t unread_slots_max; // the peer has at most so many yet to read
	uint32_t slots_since_mark;
	struct pkt *mark; // a packet under way, held once more, or NULL
};

void memif_tx_init(struct memif_tx *tx, uint32_t ring_slots);

// The peer may have gone, or the port goes: nothing is known of the ring any more, no packet held.
void memif_tx_forget(struct memif_tx *tx);

// As port_ops.tx, in calls that the driver handles right.
uint16_t memif_tx_burst(struct memif_tx *tx, struct port *port, struct pkt **pkts, uint16_t count);

// Nothing to send: takes back what the peer has read.
void memif_tx_idle(struct memif_tx *tx, struct port *port);
