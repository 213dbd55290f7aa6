// SPDX-License-Identifier: BSD-3-Clause
// Who a packet was from and for, read from its first bytes as the flight recorder keeps them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "observe/verdict.h"

struct packet_head {
	uint16_t ether_type; // 0: it begins with an IP header, or is no frame
	uint16_t vlan_id;    // 0 without tag
	bool has_addr;       // src and dst: IP's, or those that an ARP packet speaks of
	struct addr src, dst;
	uint8_t protocol; // IP's, behind extension headers; of ARP nothing
	bool has_ports;   // of TCP and UDP, when they are there and this is no later fragment
	uint16_t src_port, dst_port;
	bool has_flags; // of TCP, when they are there
	uint8_t flags;  // enum tcp_flag (wire/tcp.h)
};

// Reads as far as the bytes make sense. Never beyond them, whatever they are.
void packet_head_read(enum verdict_head kind, const uint8_t *bytes, uint32_t len,
		      struct packet_head *out);

// "S.", "P." as tcpdump writes TCP's flags; "none". Returns text.
#define PACKET_FLAGS_BYTES 12
const char *packet_head_flags(const struct packet_head *head, char text[PACKET_FLAGS_BYTES]);

// "TCP", "ARP", "protocol 132", "ethernet type 0x88cc". Returns text.
#define PACKET_KIND_BYTES 32
const char *packet_head_kind(const struct packet_head *head, char text[PACKET_KIND_BYTES]);
