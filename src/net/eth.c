// SPDX-License-Identifier: BSD-3-Clause
// The first step in: whose frame is it, and what is inside. Called by core/stack.c for every
// packet; what it learns begins the arrival record. One VLAN tag is understood: the port's own id,
// or that of another port on the same device, whose the frame is then; or none (and the priority
// tag with id 0, IEEE 802.1Q 9.6).
//
// Deliberately not here: 802.3 length frames, double tags, any state.
#include "net/eth.h"

#include "net/inside.h"
#include "wire/eth.h"

static COLD enum next refuse(struct net *net, struct pkt *p, enum drop reason)
{
	pkt_drop(net->env, p, reason);
	return NEXT_DONE;
}

// A port without an IPv6 address speaks no IPv6.
static enum next other_type(struct net *net, struct pkt *p, uint16_t port_index, uint16_t type)
{
	if (type == ETH_TYPE_ARP)
		return NEXT_ARP;
	if (UNLIKELY(type != ETH_TYPE_IPV6))
		return refuse(net, p, DROP_ETH_TYPE);
	if (UNLIKELY(!net->ip6 || net->ip6->port[port_index].address_count == 0))
		return refuse(net, p, DROP_ETH_IPV6);
	return NEXT_IP6;
}

// The type behind a VLAN tag; the tag's id goes into the record. 0 when the tag is cut off.
static uint16_t read_tag(const struct pkt *p, struct arrival *a)
{
	const struct vlan_tag *tag = pkt_at(p, sizeof(struct eth_header));

	if (pkt_seg_len(p) < ETH_HEADER_BYTES_MAX)
		return 0;
	a->vlan_id = be16_get(tag->tci) & VLAN_ID_MASK;
	a->l3_offset = ETH_HEADER_BYTES_MAX;
	return be16_get(tag->type);
}

// Several ports share a device: the frame is that one's who has its id.
static NOINLINE bool find_vlan(const struct net *net, struct arrival *a)
{
	const struct port *device = net->port[a->port_index].port;

	for (uint16_t i = 0; i < net->port_count; i++) {
		if (net->port[i].port != device || net->port[i].vlan_id != a->vlan_id)
			continue;
		a->port_index = i;
		return true;
	}
	return false;
}

enum next eth_input(struct net *net, uint16_t port_index, struct pkt *p, struct arrival *a)
{
	const struct net_port *np = &net->port[port_index];
	const struct eth_header *h = pkt_at(p, 0);

	if (UNLIKELY(pkt_seg_len(p) < sizeof(*h)))
		return refuse(net, p, DROP_ETH_TRUNCATED);
	uint16_t type = be16_get(h->type);

	a->port_index = port_index;
	a->l3_offset = sizeof(*h);
	a->vlan_id = 0;
	a->flow_hash = 0;
	a->to_group = eth_is_group(h->dst);
	a->was_fragment = false;
	a->has_route = false;
	a->in_run = RUN_NONE;
	a->port_flags = np->port->flags;
	a->l4_checksum = pkt_l4_is_good(p) ? CHECKSUM_GOOD : CHECKSUM_UNKNOWN;
	if (type == ETH_TYPE_VLAN) {
		type = read_tag(p, a);
		if (type == 0)
			return refuse(net, p, DROP_ETH_TRUNCATED);
	}
	if (UNLIKELY(a->vlan_id != np->vlan_id) && !find_vlan(net, a))
		return refuse(net, p, DROP_ETH_VLAN);
	if (UNLIKELY(!a->to_group && !eth_equal(h->dst, np->port->mac)))
		return refuse(net, p, DROP_ETH_NOT_OURS);
	if (LIKELY(type == ETH_TYPE_IPV4))
		return NEXT_IP4;
	return other_type(net, p, a->port_index, type);
}
