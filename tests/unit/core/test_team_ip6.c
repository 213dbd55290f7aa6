// SPDX-License-Identifier: BSD-3-Clause
// IPv6 of several workers: the first asks for all, what one hears all know, and a packet of another
// worker's connection, or fragment, goes to him.
#include <errno.h>

#include "crew6.h"

static const struct ipv6_header *read_ip6(struct crew *c, uint32_t worker)
{
	crew_read(c, worker);
	assert_int_equal(be16_get(((const struct eth_header *)c->out)->type), ETH_TYPE_IPV6);
	return (const void *)(c->out + 14);
}

static void frame6_asks(struct frame *f, const struct addr *src, const uint8_t *mac)
{
	struct addr group = ipv6_solicited_node(&OURS6);

	frame6_nd(f, src, &group, (struct nd_words){ICMP6_NEIGHBOUR_SOLICITATION, 0, &OURS6, mac});
}

static void the_first_asks_whether_an_address_is_free_and_all_have_it(void **state)
{
	struct crew *c = crew6_create(CREW_SPREAD);

	crew_time(c, 900 * NS_PER_MS);
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(c->port[i].tx_count, 0);
	assert_int_equal(c->port[0].tx_count,
			 4 + 1); // two reports, two probes; IPv4's announcement
	crew_time(c, 300 * NS_PER_MS);
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(ip6_is_ours(net_of(c, i), &OURS6));
		assert_true(addr_equal(&net_of(c, i)->ip6->port[0].address[0].addr,
				       &net_of(c, 0)->ip6->port[0].address[0].addr));
	}
	crew_destroy(c);
}

static void a_conflict_that_one_hears_all_know(void **state)
{
	struct crew *c = crew6_create(CREW_SPREAD);
	struct frame f;

	crew_time(c, 100 * NS_PER_MS);
	frame6_asks(&f, &NOBODY6, NULL);
	crew_in(c, 2, &f);
	crew_time(c, 2 * NS_PER_S);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(ip6_is_ours(net_of(c, i), &OURS6));
	assert_int_equal(crew_drops(c, DROP_ND_CONFLICT), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_question_is_answered_once_and_all_know_who_asked(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	struct frame f;

	frame6_asks(&f, &PEER6, PEER_MAC);
	crew_in(c, 1, &f);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(read_ip6(c, 1)->next_header, IP_ICMP6);
	for (uint32_t i = 0; i < 4; i++)
		assert_non_null(neighbour_find(net_of(c, i), 0, &PEER6));
	crew_at_rest(c);
	crew_destroy(c);
}

// How many hand-overs the frame costs that the first worker receives.
static uint64_t handed(struct crew *c, struct frame *f)
{
	uint64_t before = crew_sum(c, COUNTER_handed_out_pkts);

	crew_in(c, 0, f);
	return crew_sum(c, COUNTER_handed_out_pkts) - before;
}

static void what_says_nothing_new_goes_no_round(void **state)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0x20, 7};
	struct crew *c = create_ready(CREW_SPREAD);
	struct frame f;

	frame6_asks(&f, &PEER6, PEER_MAC);
	assert_int_equal(handed(c, &f), 3);
	assert_int_equal(handed(c, &f), 0); // answered all the same
	assert_int_equal(crew_sent(c), 2);
	frame6_nd(&f, &PEER6, &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_OVERRIDE, &PEER6, PEER_MAC});
	assert_int_equal(handed(c, &f), 0);
	frame6_nd(&f, &PEER6, &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_OVERRIDE, &PEER6, other_mac});
	assert_int_equal(handed(c, &f), 3);
	assert_int_equal(handed(c, &f), 0);
	frame6_ra(&f, 0, 0);
	assert_int_equal(handed(c, &f), 3);
	assert_int_equal(handed(c, &f), 0);
	frame6_ra(&f, ND_PREFIX_AUTONOMOUS, 1000);
	assert_int_equal(handed(c, &f), 3);
	crew_time(c, 1100 * NS_PER_MS);
	assert_int_equal(handed(c, &f), 3); // how long it holds
	assert_int_equal(handed(c, &f), 0);
	frame6_nd(&f, &OURS6, &ALL_NODES6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, 0, &OURS6, PEER_MAC});
	memcpy(frame6_ip(&f)->src, &PEER6, 16);
	frame6_finish(&f, ICMP6_AT);
	assert_int_equal(handed(c, &f), 3); // a conflict
	assert_int_equal(handed(c, &f), 0);
	assert_int_equal(crew_drops(c, DROP_ND_CONFLICT), 2);
	crew_destroy(c);
}

// Whoever forges answers makes the workers look at so many and no more; a second later others go
// round again.
static void more_than_can_be_looked_at_goes_no_round(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	uint64_t before = crew_sum(c, COUNTER_handed_out_pkts);
	struct frame f;

	for (uint32_t i = 0; i < 1500; i++) {
		struct addr nobody = PEER6;

		nobody.byte[13] = (uint8_t)(i >> 8);
		nobody.byte[14] = (uint8_t)i;
		frame6_nd(&f, &nobody, &OURS6,
			  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_SOLICITED, &nobody,
					    PEER_MAC});
		crew_in(c, 0, &f);
	}
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts) - before, 3 * 1024);
	assert_int_equal(crew_sum(c, COUNTER_rounds_withheld_pkts), 1500 - 1024);
	assert_int_equal(crew_drops(c, DROP_ND_UNASKED), 1500);
	crew_time(c, NS_PER_S);
	assert_int_equal(handed(c, &f), 3);
	crew_destroy(c);
}

static void say(struct crew *c, uint32_t worker, prism_udp udp, uint32_t len)
{
	struct prism_endpoint to = {.port = 9};
	struct prism_buf *buf = prism_buf_alloc(c->worker[worker]);

	memcpy(&to.addr, &PEER6, 16);
	prism_buf_grow(buf, len);
	assert_int_equal(prism_udp_send(c->worker[worker], udp, NULL, &to, buf), 0);
}

static void an_answer_that_one_hears_lets_another_send(enum crew_mode mode)
{
	struct crew *c = create_ready(mode);
	prism_udp udp = crew_open_udp(c, 2, 0);
	struct frame f;

	say(c, 2, udp, 5);
	crew_turns(c);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(c->counters[2].value[COUNTER_queued_pkts], 1);
	crew_clear(c);
	frame6_nd(&f, &PEER6, &OURS6,
		  (struct nd_words){ICMP6_NEIGHBOUR_ADVERTISEMENT, ND_SOLICITED, &PEER6, PEER_MAC});
	crew_in(c, 0, &f);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(read_ip6(c, 2)->next_header, IP_UDP);
	crew_at_rest(c);
	crew_destroy(c);
}

static void an_answer_that_one_hears_lets_another_send_by_his_queue(void **state)
{
	an_answer_that_one_hears_lets_another_send(CREW_SPREAD);
}

static void an_answer_that_one_hears_lets_another_send_by_the_only_queue(void **state)
{
	an_answer_that_one_hears_lets_another_send(CREW_FEW);
}

static void frame6_query(struct frame *f, const struct addr *dst)
{
	struct udp_header h = {be16_of(5000), be16_of(53), be16_of(sizeof(h) + 5), {0}};

	frame6(f, &LOCAL6, dst, IP_UDP);
	struct udp_header *at = frame_add(f, &h, sizeof(h));

	frame_add(f, "query", 5);
	at->checksum = checksum_finish(checksum_pseudo(&LOCAL6, dst, IP_UDP, sizeof(h) + 5) +
				       checksum_add(0, at, sizeof(h) + 5));
	frame6_finish(f, 0);
}

// A query to the address reaches the worker alone, whoever receives it.
static void is_heard_by(struct crew *c, const struct addr *dst, uint32_t worker)
{
	uint32_t before = c->seen[worker].count[PRISM_EVENT_DATAGRAM];
	struct frame f;

	frame6_query(&f, dst);
	for (uint32_t i = 0; i < 4; i++)
		crew_in(c, i, &f);
	assert_int_equal(c->seen[worker].count[PRISM_EVENT_DATAGRAM], before + 4);
	assert_int_equal(crew_all_drops(c), 0);
}

static struct prism_endpoint at6(const struct addr *addr, uint16_t port)
{
	struct prism_endpoint e = {.port = port};

	memcpy(&e.addr, addr, 16);
	return e;
}

// The link-local one, and one of a router's prefix, are places of their own, not any.
static void sockets_on_addresses_that_nobody_configured_are_told_apart(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	const struct addr local = net_of(c, 0)->ip6->port[0].address[0].addr;
	struct frame f;

	frame6_ra(&f, ND_PREFIX_AUTONOMOUS, 1000);
	crew_in(c, 0, &f);
	crew_time(c, 1200 * NS_PER_MS);
	const struct addr made = net_of(c, 0)->ip6->port[0].address[2].addr;

	prism_udp one = crew_open_udp_at(c, 1, at6(&local, 53));
	prism_udp other = crew_open_udp_at(c, 2, at6(&made, 53));

	crew_open_udp(c, 3, 53);
	is_heard_by(c, &local, 1);
	is_heard_by(c, &made, 2);
	is_heard_by(c, &OURS6, 3);
	assert_int_equal(prism_udp_close(c->worker[1], one), 0);
	is_heard_by(c, &local, 3);
	crew_time(c, 1000 * NS_PER_S); // the address ends before its socket
	assert_int_equal(prism_udp_close(c->worker[2], other), 0);
	assert_int_equal(claims_on(team_udp_claims(c->team), 53), 1 << 3);
	is_heard_by(c, &OURS6, 3);
	crew_destroy(c);
}

static void listeners_on_addresses_that_nobody_configured_are_told_apart(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	const struct addr local = net_of(c, 0)->ip6->port[0].address[0].addr;
	struct prism_endpoint at_local = at6(&local, 80), at_any = {.port = 80};
	struct claims *claims = team_tcp(c->team)->listening;
	prism_listener one, other;

	assert_int_equal(prism_tcp_listen(c->worker[1], &at_local, 1, &one), 0);
	assert_int_equal(prism_tcp_listen(c->worker[2], &at_any, 1, &other), 0);
	assert_int_equal(net_claimants(net_of(c, 0), claims, &local, 80), 1 << 1);
	assert_int_equal(net_claimants(net_of(c, 0), claims, &OURS6, 80), 1 << 2);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], one), 0);
	assert_int_equal(net_claimants(net_of(c, 0), claims, &local, 80), 1 << 2);
	crew_destroy(c);
}

// All have a socket on the port and send as much to the same peer: the label in the quote tells
// whose it was.
static void a_packet_too_big_reaches_who_sent_it(void **state)
{
	const struct icmp6_header too_big = {ICMP6_TOO_BIG, 0, {0}, be32_of(1300)};
	struct crew *c = create_ready(CREW_SPREAD);
	prism_udp udp[4];
	struct frame f;

	frame6_asks(&f, &PEER6, PEER_MAC);
	crew_in(c, 0, &f);
	for (uint32_t i = 0; i < 4; i++)
		udp[i] = crew_open_udp(c, i, 53);
	for (uint32_t i = 0; i < 4; i++) {
		say(c, i, udp[i], 1400);
		crew_turns(c);
		const struct ipv6_header *sent = read_ip6(c, i);

		assert_int_equal(be32_get(sent->version_class_flow) & IP6_LABEL_WORKER_MASK, i);
		frame6_icmp(&f, &OURS6, too_big, (struct run){sent, 1000});
		for (uint32_t receiver = 0; receiver < 4; receiver++)
			crew_in(c, receiver, &f);
		assert_int_equal(c->seen[i].count[PRISM_EVENT_UDP_ERROR], 4);
		assert_int_equal(c->seen[i].last.reason, EMSGSIZE);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(c->seen[i].count[PRISM_EVENT_UDP_ERROR], 4);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_flow_has_one_label_and_others_have_others(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	prism_udp one = crew_open_udp(c, 1, 53), other = crew_open_udp(c, 1, 54);
	uint32_t label[3];
	struct frame f;

	frame6_asks(&f, &PEER6, PEER_MAC);
	crew_in(c, 0, &f);
	for (uint32_t i = 0; i < 3; i++) {
		say(c, 1, i < 2 ? one : other, 5);
		crew_turns(c);
		label[i] = be32_get(read_ip6(c, 1)->version_class_flow) & IP6_LABEL_MASK;
	}
	assert_int_equal(label[0], label[1]);
	assert_int_not_equal(label[0], label[2]);
	crew_destroy(c);
}

static void frame6_seg(struct frame *f, struct seg s)
{
	struct tcp_header h = {
		.src_port = be16_of(s.src_port),
		.dst_port = be16_of(s.dst_port),
		.seq = be32_of(s.seq),
		.ack = be32_of(s.ack),
		.data_offset = 5 << 4,
		.flags = s.flags,
		.window = be16_of(60000),
	};
	uint32_t len = sizeof(h) + s.text.len;

	frame6(f, &PEER6, &OURS6, IP_TCP);
	struct tcp_header *at = frame_add(f, &h, sizeof(h));

	frame_add(f, s.text.bytes, s.text.len);
	at->checksum = checksum_finish(checksum_pseudo(&PEER6, &OURS6, IP_TCP, len) +
				       checksum_add(0, at, len));
	frame6_finish(f, 0);
}

// Whoever receives a segment, it reaches the worker who has the connection.
static void a_segment_reaches_the_connections_worker(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	prism_listener listener;
	struct frame f;

	frame6_asks(&f, &PEER6, PEER_MAC);
	crew_in(c, 0, &f);
	crew_clear(c);
	assert_int_equal(
		prism_tcp_listen(c->worker[2], &(struct prism_endpoint){.port = 80}, 1, &listener),
		0);
	frame6_seg(&f, (struct seg){5000, 80, 100, 0, TCP_SYN, {0}});
	crew_in(c, 1, &f);
	const struct tcp_header *h = (const void *)(read_ip6(c, 2) + 1);
	uint32_t iss = be32_get(h->seq);

	assert_int_equal(h->flags, TCP_SYN | TCP_ACK);
	frame6_seg(&f, (struct seg){5000, 80, 101, iss + 1, TCP_ACK, {"hello", 5}});
	crew_in(c, 3, &f);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_ACCEPTED], 1);
	assert_int_equal(c->seen[2].len, 5);
	assert_memory_equal(c->seen[2].bytes, "hello", 5);
	assert_int_equal(table_count(team_tcp(c->team)->table6), 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// Two workers receive a half each: one puts both together, and reads what they made anew.
static void fragments_of_a_packet_meet_at_one_worker(void **state)
{
	struct crew *c = create_ready(CREW_SPREAD);
	struct ipv6_fragment h = {.next_header = IP_UDP, .id = be32_of(77)};
	uint8_t whole[1608];
	struct udp_header *u = (void *)whole;
	struct frame f;

	crew_open_udp(c, 2, 53);
	memset(whole, 'x', sizeof(whole));
	*u = (struct udp_header){be16_of(5000), be16_of(53), be16_of(sizeof(whole)), {0}};
	u->checksum = checksum_finish(checksum_pseudo(&PEER6, &OURS6, IP_UDP, sizeof(whole)) +
				      checksum_add(0, whole, sizeof(whole)));
	for (uint32_t i = 0; i < 2; i++) {
		h.offset = be16_of(i ? 808 : IPV6_FRAGMENT_MORE);
		frame6(&f, &PEER6, &OURS6, IPV6_FRAGMENT);
		frame_add(&f, &h, sizeof(h));
		frame_add(&f, whole + i * 808, i ? 800 : 808);
		frame6_finish(&f, 0);
		crew_in(c, i, &f);
	}
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 1);
	assert_int_equal(c->seen[2].len, 1600);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_asks_whether_an_address_is_free_and_all_have_it),
		cmocka_unit_test(a_conflict_that_one_hears_all_know),
		cmocka_unit_test(a_question_is_answered_once_and_all_know_who_asked),
		cmocka_unit_test(an_answer_that_one_hears_lets_another_send_by_his_queue),
		cmocka_unit_test(an_answer_that_one_hears_lets_another_send_by_the_only_queue),
		cmocka_unit_test(sockets_on_addresses_that_nobody_configured_are_told_apart),
		cmocka_unit_test(listeners_on_addresses_that_nobody_configured_are_told_apart),
		cmocka_unit_test(what_says_nothing_new_goes_no_round),
		cmocka_unit_test(more_than_can_be_looked_at_goes_no_round),
		cmocka_unit_test(a_packet_too_big_reaches_who_sent_it),
		cmocka_unit_test(a_flow_has_one_label_and_others_have_others),
		cmocka_unit_test(a_segment_reaches_the_connections_worker),
		cmocka_unit_test(fragments_of_a_packet_meet_at_one_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
