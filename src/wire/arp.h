// SPDX-License-Identifier: BSD-3-Clause
// ARP for IPv4 over ethernet (RFC 826).
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

struct arp_packet {
	be16 hardware; // ARP_HARDWARE_ETHERNET
	be16 protocol; // ETH_TYPE_IPV4
	uint8_t hardware_len;
	uint8_t protocol_len;
	be16 operation;
	uint8_t sender_mac[6];
	be32 sender;
	uint8_t target_mac[6];
	be32 target;
} PACKED;

static_assert(sizeof(struct arp_packet) == 28, "as on the wire");

#define ARP_HARDWARE_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2
