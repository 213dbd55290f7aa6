// SPDX-License-Identifier: BSD-3-Clause
// Routers that somebody on the link makes up: they put out nothing that serves, and keep nobody
// out.
#include "bed_router.h"

// Addresses of port 0 when no more are made: link-local, configured, made.
#define FULL (1 + 1 + IP6_MADE_MAX)

static void forge(struct bed *b, uint32_t count)
{
	struct frame f;

	for (uint32_t i = 0; i < count; i++) {
		frame6_rival(&f, (uint8_t)(i % 200 + 1));
		in(b, &f);
		bed_time(b, 2 * NS_PER_S);
	}
	assert_int_equal(b->net->ip6->port[0].router_count, IP6_ROUTERS_MAX);
	assert_int_equal(b->net->ip6->port[0].prefix_count, IP6_PREFIXES_MAX);
	assert_int_equal(b->net->ip6->port[0].address_count, FULL);
}

// A router that answered, an address that spoke, and what is configured.
static void forged_advertisements_put_out_nothing_that_serves(void **state)
{
	struct bed *b = bed6_create();
	struct net_path path;
	struct frame f;

	frame6_ra(&f, &SECOND6, 1800);
	add_prefix(&f, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 10000, 10000);
	in(b, &f);
	const struct addr own = made(b)->addr;

	assert_int_equal(net_path_find(b->net, &own, &FAR6, &path), 0);
	b->net->neighbours.slot[path.neighbour].state = NEIGHBOUR_PENDING; // it was asked
	bed6_told(b, &SECOND6, ND_SOLICITED | ND_OVERRIDE | ND_ROUTER, PEER_MAC);
	forge(b, 100);
	assert_true(addr_equal(hop_to(b, &FAR6), &SECOND6));
	assert_true(addr_equal(hop_to(b, &THERE6), &THERE6)); // its prefix is still on the link
	assert_true(ip6_is_ours(b->net, &own));
	assert_true(ip6_is_ours(b->net, &OURS6));
	bed_destroy(b);
}

static void a_router_that_comes_is_known_with_its_first_word_after_forged_ones(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	forge(b, 100);
	frame6_ra(&f, &SECOND6, 1800);
	add_prefix(&f, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 10000, 10000);
	in(b, &f);
	assert_true(is_router(b, &SECOND6));
	assert_true(addr_equal(hop_to(b, &THERE6), &THERE6));
	assert_true(ipv6_in_prefix(&b->net->ip6->port[0].address[FULL - 1].addr, &PREFIX6, 64));
	bed_destroy(b);
}

static void addresses_that_nothing_was_sent_from_cost_no_look_at_connections(void **state)
{
	struct bed *b = bed6_create();

	forge(b, 100);
	assert_int_equal(b->env.addresses_lost, 0);
	bed_destroy(b);
}

// Each is asked for on the link.
static void no_more_than_one_address_a_second_gives_way(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	forge(b, 20);
	for (uint32_t i = 0; i < 20; i++) {
		const struct addr last = b->net->ip6->port[0].address[FULL - 1].addr;

		frame6_rival(&f, (uint8_t)(100 + i));
		in(b, &f);
		assert_int_equal(!addr_equal(&b->net->ip6->port[0].address[FULL - 1].addr, &last),
				 i == 0 || i == 10);
		bed_time(b, NS_PER_S / 10);
	}
	bed_destroy(b);
}

// A router that says where its station is, so that it is a neighbour.
static void frame6_present(struct frame *f, const struct addr *router)
{
	struct nd_option_mac o = {ND_OPTION_SOURCE, 1, {0}};

	memcpy(o.mac, PEER_MAC, 6);
	frame6_ra(f, router, 1800);
	frame_add(f, &o, sizeof(o));
}

static void who_says_unasked_that_he_answers_does_not_stay(void **state)
{
	struct bed *b = bed6_create();
	struct addr forged = LOCAL6;
	struct frame f;

	for (uint32_t i = 0; i < IP6_ROUTERS_MAX; i++) {
		forged.byte[8] = (uint8_t)(i + 1);
		frame6_present(&f, &forged);
		in(b, &f);
		bed6_told(b, &forged, ND_SOLICITED | ND_OVERRIDE | ND_ROUTER, PEER_MAC);
		assert_true(is_router(b, &forged));
	}
	advertise(b, &SECOND6, 1800);
	assert_true(is_router(b, &SECOND6));
	bed_destroy(b);
}

// Something is sent from an address of a prefix, as when it is pinged.
static void speaks(struct bed *b, const struct addr *own)
{
	struct net_path path;

	assert_int_equal(net_path_find(b->net, own, &FAR6, &path), 0);
}

// Seven prefixes, and from each address something was sent.
static void forge_and_ping(struct bed *b)
{
	const struct ip6_port *port = &b->net->ip6->port[0];
	struct frame f;

	for (uint32_t i = 0; i < IP6_MADE_MAX; i++) {
		frame6_rival(&f, (uint8_t)(i + 1));
		in(b, &f);
		speaks(b, &port->address[port->address_count - 1].addr);
		bed_time(b, 2 * NS_PER_S);
	}
	assert_int_equal(port->address_count, FULL);
}

static void a_router_comes(struct bed *b)
{
	struct frame f;

	frame6_ra(&f, &SECOND6, 1800);
	add_prefix(&f, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 10000, 10000);
	in(b, &f);
}

static bool has_address_of_the_prefix(struct bed *b)
{
	const struct ip6_port *port = &b->net->ip6->port[0];

	for (uint32_t k = 1; k < port->address_count; k++)
		if (ipv6_in_prefix(&port->address[k].addr, &PREFIX6, 64))
			return true;
	return false;
}

// Who pings what he had us make does not keep it for ever; who speaks from it does.
static void an_address_that_speaks_no_more_gives_way_in_the_end(void **state)
{
	struct bed *b = bed6_create();
	const struct ip6_port *port = &b->net->ip6->port[0];

	forge_and_ping(b);
	const struct addr speaker = port->address[2].addr;

	a_router_comes(b);
	assert_false(has_address_of_the_prefix(b));
	bed_time(b, 300 * NS_PER_S);
	a_router_comes(b);
	assert_false(has_address_of_the_prefix(b));
	speaks(b, &speaker);
	bed_time(b, 301 * NS_PER_S);
	a_router_comes(b);
	assert_true(has_address_of_the_prefix(b));
	assert_int_equal(b->env.addresses_lost, 1); // its connections are looked for
	assert_true(ip6_is_ours(b->net, &speaker)); // the longest not heard of, but it speaks
	bed_destroy(b);
}

// Around the prefix of an address that speaks many shorter ones can be said.
static void prefixes_around_one_that_is_used_give_way_before_it(void **state)
{
	struct bed *b = bed6_create();
	const struct ip6_port *port = &b->net->ip6->port[0];
	bool is_there = false;
	struct frame f;

	a_router_comes(b);
	speaks(b, &made(b)->addr);
	for (uint8_t len = 30; len < 60; len++) {
		frame6_ra(&f, &LOCAL6, 1800);
		add_prefix(&f, ND_PREFIX_ON_LINK, 10000, 10000);
		((struct nd_option_prefix *)(f.byte + f.len - sizeof(struct nd_option_prefix)))
			->len = len;
		bed_time(b, NS_PER_S);
		in(b, &f);
	}
	assert_int_equal(port->prefix_count, IP6_PREFIXES_MAX);
	for (uint32_t i = 0; i < port->prefix_count; i++)
		is_there |= port->prefix[i].len == 64;
	assert_true(is_there);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged_advertisements_put_out_nothing_that_serves),
		cmocka_unit_test(
			a_router_that_comes_is_known_with_its_first_word_after_forged_ones),
		cmocka_unit_test(no_more_than_one_address_a_second_gives_way),
		cmocka_unit_test(addresses_that_nothing_was_sent_from_cost_no_look_at_connections),
		cmocka_unit_test(who_says_unasked_that_he_answers_does_not_stay),
		cmocka_unit_test(an_address_that_speaks_no_more_gives_way_in_the_end),
		cmocka_unit_test(prefixes_around_one_that_is_used_give_way_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
