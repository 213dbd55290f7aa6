// SPDX-License-Identifier: BSD-3-Clause
// IGMP, a host's side: questions about groups in; what is said of them is group.h's.
#pragma once

#include "net/net.h"
#include "port/arrival.h"

// A packet of IGMP. Takes p. And one that another worker received and found good, on its round.
void igmp_input(struct net *net, struct pkt *p, struct arrival *arrival);
void igmp_hear(struct net *net, struct pkt *p, struct arrival *arrival, uint16_t word);
