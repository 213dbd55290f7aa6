// SPDX-License-Identifier: BSD-3-Clause
// The DHCP client in virtual time: how it gets an address, keeps it and loses it, and whom it
// believes.
#include <errno.h>

#include "bed_dhcp.h"

// The value of an option of the client's message, or NULL.
static const uint8_t *option_of(const struct dhcp_header *h, uint8_t option)
{
	const uint8_t *at = (const uint8_t *)(h + 1);

	while (*at != DHCP_OPTION_END && *at != option)
		at += 2 + at[1];
	return *at == option ? at + 2 : NULL;
}

// The client's message that was sent last on port 0.
static const struct dhcp_header *sent(struct bed *b)
{
	const struct ipv4_header *ip = bed_last_ip4(b);
	const struct udp_header *u = (const void *)(ip + 1);

	assert_true(bed_l4_good(ip));
	assert_int_equal(ip->protocol, IP_UDP);
	assert_int_equal(be16_get(u->src_port), 68);
	assert_int_equal(be16_get(u->dst_port), 67);
	assert_true(be16_get(u->len) >= 8 + 300);
	return (const void *)(u + 1);
}

static uint8_t type_sent(struct bed *b)
{
	return *option_of(sent(b), DHCP_OPTION_TYPE);
}

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

static void what_is_not_a_whole_message_is_dropped(void **state)
{
	struct bed *b = bed_dhcp();
	struct dhcp_header *h;
	struct frame f;
	uint8_t *options;

	frame_dhcp(&f, b, offer())->magic = be32_of(7);
	bed_in(b, 0, f.byte, f.len);
	frame_dhcp(&f, b, offer())->op = DHCP_REQUEST_OP;
	bed_in(b, 0, f.byte, f.len);
	frame_dhcp(&f, b, offer());
	((struct udp_header *)(f.byte + 34))->src_port = be16_of(5000);
	bed_in(b, 0, f.byte, f.len);
	for (uint32_t i = 0; i < 5; i++) {
		// Type, server, life and mask of another length; an option past the end.
		static const uint8_t at[] = {1, 4, 10, 16, 64 - 1}, value[] = {0, 3, 5, 2, 200};

		h = frame_dhcp(&f, b, offer());
		options = (uint8_t *)(h + 1);
		if (i == 4) {
			memset(options + 27, DHCP_OPTION_PAD, 64 - 27);
			options[62] = DHCP_OPTION_ROUTER;
		}
		options[at[i]] = value[i];
		bed_in(b, 0, f.byte, f.len);
	}
	h = frame_dhcp(&f, b, offer());
	memset((uint8_t *)(h + 1) + 17, 0x0f, 4); // a mask with holes
	bed_in(b, 0, f.byte, f.len);
	struct said w = offer();
	const be32 nobody[] = {IP(0, 0, 0, 0), IP(127, 0, 0, 1), IP(224, 0, 0, 1),
			       IP(198, 18, 0, 0), IP(198, 18, 0, 255)};

	for (uint32_t i = 0; i < ARRAY_COUNT(nobody); i++) {
		w.yours = nobody[i];
		bed_say(b, w);
	}
	w = offer();
	w.life_s = 0;
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_MALFORMED), 3 + 5 + 1 + 5 + 1);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	bed_destroy(b);
}

// RFC 2132 9.3
static void options_may_go_on_in_the_fields_for_names(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;
	struct dhcp_header *h = frame_dhcp(&f, b, offer());
	uint8_t *options = (uint8_t *)(h + 1);

	memcpy(options + 21, (uint8_t[]){DHCP_OPTION_OVERLOAD, 1, 3, DHCP_OPTION_END}, 4);
	memcpy(h->file, (uint8_t[]){DHCP_OPTION_RENEWAL, 4, 0, 0, 0, 100, DHCP_OPTION_END}, 7);
	memcpy(h->server_name, (uint8_t[]){DHCP_OPTION_ROUTER, 4, 198, 18, 0, 9, DHCP_OPTION_END},
	       7);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	assert_true(client(b)->offer.router.raw == IP(198, 18, 0, 9).raw);
	bed_destroy(b);
}

static void a_router_that_is_not_on_the_link_is_none(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;
	struct dhcp_header *h = frame_dhcp(&f, b, offer());

	((uint8_t *)(h + 1))[24] = 77;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	assert_int_equal(client(b)->offer.router.raw, 0);
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
		cmocka_unit_test(an_address_for_ever_is_never_asked_for_again),
		cmocka_unit_test(what_answers_no_question_of_ours_is_dropped),
		cmocka_unit_test(what_is_not_a_whole_message_is_dropped),
		cmocka_unit_test(options_may_go_on_in_the_fields_for_names),
		cmocka_unit_test(a_router_that_is_not_on_the_link_is_none),
		cmocka_unit_test(a_port_that_asks_for_none_hears_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
