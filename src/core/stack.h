// SPDX-License-Identifier: BSD-3-Clause
// The straight line: a packet's way in, from a port's burst to the protocol that takes it.
#pragma once

#include "core/worker.h"

// Walks a burst from port_index through ethernet, IP and TCP, UDP or ICMP. Takes all packets.
void stack_input(struct prism_worker *worker, uint16_t port_index, struct pkt **pkts,
		 uint16_t count);

// What another worker handed to this one, at most BURST_PKTS: received, heard, or to be
// transmitted.
void stack_handed(struct prism_worker *worker, struct pkt **pkts, uint32_t count);
