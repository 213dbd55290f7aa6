// SPDX-License-Identifier: BSD-3-Clause
// The hot path of any port: bursts in, a stage for what goes out. Called by core/worker.c (rx,
// flush) and net/ (tx); calls the implementation's two functions.
//
// A packet staged for transmission leaves at the latest at the end of the turn: there is no timer
// and no minimum batch. What the device refuses is kept in order and offered again by the next
// flush.
#include "port/port.h"

#include "port/sample.h"

// A full burst behind one that was not is of many who may all be waiting: for them the first
// answers leave early. One behind another is of a worker who is behind with his work.
static inline void plan_early(struct port *port, bool is_full)
{
	bool leaves_early = port->flags & PORT_TX_CHEAP && is_full && !port->was_full;

	port->was_full = is_full;
	port->stage_less = leaves_early ? PORT_STAGE_PKTS - PORT_EARLY_PKTS : 0;
}

uint16_t port_rx(const struct env *env, struct port *port, struct pkt **pkts, uint16_t count)
{
	uint16_t n = port->ops->rx(port, pkts, count);
	uint64_t origin, bytes = 0;

	plan_early(port, n == count);
	if (n == 0)
		return 0;
	origin = pkt_origin_base((uint32_t)port->rx_pkts + 1, env->worker_index, port->index);
	for (uint16_t i = 0; i < n; i++, origin += PKT_ORIGIN_NEXT) {
		pkt_set_origin(pkts[i], origin);
		bytes += pkt_len(pkts[i]);
	}
	if (UNLIKELY(port->rx_until < n))
		sample_received(env, port, pkts, n);
	else
		port->rx_until -= n;
	port->rx_pkts += n;
	port->rx_bytes += bytes;
	counter_add(env, COUNTER_rx_pkts, n);
	counter_add(env, COUNTER_rx_bytes, bytes);
	return n;
}

// False when the stage stays full. A device that did not take all is not asked again before that.
static NOINLINE bool send_early(const struct env *env, struct port *port)
{
	port->early_pkts += port_tx_staged(env, port);
	if (UNLIKELY(port->stage_count))
		port->stage_less = 0;
	return port->stage_count < PORT_STAGE_PKTS;
}

void port_tx(const struct env *env, struct port *port, struct pkt *p)
{
	if (UNLIKELY(port->stage_count + port->stage_less >= PORT_STAGE_PKTS) &&
	    !send_early(env, port)) {
		pkt_drop_frame(env, p, DROP_TX_RING_FULL);
		return;
	}
	uint32_t last = (port->stage_first + port->stage_count++) % PORT_STAGE_PKTS;

	port->stage[last] = p;
	port->stage_bytes[last] = pkt_len(p);
}

// The queued gauge follows the number of packets that stay.
static void set_queued(const struct env *env, struct port *port, uint32_t count)
{
	if (LIKELY(port->queued_count == count))
		return;
	counter_add(env, COUNTER_queued_pkts, (uint64_t)count - port->queued_count);
	port->queued_count = count;
}

// Offers the staged packets that lie together in the ring. Returns how many the device took.
static uint32_t offer(struct port *port)
{
	uint32_t first = port->stage_first;
	uint32_t together = MIN(port->stage_count, PORT_STAGE_PKTS - first);
	uint16_t sent = port->ops->tx(port, port->stage + first, (uint16_t)together);

	for (uint32_t i = 0; i < sent; i++)
		port->tx_bytes += port->stage_bytes[first + i];
	port->stage_first = (first + sent) % PORT_STAGE_PKTS;
	port->stage_count -= sent;
	return sent;
}

uint32_t port_tx_staged(const struct env *env, struct port *port)
{
	uint64_t bytes = port->tx_bytes;
	uint32_t sent = 0, n, fresh = port->stage_count - port->queued_count;

	DCHECK(fresh <= port->stage_count);
	if (UNLIKELY(port->tx_until < fresh))
		sample_staged(env, port, fresh);
	else
		port->tx_until -= fresh;
	do {
		n = offer(port);
		sent += n;
	} while (n && port->stage_count);
	set_queued(env, port, port->stage_count);
	if (UNLIKELY(port->flags & PORT_RELAY)) { // who has the queue counts them as sent
		counter_add(env, COUNTER_handed_out_pkts, sent);
		return sent;
	}
	port->tx_pkts += sent;
	counter_add(env, COUNTER_tx_pkts, sent);
	counter_add(env, COUNTER_tx_bytes, port->tx_bytes - bytes);
	return sent;
}

void port_tx_discard(const struct env *env, struct port *port)
{
	for (; port->stage_count; port->stage_count--) {
		pkt_drop_frame(env, port->stage[port->stage_first], DROP_TX_RING_FULL);
		port->stage_first = (port->stage_first + 1) % PORT_STAGE_PKTS;
	}
	set_queued(env, port, 0);
}
