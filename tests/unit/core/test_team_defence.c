// SPDX-License-Identifier: BSD-3-Clause
// Several workers and another station that claims an address of theirs: one of them defends it.
#include "crew.h"

static const uint8_t OTHER_MAC[6] = {2, 0, 0, 0, 0x66, 6};

// RFC 5227 2.4 (c): one announcement in ten seconds, whoever hears of the other station.
static void an_address_is_defended_once_whichever_worker_hears_of_it(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_time(c, 10 * NS_PER_S); // the start's announcements are over
	crew_clear(c);
	frame_arp(&f, ARP_REQUEST, OTHER_MAC, OURS, PEER);
	for (uint32_t i = 4; i-- > 0;)
		crew_in(c, i, &f);
	assert_int_equal(crew_sent(c), 1);
	const struct arp_packet *a = crew_read_arp(c, 0);

	assert_int_equal(a->sender.raw, OURS.raw);
	assert_int_equal(a->target.raw, OURS.raw);
	assert_int_equal(c->counters[0].drop[DROP_ARP_CONFLICT], 4);
	crew_time(c, 10 * NS_PER_S);
	crew_clear(c);
	crew_in(c, 2, &f);
	assert_int_equal(crew_sent(c), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void forged_conflicts_do_not_fill_the_way_to_who_defends(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_time(c, 10 * NS_PER_S);
	crew_clear(c);
	c->stopped[0] = true;
	frame_arp(&f, ARP_REQUEST, OTHER_MAC, OURS, PEER);
	for (uint32_t i = 0; i < 1000; i++)
		crew_in(c, 1, &f);
	assert_int_equal(hands_depth(team_hands(c->team, 0)), 1);
	assert_int_equal(c->counters[1].drop[DROP_ARP_CONFLICT], 999);
	c->stopped[0] = false;
	crew_turns(c);
	assert_int_equal(c->port[0].tx_count, 1);
	assert_int_equal(crew_sent(c), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

// He has packets before him and looks at none.
static void where_the_first_worker_is_stopped_the_next_defends(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_time(c, 10 * NS_PER_S);
	crew_clear(c);
	c->stopped[0] = true;
	frame_arp(&f, ARP_REQUEST, OTHER_MAC, OURS, PEER);
	for (uint32_t i = 0; i < 4; i++) {
		crew_in(c, 1 + i % 2, &f);
		crew_in(c, 1 + i % 2, &f);
		crew_time(c, NS_PER_S);
	}
	assert_int_equal(c->port[1].tx_count, 1);
	assert_int_equal(crew_sent(c), 1);
	c->stopped[0] = false;
	crew_turns(c); // he knows nothing of that, and answers all that he finds with one
	assert_int_equal(c->port[0].tx_count, 1);
	crew_in(c, 1, &f);
	crew_time(c, 9 * NS_PER_S);
	crew_in(c, 1, &f);
	assert_int_equal(crew_sent(c), 2);
	assert_int_equal(crew_drops(c, DROP_ARP_CONFLICT), 10);
	crew_at_rest(c);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_defended_once_whichever_worker_hears_of_it),
		cmocka_unit_test(forged_conflicts_do_not_fill_the_way_to_who_defends),
		cmocka_unit_test(where_the_first_worker_is_stopped_the_next_defends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
