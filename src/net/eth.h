// SPDX-License-Identifier: BSD-3-Clause
// Ethernet, the first step of the straight line.
#pragma once

#include "net/net.h"
#include "port/arrival.h"

// Reads the ethernet header and begins the arrival record. Takes p when it answers NEXT_DONE.
enum next eth_input(struct net *net, uint16_t port_index, struct pkt *p, struct arrival *arrival);
