// SPDX-License-Identifier: BSD-3-Clause
// IPv4 on the way in: every check has a packet that fails it and nothing else.
#include "bed.h"

static struct ipv4_header *header(struct frame *f)
{
	return (void *)(f->byte + 14);
}

// A good TCP segment to us.
static struct frame segment(be32 src, be32 dst)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};
	struct frame f;

	frame_ip4(&f, src, dst, IP_TCP);
	frame_add(&f, &tcp, sizeof(tcp));
	frame_add(&f, "payload", 7);
	frame_finish(&f);
	return f;
}

// Sets the header checksum right again after a change.
static void mend(struct frame *f)
{
	struct ipv4_header *h = header(f);

	h->checksum = (be16){0};
	h->checksum = checksum_finish(checksum_add(0, h, ipv4_header_len(h)));
}

static void expect_drop(struct bed *b, const struct frame *f, enum drop reason)
{
	uint64_t before = bed_drops(b, reason);
	uint32_t passed = b->tcp_count;

	bed_in(b, 0, f->byte, f->len);
	assert_int_equal(bed_drops(b, reason), before + 1);
	assert_int_equal(b->tcp_count, passed);
}

static void a_good_segment_reaches_tcp_with_its_record(void **state)
{
	struct bed *b = bed_create();
	struct frame f = segment(PEER, OURS);

	header(&f)->tos = 0xb9; // DSCP 46, ECN 1
	mend(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->tcp_count, 1);
	const struct arrival *a = &b->tcp_last;
	struct addr peer = addr_from_v4(PEER), ours = addr_from_v4(OURS);
	assert_true(addr_equal(&a->src, &peer));
	assert_true(addr_equal(&a->dst, &ours));
	assert_int_equal(a->port_index, 0);
	assert_int_equal(a->l3_offset, 14);
	assert_int_equal(a->l4_offset, 34);
	assert_int_equal(a->l4_len, 27);
	assert_int_equal(a->protocol, IP_TCP);
	assert_int_equal(a->tos, 46 << 2 | 1);
	assert_false(a->to_group);
	assert_false(a->port_flags & PORT_RX_PARTIAL_CHECKSUM);
	bed_destroy(b);
}

static void padding_is_trimmed(void **state)
{
	struct bed *b = bed_create();
	struct frame f = segment(PEER, OURS);

	frame_add(&f, "padding!!", 9);
	bed_in(b, 0, f.byte, f.len); // bed_to_tcp asserts that the packet ends with the segment
	assert_int_equal(b->tcp_last.l4_len, 27);
	bed_destroy(b);
}

static void header_checks_in_order(void **state)
{
	struct bed *b = bed_create();
	struct frame f = segment(PEER, OURS);

	for (f.len = 14; f.len < 34; f.len++)
		expect_drop(b, &f, DROP_IP4_TRUNCATED);
	f = segment(PEER, OURS);
	header(&f)->version_ihl = 0x65;
	mend(&f);
	expect_drop(b, &f, DROP_IP4_VERSION);
	for (uint8_t words = 0; words < 5; words++) {
		f = segment(PEER, OURS);
		header(&f)->version_ihl = 0x40 | words;
		expect_drop(b, &f, DROP_IP4_HEADER_LEN);
	}
	f = segment(PEER, OURS);
	header(&f)->version_ihl = 0x4f; // 60 bytes, there are 47
	expect_drop(b, &f, DROP_IP4_HEADER_LEN);
	f = segment(PEER, OURS);
	header(&f)->total_len = be16_of(19);
	mend(&f);
	expect_drop(b, &f, DROP_IP4_TOTAL_LEN);
	header(&f)->total_len = be16_of((uint16_t)(f.len - 14 + 1));
	mend(&f);
	expect_drop(b, &f, DROP_IP4_TOTAL_LEN);
	f = segment(PEER, OURS);
	header(&f)->ttl--;
	expect_drop(b, &f, DROP_IP4_CHECKSUM);
	bed_destroy(b);
}

static void a_low_ttl_is_no_reason_to_drop(void **state)
{
	struct bed *b = bed_create();

	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		struct frame f = segment(PEER, OURS);

		header(&f)->ttl = ttl;
		mend(&f);
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(b->tcp_count, 2);
	bed_destroy(b);
}

static void addresses_that_cannot_be(void **state)
{
	const be32 martians[] = {
		IP(0, 0, 0, 0),      IP(0, 1, 2, 3),       IP(127, 0, 0, 1),
		IP(224, 0, 0, 1),    IP(240, 0, 0, 1),     IP(255, 255, 255, 255),
		IP(198, 18, 0, 255), IP(198, 19, 255, 255)}; // the other port's too
	struct bed *b = bed_create();
	struct frame f;

	for (size_t i = 0; i < ARRAY_COUNT(martians); i++) {
		f = segment(martians[i], OURS);
		expect_drop(b, &f, DROP_IP4_MARTIAN);
	}
	f = segment(OURS, OURS);
	expect_drop(b, &f, DROP_IP4_LAND);
	f = segment(IP(198, 19, 0, 2), OURS);
	expect_drop(b, &f, DROP_IP4_SRC_OURS);
	f = segment(PEER, IP(198, 18, 0, 3));
	expect_drop(b, &f, DROP_IP4_NOT_OURS);
	f = segment(PEER, IP(0, 0, 0, 0));
	expect_drop(b, &f, DROP_IP4_NOT_OURS);
	f = segment(PEER, IP(224, 0, 0, 251));
	expect_drop(b, &f, DROP_IP4_MULTICAST);
	b->net->port[0].address_count = 0; // a port without an address has not that of nobody
	b->net->port[0].address[0] = (struct net_address){0};
	f = segment(PEER, IP(0, 0, 0, 0));
	expect_drop(b, &f, DROP_IP4_NOT_OURS);
	bed_destroy(b);
	b = bed_create();
	f = segment(PEER, OURS);
	memset(f.byte, 0xff, 6); // to everybody on the link, but to one host
	expect_drop(b, &f, DROP_IP4_LINK_GROUP);
	bed_destroy(b);
}

static void any_address_of_ours_is_accepted_on_any_port(void **state)
{
	struct bed *b = bed_create();
	struct frame f = segment(PEER, IP(198, 19, 0, 2));

	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->tcp_count, 1);
	bed_destroy(b);
}

static void broadcast_destinations_are_marked(void **state)
{
	const be32 all[] = {IP(255, 255, 255, 255), IP(198, 18, 0, 255)};
	struct bed *b = bed_create();

	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		struct frame f = segment(PEER, all[i]);

		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(b->tcp_count, i + 1);
		assert_true(b->tcp_last.to_group);
	}
	bed_destroy(b);
}

// A segment with these option bytes.
static struct frame with_options(const uint8_t *option, uint8_t len)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};
	struct frame f;

	frame_ip4(&f, PEER, OURS, IP_TCP)->version_ihl = 0x40 | (5 + len / 4);
	frame_add(&f, option, len);
	frame_add(&f, &tcp, sizeof(tcp));
	frame_finish(&f);
	return f;
}

// RFC 9293 MUST-50: options that nobody knows do not stop a segment.
static void options_are_walked_and_passed_over(void **state)
{
	const uint8_t good[][8] = {
		{1, 1, 1, 1, 1, 1, 1, 1},         // NOPs
		{148, 4, 0, 0, 0, 0, 0, 0},       // router alert, end
		{7, 7, 4, 0, 0, 0, 0, 0},         // record route
		{94, 6, 1, 2, 3, 4, 0, 0},        // an experiment's (RFC 4727), not ours
		{0, 131, 1, 131, 1, 131, 1, 131}, // nothing counts behind the end
	};
	struct bed *b = bed_create();

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct frame f = with_options(good[i], 8);

		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(b->tcp_count, i + 1);
		assert_int_equal(b->tcp_last.l4_offset, 42);
	}
	bed_destroy(b);
}

static void bad_options_are_refused(void **state)
{
	const uint8_t bad[][4] = {{7, 0, 0, 0}, {7, 1, 0, 0}, {7, 5, 0, 0}, {1, 1, 1, 7}};
	const uint8_t route[][4] = {{131, 3, 4, 0}, {137, 3, 4, 0}, {1, 131, 3, 4}};
	struct bed *b = bed_create();
	struct frame f;

	bed_meet(b, PEER, PEER_MAC);
	for (size_t i = 0; i < ARRAY_COUNT(route); i++) {
		f = with_options(route[i], 4);
		expect_drop(b, &f, DROP_IP4_SOURCE_ROUTE);
	}
	assert_int_equal(b->port[0].tx_count, 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		f = with_options(bad[i], 4);
		expect_drop(b, &f, DROP_IP4_OPTIONS);
	}
	assert_int_equal(b->port[0].tx_count, 4);
	const struct icmp_header *icmp = (const void *)(bed_last_ip4(b) + 1);
	assert_int_equal(icmp->type, ICMP_PARAMETER_PROBLEM);
	assert_int_equal(icmp->pointer, 23); // the last byte of the header, a kind without a length
	bed_destroy(b);
}

static void unknown_protocol_is_answered_and_dropped(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	bed_meet(b, PEER, PEER_MAC);
	frame_ip4(&f, PEER, OURS, 132); // SCTP
	frame_add(&f, NULL, 40);
	frame_finish(&f);
	expect_drop(b, &f, DROP_IP4_PROTOCOL);
	const struct ipv4_header *h = bed_last_ip4(b);
	const struct icmp_header *icmp = (const void *)(h + 1);
	assert_int_equal(icmp->type, ICMP_UNREACHABLE);
	assert_int_equal(icmp->code, ICMP_UNREACHABLE_PROTOCOL);
	assert_true(bed_l4_good(h));
	assert_memory_equal(icmp + 1, f.byte + 14, 60);
	bed_destroy(b);
}

static void a_transport_header_in_pieces_is_refused(void **state)
{
	struct bed *b = bed_create();
	struct frame f = segment(PEER, OURS);

	for (uint16_t cut = 34; cut < 60; cut++) {
		struct pkt *head = pkt_alloc(b->env.pool[POOL_RX]),
			   *tail = pkt_alloc(b->env.pool[POOL_RX]);
		uint64_t before = bed_drops(b, DROP_IP4_HEADER_SPLIT);

		memcpy(pkt_append(head, cut), f.byte, cut);
		memcpy(pkt_append(tail, (uint16_t)(f.len - cut)), f.byte + cut, f.len - cut);
		pkt_chain(head, tail);
		b->port[0].rx[b->port[0].rx_count++] = head;
		bed_receive(b, 0);
		assert_int_equal(bed_drops(b, DROP_IP4_HEADER_SPLIT), before + (cut < 54));
	}
	assert_int_equal(b->tcp_count, 6);
	bed_destroy(b);
}

// Whatever comes: nothing breaks, nothing is unaccounted for (the bed checks it each time).
static void random_damage_is_survived(void **state)
{
	struct bed *b = bed_create();
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 20000; round++) {
		struct frame f;

		if (rng_below(&r, 2))
			f = segment(PEER, OURS);
		else
			frame_udp(&f, PEER, OURS, 7, (struct run){"0123456789", 10});
		for (uint64_t n = rng_below(&r, 4); n > 0; n--)
			f.byte[12 + rng_below(&r, f.len - 12)] = (uint8_t)rng_next(&r);
		if (rng_below(&r, 2) && f.len > 34)
			mend(&f);
		bed_in(b, 0, f.byte, rng_below(&r, 4) ? f.len : rng_below(&r, f.len));
		bed_clear(b);
	}
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_segment_reaches_tcp_with_its_record),
		cmocka_unit_test(padding_is_trimmed),
		cmocka_unit_test(header_checks_in_order),
		cmocka_unit_test(a_low_ttl_is_no_reason_to_drop),
		cmocka_unit_test(addresses_that_cannot_be),
		cmocka_unit_test(any_address_of_ours_is_accepted_on_any_port),
		cmocka_unit_test(broadcast_destinations_are_marked),
		cmocka_unit_test(options_are_walked_and_passed_over),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(unknown_protocol_is_answered_and_dropped),
		cmocka_unit_test(a_transport_header_in_pieces_is_refused),
		cmocka_unit_test(random_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
