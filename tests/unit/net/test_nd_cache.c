// SPDX-License-Identifier: BSD-3-Clause
// The life of an IPv6 neighbour: RFC 4861 7.2, 7.3 and appendix C, step by step.
#include "bed6.h"

static const uint8_t OTHER_MAC[6] = {2, 0, 0, 0, 0x20, 7};

// A packet of ours to somebody: an echo reply, as good as any.
static void send_to(struct bed *b, const struct addr *to)
{
	struct net_path path;
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	assert_int_equal(net_path_find(b->net, &NOBODY6, to, &path), 0);
	*(struct icmp6_header *)pkt_append(p, 8) = (struct icmp6_header){ICMP6_ECHO_REPLY};
	net_output(b->net, p,
		   &(struct net_out){.path = &path,
				     .protocol = IP_ICMP6,
				     .checksum_offset = ICMP6_CHECKSUM_OFFSET});
	bed_conserved(b);
}

static uint8_t state_of(struct bed *b)
{
	return bed6_neighbour(b, &PEER6)->state;
}

// How many solicitations left since the last look, and whether to its station alone.
static uint32_t asked(struct bed *b, bool *alone)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->port[0].tx_count; i++) {
		const struct icmp6_header *h = (const void *)(bed6_sent(b, i) + 1);

		count += h->type == ICMP6_NEIGHBOUR_SOLICITATION;
		*alone = b->out[0] != 0x33;
	}
	bed_clear(b);
	return count;
}

static void make_reachable(struct bed *b)
{
	send_to(b, &PEER6);
	bed6_told(b, &PEER6, ND_SOLICITED | ND_OVERRIDE, PEER_MAC);
	bed_clear(b);
	assert_int_equal(state_of(b), NEIGHBOUR_REACHABLE);
}

static void what_waits_leaves_with_the_answer(void **state)
{
	struct bed *b = bed6_create();

	send_to(b, &PEER6);
	send_to(b, &PEER6);
	assert_int_equal(b->port[0].tx_count, 1); // the question
	assert_int_equal(state_of(b), NEIGHBOUR_PENDING);
	bed6_told(b, &PEER6, ND_SOLICITED | ND_OVERRIDE, PEER_MAC);
	assert_int_equal(b->port[0].tx_count, 3);
	assert_int_equal(bed6_last_icmp(b)->type, ICMP6_ECHO_REPLY);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_int_equal(state_of(b), NEIGHBOUR_REACHABLE);
	bed_destroy(b);
}

// RFC 4861 7.2.2: MAX_MULTICAST_SOLICIT is 3.
static void who_does_not_answer_three_times_is_unreachable(void **state)
{
	struct bed *b = bed6_create();
	bool alone = true;

	send_to(b, &PEER6);
	bed_time(b, 2900 * NS_PER_MS);
	assert_int_equal(asked(b, &alone), 3);
	assert_false(alone);
	bed_time(b, 200 * NS_PER_MS);
	assert_int_equal(bed_drops(b, DROP_ND_UNREACHABLE), 1);
	assert_int_equal(state_of(b), NEIGHBOUR_FAILED);
	send_to(b, &PEER6);
	assert_int_equal(bed_drops(b, DROP_ND_UNREACHABLE), 2);
	bed_time(b, 4 * NS_PER_S);
	assert_null(bed6_neighbour(b, &PEER6));
	bed_destroy(b);
}

static void the_oldest_of_too_many_that_wait_gives_way(void **state)
{
	struct bed *b = bed6_create();

	for (int i = 0; i < NEIGHBOUR_QUEUE_PKTS_MAX + 1; i++)
		send_to(b, &PEER6);
	assert_int_equal(bed_drops(b, DROP_ND_QUEUE_FULL), 1);
	bed_destroy(b);
}

// RFC 4861 7.3.3
static void an_old_neighbour_is_used_and_then_asked_alone(void **state)
{
	struct bed *b = bed6_create();
	bool alone = false;

	make_reachable(b);
	bed_time(b, 46 * NS_PER_S); // REACHABLE_TIME is 15 to 45 s
	assert_int_equal(state_of(b), NEIGHBOUR_STALE);
	assert_int_equal(b->port[0].tx_count, 0);
	send_to(b, &PEER6);
	assert_int_equal(b->port[0].tx_count, 1); // at once
	assert_int_equal(state_of(b), NEIGHBOUR_DELAY);
	bed_clear(b);
	bed_time(b, 4900 * NS_PER_MS);
	assert_int_equal(asked(b, &alone), 0);
	bed_time(b, 200 * NS_PER_MS);
	assert_int_equal(asked(b, &alone), 1);
	assert_true(alone);
	assert_int_equal(state_of(b), NEIGHBOUR_PROBING);
	send_to(b, &PEER6);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_clear(b);
	bed6_told(b, &PEER6, ND_SOLICITED, NULL);
	assert_int_equal(state_of(b), NEIGHBOUR_REACHABLE);
	bed_destroy(b);
}

static void one_that_has_gone_is_forgotten_and_asked_for_anew(void **state)
{
	struct bed *b = bed6_create();
	bool alone = false;

	make_reachable(b);
	bed_time(b, 46 * NS_PER_S);
	send_to(b, &PEER6);
	bed_clear(b);
	bed_time(b, 9 * NS_PER_S);
	assert_int_equal(asked(b, &alone), 3);
	assert_true(alone);
	assert_null(bed6_neighbour(b, &PEER6));
	send_to(b, &PEER6);
	assert_int_equal(asked(b, &alone), 1);
	assert_false(alone);
	bed_destroy(b);
}

static void an_entry_that_nobody_sends_to_is_forgotten(void **state)
{
	struct bed *b = bed6_create();

	bed6_meet(b);
	bed_time(b, 601 * NS_PER_S);
	assert_null(bed6_neighbour(b, &PEER6));
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// RFC 4861 7.2.5, I and II.
static void another_station_replaces_it_only_if_it_says_so(void **state)
{
	struct bed *b = bed6_create();
	struct neighbour *n;

	make_reachable(b);
	n = bed6_neighbour(b, &PEER6);
	bed6_told(b, &PEER6, 0, OTHER_MAC);
	assert_memory_equal(n->header, PEER_MAC, 6);
	assert_int_equal(n->state, NEIGHBOUR_STALE);
	bed6_told(b, &PEER6, 0, OTHER_MAC); // says nothing new
	assert_memory_equal(n->header, PEER_MAC, 6);
	bed6_told(b, &PEER6, ND_OVERRIDE, OTHER_MAC);
	assert_memory_equal(n->header, OTHER_MAC, 6);
	assert_int_equal(n->state, NEIGHBOUR_STALE);
	bed6_told(b, &PEER6, ND_OVERRIDE | ND_SOLICITED | ND_ROUTER, PEER_MAC);
	assert_memory_equal(n->header, PEER_MAC, 6);
	assert_int_equal(n->state, NEIGHBOUR_REACHABLE);
	assert_true(n->is_router);
	bed_destroy(b);
}

static void an_unasked_answer_makes_it_known_but_not_reachable(void **state)
{
	struct bed *b = bed6_create();

	send_to(b, &PEER6);
	bed6_told(b, &PEER6, ND_OVERRIDE, NULL); // says no station
	assert_int_equal(state_of(b), NEIGHBOUR_PENDING);
	bed6_told(b, &PEER6, ND_OVERRIDE, PEER_MAC);
	assert_int_equal(b->port[0].tx_count, 2);
	assert_int_equal(state_of(b), NEIGHBOUR_DELAY); // by the packet that waited
	bed_destroy(b);
}

// RFC 4861 7.2.3
static void a_question_from_another_station_makes_it_stale(void **state)
{
	struct bed *b = bed6_create();

	make_reachable(b);
	bed6_asked(b, &PEER6, &OURS6, PEER_MAC);
	assert_int_equal(state_of(b), NEIGHBOUR_REACHABLE);
	bed6_asked(b, &PEER6, &OURS6, OTHER_MAC);
	assert_int_equal(state_of(b), NEIGHBOUR_STALE);
	assert_memory_equal(bed6_neighbour(b, &PEER6)->header, OTHER_MAC, 6);
	bed_destroy(b);
}

// A host on the link that speaks in a million names (RFC 6583 6) costs those that are in use
// nothing.
static void a_flood_of_names_leaves_the_neighbours_in_use(void **state)
{
	struct bed *b = bed6_create();
	struct addr name = PEER6;

	make_reachable(b);
	for (uint32_t i = 0; i < 20000; i++) {
		name.word[3] = 0x9e3779b9u * (i + 1);
		bed6_asked(b, &name, &OURS6, OTHER_MAC);
		bed_clear(b);
	}
	send_to(b, &PEER6);
	assert_int_equal(b->port[0].tx_count, 1);
	assert_int_equal(bed6_last_icmp(b)->type, ICMP6_ECHO_REPLY);
	bed_destroy(b);
}

// One packet to each of so many stations of the link; how many of them were asked for.
static uint32_t send_to_many(struct bed *b, uint16_t first, uint16_t count)
{
	struct addr to = PEER6;
	bool alone;

	for (uint16_t i = first; i < first + count; i++) {
		to.byte[12] = (uint8_t)(1 + i / 256);
		to.byte[13] = (uint8_t)i;
		send_to(b, &to);
	}
	return asked(b, &alone);
}

// RFC 6583 7
static void so_many_new_neighbours_are_asked_for_a_second(void **state)
{
	struct bed *b = bed6_create_with(
		PORT_TX_CHAINS, &(struct net_config){.no_dad = true, .neighbour_pkts_max = 1000});

	assert_int_equal(send_to_many(b, 0, 300), 256);
	assert_int_equal(bed_drops(b, DROP_ND_ASKED_MANY), 44);
	b->env.now_ns += NS_PER_S / 2;
	assert_int_equal(send_to_many(b, 256, 200), 128); // those that were refused too
	assert_int_equal(bed_drops(b, DROP_ND_ASKED_MANY), 44 + 72);
	assert_int_equal(path6_add_gateway(b->net, 0, &LOCAL6), 0);
	assert_int_equal(send_to_many(b, 256 + 199, 1), 0);
	send_to(b, &FAR6);
	assert_int_equal(bed6_count(b, ICMP6_NEIGHBOUR_SOLICITATION, NULL), 1); // the gateway
	bed_time(b, 10 * NS_PER_S);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_leaves_with_the_answer),
		cmocka_unit_test(who_does_not_answer_three_times_is_unreachable),
		cmocka_unit_test(the_oldest_of_too_many_that_wait_gives_way),
		cmocka_unit_test(an_old_neighbour_is_used_and_then_asked_alone),
		cmocka_unit_test(one_that_has_gone_is_forgotten_and_asked_for_anew),
		cmocka_unit_test(an_entry_that_nobody_sends_to_is_forgotten),
		cmocka_unit_test(another_station_replaces_it_only_if_it_says_so),
		cmocka_unit_test(an_unasked_answer_makes_it_known_but_not_reachable),
		cmocka_unit_test(a_question_from_another_station_makes_it_stale),
		cmocka_unit_test(a_flood_of_names_leaves_the_neighbours_in_use),
		cmocka_unit_test(so_many_new_neighbours_are_asked_for_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
