// SPDX-License-Identifier: BSD-3-Clause
// What a DHCP server says to a client on the bench.
#pragma once

#include "bed.h"

#define SERVER IP(198, 18, 0, 1)
#define OTHER_SERVER IP(198, 18, 0, 7)
#define GIVEN IP(198, 18, 0, 50)
#define AFTER_PROBES_NS (8 * NS_PER_S)

// A server's words, before the options of the test.
struct said {
	uint8_t type;
	be32 server, yours;
	uint32_t life_s;
};

// To the client of a station that asked by this number.
static inline struct dhcp_header *frame_said(struct frame *f, be32 xid, const uint8_t mac[6],
					     struct said w)
{
	uint8_t bytes[sizeof(struct dhcp_header) + 64] = {0};
	struct dhcp_header *h = (void *)bytes;
	uint8_t *at = (uint8_t *)(h + 1);
	be32 life = be32_of(w.life_s), mask = be32_of(0xffffff00);

	*h = (struct dhcp_header){.op = DHCP_REPLY_OP,
				  .hardware = 1,
				  .hardware_len = 6,
				  .xid = xid,
				  .yours = w.yours,
				  .magic = be32_of(DHCP_MAGIC)};
	memcpy(h->mac, mac, 6);
	memcpy(at, (uint8_t[]){DHCP_OPTION_TYPE, 1, w.type, DHCP_OPTION_SERVER, 4}, 5);
	memcpy(at + 5, &w.server, 4);
	memcpy(at + 9, (uint8_t[]){DHCP_OPTION_LEASE, 4}, 2);
	memcpy(at + 11, &life, 4);
	memcpy(at + 15, (uint8_t[]){DHCP_OPTION_MASK, 4}, 2);
	memcpy(at + 17, &mask, 4);
	memcpy(at + 21, (uint8_t[]){DHCP_OPTION_ROUTER, 4}, 2);
	memcpy(at + 23, &w.server, 4);
	at[27] = DHCP_OPTION_END;
	frame_udp(f, w.server, be32_of(0xffffffff), 68, (struct run){bytes, sizeof(bytes)});
	memset(f->byte, 0xff, 6);
	struct udp_header *u = (void *)(f->byte + 34);

	u->src_port = be16_of(67);
	u->checksum.raw = 0;
	return (void *)(u + 1);
}
