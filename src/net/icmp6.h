// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6: echo, errors in both directions, and the door of neighbour discovery.
#pragma once

#include "net/net.h"
#include "port/arrival.h"

// As icmp_input. A report speaks in ICMP's own types and codes, so that TCP and UDP know one kind.
bool icmp6_input(struct net *net, struct pkt *p, struct arrival *arrival,
		 struct icmp_report *report);

struct icmp6_error {
	uint8_t type, code;
	be32 rest;          // the second word: pointer, MTU or zero
	bool to_groups_too; // about a packet to a group as well (RFC 4443 2.4 (e.3))
};

// icmp6_error.c. Tells the sender of offender, unless RFC 4443 2.4 (e) forbids it or the rate limit
// does. Takes nothing.
void icmp6_send_error(struct net *net, struct pkt *offender, const struct arrival *arrival,
		      const struct icmp6_error *error);
