// SPDX-License-Identifier: BSD-3-Clause
// ARP's packets: requests and replies, announcements, conflicts. The table is neighbour.h.
#pragma once

#include "net/net.h"
#include "port/arrival.h"

// Takes p.
void arp_input(struct net *net, struct pkt *p, struct arrival *arrival);

// What another worker heard (port/mesh.h): learns from it and sends it on its round. Takes p.
void arp_hear(struct net *net, struct pkt *p, struct arrival *arrival, uint16_t word);

// Asks who has target, through a port; mac NULL: everybody, else that station alone.
void arp_request(struct net *net, uint16_t port_index, be32 target, const uint8_t mac[6]);

// RFC 5227 2.1.1: asks, from no address, whether anybody has target.
void arp_probe(struct net *net, uint16_t port_index, be32 target);

// The second announcement falls due. Called by the neighbour timer's callback.
void arp_announce_again(struct net *net);
