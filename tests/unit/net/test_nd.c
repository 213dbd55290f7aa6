// SPDX-License-Identifier: BSD-3-Clause
// Neighbour discovery's messages: whom we answer, whom we believe, and what we refuse.
#include "bed6.h"

static const uint8_t OTHER_MAC[6] = {2, 0, 0, 0, 0x20, 7};

static const struct nd_message *last(struct bed *b)
{
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(((const struct ipv6_header *)(b->out + 14))->hop_limit, 255);
	return (const void *)h;
}

// RFC 4861 7.2.4
static void whoever_asks_for_us_is_answered_and_known(void **state)
{
	struct bed *b = bed6_create();

	bed6_asked(b, &PEER6, &OURS6, PEER_MAC);
	const struct nd_message *m = last(b);
	const struct nd_option_mac *o = (const void *)(m + 1);

	assert_int_equal(m->type, ICMP6_NEIGHBOUR_ADVERTISEMENT);
	assert_int_equal(be32_get(m->flags), ND_SOLICITED | ND_OVERRIDE);
	assert_true(bed6_is(m->target, &OURS6));
	assert_int_equal(o->type, ND_OPTION_TARGET);
	assert_memory_equal(o->mac, b->port[0].port.mac, 6);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->dst, &PEER6));
	assert_int_equal(bed6_neighbour(b, &PEER6)->state, NEIGHBOUR_STALE);
	bed_destroy(b);
}

static void whoever_probes_for_our_address_is_told_before_all(void **state)
{
	struct bed *b = bed6_create();

	bed6_asked(b, &NOBODY6, &OURS6, NULL);
	const struct nd_message *m = last(b);

	assert_int_equal(be32_get(m->flags), ND_OVERRIDE);
	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->dst, &ALL_NODES6));
	assert_memory_equal(b->out, "\x33\x33\0\0\0\1", 6);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_destroy(b);
}

static void a_solicitation_for_others_is_not_ours(void **state)
{
	struct addr neighbour = OURS6;
	struct bed *b = bed6_create();

	neighbour.byte[8] = 1; // another address of the same group
	bed6_asked(b, &PEER6, &neighbour, PEER_MAC);
	assert_int_equal(bed_drops(b, DROP_ND_NOT_OURS), 1);
	assert_null(bed6_neighbour(b, &PEER6));
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// RFC 5942 4: an address says nothing about what is on the link.
static void who_asks_from_another_prefix_is_answered_and_no_neighbour(void **state)
{
	struct bed *b = bed6_create();

	bed6_asked(b, &FAR6, &OURS6, PEER_MAC);
	assert_int_equal(last(b)->type, ICMP6_NEIGHBOUR_ADVERTISEMENT);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_null(bed6_neighbour(b, &FAR6));
	bed_destroy(b);
}

// RFC 4861 7.1.1, 7.1.2: each rule.
static void what_breaks_a_rule_of_validation_is_dropped(void **state)
{
	struct bed *b = bed6_create();
	struct addr group = ipv6_solicited_node(&OURS6);
	struct frame f;
	struct nd_words ask = {ICMP6_NEIGHBOUR_SOLICITATION, 0, &OURS6, PEER_MAC};
	struct nd_words tell = {ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_SOLICITED, &PEER6, PEER_MAC};
	uint32_t malformed = 0;

	frame6_nd(&f, &PEER6, &group, ask);
	frame6_ip(&f)->hop_limit = 254;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_FAR), 1);

	frame6_nd(&f, &PEER6, &group, ask); // a code
	f.byte[ICMP6_AT + 1] = 1;
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	frame6_nd(&f, &PEER6, &group, ask); // an option of no length
	f.byte[f.len - 7] = 0;
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	frame6_nd(&f, &PEER6, &group, ask); // one that is cut off
	f.len -= 4;
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	frame6_nd(&f, &PEER6, &group, ask); // a message that is
	f.len = ICMP6_AT + 20;
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	frame6_nd(&f, &NOBODY6, &group, ask); // nobody has a station
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	ask.target = &ALL_NODES6;
	frame6_nd(&f, &PEER6, &group, ask); // a group has no neighbour
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	frame6_nd(&f, &PEER6, &ALL_NODES6, tell); // nobody asked in all names
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), ++malformed);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// RFC 4861 7.2.5: "There is no need to create an entry if none exists"
static void nothing_is_learnt_that_nobody_asked_for(void **state)
{
	struct bed *b = bed6_create();

	bed6_told(b, &PEER6, ND_SOLICITED, PEER_MAC);
	assert_int_equal(bed_drops(b, DROP_ND_UNASKED), 1);
	assert_null(bed6_neighbour(b, &PEER6));
	bed_destroy(b);
}

static void another_that_claims_our_address_is_named_and_does_not_get_it(void **state)
{
	struct bed *b = bed6_create();

	bed6_told(b, &OURS6, ND_OVERRIDE, OTHER_MAC);
	assert_int_equal(bed_drops(b, DROP_IP6_SRC_OURS), 1); // by its own address
	struct frame f;

	frame6_nd(&f, &PEER6, &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, 0, &OURS6, OTHER_MAC});
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_CONFLICT), 1);
	assert_true(ip6_is_ours(b->net, &OURS6));
	bed_destroy(b);
}

// RFC 4861 7.2.2
static void an_address_is_asked_for_in_its_own_group(void **state)
{
	struct bed *b = bed6_create();
	struct addr group = ipv6_solicited_node(&PEER6);
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	nd_ask_everybody(b->net, &b->net->neighbours.slot[path.neighbour]);
	bed_conserved(b);
	const struct nd_message *m = last(b);
	const struct ipv6_header *ip = (const void *)(b->out + 14);
	const struct nd_option_mac *o = (const void *)(m + 1);

	assert_int_equal(m->type, ICMP6_NEIGHBOUR_SOLICITATION);
	assert_true(bed6_is(m->target, &PEER6));
	assert_true(bed6_is(ip->dst, &group));
	assert_true(bed6_is(ip->src, &OURS6));
	assert_memory_equal(b->out, "\x33\x33\xff\0\0\1", 6);
	assert_int_equal(o->type, ND_OPTION_SOURCE);
	assert_memory_equal(o->mac, b->port[0].port.mac, 6);
	bed_destroy(b);
}

static void messages_on_a_tagged_port_carry_its_tag(void **state)
{
	struct addr ours = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x19, [15] = 2}};
	struct addr peer = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x19, [15] = 1}};
	struct bed *b = bed6_create();

	assert_int_equal(ip6_add_address(b->net, 1, &ours, 64), 0);
	assert_true(nd_solicit(b->net, 1, &peer, PEER_MAC));
	bed_conserved(b);
	assert_int_equal(b->port[1].tx_count, 1);
	capture_read(&b->port[1], 0, b->out);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_memory_equal(b->out + 12, "\x81\x00\x00\x07\x86\xdd", 6);
	bed_destroy(b);
}

// RFC 6980 5: in two pieces, or behind the header of one.
static void what_came_in_fragments_is_not_believed(void **state)
{
	const uint32_t at = ICMP6_AT, first_len = 16;
	struct bed *b = bed6_create();
	struct frame whole, f;
	struct ipv6_fragment h = {.next_header = IP_ICMP6, .id = be32_of(7)};

	frame6_nd(&whole, &PEER6, &OURS6,
		  (struct nd_words){ICMP6_NEIGHBOUR_SOLICITATION, 0, &OURS6, PEER_MAC});
	for (uint32_t i = 0; i < 2; i++) {
		h.offset = be16_of((uint16_t)(i ? first_len : IPV6_FRAGMENT_MORE));
		frame6(&f, &PEER6, &OURS6, IPV6_FRAGMENT);
		frame_add(&f, &h, sizeof(h));
		frame_add(&f, whole.byte + at + i * first_len,
			  i ? whole.len - at - first_len : first_len);
		frame6_finish(&f, 0);
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(bed_drops(b, DROP_ND_FRAGMENT), 1);
	h.offset = be16_of(0);
	frame6(&f, &PEER6, &OURS6, IPV6_FRAGMENT);
	frame_add(&f, &h, sizeof(h));
	frame_add(&f, whole.byte + at, whole.len - at);
	frame6_finish(&f, 0);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_FRAGMENT), 2);
	assert_null(bed6_neighbour(b, &PEER6));
	assert_int_equal(b->port[0].tx_count, 0);
	bed_in(b, 0, whole.byte, whole.len); // as it should come
	assert_non_null(bed6_neighbour(b, &PEER6));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_asks_for_us_is_answered_and_known),
		cmocka_unit_test(whoever_probes_for_our_address_is_told_before_all),
		cmocka_unit_test(a_solicitation_for_others_is_not_ours),
		cmocka_unit_test(who_asks_from_another_prefix_is_answered_and_no_neighbour),
		cmocka_unit_test(what_breaks_a_rule_of_validation_is_dropped),
		cmocka_unit_test(nothing_is_learnt_that_nobody_asked_for),
		cmocka_unit_test(another_that_claims_our_address_is_named_and_does_not_get_it),
		cmocka_unit_test(an_address_is_asked_for_in_its_own_group),
		cmocka_unit_test(messages_on_a_tagged_port_carry_its_tag),
		cmocka_unit_test(what_came_in_fragments_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
