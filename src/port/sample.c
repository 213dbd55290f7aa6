// SPDX-License-Identifier: BSD-3-Clause
// See sample.h. Called by port/port.c for bursts with a packet to be drawn in them, and for all
// while there is a capture; calls pkt/record.c and pkt/taping.c. Which ones are drawn follows from
// how many were before: no state but two counts a port, and the same run draws the same.
#include "port/sample.h"

#include "base/hash.h"
#include "pkt/record.h"
#include "pkt/taping.h"

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

// Packets before the next to be drawn. While all are captured the port's count stays at none.
static uint32_t left_of(const struct env *env, uint32_t until, uint32_t next)
{
	return env->tapings ? next : until;
}

static void set_left(const struct env *env, uint32_t left, uint32_t *until, uint32_t *next)
{
	*next = left;
	*until = env->tapings ? 0 : left;
}

static void taping_received(const struct env *env, const struct port *port, struct pkt *const *pkts,
			    uint32_t count)
{
	for (uint32_t i = 0; i < count && !(port->flags & PORT_RELAY); i++)
		tape_frame(env, pkts[i], TAPE_CAME, port->index);
}

WARM void sample_received(const struct env *env, struct port *port, struct pkt *const *pkts,
			  uint32_t count)
{
	uint32_t at = left_of(env, port->rx_until, port->rx_next);

	if (tape_wants(env, TAPE_CAME))
		taping_received(env, port, pkts, count);
	if (!is_drawn(env, port))
		at = NOT_SOON;
	for (; at < count; at += distance(env, port, port->rx_pkts + at))
		record_sample(env, pkts[at], VERDICT_CAME, port->index);
	set_left(env, at - count, &port->rx_until, &port->rx_next);
}

// The packet at this place of those staged last.
static struct pkt *staged(const struct port *port, uint32_t place, uint32_t count)
{
	uint32_t first = port->stage_first + port->stage_count - count;

	return port->stage[(first + place) % PORT_STAGE_PKTS];
}

WARM void sample_staged(const struct env *env, struct port *port, uint32_t count)
{
	uint32_t at = left_of(env, port->tx_until, port->tx_next);

	for (uint32_t i = 0; i < count && tape_wants(env, TAPE_LEFT); i++)
		if (!(port->flags & PORT_RELAY))
			tape_frame(env, staged(port, i, count), TAPE_LEFT, port->index);
	if (!is_drawn(env, port))
		at = NOT_SOON;
	for (; at < count; at += distance(env, port, ~(port->tx_pkts + at)))
		record_sample(env, staged(port, at, count), VERDICT_LEFT, port->index);
	set_left(env, at - count, &port->tx_until, &port->tx_next);
}

void sample_again(struct port *port)
{
	port->rx_until = port->tx_until = 0;
	port->rx_next = port->tx_next = 0;
}
