// SPDX-License-Identifier: BSD-3-Clause
// Filters as tcpdump has them ("host 10.0.0.5 and tcp port 80", pcap-filter(7)), over heads of
// packets. libpcap compiles and runs them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "observe/verdict.h"
#include "pkt/match.h"

struct packet_filter;

// NULL with err_set when libpcap does not understand it. Names of hosts are looked up: that blocks.
struct packet_filter *packet_filter_create(const char *text);
void packet_filter_destroy(struct packet_filter *filter);

// What looks behind the head is not there, and does not match; nor what asks for ethernet of a
// packet without frame. A VLAN tag is looked through, unless the filter speaks of `vlan` itself.
bool packet_filter_matches(const struct packet_filter *filter, const struct verdict *verdict);

// What libpcap made of it, for those who run it over whole packets (pkt/match.h): of frames and, if
// it has a meaning there, of bare IP packets. Valid as long as the filter.
struct packet_program {
	const struct match_step *steps;
	uint32_t count; // 0: none matches
};

void packet_filter_programs(const struct packet_filter *filter, struct packet_program *frame,
			    struct packet_program *ip);
