// SPDX-License-Identifier: BSD-3-Clause
// Multicast groups: who hears what, what can be joined, and where what is sent there goes.
#include "bed_group.h"

static void what_goes_to_a_group_comes_to_who_joined_it(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct prism_event e;
	struct addr group = addr_from_v4(GROUP);

	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_IP4_MULTICAST), 1);
	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(b->counters.value[COUNTER_udp_groups], 1);
	assert_true(hears(b, SENDER, GROUP, &e));
	assert_int_equal(e.udp.id, udp.id);
	assert_true(addr_equal((const struct addr *)e.local, &group));
	assert_false(hears(b, SENDER, OTHER_GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_IP4_MULTICAST), 2);
	assert_int_equal(leave(b, udp, GROUP), 0);
	assert_int_equal(b->counters.value[COUNTER_udp_groups], 0);
	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_IP4_MULTICAST), 3);
	bed_destroy(b);
}

static void who_did_not_join_hears_nothing_though_another_did(void **state)
{
	struct bed *b = bed_create();
	prism_udp joined = bed_open(b, 8), other = bed_open(b, 7);
	struct prism_event e;

	assert_int_equal(join(b, joined, GROUP), 0);
	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_UDP_NOT_JOINED), 1);
	assert_int_equal(b->port[0].tx_count, 1); // the report, and no ICMP error
	assert_int_equal(join(b, other, GROUP), 0);
	assert_true(hears(b, SENDER, GROUP, &e));
	assert_int_equal(e.udp.id, other.id);
	bed_destroy(b);
}

// RFC 3376 R1
static void only_the_senders_that_are_wanted_are_heard(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct prism_event e;

	assert_int_equal(join_from(b, udp, GROUP, SENDER), 0);
	assert_true(hears(b, SENDER, GROUP, &e));
	assert_false(hears(b, OTHER_SENDER, GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_UDP_NOT_JOINED), 1);
	assert_int_equal(join_from(b, udp, GROUP, OTHER_SENDER), 0);
	assert_true(hears(b, OTHER_SENDER, GROUP, &e));
	assert_int_equal(leave_from(b, udp, GROUP, SENDER), 0);
	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(join(b, udp, GROUP), 0);
	assert_true(hears(b, SENDER, GROUP, &e));
	bed_destroy(b);
}

static void a_group_is_heard_on_its_port_alone(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_group g = {.group = addr_from_v4(GROUP),
			      .on = addr_from_v4_octets(198, 19, 0, 2)};
	struct prism_event e;

	assert_int_equal(udp_join(b->net, udp, &g), 0);
	assert_int_equal(b->port[1].tx_count, 0); // staged until the turn's end
	bed_conserved(b);
	assert_int_equal(b->port[1].tx_count, 1);
	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(bed_drops(b, DROP_IP4_MULTICAST), 1);
	g.on = addr_from_v4_octets(198, 19, 0, 3);
	assert_int_equal(udp_leave(b->net, udp, &g), -EADDRNOTAVAIL);
	assert_int_equal(err_last()->id, ERR_GROUP_NOT_JOINED);
	assert_int_equal(udp_join(b->net, udp, &g), -EADDRNOTAVAIL);
	assert_int_equal(err_last()->id, ERR_ADDRESS_NOT_OURS);
	bed_destroy(b);
}

// RFC 3376 R13
static void what_cannot_be_joined_is_refused_by_name(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7), bound;
	const struct addr ours = addr_from_v4(OURS);
	const be32 none[] = {PEER, IP(224, 0, 0, 1), IP(255, 255, 255, 255)};
	struct udp_group g = {.group = GROUP6};

	for (size_t i = 0; i < ARRAY_COUNT(none); i++) {
		assert_int_equal(join(b, udp, none[i]), -EINVAL);
		assert_int_equal(err_last()->id, ERR_NOT_A_GROUP);
	}
	assert_int_equal(join_from(b, udp, GROUP, OTHER_GROUP), -EINVAL);
	assert_int_equal(udp_join(b->net, udp, &g), -ENETUNREACH); // no IPv6 here
	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(join(b, udp, GROUP), -EADDRINUSE);
	assert_int_equal(leave(b, udp, OTHER_GROUP), -EADDRNOTAVAIL);
	assert_int_equal(udp_open(b->net, &ours, 8, 0, &bound), 0);
	assert_int_equal(join(b, bound, GROUP), -EINVAL);
	assert_int_equal(join(b, (prism_udp){udp.id ^ 1ull << 32}, GROUP), -ESTALE);
	bed_destroy(b);
}

static void groups_and_senders_run_out_by_name(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	uint8_t i;

	for (i = 0; i < GROUPS_MAX; i++)
		assert_int_equal(join(b, udp, IP(239, 0, 0, i)), 0);
	assert_int_equal(join(b, udp, IP(239, 0, 0, i)), -ENOSPC);
	assert_int_equal(err_last()->id, ERR_GROUPS_FULL);
	for (i = 1; i <= GROUP_SOURCES_MAX; i++)
		assert_int_equal(join_from(b, udp, IP(239, 0, 0, 0), IP(198, 18, 0, 100 + i)), 0);
	assert_int_equal(join_from(b, udp, IP(239, 0, 0, 0), IP(198, 18, 0, 99)), -ENOSPC);
	assert_int_equal(leave(b, udp, IP(239, 0, 0, 0)), 0);
	assert_int_equal(join_from(b, udp, IP(239, 0, 0, 0), IP(198, 18, 0, 98)), -ENOSPC);
	assert_int_equal(udp_close(b->net, udp), 0);
	udp = bed_open(b, 7); // farewells are to be said again, and are, sooner
	for (i = 0; i < GROUPS_MAX; i++)
		assert_int_equal(join(b, udp, IP(239, 0, 1, i)), 0);
	bed_destroy(b);
}

// Though a route would choose another port by now.
static void what_was_joined_is_left_with_the_same_words(void **state)
{
	struct bed *b = bed_create();
	struct addr via = addr_from_v4_octets(198, 19, 0, 9);
	struct addr groups = addr_from_v4_octets(239, 0, 0, 0);
	prism_udp udp = bed_open(b, 7);
	struct prism_event e;

	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(net_add_route(b->net, &groups, 8, &via), 0);
	assert_int_equal(leave(b, udp, GROUP), 0);
	assert_false(hears(b, SENDER, GROUP, &e));
	assert_int_equal(leave(b, udp, GROUP), -EADDRNOTAVAIL);
	bed_destroy(b);
}

static struct pkt *tick(struct bed *b)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memcpy(pkt_append(p, 4), "tick", 4);
	return p;
}

// RFC 1112 6.1, 6.4
static void what_is_sent_to_a_group_goes_to_its_ethernet_address_and_no_further(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_to to = {.remote = addr_from_v4(IP(239, 129, 2, 3)), .remote_port = 9};

	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	const struct ipv4_header *h = bed_last_ip4(b);

	assert_memory_equal(b->out, "\x01\x00\x5e\x01\x02\x03", 6);
	assert_int_equal(h->ttl, 1);
	assert_int_equal(be16_get(h->fragment), 0);
	assert_int_equal(h->src.raw, OURS.raw);
	assert_true(bed_l4_good(h));
	assert_int_equal(udp_group_ttl(b->net, udp, 0), -EINVAL);
	assert_int_equal(udp_group_ttl(b->net, udp, 256), -EINVAL);
	assert_int_equal(udp_group_ttl(b->net, udp, 32), 0);
	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	assert_int_equal(bed_last_ip4(b)->ttl, 32);
	bed_clear(b);
	to.local = addr_from_v4_octets(198, 19, 0, 2); // by the port that has it
	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	assert_int_equal(b->port[0].tx_count, 0);
	assert_int_equal(b->port[1].tx_count, 1);
	bed_destroy(b);
}

static void nobody_who_claims_to_be_a_group_gets_what_is_sent_there(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_to to = {.remote = addr_from_v4(GROUP), .remote_port = 9};
	struct frame f;

	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	frame_arp(&f, ARP_REQUEST, PEER_MAC, GROUP, OURS);
	bed_in(b, 0, f.byte, f.len);
	frame_arp(&f, ARP_REPLY, PEER_MAC, GROUP, OURS);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ARP_MALFORMED), 2);
	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	bed_last_ip4(b);
	assert_memory_equal(b->out, "\x01\x00\x5e\x01\x02\x03", 6);
	bed_destroy(b);
}

static void a_datagram_to_a_group_is_answered_from_our_own_address(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct prism_event e;
	struct frame f;

	bed_meet(b, SENDER, PEER_MAC);
	assert_int_equal(join(b, udp, GROUP), 0);
	to_group(&f, SENDER, GROUP, 7);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	bed_conserved(b);
	const struct ipv4_header *h = bed_last_ip4(b);

	assert_int_equal(h->src.raw, OURS.raw);
	assert_int_equal(h->dst.raw, SENDER.raw);
	assert_int_equal(h->ttl, IPV4_TTL_DEFAULT);
	bed_destroy(b);
}

// RFC 2464 7, RFC 6724 5
static void over_ipv6_it_is_the_same(void **state)
{
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_group g = {.group = GROUP6};
	struct udp_to to = {.remote = GROUP6, .remote_port = 9};
	const struct addr of_link = {.byte = {0xff, 2, [15] = 0x77}};

	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	const struct ipv6_header *h = bed6_last(b);

	assert_memory_equal(b->out, "\x33\x33\0\0\1\3", 6);
	assert_int_equal(h->hop_limit, 1);
	assert_true(bed6_is(h->src, &OURS6));
	assert_true(bed6_l4_good(h));
	to.remote = of_link;
	assert_int_equal(udp_send(b->net, udp, &to, tick(b)), 0);
	bed_conserved(b);
	assert_true(bed6_is(bed6_last(b)->src, bed6_local(b)));
	assert_int_equal(udp_join(b->net, udp, &g), 0);
	assert_int_equal(udp_join(b->net, udp, &(struct udp_group){.group = ALL_NODES6}), -EINVAL);
	const struct udp_group mixed = {.group = GROUP6, .on = addr_from_v4(OURS)};
	const struct udp_group solicited = {.group = ipv6_solicited_node(&OURS6)};

	assert_int_equal(udp_join(b->net, udp, &mixed), -EINVAL);
	assert_int_equal(udp_join(b->net, udp, &solicited), -EINVAL);
	to.remote = (struct addr){.byte = {0xff, 1, [15] = 1}}; // of the interface alone
	struct pkt *p = tick(b);

	assert_int_equal(udp_send(b->net, udp, &to, p), -ENETUNREACH);
	pkt_free(p);
	assert_int_equal(udp_leave(b->net, udp, &g), 0);
	bed_destroy(b);
}

static void datagrams_over_ipv6_come_to_who_joined(void **state)
{
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_group g = {.group = GROUP6};
	struct prism_event e;

	for (int joined = 0; joined < 2; joined++) {
		struct frame f;
		struct udp_header *u;

		frame6(&f, &PEER6, &GROUP6, IP_UDP);
		u = frame_add(&f, NULL, sizeof(*u));
		*u = (struct udp_header){be16_of(5000), be16_of(7), be16_of(8), {0}};
		u->checksum = checksum_finish(checksum_pseudo(&PEER6, &GROUP6, IP_UDP, 8) +
					      checksum_add(0, u, 8));
		frame6_finish(&f, 0);
		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(udp_deliver(b->net, &e, 1), joined);
		assert_int_equal(bed_drops(b, DROP_IP6_MULTICAST), 1);
		if (joined)
			pkt_free((struct pkt *)e.buf);
		else
			assert_int_equal(udp_join(b->net, udp, &g), 0);
	}
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_to_a_group_comes_to_who_joined_it),
		cmocka_unit_test(who_did_not_join_hears_nothing_though_another_did),
		cmocka_unit_test(only_the_senders_that_are_wanted_are_heard),
		cmocka_unit_test(a_group_is_heard_on_its_port_alone),
		cmocka_unit_test(what_cannot_be_joined_is_refused_by_name),
		cmocka_unit_test(groups_and_senders_run_out_by_name),
		cmocka_unit_test(what_was_joined_is_left_with_the_same_words),
		cmocka_unit_test(
			what_is_sent_to_a_group_goes_to_its_ethernet_address_and_no_further),
		cmocka_unit_test(nobody_who_claims_to_be_a_group_gets_what_is_sent_there),
		cmocka_unit_test(a_datagram_to_a_group_is_answered_from_our_own_address),
		cmocka_unit_test(over_ipv6_it_is_the_same),
		cmocka_unit_test(datagrams_over_ipv6_come_to_who_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
