// SPDX-License-Identifier: BSD-3-Clause
// Ethernet II (IEEE 802.3 3.2.6) with at most one VLAN tag (IEEE 802.1Q 9.6).
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/be.h"
#include "base/bits.h"

struct eth_header {
	uint8_t dst[6];
	uint8_t src[6];
	be16 type;
} PACKED;

// Between the source address and the type proper, when type is ETH_TYPE_VLAN.
struct vlan_tag {
	be16 tci; // priority (3 bits), drop eligible (1), VLAN id (12)
	be16 type;
} PACKED;

static_assert(sizeof(struct eth_header) == 14, "as on the wire");
static_assert(sizeof(struct vlan_tag) == 4, "as on the wire");

#define ETH_HEADER_BYTES_MAX (sizeof(struct eth_header) + sizeof(struct vlan_tag))

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_IPV6 0x86dd

#define VLAN_ID_MASK 0x0fff

static inline bool eth_is_group(const uint8_t mac[6])
{
	return mac[0] & 1;
}

static inline bool eth_equal(const uint8_t a[6], const uint8_t b[6])
{
	return memcmp(a, b, 6) == 0;
}
