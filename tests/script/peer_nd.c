// SPDX-License-Identifier: BSD-3-Clause
// The peer's part in neighbour discovery, without a word of the script's: its address is answered
// for, and what else the stack says about its link is passed over.
#include <string.h>

#include "script.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

#define PEER_ADDR 2u
#define STACK_ADDR 1u
#define ICMP6_AT (sizeof(struct eth_header) + IPV6_HEADER_BYTES)

struct nd_words {
	uint8_t type;
	uint32_t flags;
	const struct addr *dst, *target;
};

// A message of the peer's, with its station.
static void say(struct script *sc, const uint8_t mac[6], struct nd_words w)
{
	uint8_t frame[ICMP6_AT + sizeof(struct nd_message) + sizeof(struct nd_option_mac)] = {0};
	struct eth_header *eth = (void *)frame;
	struct nd_message *m = (void *)(frame + ICMP6_AT);
	struct nd_option_mac *o = (void *)(m + 1);
	struct addr src = seg_addr(true, PEER_ADDR);
	const uint8_t *ours = pair_port(sc->world->pair, 1)->mac;
	uint16_t len = sizeof(*m) + sizeof(*o);

	memcpy(eth->dst, mac, 6);
	memcpy(eth->src, ours, 6);
	eth->type = be16_of(ETH_TYPE_IPV6);
	ipv6_header_put(eth + 1, &src, w.dst,
			(struct ipv6_header){.version_class_flow = be32_of(6u << 28),
					     .payload_len = be16_of(len),
					     .next_header = SEG_ICMP6,
					     .hop_limit = 255});
	*m = (struct nd_message){.type = w.type, .flags = be32_of(w.flags)};
	memcpy(m->target, w.target, 16);
	*o = (struct nd_option_mac){w.flags ? ND_OPTION_TARGET : ND_OPTION_SOURCE, 1, {0}};
	memcpy(o->mac, ours, 6);
	m->checksum = checksum_finish(checksum_pseudo(&src, w.dst, SEG_ICMP6, len) +
				      checksum_add(0, m, len));
	peer_send_frame(sc, frame, sizeof(frame));
}

bool peer_nd_takes(struct script *sc, const uint8_t *frame, uint32_t len)
{
	const struct nd_message *m = (const void *)(frame + ICMP6_AT);
	struct addr peer = seg_addr(true, PEER_ADDR), stack = seg_addr(true, STACK_ADDR);

	if (!seg_is_ip6(frame) || len < ICMP6_AT + sizeof(struct icmp6_header))
		return false;
	if (seg_protocol(frame) == IPV6_HOP_BY_HOP) // a listener's report
		return true;
	if (seg_protocol(frame) != SEG_ICMP6 || m->type < ICMP6_ROUTER_SOLICITATION)
		return false;
	if (m->type == ICMP6_NEIGHBOUR_SOLICITATION && len >= ICMP6_AT + sizeof(*m) &&
	    memcmp(m->target, &peer, 16) == 0)
		say(sc, frame + 6,
		    (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_SOLICITED | ND_OVERRIDE,
				      &stack, &peer});
	return true;
}

void peer_nd_meet(struct script *sc)
{
	struct addr stack = seg_addr(true, STACK_ADDR), group = ipv6_solicited_node(&stack);
	uint8_t mac[6];

	ipv6_group_mac(&group, mac);
	say(sc, mac, (struct nd_words){ICMP6_NEIGHBOUR_SOLICITATION, 0, &group, &stack});
	peer_settle(sc);
}
