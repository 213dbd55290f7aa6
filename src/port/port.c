// SPDX-License-Identifier: BSD-3-Clause
// The hot path of any port: bursts in, a stage for what goes out. Called by core/worker.c (rx,
// flush) and net/ (tx); calls the implementation's two functions.
//
// A packet staged for transmission leaves at the latest at the end of the turn: there is no timer
// and no minimum batch. What the device refuses is kept in order and offered again next turn.
#include "port/port.h"

uint16_t port_rx(const struct env *env, struct port *port, struct pkt **pkts, uint16_t count)
{
	uint16_t n = port->ops->rx(port, pkts, count);
	uint64_t bytes = 0;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += pkt_len(pkts[i]);
	port->rx_pkts += n;
	port->rx_bytes += bytes;
	counter_add(env, COUNTER_rx_pkts, n);
	counter_add(env, COUNTER_rx_bytes, bytes);
	return n;
}

void port_tx(const struct env *env, struct port *port, struct pkt *p)
{
	if (UNLIKELY(port->stage_count == PORT_STAGE_PKTS)) {
		port_tx_flush(env, port);
		if (port->stage_count == PORT_STAGE_PKTS) {
			pkt_drop(env, p, DROP_TX_RING_FULL);
			return;
		}
	}
	port->stage_bytes += pkt_len(p);
	port->stage[port->stage_count++] = p;
}

// Moves what the device refused to the front of the stage.
static COLD uint64_t keep_refused(struct port *port, uint32_t sent)
{
	uint64_t bytes = 0;

	port->stage_count -= sent;
	for (uint32_t i = 0; i < port->stage_count; i++) {
		port->stage[i] = port->stage[i + sent];
		bytes += pkt_len(port->stage[i]);
	}
	return bytes;
}

// The queued gauge follows the number of packets that stay.
static void set_queued(const struct env *env, struct port *port, uint32_t count)
{
	if (LIKELY(port->queued_count == count))
		return;
	counter_add(env, COUNTER_queued_pkts, (uint64_t)count - port->queued_count);
	port->queued_count = count;
}

void port_tx_flush(const struct env *env, struct port *port)
{
	uint32_t sent = 0;
	uint64_t bytes = port->stage_bytes;

	if (port->stage_count == 0)
		return;
	while (sent < port->stage_count) {
		uint16_t n = port->ops->tx(port, port->stage + sent,
					   (uint16_t)(port->stage_count - sent));

		if (n == 0)
			break;
		sent += n;
	}
	port->stage_bytes = sent == port->stage_count ? 0 : keep_refused(port, sent);
	if (port->stage_bytes == 0)
		port->stage_count = 0;
	set_queued(env, port, port->stage_count);
	bytes -= port->stage_bytes;
	port->tx_pkts += sent;
	port->tx_bytes += bytes;
	counter_add(env, COUNTER_tx_pkts, sent);
	counter_add(env, COUNTER_tx_bytes, bytes);
}

void port_tx_discard(const struct env *env, struct port *port)
{
	for (uint32_t i = 0; i < port->stage_count; i++)
		pkt_drop(env, port->stage[i], DROP_TX_RING_FULL);
	port->stage_count = 0;
	port->stage_bytes = 0;
	set_queued(env, port, 0);
}
