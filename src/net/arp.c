// SPDX-License-Identifier: BSD-3-Clause
// ARP (RFC 826) with address defence (RFC 5227). Called by core/stack.c with what arrives; speaks
// to the neighbour table (neighbour.c), which decides when to ask.
//
// It learns only from stations that ask for us and from replies it asked for. Of what others say
// about an address it already knows it takes no word, but asks at once itself (neighbour_doubt).
#include "net/arp.h"

#include "base/time.h"
#include "net/inside.h"
#include "observe/trace.h"
#include "pkt/pool.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define DEFEND_NS (10 * NS_PER_S)  // RFC 5227 1.1: DEFEND_INTERVAL
#define ANNOUNCE_NS (2 * NS_PER_S) // ANNOUNCE_INTERVAL; ANNOUNCE_NUM is 2

// Whoever forges conflicts by the thousand does not fill a ring with them; and often enough that
// another defends in time when the first does not listen, which is seen by the second
// (hands_stuck).
#define TELL_NS NS_PER_S

// Ethernet header and tag in front of an ARP packet.
static void send_frame(struct net *net, uint16_t port_index, struct pkt *p, const uint8_t dst[6])
{
	const struct net_port *np = &net->port[port_index];
	struct eth_header *h = pkt_prepend(p, np->l2_len);

	memcpy(h->dst, dst, 6);
	memcpy(h->src, np->port->mac, 6);
	h->type = be16_of(np->vlan_id ? ETH_TYPE_VLAN : ETH_TYPE_ARP);
	if (np->vlan_id) {
		struct vlan_tag *tag = (void *)(h + 1);

		*tag = (struct vlan_tag){be16_of(np->vlan_id), be16_of(ETH_TYPE_ARP)};
	}
	counter_add(net->env, COUNTER_originated_pkts, 1);
	port_tx(net->env, np->port, p);
}

// Asks for target in the name of sender, which may be the same (an announcement).
static void ask(struct net *net, uint16_t port_index, be32 sender, be32 target,
		const uint8_t mac[6])
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct pkt *p = net_alloc(net, POOL_CTRL);

	if (!p)
		return;
	struct arp_packet *a = pkt_append(p, sizeof(*a));

	*a = (struct arp_packet){
		.hardware = be16_of(ARP_HARDWARE_ETHERNET),
		.protocol = be16_of(ETH_TYPE_IPV4),
		.hardware_len = 6,
		.protocol_len = 4,
		.operation = be16_of(ARP_REQUEST),
		.sender = sender,
		.target = target,
	};
	memcpy(a->sender_mac, net->port[port_index].port->mac, 6);
	send_frame(net, port_index, p, mac ? mac : everybody);
}

void arp_request(struct net *net, uint16_t port_index, be32 target, const uint8_t mac[6])
{
	const struct net_address *own = net_address_for(net, port_index, target);

	if (own)
		ask(net, port_index, own->addr, target, mac);
}

void arp_probe(struct net *net, uint16_t port_index, be32 target)
{
	ask(net, port_index, (be32){0}, target, NULL);
}

static void announce_all(struct net *net)
{
	for (uint16_t i = 0; i < net->port_count; i++)
		for (uint32_t k = 0; k < net->port[i].address_count; k++)
			ask(net, i, net->port[i].address[k].addr, net->port[i].address[k].addr,
			    NULL);
}

void net_announce(struct net *net)
{
	announce_all(net);
	wheel_arm(net->wheel, &net->announce_timer, net->env->now_ns + ANNOUNCE_NS);
}

void arp_announce_again(struct net *net)
{
	announce_all(net);
}

static bool well_formed(const struct pkt *p, const struct arrival *arrival,
			const struct arp_packet *a)
{
	return pkt_seg_len(p) >= arrival->l3_offset + sizeof(*a) &&
	       be16_get(a->hardware) == ARP_HARDWARE_ETHERNET &&
	       be16_get(a->protocol) == ETH_TYPE_IPV4 && a->hardware_len == 6 &&
	       a->protocol_len == 4 && !eth_is_group(a->sender_mac) &&
	       !ipv4_is_multicast(a->sender) && // RFC 1812 3.3.2, whose address nobody has
	       (be16_get(a->operation) == ARP_REQUEST || be16_get(a->operation) == ARP_REPLY);
}

// The first worker who takes what is given to him defends for all, or all together would do it more
// often than one may. Who was passed by defends once more when he goes on, by what he finds in his
// rings: that is one announcement for each time that a worker stands still, and no loop.
static uint32_t defender(const struct env *env)
{
	uint32_t worker = env->hands ? 0 : env->worker_index;

	while (worker < env->worker_index && hands_stuck(env, worker))
		worker++;
	return worker;
}

static struct net_address *own_address(struct net *net, be32 addr)
{
	for (uint32_t i = 0; i < net->port_count; i++)
		for (uint32_t k = 0; k < net->port[i].address_count; k++)
			if (net->port[i].address[k].addr.raw == addr.raw)
				return &net->port[i].address[k];
	return NULL;
}

// RFC 5227 2.4 (c): the address is kept, and defended with one announcement in DEFEND_INTERVAL,
// whatever happens to other addresses of ours.
static COLD void conflict(struct net *net, struct pkt *p, const struct arrival *arrival)
{
	be32 addr = ((const struct arp_packet *)pkt_at(p, arrival->l3_offset))->sender;
	struct net_address *own = own_address(net, addr);
	uint32_t us = net->env->worker_index;
	bool was_told = net->env->now_ns < own->tell_next_ns; // who asks must give (hands_stuck)
	uint32_t to = was_told ? us : defender(net->env);

	if (to != us) {
		own->tell_next_ns = net->env->now_ns + TELL_NS;
		net_hand(net, p, arrival, to);
		return;
	}
	trace_add(net->env, EVENT_ARP_CONFLICT, arrival->port_index, be32_get(addr), 0);
	pkt_drop(net->env, p, DROP_ARP_CONFLICT);
	if (was_told || net->env->now_ns < own->defend_next_ns)
		return;
	own->defend_next_ns = net->env->now_ns + DEFEND_NS;
	ask(net, arrival->port_index, addr, addr, NULL);
}

// The request itself turns round: no buffer is needed to answer.
static void reply(struct net *net, struct pkt *p, const struct arrival *arrival)
{
	uint16_t port_index = arrival->port_index;

	counter_add(net->env, COUNTER_consumed_pkts, 1);
	pkt_strip(p, arrival->l3_offset);
	pkt_truncate(p, sizeof(struct arp_packet));
	struct arp_packet *a = pkt_at(p, 0);
	be32 asked = a->target;
	uint8_t asker[6];

	memcpy(asker, a->sender_mac, 6);
	a->operation = be16_of(ARP_REPLY);
	memcpy(a->target_mac, asker, 6);
	memcpy(a->sender_mac, net->port[port_index].port->mac, 6);
	a->target = a->sender;
	a->sender = asked;
	send_frame(net, port_index, p, asker);
}

// A request for us is answered here, so what it says of its sender goes round as a packet of its
// own. While such are short the others find out by themselves: whoever asks in many names cannot
// have them all lie before a worker who takes none.
static COLD void tell_others(struct net *net, const struct pkt *p, const struct arrival *arrival)
{
	uint16_t len = (uint16_t)(arrival->l3_offset + sizeof(struct arp_packet));
	const struct pool *pool = net->env->pool[POOL_CTRL];
	struct pkt *news;

	if (!net->env->hands || pool_available(pool) <= pool_capacity(pool) / 2)
		return;
	news = net_alloc(net, POOL_CTRL);
	if (!news)
		return;
	memcpy(pkt_append(news, len), pkt_data(p), len);
	counter_add(net->env, COUNTER_originated_pkts, 1);
	round_send(net, news,
		   mesh_word(HANDED_ARP_USED, arrival->port_index, net->env->worker_index),
		   DROP_OK);
}

static void request_for_us(struct net *net, struct pkt *p, const struct arrival *arrival)
{
	const struct arp_packet *a = pkt_at(p, arrival->l3_offset);
	uint16_t port_index = arrival->port_index;

	// RFC 5227 2.1.1: a probe comes from 0.0.0.0; answering it is the defence, and nothing is
	// to be learnt.
	if (a->sender.raw != 0) {
		const struct addr sender = addr_from_v4(a->sender);
		uint32_t index = neighbour_get(net, port_index, &sender);
		struct neighbour *n = &net->neighbours.slot[index];

		if (n->state != NEIGHBOUR_REACHABLE || !eth_equal(n->header, a->sender_mac))
			tell_others(net, p, arrival);
		neighbour_confirm(net, n, a->sender_mac);
	}
	reply(net, p, arrival);
}

// About somebody else's address, or ours to nobody in particular.
static enum drop overheard(struct net *net, const struct arp_packet *a, uint16_t port_index)
{
	const struct addr sender = addr_from_v4(a->sender);
	struct neighbour *n = neighbour_find(net, port_index, &sender);

	if (n && !eth_equal(n->header, a->sender_mac))
		neighbour_doubt(net, n);
	return DROP_ARP_NOT_OURS;
}

static enum drop answer(struct net *net, const struct arp_packet *a, uint16_t port_index)
{
	const struct addr sender = addr_from_v4(a->sender);
	struct neighbour *n = neighbour_find(net, port_index, &sender);

	if (!n || !(n->state & (NEIGHBOUR_PENDING | NEIGHBOUR_PROBING)))
		return DROP_ARP_UNASKED;
	neighbour_confirm(net, n, a->sender_mac);
	return DROP_OK;
}

// Of any port: two may be on one link.
static bool is_our_mac(const struct net *net, const uint8_t mac[6])
{
	for (uint32_t i = 0; i < net->port_count; i++)
		if (eth_equal(mac, net->port[i].port->mac))
			return true;
	return false;
}

// Who asks for one must hear who has it, whichever worker receives that.
static bool has_no_address_yet(const struct net *net, uint16_t port_index)
{
	return net->port[port_index].has_dhcp && net->port[port_index].lease.addr.raw == 0;
}

static enum drop judge(struct net *net, const struct pkt *p, const struct arrival *arrival)
{
	const struct arp_packet *a = pkt_at(p, arrival->l3_offset);
	uint16_t port_index = arrival->port_index;

	if (!well_formed(p, arrival, a))
		return DROP_ARP_MALFORMED;
	if (UNLIKELY(net->dhcp) && !is_our_mac(net, a->sender_mac))
		dhcp_heard(net, port_index, a->sender.raw ? a->sender : a->target);
	if (a->sender.raw != 0 && net_is_ours(net, a->sender))
		return is_our_mac(net, a->sender_mac) ? DROP_ARP_NOT_OURS // our own, come back
						      : DROP_ARP_CONFLICT;
	if (a->sender.raw != 0 && !net_on_link(net, port_index, a->sender))
		return has_no_address_yet(net, port_index) ? DROP_ARP_NOT_OURS : DROP_ARP_OFF_LINK;
	if (!net_is_ours(net, a->target))
		return overheard(net, a, port_index);
	return be16_get(a->operation) == ARP_REPLY ? answer(net, a, port_index) : DROP_OK;
}

static bool is_request_for_us(const struct pkt *p, const struct arrival *arrival, enum drop reason)
{
	const struct arp_packet *a = pkt_at(p, arrival->l3_offset);

	return reason == DROP_OK && be16_get(a->operation) == ARP_REQUEST;
}

void arp_input(struct net *net, struct pkt *p, struct arrival *arrival)
{
	enum drop reason = judge(net, p, arrival);
	bool news = reason == DROP_OK || reason == DROP_ARP_UNASKED || reason == DROP_ARP_NOT_OURS;
	enum handed what = reason == DROP_OK ? HANDED_ARP_USED : HANDED_ARP;

	if (is_request_for_us(p, arrival, reason))
		request_for_us(net, p, arrival);
	else if (reason == DROP_ARP_CONFLICT)
		conflict(net, p, arrival);
	else if (!news)
		pkt_drop(net->env, p, reason);
	else
		round_send(net, p, mesh_word(what, arrival->port_index, net->env->worker_index),
			   reason);
}

void arp_hear(struct net *net, struct pkt *p, struct arrival *arrival, uint16_t word)
{
	const struct arp_packet *a = pkt_at(p, arrival->l3_offset);
	enum drop reason = judge(net, p, arrival);
	bool used = reason == DROP_OK || mesh_what(word) == HANDED_ARP_USED;

	if (is_request_for_us(p, arrival, reason)) {
		const struct addr sender = addr_from_v4(a->sender);
		uint32_t index = neighbour_get(net, arrival->port_index, &sender);

		// Also who does not know him yet: he will write to all of us.
		neighbour_confirm(net, &net->neighbours.slot[index], a->sender_mac);
	}
	round_send(net, p,
		   mesh_word(used ? HANDED_ARP_USED : HANDED_ARP, arrival->port_index,
			     mesh_from(word)),
		   reason);
}
