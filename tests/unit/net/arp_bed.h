// SPDX-License-Identifier: BSD-3-Clause
// What tests of neighbours over ARP say and read.
#pragma once

#include "bed.h"

static const uint8_t EVIL_MAC[6] = {2, 0, 0, 0, 0x66, 6};

// Sends a datagram to a host: the way to make the stack want its address.
static inline void want(struct bed *b, prism_udp udp, be32 to)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memcpy(pkt_append(p, 4), "data", 4);
	struct udp_to dst = {.remote = addr_from_v4(to), .remote_port = 9};
	assert_int_equal(udp_send(b->net, udp, &dst, p), 0);
	bed_conserved(b);
}

static inline void arp_in(struct bed *b, uint16_t operation, const uint8_t mac[6], be32 sender,
			  be32 target)
{
	struct frame f;

	frame_arp(&f, operation, mac, sender, target);
	bed_in(b, 0, f.byte, f.len);
}

// The packet sent as number index is an ARP packet of this operation about target.
static inline const struct arp_packet *arp_out(struct bed *b, uint32_t index, uint16_t operation,
					       be32 target)
{
	assert_true(index < b->port[0].tx_count);
	assert_int_equal(capture_read(&b->port[0], index, b->out), 42);
	assert_memory_equal(b->out + 12, "\x08\x06", 2);
	const struct arp_packet *a = (const void *)(b->out + 14);
	assert_int_equal(be16_get(a->operation), operation);
	assert_int_equal(a->target.raw, target.raw);
	assert_memory_equal(a->sender_mac, b->port[0].port.mac, 6);
	return a;
}
