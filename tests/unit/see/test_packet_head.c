// SPDX-License-Identifier: BSD-3-Clause
// Reading heads: who a packet was from and for, as far as its bytes go and never beyond.
#include "see/packet_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heads.h"

#define A4 addr_from_v4_octets(10, 0, 0, 5)
#define B4 addr_from_v4_octets(10, 0, 0, 6)

static struct addr ip6(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static void check(const struct packet_head *h, const struct heads_flow *f)
{
	assert_true(h->has_addr);
	assert_true(addr_equal(&h->src, &f->src));
	assert_true(addr_equal(&h->dst, &f->dst));
	assert_int_equal(h->protocol, f->protocol);
	assert_int_equal(h->src_port, f->src_port);
	assert_int_equal(h->dst_port, f->dst_port);
}

static void a_frame_is_read_with_and_without_a_tag(void **state)
{
	struct heads_flow f = {A4, B4, IP_TCP, 1000, 80};
	uint8_t bytes[VERDICT_HEAD_BYTES];
	struct packet_head h;

	for (uint16_t vlan = 0; vlan <= 7; vlan += 7) {
		uint32_t len = heads_frame(bytes, vlan, &f);

		packet_head_read(VERDICT_HEAD_FRAME, bytes, len, &h);
		check(&h, &f);
		assert_int_equal(h.vlan_id, vlan);
		assert_int_equal(h.ether_type, ETH_TYPE_IPV4);
	}
}

static void ip6_is_read_behind_extension_headers(void **state)
{
	struct heads_flow f = {ip6("2001:db8::1"), ip6("2001:db8::2"), IP_UDP, 53, 5353};
	uint8_t bytes[VERDICT_HEAD_BYTES] = {0}, plain[VERDICT_HEAD_BYTES];
	uint32_t len = heads_ip(plain, &f);
	struct packet_head h;

	packet_head_read(VERDICT_HEAD_IP, plain, len, &h);
	check(&h, &f);
	// hop by hop of eight bytes, then a first fragment, then UDP
	memcpy(bytes, plain, IPV6_HEADER_BYTES);
	bytes[6] = IPV6_HOP_BY_HOP;
	bytes[IPV6_HEADER_BYTES] = IPV6_FRAGMENT;
	bytes[IPV6_HEADER_BYTES + 8] = IP_UDP;
	memcpy(bytes + IPV6_HEADER_BYTES + 16, plain + IPV6_HEADER_BYTES, 4);
	packet_head_read(VERDICT_HEAD_IP, bytes, IPV6_HEADER_BYTES + 20, &h);
	check(&h, &f);
	bytes[IPV6_HEADER_BYTES + 10] = 1; // a later fragment: what follows is no header
	packet_head_read(VERDICT_HEAD_IP, bytes, IPV6_HEADER_BYTES + 20, &h);
	assert_false(h.has_ports);
	assert_int_equal(h.protocol, IP_UDP);
}

static void a_later_fragment_has_no_ports(void **state)
{
	struct heads_flow f = {A4, B4, IP_UDP, 1, 2};
	uint8_t bytes[VERDICT_HEAD_BYTES];
	uint32_t len = heads_ip(bytes, &f);
	struct packet_head h;

	bytes[7] = 100; // offset
	packet_head_read(VERDICT_HEAD_IP, bytes, len, &h);
	assert_true(h.has_addr);
	assert_false(h.has_ports);
}

static void arp_is_read_by_whom_it_speaks_of(void **state)
{
	struct eth_header eth = {.type = be16_of(ETH_TYPE_ARP)};
	struct arp_packet arp = {.sender = be32_of(0x0a000005), .target = be32_of(0x0a000006)};
	uint8_t bytes[VERDICT_HEAD_BYTES];
	uint32_t len = heads_put(bytes, 0, &eth, sizeof(eth));
	struct packet_head h;
	struct addr a = A4, b = B4;
	char text[PACKET_KIND_BYTES];

	len = heads_put(bytes, len, &arp, sizeof(arp));
	packet_head_read(VERDICT_HEAD_FRAME, bytes, len, &h);
	assert_true(addr_equal(&h.src, &a));
	assert_true(addr_equal(&h.dst, &b));
	assert_string_equal(packet_head_kind(&h, text), "ARP");
}

static void a_head_that_was_cut_is_read_as_far_as_it_goes(void **state)
{
	struct heads_flow f = {A4, B4, IP_TCP, 1000, 80};
	uint8_t bytes[VERDICT_HEAD_BYTES];
	uint32_t len = heads_frame(bytes, 7, &f);
	struct packet_head h;

	for (uint32_t cut = 0; cut < len; cut++) {
		uint8_t *part = malloc(cut + 1); // so that a sanitizer sees who reads on

		memcpy(part, bytes, cut);
		packet_head_read(VERDICT_HEAD_FRAME, part, cut, &h);
		assert_int_equal(h.has_addr, cut >= 18 + IPV4_HEADER_BYTES);
		assert_false(h.has_ports);
		free(part);
	}
}

static void kinds_have_the_names_that_people_know(void **state)
{
	char text[PACKET_KIND_BYTES];
	struct packet_head h = {.has_addr = true, .protocol = IP_TCP};

	assert_string_equal(packet_head_kind(&h, text), "TCP");
	h.protocol = IP_ICMP6;
	assert_string_equal(packet_head_kind(&h, text), "ICMPv6");
	h.protocol = 47;
	assert_string_equal(packet_head_kind(&h, text), "protocol 47");
	h = (struct packet_head){.ether_type = 0x88cc};
	assert_string_equal(packet_head_kind(&h, text), "ethernet type 0x88cc");
	h = (struct packet_head){0};
	assert_string_equal(packet_head_kind(&h, text), "unreadable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_read_with_and_without_a_tag),
		cmocka_unit_test(ip6_is_read_behind_extension_headers),
		cmocka_unit_test(a_later_fragment_has_no_ports),
		cmocka_unit_test(arp_is_read_by_whom_it_speaks_of),
		cmocka_unit_test(a_head_that_was_cut_is_read_as_far_as_it_goes),
		cmocka_unit_test(kinds_have_the_names_that_people_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
