// SPDX-License-Identifier: BSD-3-Clause
// Forged frames, see forge.h. Called by flood.c. Senders beyond the link are of 10.0.0.0/8 and
// 2001:db8:6666::/64, which answers reach by way of a gateway; on the link they share the first 16
// bits with an IPv4 address, and the first 64 with one of IPv6.
#include "forge.h"

#include <string.h>

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define FRAGMENT_BYTES 512

// A frame while it is written.
struct draft {
	struct forge *forge;
	uint8_t *frame;
	uint32_t len;
	struct addr src, dst;
};

static uint32_t number(struct forge *f)
{
	return (uint32_t)rng_next(&f->rng);
}

static uint16_t port(struct forge *f)
{
	return (uint16_t)(1024 + rng_below(&f->rng, 64000));
}

static void add(struct draft *d, const void *bytes, size_t len)
{
	memcpy(d->frame + d->len, bytes, len);
	d->len += (uint32_t)len;
}

// Each sender has a station of its own: its address's last bytes.
static void ethernet(struct draft *d, const uint8_t dst[6], uint16_t type)
{
	struct eth_header h = {.type = be16_of(type)};

	memcpy(h.dst, dst, 6);
	h.src[0] = 2;
	memcpy(h.src + 1, d->src.byte + 11, 5);
	add(d, &h, sizeof(h));
}

static struct draft begin(struct forge *f, uint8_t *frame, struct addr src, const struct addr *dst)
{
	return (struct draft){.forge = f, .frame = frame, .src = src, .dst = *dst};
}

static struct addr far_away(struct forge *f)
{
	struct addr a = {.half = {0, rng_next(&f->rng)}};

	if (addr_is_v4(&f->to))
		return addr_from_v4(be32_of(10u << 24 | (number(f) & 0xffffff)));
	memcpy(a.byte, "\x20\x01\x0d\xb8\x66\x66", 6);
	return a;
}

static struct addr nearby(struct forge *f)
{
	struct addr a = f->to;

	if (!addr_is_v4(&f->to)) {
		a.half[1] = rng_next(&f->rng);
		return a;
	}
	return addr_from_v4(be32_of((be32_get(addr_to_v4(&f->to)) & 0xffff0000) |
				    (uint32_t)(256 + rng_below(&f->rng, 65000))));
}

static void ip4(struct draft *d, uint8_t protocol, uint32_t payload_len, uint16_t fragment)
{
	struct ipv4_header h = {
		.version_ihl = IPV4_VERSION_IHL,
		.total_len = be16_of((uint16_t)(sizeof(h) + payload_len)),
		.id = be16_of((uint16_t)number(d->forge)),
		.fragment = be16_of(fragment),
		.ttl = 64,
		.protocol = protocol,
		.src = addr_to_v4(&d->src),
		.dst = addr_to_v4(&d->dst),
	};

	ethernet(d, d->forge->dst_mac, ETH_TYPE_IPV4);
	h.checksum = checksum_finish(checksum_header20(&h));
	add(d, &h, sizeof(h));
}

static void ip6(struct draft *d, uint8_t next, uint32_t payload_len, uint8_t hop_limit)
{
	struct ipv6_header h = {
		.version_class_flow = be32_of(6u << 28),
		.payload_len = be16_of((uint16_t)payload_len),
		.next_header = next,
		.hop_limit = hop_limit,
	};
	uint8_t group[6];

	ipv6_group_mac(&d->dst, group);
	ethernet(d, ipv6_is_multicast(&d->dst) ? group : d->forge->dst_mac, ETH_TYPE_IPV6);
	memcpy(h.src, d->src.byte, 16);
	memcpy(h.dst, d->dst.byte, 16);
	add(d, &h, sizeof(h));
}

static void ip(struct draft *d, uint8_t protocol, uint32_t payload_len)
{
	if (addr_is_v4(&d->dst))
		ip4(d, protocol, payload_len, 0);
	else
		ip6(d, protocol, payload_len, 64);
}

// A payload whose checksum, which is 0 so far, covers addresses too.
static void add_summed(struct draft *d, uint8_t protocol, uint8_t *payload, uint32_t len,
		       uint32_t checksum_at)
{
	uint32_t sum = checksum_pseudo(&d->src, &d->dst, protocol, len);
	be16 checksum = checksum_finish(checksum_add(sum, payload, len));

	memcpy(payload + checksum_at, &checksum, sizeof(checksum));
	add(d, payload, len);
}

static uint32_t tcp(struct forge *f, uint8_t *frame, uint8_t flags, const char *options,
		    uint32_t options_len)
{
	struct draft d = begin(f, frame, far_away(f), &f->to);
	uint8_t segment[TCP_HEADER_BYTES_MAX];
	struct tcp_header h = {
		.src_port = be16_of(port(f)),
		.dst_port = be16_of(f->port),
		.seq = be32_of(number(f)),
		.ack = be32_of(flags & TCP_ACK ? number(f) : 0),
		.data_offset = (uint8_t)((TCP_HEADER_BYTES + options_len) / 4 << 4),
		.flags = flags,
		.window = be16_of(65535),
	};

	memcpy(segment, &h, sizeof(h));
	memcpy(segment + sizeof(h), options, options_len);
	ip(&d, IP_TCP, TCP_HEADER_BYTES + options_len);
	add_summed(&d, IP_TCP, segment, TCP_HEADER_BYTES + options_len, TCP_CHECKSUM_OFFSET);
	return d.len;
}

static uint32_t syn(struct forge *f, uint8_t *frame)
{
	static const char options[] = "\2\4\5\xb4\4\2\x8\xa\1\2\3\4\0\0\0\0\1\3\3\7";

	return tcp(f, frame, TCP_SYN, options, sizeof(options) - 1);
}

static uint32_t rst(struct forge *f, uint8_t *frame)
{
	return tcp(f, frame, TCP_RST, "", 0);
}

static uint32_t fin(struct forge *f, uint8_t *frame)
{
	return tcp(f, frame, TCP_FIN | TCP_ACK, "", 0);
}

static uint32_t ack(struct forge *f, uint8_t *frame)
{
	return tcp(f, frame, TCP_ACK, "", 0);
}

static uint32_t udp(struct forge *f, uint8_t *frame)
{
	struct draft d = begin(f, frame, far_away(f), &f->to);
	uint8_t datagram[sizeof(struct udp_header) + 64] = {0};
	struct udp_header h = {be16_of(port(f)), be16_of(port(f)), be16_of(sizeof(datagram)), {0}};

	memcpy(datagram, &h, sizeof(h));
	ip(&d, IP_UDP, sizeof(datagram));
	add_summed(&d, IP_UDP, datagram, sizeof(datagram), UDP_CHECKSUM_OFFSET);
	return d.len;
}

// First fragments of datagrams that never come whole.
static uint32_t fragment(struct forge *f, uint8_t *frame)
{
	struct draft d = begin(f, frame, far_away(f), &f->to);
	static const uint8_t text[FRAGMENT_BYTES];

	ip4(&d, IP_UDP, sizeof(text), IPV4_MF);
	add(&d, text, sizeof(text));
	return d.len;
}

static uint32_t fragment6(struct forge *f, uint8_t *frame)
{
	struct draft d = begin(f, frame, far_away(f), &f->to);
	static const uint8_t text[FRAGMENT_BYTES];
	struct ipv6_fragment h = {
		.next_header = IP_UDP,
		.offset = be16_of(IPV6_FRAGMENT_MORE),
		.id = be32_of(number(f)),
	};

	ip6(&d, IPV6_FRAGMENT, sizeof(h) + sizeof(text), 64);
	add(&d, &h, sizeof(h));
	add(&d, text, sizeof(text));
	return d.len;
}

// The packet of ours that an error is said to be about: one of its TCP port to somebody.
static void quote(struct draft *d, struct forge *f)
{
	struct addr somebody = far_away(f);
	struct tcp_header h = {.src_port = be16_of(f->port),
			       .dst_port = be16_of(port(f)),
			       .seq = be32_of(number(f)),
			       .data_offset = TCP_HEADER_BYTES / 4 << 4,
			       .flags = TCP_ACK};
	struct draft q = begin(f, d->frame + d->len, f->to, &somebody);

	ip(&q, IP_TCP, sizeof(h));
	add(&q, &h, sizeof(h));
	// What was written has an Ethernet header that no quotation has.
	q.len -= (uint32_t)sizeof(struct eth_header);
	memmove(q.frame, q.frame + sizeof(struct eth_header), q.len);
	d->len += q.len;
}

// "Fragmentation needed", to make segments tiny. Written from its end: the quotation is summed.
static uint32_t too_big(struct forge *f, uint8_t *frame)
{
	bool is_v4 = addr_is_v4(&f->to);
	struct draft d = begin(f, frame, far_away(f), &f->to), q = d;
	uint8_t message[128] = {0};
	struct icmp_header h = {.type = ICMP_UNREACHABLE,
				.code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED,
				.next_hop = {{0}, be16_of(296)}};
	struct icmp6_header h6 = {.type = ICMP6_TOO_BIG, .rest = be32_of(296)};

	q.frame = message;
	if (is_v4)
		add(&q, &h, sizeof(h));
	else
		add(&q, &h6, sizeof(h6));
	quote(&q, f);
	if (is_v4) {
		h.checksum = checksum_finish(checksum_add(0, message, q.len));
		memcpy(message, &h, sizeof(h));
		ip4(&d, IP_ICMP, q.len, 0);
		add(&d, message, q.len);
	} else {
		ip6(&d, IP_ICMP6, q.len, 64);
		add_summed(&d, IP_ICMP6, message, q.len, ICMP6_CHECKSUM_OFFSET);
	}
	return d.len;
}

static uint32_t arp(struct forge *f, uint8_t *frame)
{
	static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
	struct draft d = begin(f, frame, nearby(f), &f->to);
	struct arp_packet h = {
		.hardware = be16_of(ARP_HARDWARE_ETHERNET),
		.protocol = be16_of(ETH_TYPE_IPV4),
		.hardware_len = 6,
		.protocol_len = 4,
		.operation = be16_of(ARP_REQUEST),
		.sender = addr_to_v4(&d.src),
		.target = addr_to_v4(&f->to),
	};

	ethernet(&d, everybody, ETH_TYPE_ARP);
	memcpy(h.sender_mac, frame + 6, 6);
	add(&d, &h, sizeof(h));
	return d.len;
}

// An ND message with the sender's station as an option.
static void add_nd(struct draft *d, const void *head, uint32_t head_len, const void *more,
		   uint32_t more_len)
{
	struct nd_option_mac mac = {.type = ND_OPTION_SOURCE, .words = 1};
	uint32_t len = head_len + (uint32_t)sizeof(mac) + more_len;
	uint8_t message[128];

	ip6(d, IP_ICMP6, len, 255);
	memcpy(mac.mac, d->frame + 6, 6);
	memcpy(message, head, head_len);
	memcpy(message + head_len, &mac, sizeof(mac));
	memcpy(message + head_len + sizeof(mac), more, more_len);
	add_summed(d, IP_ICMP6, message, len, ICMP6_CHECKSUM_OFFSET);
}

static uint32_t solicitation(struct forge *f, uint8_t *frame)
{
	struct addr group = ipv6_solicited_node(&f->to);
	struct draft d = begin(f, frame, nearby(f), &group);
	struct nd_message h = {.type = ICMP6_NEIGHBOUR_SOLICITATION};

	memcpy(h.target, f->to.byte, 16);
	add_nd(&d, &h, sizeof(h), NULL, 0);
	return d.len;
}

// Each of another router, with a prefix of its own.
static uint32_t advertisement(struct forge *f, uint8_t *frame)
{
	struct addr group = IPV6_ALL_NODES;
	struct addr router = {.half = {0, rng_next(&f->rng)}};
	struct nd_advertisement h = {
		.type = ICMP6_ROUTER_ADVERTISEMENT, .hop_limit = 64, .lifetime_s = be16_of(1800)};
	struct nd_option_prefix prefix = {.type = ND_OPTION_PREFIX,
					  .words = 4,
					  .len = 64,
					  .flags = ND_PREFIX_ON_LINK | ND_PREFIX_AUTONOMOUS,
					  .valid_s = be32_of(7200),
					  .preferred_s = be32_of(3600)};
	uint32_t net = number(f);

	router.byte[0] = 0xfe;
	router.byte[1] = 0x80;
	memcpy(prefix.prefix, "\x20\x01\x0d\xb8", 4);
	memcpy(prefix.prefix + 4, &net, 4);
	struct draft d = begin(f, frame, router, &group);

	add_nd(&d, &h, sizeof(h), &prefix, sizeof(prefix));
	return d.len;
}

#define NOISE_BYTES_MAX 400

static bool one_in(struct forge *f, uint32_t n)
{
	return rng_below(&f->rng, n) == 0;
}

static uint32_t noise_bytes(struct forge *f, uint8_t *bytes, uint32_t least)
{
	uint32_t len = least + (uint32_t)rng_below(&f->rng, NOISE_BYTES_MAX - least);

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)number(f);
	return len;
}

// Any bytes behind a good IP header, to the right port, and mostly with a good checksum: what is
// wrong is in the header that follows. Sources are as they come too.
static uint32_t noise(struct forge *f, uint8_t *frame, uint8_t protocol, uint32_t least,
		      uint32_t checksum_at)
{
	struct draft d = begin(f, frame, one_in(f, 2) ? nearby(f) : far_away(f), &f->to);
	uint8_t bytes[NOISE_BYTES_MAX];
	uint32_t len = noise_bytes(f, bytes, least);
	bool has_ports = protocol == IP_TCP || protocol == IP_UDP;
	be16 to = be16_of(f->port), udp_len = be16_of((uint16_t)len);

	if (has_ports)
		memcpy(bytes + 2, &to, sizeof(to));
	if (protocol == IP_UDP && !one_in(f, 4))
		memcpy(bytes + 4, &udp_len, sizeof(udp_len));
	ip(&d, protocol, len);
	if (one_in(f, 10)) {
		add(&d, bytes, len);
		return d.len;
	}
	memset(bytes + checksum_at, 0, 2);
	if (protocol == IP_ICMP) {
		be16 checksum = checksum_finish(checksum_add(0, bytes, len));

		memcpy(bytes + checksum_at, &checksum, sizeof(checksum));
		add(&d, bytes, len);
	} else {
		add_summed(&d, protocol, bytes, len, checksum_at);
	}
	return d.len;
}

static uint32_t tcp_noise(struct forge *f, uint8_t *frame)
{
	return noise(f, frame, IP_TCP, TCP_HEADER_BYTES, TCP_CHECKSUM_OFFSET);
}

static uint32_t udp_noise(struct forge *f, uint8_t *frame)
{
	return noise(f, frame, IP_UDP, sizeof(struct udp_header), UDP_CHECKSUM_OFFSET);
}

static uint32_t icmp_noise(struct forge *f, uint8_t *frame)
{
	return noise(f, frame, IP_ICMP, sizeof(struct icmp_header), ICMP6_CHECKSUM_OFFSET);
}

static uint32_t icmp6_noise(struct forge *f, uint8_t *frame)
{
	return noise(f, frame, IP_ICMP6, sizeof(struct icmp6_header), ICMP6_CHECKSUM_OFFSET);
}

// Headers of IP itself: versions, lengths, options, fragments, protocols, all as they come.
static uint32_t ip_noise(struct forge *f, uint8_t *frame)
{
	struct draft d = begin(f, frame, far_away(f), &f->to);
	uint8_t bytes[NOISE_BYTES_MAX];
	uint32_t len = noise_bytes(f, bytes, sizeof(struct ipv4_header));
	struct ipv4_header *h = (void *)bytes;

	ethernet(&d, f->dst_mac, ETH_TYPE_IPV4);
	if (!one_in(f, 10))
		h->version_ihl = (uint8_t)(0x40 | (5 + rng_below(&f->rng, one_in(f, 2) ? 1 : 11)));
	if (!one_in(f, 10))
		h->total_len = be16_of((uint16_t)len);
	if (one_in(f, 2))
		h->fragment = be16_of(0);
	h->src = addr_to_v4(&d.src);
	h->dst = addr_to_v4(&d.dst);
	if (!one_in(f, 10)) {
		uint32_t header_len = MIN(ipv4_header_len(h), len);

		h->checksum = be16_of(0);
		h->checksum = checksum_finish(checksum_add(0, bytes, header_len));
	}
	add(&d, bytes, len);
	return d.len;
}

// Chains of headers behind IPv6's, with lengths and options as they come.
static uint32_t ip6_noise(struct forge *f, uint8_t *frame)
{
	static const uint8_t nexts[] = {IPV6_HOP_BY_HOP,  IPV6_ROUTING, IPV6_FRAGMENT,
					IPV6_DESTINATION, IPV6_NO_NEXT, IP_TCP,
					IP_UDP,           IP_ICMP6};
	struct draft d = begin(f, frame, far_away(f), &f->to);
	uint8_t bytes[NOISE_BYTES_MAX];
	uint32_t len = noise_bytes(f, bytes, 8);

	for (uint32_t at = 0; at + 8 <= len; at += (bytes[at + 1] + 1u) * 8) {
		bytes[at] = nexts[rng_below(&f->rng, sizeof(nexts))];
		bytes[at + 1] &= one_in(f, 4) ? 15 : 1;
	}
	ip6(&d, nexts[rng_below(&f->rng, sizeof(nexts))], one_in(f, 10) ? number(f) & 0xffff : len,
	    64);
	add(&d, bytes, len);
	return d.len;
}

static const struct forge_kind kinds[] = {
	{"syn", "SYNs of clients that do not exist", syn, false},
	{"rst", "resets of nothing", rst, false},
	{"fin", "ends of nothing", fin, false},
	{"ack", "acknowledgments of nothing", ack, false},
	{"udp", "datagrams to closed ports", udp, false},
	{"fragment", "first fragments whose others never come", fragment, false},
	{"too-big", "ICMP: fragmentation needed", too_big, false},
	{"arp", "ARP requests of stations that do not exist", arp, false},
	{"syn6", "SYNs over IPv6", syn, true},
	{"fragment6", "fragments of IPv6", fragment6, true},
	{"too-big6", "ICMPv6: packet too big", too_big, true},
	{"ns", "neighbour solicitations of stations that do not exist", solicitation, true},
	{"ra", "router advertisements, each with its prefix", advertisement, true},
	{"ip-noise", "headers of IPv4 as they come", ip_noise, false},
	{"tcp-noise", "headers of TCP as they come", tcp_noise, false},
	{"udp-noise", "headers of UDP as they come", udp_noise, false},
	{"icmp-noise", "ICMP as it comes", icmp_noise, false},
	{"ip6-noise", "chains of IPv6's headers as they come", ip6_noise, true},
	{"tcp6-noise", "headers of TCP over IPv6 as they come", tcp_noise, true},
	{"icmp6-noise", "ICMPv6 as it comes", icmp6_noise, true},
};

const struct forge_kind *forge_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const struct forge_kind *forge_at(uint32_t index)
{
	return index < ARRAY_COUNT(kinds) ? &kinds[index] : NULL;
}
