// SPDX-License-Identifier: BSD-3-Clause
// A port whose wire is two arrays: what a test puts into rx arrives, what is sent lies in tx as
// the packets themselves (taken out with capture_take, released with capture_clear).
#pragma once

#include <string.h>

#include "pkt/pkt.h"
#include "port/port.h"

#define CAPTURE_PKTS 4096

struct capture_port {
	struct port port;
	struct pkt *rx[CAPTURE_PKTS];
	uint32_t rx_count;
	struct pkt *tx[CAPTURE_PKTS];
	uint32_t tx_count;
	uint32_t tx_room; // packets the device still takes; UINT32_MAX: all
};

static inline uint16_t capture_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct capture_port *c = CONTAINER_OF(port, struct capture_port, port);
	uint32_t n = MIN((uint32_t)count, c->rx_count);

	memcpy(pkts, c->rx, n * sizeof(*pkts));
	c->rx_count -= n;
	memmove(c->rx, c->rx + n, c->rx_count * sizeof(*pkts));
	return (uint16_t)n;
}

static inline uint16_t capture_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct capture_port *c = CONTAINER_OF(port, struct capture_port, port);
	uint32_t room = MIN(CAPTURE_PKTS - c->tx_count, c->tx_room);
	uint32_t n = MIN((uint32_t)count, room);

	memcpy(c->tx + c->tx_count, pkts, n * sizeof(*pkts));
	c->tx_count += n;
	if (c->tx_room != UINT32_MAX)
		c->tx_room -= n;
	return (uint16_t)n;
}

static inline void capture_init(struct capture_port *c, uint16_t index, uint32_t flags)
{
	static const struct port_ops ops = {.rx = capture_rx, .tx = capture_tx};

	memset(c, 0, sizeof(*c));
	c->port.ops = &ops;
	c->port.index = index;
	c->port.flags = flags;
	c->port.mtu_bytes = 1500;
	c->port.tx_segs_max = 8;
	c->port.tso_bytes_max = flags & PORT_TX_TSO ? 65000 : 0;
	memcpy(c->port.mac, (uint8_t[6]){2, 0, 0, 0, 0x10, (uint8_t)index}, 6);
	strcpy(c->port.name, "capture");
	c->tx_room = UINT32_MAX;
}

// A packet of these bytes at the end of the receive queue. False when the pool is empty.
static inline bool capture_put(struct capture_port *c, struct pool *pool, const void *bytes,
			       uint16_t len)
{
	struct pkt *p = pkt_alloc(pool);

	if (!p)
		return false;
	memcpy(pkt_append(p, len), bytes, len);
	c->rx[c->rx_count++] = p;
	return true;
}

// Copies packet number index that was sent into room, all segments; returns its length.
static inline uint32_t capture_read(const struct capture_port *c, uint32_t index, uint8_t *room)
{
	uint32_t len = 0;

	for (const struct pkt *p = c->tx[index]; p; p = pkt_next(p)) {
		memcpy(room + len, pkt_data(p), pkt_seg_len(p));
		len += pkt_seg_len(p);
	}
	ASSERT(len == pkt_len(c->tx[index]));
	return len;
}

static inline void capture_clear(struct capture_port *c)
{
	for (uint32_t i = 0; i < c->tx_count; i++)
		pkt_free(c->tx[i]);
	c->tx_count = 0;
}
