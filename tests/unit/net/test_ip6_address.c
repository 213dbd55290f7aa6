// SPDX-License-Identifier: BSD-3-Clause
// Our own IPv6 addresses: how they come to be ours, and which of them speaks.
#include "bed6.h"

static const uint8_t OTHER_MAC[6] = {2, 0, 0, 0, 0x20, 7};

static struct bed *create(void)
{
	return bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});
}

// RFC 4862 5.4.2, 5.4: asked for once, from nobody, and ours after a second of silence.
static void an_address_is_ours_when_nobody_has_it(void **state)
{
	struct bed *b = create();
	struct addr group = ipv6_solicited_node(&OURS6);

	assert_false(ip6_is_ours(b->net, &OURS6));
	bed6_ping(b, &OURS6);
	assert_int_equal(bed_drops(b, DROP_IP6_NOT_OURS), 1);
	bed_time(b, 900 * NS_PER_MS);
	const struct ipv6_header *ip = (const void *)(b->out + 14);
	const struct nd_message *m;
	const void *at;

	assert_int_equal(bed6_count(b, ICMP6_NEIGHBOUR_SOLICITATION, &at), 2); // the link-local one
	m = at;
	assert_true(bed6_l4_good(ip));
	assert_true(bed6_is(m->target, &OURS6));
	assert_true(bed6_is(ip->src, &NOBODY6));
	assert_true(bed6_is(ip->dst, &group));
	assert_int_equal(be16_get(ip->payload_len), sizeof(*m) + 8);
	assert_int_equal(((const struct nd_option *)(m + 1))->type, ND_OPTION_NONCE); // alone
	assert_false(ip6_is_ours(b->net, &OURS6));
	bed_time(b, 200 * NS_PER_MS);
	assert_true(ip6_is_ours(b->net, &OURS6));
	assert_true(ip6_is_ours(b->net, bed6_local(b)));
	assert_int_equal(bed6_count(b, ICMP6_NEIGHBOUR_SOLICITATION, NULL), 2);
	bed_destroy(b);
}

// RFC 4862 5.3; RFC 7217 5, as RFC 8064 3 wants it.
static void the_link_local_address_stays_the_same_and_is_not_the_stations(void **state)
{
	struct bed *b = bed6_create(), *again = bed6_create();

	assert_true(ipv6_is_link_local(bed6_local(b)));
	assert_true(addr_equal(bed6_local(b), bed6_local(again)));
	assert_memory_not_equal(bed6_local(b)->byte + 13, b->port[0].port.mac + 3, 3);
	bed_destroy(again);
	assert_int_equal(ip6_add_address(b->net, 0, bed6_local(b), 64), 0); // is there already
	assert_int_equal(b->net->ip6->port[0].address_count, 2);
	bed_destroy(b);
}

// RFC 4862 5.4.4
static void an_address_that_another_has_is_not_used(void **state)
{
	struct bed *b = create();

	bed_time(b, 100 * NS_PER_MS);
	struct frame f;

	frame6_nd(&f, &OURS6, &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_OVERRIDE, &OURS6, OTHER_MAC});
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ND_CONFLICT), 1);
	bed_time(b, 2 * NS_PER_S);
	assert_false(ip6_is_ours(b->net, &OURS6));
	assert_true(ip6_is_ours(b->net, bed6_local(b)));
	assert_int_equal(ip6_find(b->net, &OURS6)->state, IP6_DUPLICATE);
	bed6_asked(b, &PEER6, &OURS6, PEER_MAC); // we do not answer for it
	assert_int_equal(bed_drops(b, DROP_ND_NOT_OURS), 1);
	bed_destroy(b);
}

// RFC 4862 5.4.3: two ask at the same time, and neither gets it.
static void two_that_probe_at_once_both_give_it_up(void **state)
{
	struct bed *b = create();

	bed_time(b, 100 * NS_PER_MS);
	bed6_asked(b, &PEER6, &OURS6, PEER_MAC); // somebody who only looks for it
	assert_int_equal(bed_drops(b, DROP_ND_NOT_OURS), 1);
	bed6_asked(b, &NOBODY6, &OURS6, NULL);
	assert_int_equal(bed_drops(b, DROP_ND_CONFLICT), 1);
	bed_time(b, 2 * NS_PER_S);
	assert_false(ip6_is_ours(b->net, &OURS6));
	bed_destroy(b);
}

// RFC 7217 6
static void an_address_that_we_made_is_made_anew(void **state)
{
	struct bed *b = create();

	for (int i = 0; i < 4; i++) {
		struct addr addr = *bed6_local(b);

		bed_time(b, 100 * NS_PER_MS);
		bed6_asked(b, &NOBODY6, &addr, NULL);
		assert_int_equal(addr_equal(bed6_local(b), &addr), i == 3);
	}
	assert_int_equal(b->net->ip6->port[0].address[0].state, IP6_DUPLICATE);
	bed_time(b, 2 * NS_PER_S);
	assert_true(ip6_is_ours(b->net, &OURS6));
	bed_destroy(b);
}

// RFC 7527 4.2
static void our_own_question_come_back_is_no_conflict(void **state)
{
	struct bed *b = create();
	struct frame f;

	bed_time(b, 100 * NS_PER_MS);
	for (uint32_t i = 0; i < b->port[0].tx_count; i++) {
		f.len = capture_read(&b->port[0], i, f.byte);
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(bed_drops(b, DROP_ND_NOT_OURS), 2);
	bed_time(b, 2 * NS_PER_S);
	assert_true(ip6_is_ours(b->net, &OURS6));
	bed_destroy(b);
}

// RFC 4862 5.4: what is tentative speaks to nobody.
static void nothing_leaves_from_an_address_that_is_not_ours_yet(void **state)
{
	struct bed *b = create();
	struct net_path path;
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	bed6_asked(b, &PEER6, &OURS6, PEER_MAC);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	pkt_append(p, 8);
	net_output(b->net, p, &(struct net_out){.path = &path, .protocol = IP_TCP});
	bed_time(b, 900 * NS_PER_MS);
	assert_int_equal(bed6_count(b, ICMP6_NEIGHBOUR_SOLICITATION, NULL), 2); // the probes
	assert_int_equal(bed6_count(b, ICMP6_MLD2_REPORT, NULL), 2);
	assert_int_equal(b->port[0].tx_count, 4);
	assert_true(net_path_is_fresh(b->net, &path));
	bed_time(b, 200 * NS_PER_MS);
	assert_false(net_path_is_fresh(b->net, &path));
	assert_int_equal(bed_drops(b, DROP_ND_UNREACHABLE), 1);
	assert_true(net_path_refresh(b->net, &path));
	assert_true(addr_equal(&b->net->neighbours.slot[path.neighbour].addr, &PEER6));
	bed_destroy(b);
}

// RFC 6724 5, rules 2 and 8.
static void the_address_nearest_to_the_peer_speaks(void **state)
{
	struct addr other = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x80, [15] = 2}};
	struct bed *b = bed6_create();

	assert_int_equal(ip6_add_address(b->net, 0, &other, 48), 0);
	assert_true(addr_equal(&ip6_source(b->net, 0, &PEER6)->addr, &OURS6));
	assert_true(addr_equal(&ip6_source(b->net, 0, &FAR6)->addr, &other));
	assert_true(addr_equal(&ip6_source(b->net, 0, &LOCAL6)->addr, bed6_local(b)));
	assert_null(ip6_source(b->net, 1, &PEER6));
	bed_destroy(b);
}

static void addresses_have_places_behind_those_of_ipv4(void **state)
{
	struct addr v4 = addr_from_v4(OURS);
	struct bed *b = bed6_create();

	assert_int_equal(net_place(b->net, &v4), 1);
	assert_int_equal(net_place(b->net, &OURS6), 3);
	assert_int_equal(net_place(b->net, bed6_local(b)), 0);
	assert_int_equal(net_place(b->net, &FAR6), 0);
	assert_true(net_is_local(b->net, &OURS6));
	assert_false(net_is_local(b->net, &PEER6));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_ours_when_nobody_has_it),
		cmocka_unit_test(the_link_local_address_stays_the_same_and_is_not_the_stations),
		cmocka_unit_test(an_address_that_we_made_is_made_anew),
		cmocka_unit_test(an_address_that_another_has_is_not_used),
		cmocka_unit_test(two_that_probe_at_once_both_give_it_up),
		cmocka_unit_test(our_own_question_come_back_is_no_conflict),
		cmocka_unit_test(nothing_leaves_from_an_address_that_is_not_ours_yet),
		cmocka_unit_test(the_address_nearest_to_the_peer_speaks),
		cmocka_unit_test(addresses_have_places_behind_those_of_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
