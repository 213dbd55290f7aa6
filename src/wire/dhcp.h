// SPDX-License-Identifier: BSD-3-Clause
// DHCP for IPv4 (RFC 2131 2, RFC 2132).
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

struct dhcp_header {
	uint8_t op; // 1: from a client, 2: from a server
	uint8_t hardware;
	uint8_t hardware_len;
	uint8_t hops;
	be32 xid;
	be16 seconds;
	be16 flags;
	be32 client; // the address that the client has and answers at
	be32 yours;  // that he is to have
	be32 next_server;
	be32 relay;
	uint8_t mac[16];
	uint8_t server_name[64]; // or more options (RFC 2132 9.3)
	uint8_t file[128];       // likewise
	be32 magic;              // options follow
} PACKED;

static_assert(sizeof(struct dhcp_header) == 240, "as on the wire");

#define DHCP_REQUEST_OP 1
#define DHCP_REPLY_OP 2
#define DHCP_ETHERNET 1
#define DHCP_BROADCAST 0x8000 // the answer is to come to everybody: we have no address
#define DHCP_MAGIC UINT32_C(0x63825363)

// Shorter messages are padded: relays may drop them (RFC 1542 2.1).
#define DHCP_BYTES_MIN 300

enum dhcp_option {
	DHCP_OPTION_PAD = 0,
	DHCP_OPTION_MASK = 1,
	DHCP_OPTION_ROUTER = 3,
	DHCP_OPTION_WANTED = 50, // the address asked for
	DHCP_OPTION_LEASE = 51,
	DHCP_OPTION_OVERLOAD = 52, // 1: file has options, 2: server_name, 3: both
	DHCP_OPTION_TYPE = 53,
	DHCP_OPTION_SERVER = 54,
	DHCP_OPTION_PARAMETERS = 55, // what the client wants to know
	DHCP_OPTION_RENEWAL = 58,
	DHCP_OPTION_REBINDING = 59,
	DHCP_OPTION_CLIENT = 61,
	DHCP_OPTION_END = 255,
};

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
};

#define DHCP_FOREVER_S UINT32_MAX
