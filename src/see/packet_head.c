// SPDX-License-Identifier: BSD-3-Clause
// Reading a recorded head: ethernet with a tag, ARP, IPv4, IPv6 behind its extension headers,
// ports. Called by why.c, drops.c and prism drops. The data path has floors of its own for this,
// which drop what does not hold together; here as much is read as can be, since what does not hold
// together is just what is asked about. Nothing is believed of lengths: bytes are taken from what
// is left.
#include "see/packet_head.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

// Extension headers that one looks behind. More do not fit into a head.
#define EXTENSIONS_MAX 8

struct bytes {
	const uint8_t *at;
	uint32_t len;
};

// Copies a header and goes behind it; false, and nothing, when it is not all there.
static bool take(struct bytes *b, void *header, uint32_t len)
{
	if (b->len < len)
		return false;
	memcpy(header, b->at, len);
	b->at += len;
	b->len -= len;
	return true;
}

static bool skip(struct bytes *b, uint32_t len)
{
	if (b->len < len)
		return false;
	b->at += len;
	b->len -= len;
	return true;
}

static void read_ports(struct bytes b, struct packet_head *out)
{
	struct bytes whole = b;
	struct tcp_header h;
	be16 ports[2];

	if (out->protocol != IP_TCP && out->protocol != IP_UDP)
		return;
	out->has_ports = take(&b, ports, sizeof(ports));
	if (!out->has_ports)
		return;
	out->src_port = be16_get(ports[0]);
	out->dst_port = be16_get(ports[1]);
	out->has_flags = out->protocol == IP_TCP && take(&whole, &h, sizeof(h));
	if (out->has_flags)
		out->flags = h.flags;
}

static void read_ip4(struct bytes b, struct packet_head *out)
{
	struct ipv4_header h;

	if (!take(&b, &h, sizeof(h)))
		return;
	out->has_addr = true;
	out->src = addr_from_v4(h.src);
	out->dst = addr_from_v4(h.dst);
	out->protocol = h.protocol;
	uint16_t len = ipv4_header_len(&h);

	if ((be16_get(h.fragment) & IPV4_OFFSET_MASK) == 0 && len >= sizeof(h) &&
	    skip(&b, len - (uint32_t)sizeof(h)))
		read_ports(b, out);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IPV6_HOP_BY_HOP || protocol == IPV6_ROUTING ||
	       protocol == IPV6_DESTINATION || protocol == IPV6_FRAGMENT;
}

// Goes behind the extension headers. False when there is no transport header behind them.
static bool skip_extensions(struct bytes *b, uint8_t *protocol)
{
	for (int i = 0; i < EXTENSIONS_MAX && is_extension(*protocol); i++) {
		struct ipv6_extension h;
		struct ipv6_fragment f;
		bool fragment = *protocol == IPV6_FRAGMENT;

		if (fragment ? !take(b, &f, sizeof(f)) : !take(b, &h, sizeof(h)))
			return false;
		*protocol = fragment ? f.next_header : h.next_header;
		if (fragment && be16_get(f.offset) >> 3)
			return false;
		if (!fragment && !skip(b, 8 * (h.words + 1u) - (uint32_t)sizeof(h)))
			return false;
	}
	return true;
}

static void read_ip6(struct bytes b, struct packet_head *out)
{
	struct ipv6_header h;

	if (!take(&b, &h, sizeof(h)))
		return;
	out->has_addr = true;
	out->src = addr_from_bytes(h.src);
	out->dst = addr_from_bytes(h.dst);
	out->protocol = h.next_header;
	if (skip_extensions(&b, &out->protocol))
		read_ports(b, out);
}

static void read_arp(struct bytes b, struct packet_head *out)
{
	struct arp_packet a;

	if (!take(&b, &a, sizeof(a)))
		return;
	out->has_addr = true;
	out->src = addr_from_v4(a.sender);
	out->dst = addr_from_v4(a.target);
}

static void read_frame(struct bytes b, struct packet_head *out)
{
	struct eth_header eth;
	struct vlan_tag tag;

	if (!take(&b, &eth, sizeof(eth)))
		return;
	out->ether_type = be16_get(eth.type);
	if (out->ether_type == ETH_TYPE_VLAN && take(&b, &tag, sizeof(tag))) {
		out->vlan_id = be16_get(tag.tci) & VLAN_ID_MASK;
		out->ether_type = be16_get(tag.type);
	}
	if (out->ether_type == ETH_TYPE_IPV4)
		read_ip4(b, out);
	else if (out->ether_type == ETH_TYPE_IPV6)
		read_ip6(b, out);
	else if (out->ether_type == ETH_TYPE_ARP)
		read_arp(b, out);
}

void packet_head_read(enum verdict_head kind, const uint8_t *bytes, uint32_t len,
		      struct packet_head *out)
{
	struct bytes b = {bytes, len};

	*out = (struct packet_head){0};
	if (kind == VERDICT_HEAD_FRAME)
		read_frame(b, out);
	else if (kind == VERDICT_HEAD_IP && len && bytes[0] >> 4 == 4)
		read_ip4(b, out);
	else if (kind == VERDICT_HEAD_IP && len && bytes[0] >> 4 == 6)
		read_ip6(b, out);
}

const char *packet_head_kind(const struct packet_head *head, char text[PACKET_KIND_BYTES])
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} names[] = {{IP_ICMP, "ICMP"},    {IP_IGMP, "IGMP"},
		     {IP_TCP, "TCP"},      {IP_UDP, "UDP"},
		     {IP_ICMP6, "ICMPv6"}, {IPV6_FRAGMENT, "IPv6 fragment"},
		     {132, "SCTP"},        {IPV6_NO_NEXT, "IPv6 without content"}};

	if (head->ether_type == ETH_TYPE_ARP)
		return "ARP";
	if (!head->has_addr && head->ether_type)
		snprintf(text, PACKET_KIND_BYTES, "ethernet type 0x%04x", head->ether_type);
	else if (!head->has_addr)
		snprintf(text, PACKET_KIND_BYTES, "unreadable");
	else
		snprintf(text, PACKET_KIND_BYTES, "protocol %u", head->protocol);
	for (uint32_t i = 0; head->has_addr && i < ARRAY_COUNT(names); i++)
		if (names[i].protocol == head->protocol)
			return names[i].name;
	return text;
}

const char *packet_head_flags(const struct packet_head *head, char text[PACKET_FLAGS_BYTES])
{
	static const char letters[] = "FSRP.UEW"; // from the lowest bit on, as tcpdump has them
	char *at = text;

	for (uint32_t i = 0; i < 8; i++)
		if (head->flags & 1u << i)
			*at++ = letters[i];
	*at = '\0';
	return text[0] ? text : strcpy(text, "none");
}
