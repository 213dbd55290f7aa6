// SPDX-License-Identifier: BSD-3-Clause
// Routers: what they say, how long it holds, and which of it is not believed.
#include <errno.h>

#include "bed_router.h"

// RFC 4861 6.3.7
static void routers_are_asked_for_three_times_until_one_speaks(void **state)
{
	struct bed *b = bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});
	const struct addr all = {.byte = {0xff, 2, [15] = 2}};

	bed_time(b, 1100 * NS_PER_MS);
	assert_int_equal(bed6_count(b, ICMP6_ROUTER_SOLICITATION, NULL), 1);
	const struct ipv6_header *ip = (const void *)(b->out + 14);

	assert_true(bed6_l4_good(ip));
	assert_true(bed6_is(ip->src, bed6_local(b)));
	assert_true(bed6_is(ip->dst, &all));
	bed_time(b, 20 * NS_PER_S);
	assert_int_equal(bed6_count(b, ICMP6_ROUTER_SOLICITATION, NULL), 3);
	bed_destroy(b);
	b = bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});
	bed_time(b, 1100 * NS_PER_MS);
	advertise(b, &LOCAL6, 1800);
	bed_time(b, 20 * NS_PER_S);
	assert_int_equal(bed6_count(b, ICMP6_ROUTER_SOLICITATION, NULL), 1);
	bed_destroy(b);
}

static void a_router_leads_elsewhere_as_long_as_it_says(void **state)
{
	struct bed *b = bed6_create();

	assert_null(hop_to(b, &FAR6));
	advertise(b, &LOCAL6, 1800);
	assert_true(addr_equal(hop_to(b, &FAR6), &LOCAL6));
	assert_true(addr_equal(hop_to(b, &PEER6), &PEER6));
	bed_time(b, 1000 * NS_PER_S);
	advertise(b, &LOCAL6, 1800);
	bed_time(b, 1700 * NS_PER_S);
	assert_true(addr_equal(hop_to(b, &FAR6), &LOCAL6));
	bed_time(b, 101 * NS_PER_S);
	assert_null(hop_to(b, &FAR6));
	advertise(b, &LOCAL6, 1800);
	advertise(b, &LOCAL6, 0); // it goes
	assert_null(hop_to(b, &FAR6));
	bed_destroy(b);
}

static void what_is_configured_goes_before_what_a_router_says(void **state)
{
	struct bed *b = bed6_create();

	advertise(b, &LOCAL6, 1800);
	assert_int_equal(path6_add_gateway(b->net, 0, &SECOND6), 0);
	assert_true(addr_equal(hop_to(b, &FAR6), &SECOND6));
	bed_destroy(b);
}

// RFC 4861 6.3.6
static void another_router_is_taken_when_one_is_silent(void **state)
{
	struct bed *b = bed6_create();
	struct net_path path;
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	advertise(b, &LOCAL6, 1800);
	advertise(b, &SECOND6, 1800);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &FAR6, &path), 0);
	pkt_append(p, 8);
	net_output(b->net, p, &(struct net_out){.path = &path, .protocol = IP_TCP});
	bed_time(b, 4 * NS_PER_S);
	assert_int_equal(bed_drops(b, DROP_ND_UNREACHABLE), 1);
	assert_true(net_path_refresh(b->net, &path));
	assert_true(addr_equal(&b->net->neighbours.slot[path.neighbour].addr, &SECOND6));
	bed_destroy(b);
}

// RFC 4861 7.2.5
static void who_says_it_is_no_router_any_more_is_none(void **state)
{
	const struct nd_option_mac mac = {ND_OPTION_SOURCE, 1, {2, 0, 0, 0, 0x20, 1}};
	struct bed *b = bed6_create();
	struct frame f;

	frame6_ra(&f, &LOCAL6, 1800);
	frame_add(&f, &mac, sizeof(mac));
	in(b, &f);
	assert_true(bed6_neighbour(b, &LOCAL6)->is_router);
	assert_int_equal(bed6_neighbour(b, &LOCAL6)->state, NEIGHBOUR_STALE);
	bed6_told(b, &LOCAL6, ND_OVERRIDE, PEER_MAC);
	assert_null(hop_to(b, &FAR6));
	bed_destroy(b);
}

static void a_prefix_is_on_the_link_as_long_as_a_router_says(void **state)
{
	struct bed *b = bed6_create();

	advertise(b, &SECOND6, 1800);
	assert_true(addr_equal(hop_to(b, &THERE6), &SECOND6));
	advertise_prefix(b, ND_PREFIX_ON_LINK, 600, 600);
	assert_true(addr_equal(hop_to(b, &THERE6), &THERE6));
	bed_time(b, 601 * NS_PER_S);
	assert_true(addr_equal(hop_to(b, &THERE6), &SECOND6));
	advertise_prefix(b, ND_PREFIX_ON_LINK, 600, 600);
	advertise_prefix(b, ND_PREFIX_ON_LINK, 0, 0);
	assert_true(addr_equal(hop_to(b, &THERE6), &SECOND6));
	bed_destroy(b);
}

static void an_address_is_made_kept_avoided_and_ended(void **state)
{
	struct bed *b = bed6_create();

	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 10000, 1000);
	assert_non_null(made(b));
	assert_true(ipv6_in_prefix(&made(b)->addr, &PREFIX6, 64));
	struct addr addr = made(b)->addr;

	assert_true(ip6_is_ours(b->net, &addr));
	assert_true(addr_equal(&ip6_source(b->net, 0, &THERE6)->addr, &addr));
	bed_time(b, 1001 * NS_PER_S);
	assert_true(ip6_is_ours(b->net, &addr));
	assert_true(addr_equal(&ip6_source(b->net, 0, &THERE6)->addr, &OURS6)); // deprecated
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 10000, 1000);
	assert_true(addr_equal(&ip6_source(b->net, 0, &THERE6)->addr, &addr));
	bed_time(b, 10001 * NS_PER_S);
	assert_false(ip6_is_ours(b->net, &addr));
	assert_null(made(b));
	bed_destroy(b);
}

// RFC 4862 5.5.3 (e): two hours.
static void a_forged_short_life_ends_no_address_soon(void **state)
{
	struct bed *b = bed6_create();

	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 100000, 1000);
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 1, 1);
	bed_time(b, 7100 * NS_PER_S);
	assert_non_null(made(b));
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 1, 1); // less is left already
	bed_time(b, 99 * NS_PER_S);
	assert_non_null(made(b));
	bed_time(b, 2 * NS_PER_S);
	assert_null(made(b));
	bed_destroy(b);
}

static void an_address_that_a_router_lets_us_make_is_asked_for_first(void **state)
{
	struct bed *b = bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});
	const void *at;

	bed_time(b, 1100 * NS_PER_MS);
	bed_clear(b);
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 10000, 1000);
	assert_int_equal(made(b)->state, IP6_TENTATIVE);
	bed_time(b, 100 * NS_PER_MS);
	assert_int_equal(bed6_count(b, ICMP6_NEIGHBOUR_SOLICITATION, &at), 1);
	assert_true(bed6_is(((const struct nd_message *)at)->target, &made(b)->addr));
	bed_time(b, NS_PER_S);
	assert_int_equal(made(b)->state, IP6_ASSIGNED);
	bed_destroy(b);
}

static void prefixes_of_which_no_address_is_made(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 1000, 1001); // preferred longer than valid
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS, 0, 0);
	advertise_prefix(b, ND_PREFIX_ON_LINK, 1000, 1000);
	frame6_ra(&f, &LOCAL6, 0);
	add_prefix(&f, ND_PREFIX_AUTONOMOUS, 1000, 1000);
	f.byte[f.len - 30] = 63; // identifiers have 64 bits
	in(b, &f);
	frame6_ra(&f, &LOCAL6, 0);
	add_prefix(&f, ND_PREFIX_AUTONOMOUS, 1000, 1000);
	memcpy(f.byte + f.len - 16, "\xfe\x80", 2); // RFC 4862 5.5.3 (b)
	in(b, &f);
	assert_null(made(b));
	bed_destroy(b);
}

static void the_link_has_the_mtu_and_times_that_routers_say(void **state)
{
	struct nd_option_mtu mtu = {ND_OPTION_MTU, 1, {0}, be32_of(1400)};
	struct bed *b = bed6_create();
	struct net_path path;
	struct frame f;

	frame6_ra(&f, &LOCAL6, 1800);
	ra_of(&f)->hop_limit = 33;
	ra_of(&f)->reachable_ms = be32_of(10000);
	ra_of(&f)->retransmit_ms = be32_of(500);
	frame_add(&f, &mtu, sizeof(mtu));
	in(b, &f);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &FAR6, &path), 0);
	assert_int_equal(path.mtu_bytes, 1400);
	assert_int_equal(b->net->ip6->port[0].reachable_ns, 10 * NS_PER_S);
	assert_int_equal(b->net->ip6->port[0].retransmit_ns, 500 * NS_PER_MS);
	bed6_meet(b);
	bed6_ping(b, &OURS6);
	assert_int_equal(bed6_last(b)->hop_limit, 33);
	for (uint32_t bytes = 1279; bytes <= 9000;
	     bytes += 7721) { // neither too small nor too large
		frame6_ra(&f, &LOCAL6, 1800);
		mtu.mtu_bytes = be32_of(bytes);
		frame_add(&f, &mtu, sizeof(mtu));
		in(b, &f);
		assert_int_equal(b->net->ip6->port[0].mtu_bytes, 1400);
	}
	bed_destroy(b);
}

static void a_port_that_believes_no_routers_asks_for_none(void **state)
{
	struct bed *b = bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});

	b->net->port[0].no_routers = true;
	bed_time(b, 20 * NS_PER_S);
	assert_int_equal(bed6_count(b, ICMP6_ROUTER_SOLICITATION, NULL), 0);
	advertise(b, &LOCAL6, 1800);
	assert_int_equal(bed_drops(b, DROP_ND_ROUTERS_OFF), 1);
	assert_null(hop_to(b, &FAR6));
	bed_destroy(b);
}

static void a_port_without_an_address_has_what_routers_give_it(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_CHAINS, &(struct net_config){.no_dad = true});
	struct net_path path;

	assert_int_equal(ip6_begin_port(b->net, 0), 0);
	assert_int_equal(b->net->ip6->port[0].address_count, 1);
	advertise_prefix(b, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 1000, 1000);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &THERE6, &path), 0);
	assert_true(ipv6_in_prefix(&path.local, &PREFIX6, 64));
	bed_destroy(b);
}

static void an_advertisement_that_says_little_does_not_keep_us_on_the_link(void **state)
{
	struct bed *b = bed6_create();
	struct ip6_port *port = &b->net->ip6->port[0];
	struct frame f;

	frame6_ra(&f, &LOCAL6, 1800);
	ra_of(&f)->hop_limit = 1;
	ra_of(&f)->reachable_ms = be32_of(1);
	ra_of(&f)->retransmit_ms = be32_of(1);
	in(b, &f);
	assert_int_equal(port->hop_limit, 32);
	assert_int_equal(port->reachable_ns, NS_PER_S);
	assert_int_equal(port->retransmit_ns, 100 * NS_PER_MS);
	ra_of(&f)->hop_limit = 0; // says nothing
	ra_of(&f)->reachable_ms = ra_of(&f)->retransmit_ms = be32_of(0);
	in(b, &f);
	assert_int_equal(port->hop_limit, 32);
	assert_int_equal(port->retransmit_ns, 100 * NS_PER_MS);
	bed_destroy(b);
}

// RFC 4861 6.1.2
static void what_breaks_a_rule_of_validation_is_dropped(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	frame6_ra(&f, &PEER6, 1800);
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_ND_NOT_ROUTER), 1);
	frame6_ra(&f, &LOCAL6, 1800);
	frame6_ip(&f)->hop_limit = 254;
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_ND_FAR), 1);
	frame6_ra(&f, &LOCAL6, 1800);
	ra_of(&f)->code = 1;
	in(b, &f);
	frame6_ra(&f, &LOCAL6, 1800);
	f.len -= 4;
	in(b, &f);
	frame6_ra(&f, &LOCAL6, 1800);
	frame_add(&f, NULL, 8); // an option of no length
	in(b, &f);
	assert_int_equal(bed_drops(b, DROP_ND_MALFORMED), 3);
	assert_null(hop_to(b, &FAR6));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routers_are_asked_for_three_times_until_one_speaks),
		cmocka_unit_test(a_router_leads_elsewhere_as_long_as_it_says),
		cmocka_unit_test(what_is_configured_goes_before_what_a_router_says),
		cmocka_unit_test(another_router_is_taken_when_one_is_silent),
		cmocka_unit_test(who_says_it_is_no_router_any_more_is_none),
		cmocka_unit_test(a_prefix_is_on_the_link_as_long_as_a_router_says),
		cmocka_unit_test(an_address_is_made_kept_avoided_and_ended),
		cmocka_unit_test(a_forged_short_life_ends_no_address_soon),
		cmocka_unit_test(an_address_that_a_router_lets_us_make_is_asked_for_first),
		cmocka_unit_test(prefixes_of_which_no_address_is_made),
		cmocka_unit_test(the_link_has_the_mtu_and_times_that_routers_say),
		cmocka_unit_test(a_port_that_believes_no_routers_asks_for_none),
		cmocka_unit_test(a_port_without_an_address_has_what_routers_give_it),
		cmocka_unit_test(an_advertisement_that_says_little_does_not_keep_us_on_the_link),
		cmocka_unit_test(what_breaks_a_rule_of_validation_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
