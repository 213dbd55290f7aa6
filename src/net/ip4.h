// SPDX-License-Identifier: BSD-3-Clause
// IPv4: the checks on the way in. The way out is net_output.
#pragma once

#include "net/net.h"
#include "port/arrival.h"

// Checks and trims the packet, joins fragments, completes the arrival record. *p may be another
// packet afterwards (reassembled). Takes it when it answers NEXT_DONE.
enum next ip4_input(struct net *net, struct pkt **p, struct arrival *arrival);
