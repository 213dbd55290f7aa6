// SPDX-License-Identifier: BSD-3-Clause
// DHCP of several workers: the first asks, whoever hears an answer hands it to him, and all have
// the address that he got.
#include <errno.h>

#include "crew.h"

#include "../net/bed_dhcp.h"

static struct crew *create(enum crew_mode mode)
{
	struct prism_options o;

	crew_options(&o);
	o.ports[0].address_count = 0;
	o.ports[0].dhcp = true;
	struct crew *c = crew_create_with(&o, 4, mode);

	crew_time(c, 10 * NS_PER_MS);
	return c;
}

static struct net *net_of(struct crew *c, uint32_t worker)
{
	return c->worker[worker]->net;
}

// A server's message that this worker receives.
static void say(struct crew *c, uint32_t worker, struct said w)
{
	struct frame f;

	frame_said(&f, net_of(c, 0)->dhcp[0].xid, c->port[0].port.mac, w);
	crew_in(c, worker, &f);
}

static void is_given_an_address(struct crew *c, uint32_t receiver)
{
	say(c, receiver, offer());
	say(c, receiver, ack());
	assert_int_equal(net_of(c, 0)->dhcp[0].state, DHCP_PROBING);
	crew_time(c, AFTER_PROBES_NS);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(net_is_ours(net_of(c, i), GIVEN));
}

static void all_have_what_the_first_was_given(enum crew_mode mode, uint32_t receiver)
{
	struct crew *c = create(mode);
	const struct addr any = {0}, far = addr_from_v4(FAR);
	struct net_path path;

	assert_int_equal(crew_sent(c), 1); // one asks
	is_given_an_address(c, receiver);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(net_path_find(net_of(c, i), &any, &far, &path), 0);
		assert_true(addr_to_v4(&path.local).raw == GIVEN.raw);
	}
	crew_time(c, 4000 * NS_PER_S); // nobody renews it
	for (uint32_t i = 0; i < 4; i++)
		assert_false(net_is_ours(net_of(c, i), GIVEN));
	assert_int_equal(crew_all_drops(c), crew_drops(c, DROP_ARP_UNREACHABLE));
	crew_at_rest(c);
	crew_destroy(c);
}

static void all_have_what_the_first_was_given_whoever_heard_it(void **state)
{
	all_have_what_the_first_was_given(CREW_SPREAD, 3);
}

static void all_have_what_the_first_was_given_behind_one_queue(void **state)
{
	all_have_what_the_first_was_given(CREW_FEW, 0);
}

static void an_address_that_somebody_has_is_declined_whoever_heard_it(void **state)
{
	struct crew *c = create(CREW_SPREAD);
	struct frame f;

	say(c, 1, offer());
	say(c, 1, ack());
	frame_arp(&f, ARP_REPLY, PEER_MAC, GIVEN, IP(0, 0, 0, 0));
	crew_in(c, 2, &f);
	assert_int_equal(net_of(c, 0)->dhcp[0].state, DHCP_INIT);
	crew_time(c, AFTER_PROBES_NS);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(net_is_ours(net_of(c, i), GIVEN));
	crew_destroy(c);
}

// All that is on its way from one worker to another is lost, as when the ring is full.
static void lose_handed(struct crew *c, uint32_t from, uint32_t to)
{
	struct pkt *p;

	hands_flush(&c->worker[from]->env);
	while (hands_take(&c->worker[to]->env, from, &p, 1))
		pkt_consume(&c->worker[to]->env, p);
}

// The first worker has the answer to his question; what he tells the second is lost.
static void is_told_in_vain(struct crew *c, struct said w)
{
	struct frame f;

	frame_said(&f, net_of(c, 0)->dhcp[0].xid, c->port[0].port.mac, w);
	crew_put(c, 0, &f);
	crew_turn(c, 0);
	lose_handed(c, 0, 1);
	crew_turns(c);
}

// A note that found no place is told again: nobody keeps an address that is not ours, and nobody
// misses one.
static void who_missed_a_note_hears_it_again(void **state)
{
	struct crew *c = create(CREW_SPREAD);

	is_given_an_address(c, 0);
	crew_time(c, 1810 * NS_PER_S);
	is_told_in_vain(c, nak(SERVER));
	assert_false(net_is_ours(net_of(c, 0), GIVEN));
	assert_true(net_is_ours(net_of(c, 2), GIVEN));
	crew_time(c, 1100 * NS_PER_MS);
	for (uint32_t i = 1; i < 4; i++)
		assert_false(net_is_ours(net_of(c, i), GIVEN));
	crew_time(c, 10 * NS_PER_S);
	is_given_an_address(c, 0);
	crew_destroy(c);
}

// As long as the port has nothing it is told, too, and no later than twice a minute.
static void notes_go_round_whatever_the_client_does(void **state)
{
	struct crew *c = create(CREW_SPREAD);
	uint64_t before;

	is_given_an_address(c, 0);
	crew_time(c, 1810 * NS_PER_S);
	say(c, 0, nak(SERVER));
	crew_time(c, 200 * NS_PER_S);
	assert_int_equal(net_of(c, 0)->dhcp[0].state, DHCP_SELECTING);
	before = crew_sum(c, COUNTER_handed_out_pkts);
	crew_time(c, 31 * NS_PER_S);
	assert_true(crew_sum(c, COUNTER_handed_out_pkts) >= before + 3);
	crew_destroy(c);
}

// Who stood still finds an old note when later ones have passed him by.
static void an_old_note_is_not_believed(void **state)
{
	struct crew *c = create(CREW_SPREAD);
	struct frame f;

	is_given_an_address(c, 0);
	crew_time(c, 1810 * NS_PER_S);
	c->stopped[2] = true;
	frame_said(&f, net_of(c, 0)->dhcp[0].xid, c->port[0].port.mac, ack());
	crew_in(c, 0, &f); // "the address is ours" waits at the third
	crew_time(c, 1810 * NS_PER_S);
	say(c, 0, nak(SERVER)); // "it is not" passes him by
	crew_time(c, NS_PER_S / 10);
	assert_false(net_is_ours(net_of(c, 3), GIVEN));
	c->stopped[2] = false;
	crew_turn(c, 2);
	crew_turn(c, 3);
	assert_false(net_is_ours(net_of(c, 3), GIVEN));
	crew_time(c, 2 * NS_PER_S);
	assert_false(net_is_ours(net_of(c, 2), GIVEN));
	crew_destroy(c);
}

// Whoever's they are.
static void connections_from_an_address_that_goes_end_by_name(void **state)
{
	struct crew *c = create(CREW_SPREAD);
	struct seg s = {5000, 80, PEER_ISN, 0, TCP_SYN, {0}};
	struct frame f;

	is_given_an_address(c, 0);
	crew_time(c, 1810 * NS_PER_S);
	crew_meet(c);
	crew_listen(c, 2, 80);
	frame_seg_to(&f, GIVEN, s);
	crew_in(c, 1, &f);
	s = (struct seg){5000, 80, PEER_ISN + 1, be32_get(crew_only_seg(c)->seq) + 1, TCP_ACK, {0}};
	frame_seg_to(&f, GIVEN, s);
	crew_in(c, 1, &f);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_ACCEPTED], 1);
	crew_clear(c);
	say(c, 0, nak(SERVER));
	assert_int_equal(c->seen[2].count[PRISM_EVENT_CLOSED], 1);
	assert_int_equal(c->seen[2].last.reason, PRISM_CLOSE_ADDRESS_GONE);
	assert_int_equal(crew_sent(c), 1); // the question for another address, and no reset
	crew_destroy(c);
}

// It has no place among the configured addresses, and is not any.
static void sockets_on_the_address_are_told_from_those_on_any(void **state)
{
	struct crew *c = create(CREW_SPREAD);
	struct prism_endpoint here = {.port = 53};
	struct addr given = addr_from_v4(GIVEN);
	struct frame f;

	is_given_an_address(c, 0);
	memcpy(&here.addr, &given, 16);
	crew_open_udp_at(c, 1, here);
	crew_open_udp(c, 2, 53);
	frame_udp(&f, PEER, GIVEN, 53, (struct run){"query", 5});
	for (uint32_t i = 0; i < 4; i++)
		crew_in(c, i, &f);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_DATAGRAM], 4);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 0);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_have_what_the_first_was_given_whoever_heard_it),
		cmocka_unit_test(all_have_what_the_first_was_given_behind_one_queue),
		cmocka_unit_test(an_address_that_somebody_has_is_declined_whoever_heard_it),
		cmocka_unit_test(who_missed_a_note_hears_it_again),
		cmocka_unit_test(notes_go_round_whatever_the_client_does),
		cmocka_unit_test(an_old_note_is_not_believed),
		cmocka_unit_test(connections_from_an_address_that_goes_end_by_name),
		cmocka_unit_test(sockets_on_the_address_are_told_from_those_on_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
