// SPDX-License-Identifier: BSD-3-Clause
// ICMP: echo, errors in both directions.
#pragma once

#include "net/net.h"
#include "port/arrival.h"
#include "wire/icmp.h"

// True: an error about something TCP or UDP sent, as report says; p is still the caller's. False:
// it was something else, or nothing; p is taken.
bool icmp_input(struct net *net, struct pkt *p, struct arrival *arrival,
		struct icmp_report *report);

// Tells the sender of offender that it could not be delivered, unless RFC 1122 3.2.2 forbids it or
// the rate limit does. Takes nothing.
void icmp_send_unreachable(struct net *net, struct pkt *offender, const struct arrival *arrival,
			   uint8_t code);

struct icmp_error {
	uint8_t type, code;
	be32 rest; // the second word: pointer, MTU or zero
};

// The general form: time exceeded, parameter problem.
void icmp_send_error(struct net *net, struct pkt *offender, const struct arrival *arrival,
		     const struct icmp_error *error);
