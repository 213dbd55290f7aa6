// SPDX-License-Identifier: BSD-3-Clause
// The DHCP client in virtual time: how it gets an address, keeps it and loses it, and whom it
// believes.
#include <errno.h>

#include "bed_dhcp.h"

static void an_address_is_asked_for_requested_probed_and_used(void **state)
{
	struct bed *b = bed_dhcp();
	const struct ipv4_header *ip;
	struct net_path path;
	const struct addr any = {0}, far = addr_from_v4(FAR);

	ip = bed_last_ip4(b);
	assert_int_equal(ip->src.raw, 0);
	assert_int_equal(ip->dst.raw, 0xffffffff);
	assert_int_equal(b->out[0], 0xff); // and ethernet's
	assert_int_equal(type_sent(b), DHCP_DISCOVER);
	assert_int_equal(be16_get(sent(b)->flags), DHCP_BROADCAST);
	assert_int_equal(net_path_find(b->net, &any, &far, &path), -ENETUNREACH);
	bed_say(b, offer());
	assert_int_equal(type_sent(b), DHCP_REQUEST);
	assert_memory_equal(option_of(sent(b), DHCP_OPTION_WANTED), &(be32){GIVEN.raw}, 4);
	assert_memory_equal(option_of(sent(b), DHCP_OPTION_SERVER), &(be32){SERVER.raw}, 4);
	assert_int_equal(sent(b)->client.raw, 0);
	bed_clear(b);
	bed_say(b, ack());
	assert_false(net_is_ours(b->net, GIVEN)); // first the link is asked
	bed_time(b, AFTER_PROBES_NS);
	assert_int_equal(b->port[0].tx_count, 3 + 2); // three probes, then it is announced
	for (uint32_t i = 0; i < 5; i++) {
		capture_read(&b->port[0], i, b->out);
		const struct arp_packet *a = (const void *)(b->out + 14);

		assert_int_equal(a->target.raw, GIVEN.raw);
		assert_int_equal(a->sender.raw, i < 3 ? 0 : GIVEN.raw);
	}
	assert_true(net_is_ours(b->net, GIVEN));
	assert_int_equal(b->counters.value[COUNTER_dhcp_leases], 1);
	assert_int_equal(net_path_find(b->net, &any, &far, &path), 0);
	assert_int_equal(addr_to_v4(&path.local).raw, GIVEN.raw);
	const struct addr *hop = &b->net->neighbours.slot[path.neighbour].addr;

	assert_int_equal(addr_to_v4(hop).raw, SERVER.raw); // the router
	assert_int_equal(net_place(b->net, &path.local), 0);
	bed_destroy(b);
}

// RFC 2131 4.1
static void who_gets_no_answer_asks_again_later_and_later(void **state)
{
	struct bed *b = bed_dhcp();
	uint64_t at_ns[6];

	for (uint32_t n = 1; n < 6; n++) {
		while (b->port[0].tx_count == n)
			bed_time(b, 10 * NS_PER_MS);
		at_ns[n] = b->env.now_ns;
		assert_int_equal(type_sent(b), DHCP_DISCOVER);
	}
	assert_in_range(at_ns[1], 2900 * NS_PER_MS, 5100 * NS_PER_MS);
	for (uint32_t n = 2; n < 6; n++) {
		uint64_t ns = NS_PER_S << (n + 1);

		assert_in_range(at_ns[n] - at_ns[n - 1], ns - 1100 * NS_PER_MS,
				ns + 1100 * NS_PER_MS);
	}
	bed_destroy(b);
}

static void a_server_that_falls_silent_is_given_up(void **state)
{
	struct bed *b = bed_dhcp();

	bed_say(b, offer());
	bed_clear(b);
	bed_time(b, 130 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	assert_int_equal(type_sent(b), DHCP_DISCOVER);
	bed_destroy(b);
}

// RFC 2131 3.1.5, RFC 5227 2.1.1
static void an_address_that_somebody_has_is_declined(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;

	bed_say(b, offer());
	bed_say(b, ack());
	bed_clear(b);
	frame_arp(&f, ARP_REPLY, PEER_MAC, GIVEN, IP(0, 0, 0, 0));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(type_sent(b), DHCP_DECLINE);
	assert_memory_equal(option_of(sent(b), DHCP_OPTION_WANTED), &(be32){GIVEN.raw}, 4);
	bed_clear(b);
	bed_time(b, 9900 * NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 0);
	assert_false(net_is_ours(b->net, GIVEN));
	bed_time(b, 200 * NS_PER_MS);
	assert_int_equal(type_sent(b), DHCP_DISCOVER);
	bed_destroy(b);
}

// RFC 2131 4.4.5: half of the life, asked of the server alone, who may lengthen it.
static void a_lease_is_renewed_after_half_its_life(void **state)
{
	struct bed *b = bed_bound(3600);
	struct said w = ack();

	bed_time(b, 1780 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	bed_clear(b);
	while (b->port[0].tx_count == 0)
		bed_time(b, 10 * NS_PER_MS);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	const struct arp_packet *a = (const void *)(b->out + 14);

	bed_last(b); // who is the server? then to him alone
	assert_int_equal(a->target.raw, SERVER.raw);
	struct frame f;

	frame_arp(&f, ARP_REPLY, PEER_MAC, SERVER, GIVEN);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(type_sent(b), DHCP_REQUEST);
	assert_int_equal(sent(b)->client.raw, GIVEN.raw);
	assert_null(option_of(sent(b), DHCP_OPTION_WANTED));
	assert_null(option_of(sent(b), DHCP_OPTION_SERVER));
	assert_int_equal(bed_last_ip4(b)->dst.raw, SERVER.raw);
	bed_say(b, w);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	bed_time(b, 1700 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	assert_true(net_is_ours(b->net, GIVEN));
	assert_int_equal(b->counters.value[COUNTER_dhcp_leases], 1);
	bed_destroy(b);
}

static void a_lease_that_nobody_renews_ends(void **state)
{
	struct bed *b = bed_bound(3600);
	const struct addr any = {0}, peer = addr_from_v4(PEER);
	struct net_path path;

	bed_time(b, 3100 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	bed_time(b, 60 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_REBINDING);
	assert_int_equal(bed_last_ip4(b)->dst.raw, 0xffffffff); // any server
	assert_int_equal(sent(b)->client.raw, GIVEN.raw);
	bed_time(b, 400 * NS_PER_S);
	assert_true(net_is_ours(b->net, GIVEN));
	bed_time(b, 50 * NS_PER_S);
	assert_false(net_is_ours(b->net, GIVEN));
	assert_int_equal(net_path_find(b->net, &any, &peer, &path), -ENETUNREACH);
	assert_int_equal(b->counters.value[COUNTER_dhcp_leases], 0);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	bed_destroy(b);
}

static void another_server_may_lengthen_it_at_the_end(void **state)
{
	struct bed *b = bed_bound(3600);
	struct said w = ack();

	w.server = OTHER_SERVER;
	bed_time(b, 3200 * NS_PER_S);
	bed_say(b, w);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	assert_true(client(b)->server.raw == OTHER_SERVER.raw);
	bed_destroy(b);
}

static void a_refusal_begins_anew(void **state)
{
	struct bed *b = bed_dhcp();

	bed_say(b, offer());
	bed_say(b, nak(SERVER));
	assert_int_equal(client(b)->state, DHCP_INIT);
	bed_time(b, 10100 * NS_PER_MS);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	bed_destroy(b);
	b = bed_bound(3600);
	bed_say(b, nak(SERVER)); // nobody asked
	assert_int_equal(client(b)->state, DHCP_BOUND);
	bed_time(b, 1810 * NS_PER_S);
	bed_say(b, nak(OTHER_SERVER)); // not he
	assert_true(net_is_ours(b->net, GIVEN));
	bed_say(b, nak(SERVER));
	assert_false(net_is_ours(b->net, GIVEN));
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	assert_int_equal(bed_drops(b, DROP_DHCP_UNASKED), 2);
	bed_destroy(b);
}

// Its number is drawn anew, and the other states' are not heard any more.
static void is_asked_by_another_number(struct bed *b, be32 before)
{
	struct frame f;
	uint64_t drops = bed_drops(b, DROP_DHCP_NOT_OURS);

	assert_int_not_equal(client(b)->xid.raw, before.raw);
	frame_said(&f, before, b->port[0].port.mac, ack());
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_DHCP_NOT_OURS), drops + 1);
}

static void each_question_has_a_number_of_its_own(void **state)
{
	struct bed *b = bed_bound(3600);
	const be32 chosen = client(b)->xid;

	bed_time(b, 1810 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	const be32 renewing = client(b)->xid;

	is_asked_by_another_number(b, chosen);
	bed_time(b, 1000 * NS_PER_S); // asked again, by the same
	assert_int_equal(client(b)->xid.raw, renewing.raw);
	bed_time(b, 400 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_REBINDING);
	is_asked_by_another_number(b, renewing);
	bed_destroy(b);
}

// Who knows all that was drawn from env's rng does not know it.
static void the_number_of_a_question_is_made_of_the_secret(void **state)
{
	struct bed *a = bed_bound(3600), *b = bed_bound(3600);

	assert_int_equal(client(a)->xid.raw, client(b)->xid.raw);
	b->env.secret[0] ^= 1;
	bed_time(a, 1810 * NS_PER_S);
	bed_time(b, 1810 * NS_PER_S);
	assert_int_not_equal(client(a)->xid.raw, client(b)->xid.raw);
	bed_destroy(a);
	bed_destroy(b);
}

// RFC 2131 4.4.5: before seven eighths of its life it is the server's who gave it.
static void another_server_does_not_renew_it(void **state)
{
	struct bed *b = bed_bound(3600);
	struct said w = ack();

	w.server = OTHER_SERVER;
	bed_time(b, 1810 * NS_PER_S);
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_UNASKED), 1);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	bed_destroy(b);
}

// When the next question leaves.
static uint64_t silent_ns(struct bed *b)
{
	uint64_t begun_ns = b->env.now_ns;

	bed_clear(b);
	while (b->port[0].tx_count == 0)
		bed_time(b, 10 * NS_PER_MS);
	return b->env.now_ns - begun_ns;
}

static uint64_t refused_ns(struct bed *b)
{
	bed_say(b, offer());
	bed_say(b, nak(SERVER));
	assert_int_equal(client(b)->state, DHCP_INIT);
	return silent_ns(b);
}

// A server that offers and refuses would have us ask without end.
static void who_is_refused_in_a_row_asks_later_and_later(void **state)
{
	static const uint64_t wait_s[] = {10, 20, 40, 80, 160, 160};
	struct bed *b = bed_dhcp();

	for (uint32_t i = 0; i < ARRAY_COUNT(wait_s); i++)
		assert_in_range(refused_ns(b), wait_s[i] * NS_PER_S,
				wait_s[i] * NS_PER_S + 20 * NS_PER_MS);
	assert_int_equal(type_sent(b), DHCP_DISCOVER);
	bed_bind(b, 3600);
	bed_time(b, 1810 * NS_PER_S);
	bed_say(b, nak(SERVER));
	assert_in_range(refused_ns(b), 10 * NS_PER_S, 10 * NS_PER_S + 20 * NS_PER_MS);
	bed_destroy(b);
}

static uint64_t declined_ns(struct bed *b)
{
	struct frame f;

	bed_say(b, offer());
	bed_say(b, ack());
	frame_arp(&f, ARP_REPLY, PEER_MAC, GIVEN, IP(0, 0, 0, 0));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(type_sent(b), DHCP_DECLINE);
	return silent_ns(b);
}

// RFC 5227 2.1.1: MAX_CONFLICTS, RATE_LIMIT_INTERVAL.
static void after_ten_conflicts_no_more_than_one_address_a_minute_is_tried(void **state)
{
	struct bed *b = bed_dhcp();

	for (uint32_t i = 0; i < 10; i++)
		assert_true(declined_ns(b) >= 10 * NS_PER_S);
	assert_true(declined_ns(b) >= 60 * NS_PER_S);
	bed_destroy(b);
}

// RFC 5227 1.1: PROBE_WAIT; machines that start together do not ask together.
static void the_first_probe_waits_for_up_to_a_second(void **state)
{
	struct bed *b = bed_dhcp();

	bed_say(b, offer());
	bed_say(b, ack());
	bed_clear(b);
	bed_time(b, NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_time(b, NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_destroy(b);
}

// The times that a server tells, in the place of what is behind the router.
static void ack_with_times(struct bed *b, uint32_t renew_s, uint32_t rebind_s)
{
	struct frame f;
	uint8_t *at = (uint8_t *)(frame_dhcp(&f, b, ack()) + 1) + 27;
	be32 renew = be32_of(renew_s), rebind = be32_of(rebind_s);

	memcpy(at, (uint8_t[]){DHCP_OPTION_RENEWAL, 4}, 2);
	memcpy(at + 2, &renew, 4);
	memcpy(at + 6, (uint8_t[]){DHCP_OPTION_REBINDING, 4}, 2);
	memcpy(at + 8, &rebind, 4);
	at[12] = DHCP_OPTION_END;
	bed_in(b, 0, f.byte, f.len);
}

static void no_server_has_us_renew_more_often_than_once_a_minute(void **state)
{
	struct bed *b = bed_dhcp();

	bed_say(b, offer());
	ack_with_times(b, 5, 3000);
	assert_int_equal(client(b)->renew_s, 60);
	assert_int_equal(client(b)->rebind_s, 3000);
	bed_time(b, AFTER_PROBES_NS);
	bed_time(b, 45 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_BOUND);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	ack_with_times(b, 5, 30); // no sense
	assert_int_equal(client(b)->renew_s, 1800);
	bed_destroy(b);
}

static void an_address_for_ever_is_never_asked_for_again(void **state)
{
	struct bed *b = bed_bound(DHCP_FOREVER_S);

	bed_time(b, 10 * NS_PER_S); // the second announcement
	bed_clear(b);
	bed_time(b, 1000000 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0);
	assert_true(net_is_ours(b->net, GIVEN));
	bed_destroy(b);
}

static void what_answers_no_question_of_ours_is_dropped(void **state)
{
	struct bed *b = bed_dhcp();
	struct said w = ack();
	struct frame f;

	bed_say(b, ack()); // nothing was requested
	assert_int_equal(bed_drops(b, DROP_DHCP_UNASKED), 1);
	frame_dhcp(&f, b, offer())->xid.raw ^= 1;
	bed_in(b, 0, f.byte, f.len);
	frame_dhcp(&f, b, offer())->mac[5] ^= 1;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_DHCP_NOT_OURS), 2);
	bed_say(b, offer());
	bed_say(b, offer()); // the second of two servers
	w.server = OTHER_SERVER;
	bed_say(b, w);
	w = ack();
	w.yours = IP(198, 18, 0, 51);
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_UNASKED), 4);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	bed_destroy(b);
}

static void a_port_that_asks_for_none_hears_no_server(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;

	b->net->port[0].has_dhcp = false;
	frame_dhcp(&f, b, offer());
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_asked_for_requested_probed_and_used),
		cmocka_unit_test(who_gets_no_answer_asks_again_later_and_later),
		cmocka_unit_test(a_server_that_falls_silent_is_given_up),
		cmocka_unit_test(an_address_that_somebody_has_is_declined),
		cmocka_unit_test(a_lease_is_renewed_after_half_its_life),
		cmocka_unit_test(a_lease_that_nobody_renews_ends),
		cmocka_unit_test(another_server_may_lengthen_it_at_the_end),
		cmocka_unit_test(a_refusal_begins_anew),
		cmocka_unit_test(each_question_has_a_number_of_its_own),
		cmocka_unit_test(the_number_of_a_question_is_made_of_the_secret),
		cmocka_unit_test(another_server_does_not_renew_it),
		cmocka_unit_test(who_is_refused_in_a_row_asks_later_and_later),
		cmocka_unit_test(after_ten_conflicts_no_more_than_one_address_a_minute_is_tried),
		cmocka_unit_test(the_first_probe_waits_for_up_to_a_second),
		cmocka_unit_test(no_server_has_us_renew_more_often_than_once_a_minute),
		cmocka_unit_test(an_address_for_ever_is_never_asked_for_again),
		cmocka_unit_test(what_answers_no_question_of_ours_is_dropped),
		cmocka_unit_test(a_port_that_asks_for_none_hears_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
