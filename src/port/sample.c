// SPDX-License-Identifier: BSD-3-Clause
// See sample.h. Called by port/port.c for bursts with a packet to be drawn in them, calls
// pkt/record.c. Which ones are drawn follows from how many were before: no state but two counts a
// port, and the same run draws the same.
#include "port/sample.h"

#include "base/hash.h"
#include "pkt/record.h"

// Nothing is drawn, and asked again after so many.
#define NOT_SOON (UINT32_MAX / 2)

// From one drawn packet to the next: 1 to 2 one_in - 1, in the mean one_in.
static uint32_t distance(const struct env *env, const struct port *port, uint64_t before)
{
	uint64_t who = (uint64_t)env->worker_index << 16 | port->index;
	uint64_t mixed = hash_fold(before ^ 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u);
	uint64_t random = hash_fold(mixed ^ who, 0x94d049bb133111ebu);

	return 1 + (uint32_t)((random >> 32) * (2 * (uint64_t)env->sample_one_in - 1) >> 32);
}

static bool is_drawn(const struct env *env, const struct port *port)
{
	return env->sample_one_in && env->samples && !(port->flags & PORT_RELAY);
}

COLD void sample_received(const struct env *env, struct port *port, struct pkt *const *pkts,
			  uint32_t count)
{
	uint32_t at = port->rx_until;

	if (!is_drawn(env, port)) {
		port->rx_until = NOT_SOON;
		return;
	}
	for (; at < count; at += distance(env, port, port->rx_pkts + at))
		record_sample(env, pkts[at], VERDICT_CAME, port->index);
	port->rx_until = at - count;
}

COLD void sample_staged(const struct env *env, struct port *port, uint32_t count)
{
	uint32_t first = port->stage_first + port->stage_count - count, at = port->tx_until;

	if (!is_drawn(env, port)) {
		port->tx_until = NOT_SOON;
		return;
	}
	for (; at < count; at += distance(env, port, ~(port->tx_pkts + at)))
		record_sample(env, port->stage[(first + at) % PORT_STAGE_PKTS], VERDICT_LEFT,
			      port->index);
	port->tx_until = at - count;
}

void sample_again(struct port *port)
{
	port->rx_until = port->tx_until = 0;
}
