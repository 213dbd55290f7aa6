// SPDX-License-Identifier: BSD-3-Clause
// Routers and several workers: what one says all know, and what gives way when there is too much is
// the same for all.
#include "crew6.h"

static void what_a_router_says_all_know(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	struct net_path path;
	struct frame f;

	frame6_ra(&f, 0, 0);
	crew_in(c, 3, &f);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(net_path_find(net_of(c, i), &NOBODY6, &FAR6, &path), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// Another router, with a prefix of its own to make an address of.
static void frame6_rival(struct frame *f, uint8_t number)
{
	struct addr router = LOCAL6;

	router.byte[8] = number;
	frame6_ra(f, ND_PREFIX_AUTONOMOUS | ND_PREFIX_ON_LINK, 10000);
	f->byte[f->len - 9] = number;
	memcpy(frame6_ip(f)->src, &router, 16);
	frame6_finish(f, ICMP6_AT);
}

// Heard by one or another.
static void forge(struct crew *c, uint8_t count)
{
	struct frame f;

	for (uint8_t i = 0; i < count; i++) {
		frame6_rival(&f, (uint8_t)(i + 1));
		crew_in(c, i % 4, &f);
		crew_time(c, 2 * NS_PER_S);
	}
}

static bool has_router(struct crew *c, uint32_t worker, const struct addr *addr)
{
	const struct ip6_port *port = &net_of(c, worker)->ip6->port[0];

	for (uint32_t i = 0; i < port->router_count; i++)
		if (addr_equal(&port->router[i].addr, addr))
			return true;
	return false;
}

static void a_router_that_answered_one_gives_way_at_none(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	const struct addr here = OURS6;
	struct net_path path;
	struct frame f;

	frame6_ra(&f, 0, 0);
	crew_in(c, 3, &f);
	assert_int_equal(net_path_find(net_of(c, 2), &here, &FAR6, &path), 0);
	nd_ask_everybody(net_of(c, 2), &net_of(c, 2)->neighbours.slot[path.neighbour]);
	net_of(c, 2)->neighbours.slot[path.neighbour].state = NEIGHBOUR_PENDING;
	frame6_nd(&f, &LOCAL6, &OURS6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_SOLICITED | ND_ROUTER,
				    &LOCAL6, PEER_MAC});
	crew_in(c, 0, &f);
	forge(c, 20);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(has_router(c, i, &LOCAL6));
	crew_at_rest(c);
	crew_destroy(c);
}

// All have the same addresses, in whatever order.
static void agree(struct crew *c)
{
	const struct ip6_port *first = &net_of(c, 0)->ip6->port[0];

	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(net_of(c, i)->ip6->port[0].address_count, first->address_count);
		for (uint32_t k = 0; k < first->address_count; k++)
			assert_non_null(ip6_find(net_of(c, i), &first->address[k].addr));
	}
}

static void the_address_that_gives_way_does_so_at_all_and_none_that_one_speaks_from(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	const struct ip6_port *port = &net_of(c, 0)->ip6->port[0];
	struct net_path path;
	struct frame f;

	frame6_ra(&f, ND_PREFIX_AUTONOMOUS, 10000);
	crew_in(c, 3, &f);
	crew_time(c, 1200 * NS_PER_MS);
	const struct addr made = port->address[2].addr;

	assert_int_equal(net_path_find(net_of(c, 2), &made, &FAR6, &path), 0);
	crew_turns(c);
	for (uint8_t i = 0; i < 30; i++) {
		frame6_rival(&f, (uint8_t)(i + 1));
		crew_in(c, i % 4, &f);
		agree(c);
		assert_true(port->address[port->address_count - 1].addr.byte[7] == i + 1);
		crew_time(c, 2 * NS_PER_S);
	}
	assert_non_null(ip6_find(net_of(c, 2), &made));
	crew_at_rest(c);
	crew_destroy(c);
}

// Who missed which gave way hears it with the router's next word.
static void who_missed_which_gave_way_has_the_same_in_the_end(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	struct frame f;

	forge(c, 7);
	frame6_rival(&f, 8);
	crew_put(c, 0, &f);
	crew_turn(c, 0);
	for (struct pkt *p; hands_take(&c->worker[1]->env, 0, &p, 1);)
		pkt_consume(&c->worker[1]->env, p); // the ring was full
	crew_turns(c);
	crew_time(c, 1100 * NS_PER_MS);
	crew_in(c, 2, &f);
	agree(c);
	crew_at_rest(c);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_router_says_all_know),
		cmocka_unit_test(a_router_that_answered_one_gives_way_at_none),
		cmocka_unit_test(
			the_address_that_gives_way_does_so_at_all_and_none_that_one_speaks_from),
		cmocka_unit_test(who_missed_which_gave_way_has_the_same_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
