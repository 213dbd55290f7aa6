// SPDX-License-Identifier: BSD-3-Clause
// A learning switch (IEEE 802.1D 7.8, 7.9) between ends of links. Called by world.c before the
// hosts take their turns; hands frames on in no time, since rate, delay and queues are the links'.
// There is no spanning tree: links between switches form none but trees (plan_check.c).
#include "sim/bridge.h"

#include <string.h>

#include "wire/eth.h"

static int station_port(const struct bridge *b, const uint8_t mac[6])
{
	for (uint32_t i = 0; i < b->station_count; i++)
		if (eth_equal(b->station[i].mac, mac))
			return (int)b->station[i].port;
	return -1;
}

static void learn(struct bridge *b, const uint8_t mac[6], uint32_t port)
{
	for (uint32_t i = 0; i < b->station_count; i++) {
		if (!eth_equal(b->station[i].mac, mac))
			continue;
		b->station[i].port = port;
		return;
	}
	if (b->station_count == BRIDGE_STATIONS_MAX || eth_is_group(mac))
		return; // flooded, as a switch whose table is full does
	memcpy(b->station[b->station_count].mac, mac, 6);
	b->station[b->station_count++].port = port;
}

static bool is_apart(const struct bridge *b, const uint8_t src[6], int host)
{
	const struct bridge_hosts *hosts = b->hosts;

	if (host < 0 || !hosts->apart)
		return false;
	for (uint32_t i = 0; i < hosts->count; i++)
		if (eth_equal(hosts->mac[i], src))
			return (hosts->apart >> i & 1) != (hosts->apart >> host & 1);
	return false;
}

static void hand_on(struct bridge *b, uint32_t to, struct pkt *p)
{
	const struct eth_header *eth = pkt_at(p, 0);

	if (is_apart(b, eth->src, b->host[to])) {
		b->parted++;
		return;
	}
	pkt_hold(p);
	if (b->port[to]->ops->tx(b->port[to], &p, 1) == 0)
		pkt_free(p);
}

static void take(struct bridge *b, uint32_t from, struct pkt *p)
{
	const struct eth_header *eth = pkt_at(p, 0);
	int to = eth_is_group(eth->dst) ? -1 : station_port(b, eth->dst);

	learn(b, eth->src, from);
	if (b->look && b->look(b->look_context, from, pkt_data(p), pkt_len(p))) {
		pkt_free(p);
		return;
	}
	for (uint32_t i = 0; i < b->port_count; i++)
		if (i != from && (to < 0 || i == (uint32_t)to))
			hand_on(b, i, p);
	pkt_free(p);
}

bool bridge_turn(struct bridge *b)
{
	bool any = false;
	struct pkt *p;

	for (uint32_t i = 0; i < b->port_count; i++)
		for (; b->port[i]->ops->rx(b->port[i], &p, 1); any = true)
			take(b, i, p);
	return any;
}
