// SPDX-License-Identifier: BSD-3-Clause
// The reader of a DHCP server's messages, alone and fast: any bytes behind an honest beginning, in
// a packet that ends where its memory ends. What it believes must be an address that a host can
// have.
#include <stdlib.h>
#include <string.h>

#include "net/dhcp.h"
#include "net/inside.h"
#include "pkt/pool.h"
#include "wire/udp.h"

#define BYTES_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = {2, 0, 0, 0, 0x10, 0};

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void check_reply(const struct dhcp_reply *r)
{
	uint32_t addr = be32_get(r->lease.addr), mask = route_mask(r->lease.prefix_len);

	check(r->server.raw != 0);
	check(r->type == DHCP_OFFER || r->type == DHCP_ACK || r->type == DHCP_NAK);
	if (r->type == DHCP_NAK)
		return;
	check(r->life_s != 0 && r->lease.prefix_len >= 1 && r->lease.prefix_len <= 32);
	check(addr >> 24 != 0 && addr >> 24 < 224 && addr >> 24 != 127);
	if (r->lease.router.raw)
		check(((be32_get(r->lease.router) ^ addr) & mask) == 0);
}

// At the end of a buffer, the header's beginning as one of ours is answered.
static uint32_t put_message(struct pkt *p, const uint8_t *data, uint32_t len)
{
	uint32_t at = (uint32_t)pkt_tailroom(p) - len;
	uint8_t *bytes = pkt_append(p, pkt_tailroom(p));
	struct dhcp_header *h = (void *)(bytes + at + sizeof(struct udp_header));

	memcpy(bytes + at, data, len);
	if (len < sizeof(struct udp_header) + sizeof(*h))
		return at;
	h->op = DHCP_REPLY_OP;
	h->hardware_len = 6;
	h->xid = be32_of(7);
	h->magic = be32_of(DHCP_MAGIC);
	memcpy(h->mac, mac, sizeof(mac));
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pool *pool;
	const struct dhcp client = {.xid = be32_of(7)};
	uint32_t len = (uint32_t)MIN(size, (size_t)BYTES_MAX);
	struct dhcp_reply reply;

	if (len < sizeof(struct udp_header))
		return 0;
	if (!pool)
		pool = pool_create(&(struct pool_config){"fuzz", 4, 2048, -1});
	struct pkt *p = pkt_alloc(pool);
	struct arrival a = {.l4_offset = (uint16_t)put_message(p, data, len),
			    .l4_len = (uint16_t)len};

	if (dhcp_read(p, &a, &client, mac, &reply) == DROP_OK)
		check_reply(&reply);
	pkt_free(p);
	return 0;
}
