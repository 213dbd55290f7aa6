// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on the way in: what is checked, whom it is for, and what is told to whom.
#include "bed6.h"

// A TCP segment to us that nothing is wrong with, as far as IPv6 sees it.
static struct frame segment(void)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};
	struct frame f;

	frame6(&f, &PEER6, &OURS6, IP_TCP);
	frame_add(&f, &tcp, sizeof(tcp));
	frame6_finish(&f, 0);
	return f;
}

static void in(struct bed *b, const struct frame *f)
{
	bed_in(b, 0, f->byte, f->len);
}

static void a_segment_reaches_tcp_with_its_addresses_and_class(void **state)
{
	struct bed *b = bed6_create();
	struct frame f = segment();

	frame6_ip(&f)->version_class_flow = be32_of(6u << 28 | 0xb9u << 20 | 0x12345);
	frame_add(&f, "padding", 7); // of ethernet
	in(b, &f);
	assert_int_equal(b->tcp_count, 1);
	assert_true(addr_equal(&b->tcp_last.src, &PEER6));
	assert_true(addr_equal(&b->tcp_last.dst, &OURS6));
	assert_int_equal(b->tcp_last.tos, 0xb9);
	assert_int_equal(b->tcp_last.l4_len, sizeof(struct tcp_header));
	assert_int_equal(b->tcp_last.protocol, IP_TCP);
	bed_destroy(b);
}

static void what_is_no_ipv6_packet_is_dropped_by_name(void **state)
{
	struct bed *b = bed6_create();
	struct frame f = segment();

	bed_in(b, 0, f.byte, 14 + 39);
	assert_int_equal(bed_drops(b, DROP_IP6_TRUNCATED), 1);
	frame6_ip(&f)->version_class_flow = be32_of(4u << 28);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_VERSION), 1);
	f = segment();
	bed_in(b, 0, f.byte, f.len - 1);
	assert_int_equal(bed_drops(b, DROP_IP6_PAYLOAD_LEN), 1);
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

static void no_host_has_such_a_source(void **state)
{
	const struct addr none[] = {{.byte = {[15] = 1}},
				    {.byte = {0xff, 2, [15] = 1}},
				    {.byte = {[10] = 0xff, 0xff, 198, 18, 0, 1}},
				    {.byte = {0}}};
	struct bed *b = bed6_create();
	struct frame f = segment();

	for (size_t i = 0; i < ARRAY_COUNT(none); i++) {
		memcpy(frame6_ip(&f)->src, &none[i], 16);
		in(b, &f);
		assert_int_equal(bed_drops(b, DROP_IP6_MARTIAN), i + 1);
	}
	memcpy(frame6_ip(&f)->src, &OURS6, 16);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_SRC_OURS), 1);
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

static void what_is_for_others_is_dropped(void **state)
{
	struct addr group = {.byte = {0xff, 2, [15] = 0xfb}}; // multicast DNS
	struct bed *b = bed6_create();
	struct frame f = segment();

	memcpy(frame6_ip(&f)->dst, &FAR6, 16);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_NOT_OURS), 1);
	memcpy(frame6_ip(&f)->dst, &group, 16);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_MULTICAST), 1);
	f = segment();
	f.byte[0] = 0x33;
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_LINK_GROUP), 1);
	bed_destroy(b);
}

static void a_link_local_address_is_ours_on_its_own_link_alone(void **state)
{
	struct addr other = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x19, [15] = 2}};
	struct bed *b = bed6_create();
	struct frame f = segment();

	memcpy(frame6_ip(&f)->dst, bed6_local(b), 16);
	in(b, &f);
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(ip6_add_address(b->net, 1, &other, 64), 0);
	memcpy(frame6_ip(&f)->dst, &b->net->ip6->port[1].address[0].addr, 16);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_NOT_OURS), 1);
	memcpy(frame6_ip(&f)->dst, &other, 16); // the weak end system model
	in(b, &f);
	assert_int_equal(b->tcp_count, 2);
	bed_destroy(b);
}

static void a_port_without_an_address_speaks_no_ipv6(void **state)
{
	struct bed *b = bed6_create();
	struct frame f = segment();
	struct vlan_tag tag = {be16_of(7), be16_of(ETH_TYPE_IPV6)};

	memmove(f.byte + 18, f.byte + 14, f.len - 14);
	memcpy(f.byte + 14, &tag, 4);
	((struct eth_header *)f.byte)->type = be16_of(ETH_TYPE_VLAN);
	memcpy(f.byte, b->port[1].port.mac, 6);
	bed_in(b, 1, f.byte, f.len + 4);
	assert_int_equal(bed_drops(b, DROP_ETH_IPV6), 1);
	bed_destroy(b);
}

// RFC 8200 4: "the node should discard the packet and send an ICMP Parameter Problem message"
static void an_unknown_transport_is_told_where_it_was_named(void **state)
{
	struct bed *b = bed6_create();
	struct frame f = segment();

	bed6_meet(b);
	frame6_ip(&f)->next_header = 132; // SCTP
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_PROTOCOL), 1);
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(h->type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(h->code, ICMP6_UNKNOWN_NEXT_HEADER);
	assert_int_equal(be32_get(h->rest), 6);
	assert_memory_equal(h + 1, f.byte + 14, f.len - 14);
	bed_clear(b);
	frame6_ip(&f)->next_header = IPV6_NO_NEXT;
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_IP6_NO_NEXT), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void a_transport_header_in_two_buffers_is_dropped(void **state)
{
	struct bed *b = bed6_create();
	struct frame f = segment();
	struct pkt *p = pkt_alloc(b->env.pool[POOL_RX]), *q = pkt_alloc(b->env.pool[POOL_RX]);

	memcpy(pkt_append(p, 60), f.byte, 60);
	memcpy(pkt_append(q, (uint16_t)(f.len - 60)), f.byte + 60, f.len - 60);
	pkt_chain(p, q);
	counter_add(&b->env, COUNTER_rx_pkts, 1);
	bed_walk(b, 0, p);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_IP6_HEADER_SPLIT), 1);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_reaches_tcp_with_its_addresses_and_class),
		cmocka_unit_test(what_is_no_ipv6_packet_is_dropped_by_name),
		cmocka_unit_test(no_host_has_such_a_source),
		cmocka_unit_test(what_is_for_others_is_dropped),
		cmocka_unit_test(a_link_local_address_is_ours_on_its_own_link_alone),
		cmocka_unit_test(a_port_without_an_address_speaks_no_ipv6),
		cmocka_unit_test(an_unknown_transport_is_told_where_it_was_named),
		cmocka_unit_test(a_transport_header_in_two_buffers_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
