// SPDX-License-Identifier: BSD-3-Clause
// Datagrams and several workers: whose they are, whoever receives them.
#include <errno.h>

#include "crew.h"

#define DNS 53

// The peer's datagram from a port of its own.
static void frame_from(struct frame *f, uint16_t src_port, uint16_t dst_port, const char *bytes)
{
	frame_udp(f, PEER, OURS, dst_port, (struct run){bytes, (uint16_t)strlen(bytes)});
	struct udp_header *u = (void *)(f->byte + 34);

	u->src_port = be16_of(src_port);
	u->checksum.raw = 0; // none
}

static void a_socket_gets_what_any_worker_receives(enum crew_mode mode)
{
	struct crew *c = crew_create(3, mode);
	struct frame f;

	crew_meet(c);
	crew_open_udp(c, 1, DNS);
	for (uint32_t i = 0; i < 3; i++) {
		frame_udp(&f, PEER, OURS, DNS, (struct run){"query", 5});
		crew_in(c, mode == CREW_FEW ? 0 : i, &f);
	}
	assert_int_equal(c->seen[1].count[PRISM_EVENT_DATAGRAM], 3);
	assert_memory_equal(c->seen[1].bytes, "queryqueryquery", 15);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 0);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 0);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_socket_gets_what_any_queue_brings(void **state)
{
	a_socket_gets_what_any_worker_receives(CREW_SPREAD);
}

static void a_socket_gets_what_the_only_queue_brings(void **state)
{
	a_socket_gets_what_any_worker_receives(CREW_FEW);
}

// Which worker has a datagram more than in count; counted there.
static uint32_t whose(struct crew *c, uint32_t count[CREW_MAX])
{
	uint32_t found = CREW_MAX;

	for (uint32_t i = 0; i < c->count; i++) {
		uint32_t now = c->seen[i].count[PRISM_EVENT_DATAGRAM];

		if (now == count[i])
			continue;
		assert_int_equal(found, CREW_MAX);
		assert_int_equal(now, count[i] + 1);
		found = i;
		count[i] = now;
	}
	assert_true(found < CREW_MAX);
	return found;
}

static void sockets_on_one_port_share_by_flow(void **state)
{
	struct crew *c = crew_create(4, CREW_FEW);
	uint32_t count[CREW_MAX] = {0}, flows[CREW_MAX] = {0};
	struct frame f;

	crew_meet(c);
	for (uint32_t i = 1; i < 4; i++)
		crew_open_udp(c, i, DNS);
	for (uint16_t port = 2000; port < 2300; port++) {
		frame_from(&f, port, DNS, "q");
		crew_in(c, 0, &f);
		uint32_t owner = whose(c, count);

		flows[owner]++;
		crew_in(c, 0, &f);
		assert_int_equal(whose(c, count), owner);
	}
	assert_int_equal(flows[0], 0);
	for (uint32_t i = 1; i < 4; i++)
		assert_in_range(flows[i], 60, 140);
	crew_at_rest(c);
	crew_destroy(c);
}

// Where each worker has a queue, the card has dealt out already.
static void who_receives_and_has_a_socket_keeps_it(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_open_udp(c, 0, DNS);
	crew_open_udp(c, 2, DNS);
	for (uint16_t port = 2000; port < 2100; port++) {
		frame_from(&f, port, DNS, "q");
		crew_in(c, port % 2 * 2, &f);
	}
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 50);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 50);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), 0);
	for (uint16_t port = 2000; port < 2100; port++) { // and who has none shares them out
		frame_from(&f, port, DNS, "q");
		crew_in(c, 1, &f);
	}
	assert_in_range(c->seen[0].count[PRISM_EVENT_DATAGRAM], 70, 130);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM] +
				 c->seen[2].count[PRISM_EVENT_DATAGRAM],
			 200);
	crew_destroy(c);
}

// A datagram to each address, received by each worker in turn.
static void query_each_way(struct crew *c, be32 address)
{
	struct frame f;

	for (uint32_t i = 0; i < (c->mode == CREW_FEW ? 1 : c->count); i++) {
		frame_udp(&f, PEER, address, DNS, (struct run){"query", 5});
		crew_in(c, i, &f);
	}
}

static void sockets_on_one_port_are_told_apart_by_address(enum crew_mode mode)
{
	struct crew *c = crew_create_at_two(3, mode);
	uint32_t ways = mode == CREW_FEW ? 1 : 3;

	crew_meet(c);
	crew_open_udp_at(c, 1, at(OURS, DNS));
	crew_open_udp_at(c, 2, at(OURS_TOO, DNS));
	query_each_way(c, OURS);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_DATAGRAM], ways);
	query_each_way(c, OURS_TOO);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], ways);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_DATAGRAM], ways);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void two_addresses_on_one_port_are_two_workers(void **state)
{
	sockets_on_one_port_are_told_apart_by_address(CREW_SPREAD);
}

static void two_addresses_on_one_port_are_two_workers_behind_one_queue(void **state)
{
	sockets_on_one_port_are_told_apart_by_address(CREW_FEW);
}

// One's own socket for any address gives way to another worker's for this one, and has the rest.
static void the_closest_socket_of_all_workers_has_it(void **state)
{
	struct crew *c = crew_create_at_two(3, CREW_SPREAD);

	crew_meet(c);
	crew_open_udp(c, 0, DNS);
	prism_udp one = crew_open_udp_at(c, 2, at(OURS_TOO, DNS));

	query_each_way(c, OURS_TOO);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 3);
	query_each_way(c, OURS);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 3);
	assert_int_equal(prism_udp_close(c->worker[2], one), 0);
	query_each_way(c, OURS_TOO);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 6);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 3);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// What is for everybody is for no address of ours: a socket of one hears none of it.
static void a_broadcast_is_for_who_has_a_socket_on_any_address(void **state)
{
	struct crew *c = crew_create_at_two(3, CREW_SPREAD);

	crew_meet(c);
	crew_open_udp(c, 0, DNS);
	crew_open_udp_at(c, 1, at(OURS, DNS));
	query_each_way(c, IP(198, 18, 0, 255));
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 3);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

static void a_port_that_was_chosen_is_nobody_elses(void **state)
{
	struct prism_options o;
	static uint8_t taken[65536];

	crew_options(&o);
	o.udp_max = 1000;
	struct crew *c = crew_create_with(&o, 4, CREW_SPREAD);

	for (uint32_t i = 0; i < 4000; i++) {
		struct prism_endpoint local;
		prism_udp udp = crew_open_udp(c, i % 4, 0);

		assert_int_equal(prism_udp_endpoint(c->worker[i % 4], udp, &local), 0);
		assert_true(local.port >= 49152);
		assert_int_equal(taken[local.port]++, 0);
	}
	crew_destroy(c);
}

static void closing_takes_the_claim_back(void **state)
{
	struct crew *c = crew_create(3, CREW_FEW);
	struct claims *claims = team_udp_claims(c->team);
	prism_udp any = crew_open_udp(c, 1, DNS), other = crew_open_udp(c, 2, DNS);
	prism_udp one = crew_open_udp_at(c, 1, at(OURS, DNS));
	struct frame f;

	crew_meet(c);
	assert_int_equal(claims_of(claims, DNS, CLAIMS_ANY), 6);
	assert_int_equal(claims_of(claims, DNS, 1), 2);
	assert_int_equal(prism_udp_close(c->worker[1], any), 0);
	assert_int_equal(claims_of(claims, DNS, CLAIMS_ANY), 4);
	assert_int_equal(claims_of(claims, DNS, 1), 2);
	assert_int_equal(prism_udp_close(c->worker[1], one), 0);
	assert_int_equal(claims_on(claims, DNS), 4);
	for (uint16_t port = 2000; port < 2050; port++) {
		frame_from(&f, port, DNS, "q");
		crew_in(c, 0, &f);
	}
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 50);
	assert_int_equal(prism_udp_close(c->worker[2], other), 0);
	assert_int_equal(claims_on(claims, DNS), 0);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

static void without_a_socket_anywhere_one_error_goes_back(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	frame_udp(&f, PEER, OURS, DNS, (struct run){"query", 5});
	crew_in(c, 2, &f);
	assert_int_equal(crew_sent(c), 1);
	const struct ipv4_header *h = crew_read_ip4(c, 2);
	const struct icmp_header *icmp = (const void *)(h + 1);

	assert_int_equal(h->protocol, IP_ICMP);
	assert_int_equal(icmp->type, ICMP_UNREACHABLE);
	assert_int_equal(icmp->code, ICMP_UNREACHABLE_PORT);
	assert_int_equal(c->counters[2].drop[DROP_UDP_NO_SOCKET], 1);
	assert_int_equal(crew_all_drops(c), 1);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), 0);
	crew_destroy(c);
}

static void an_icmp_error_reaches_the_socket_of_another_worker(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_udp udp = crew_open_udp(c, 1, 0);
	struct icmp_header icmp = {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_PORT};
	struct prism_endpoint to = at_peer(9);
	struct prism_buf *buf = prism_buf_alloc(c->worker[1]);
	struct frame f;

	crew_meet(c);
	assert_int_equal(prism_buf_append(c->worker[1], buf, "hello", 5), 0);
	assert_int_equal(prism_udp_send(c->worker[1], udp, NULL, &to, buf), 0);
	crew_turns(c);
	frame_icmp(&f, PEER, &icmp, crew_read_ip4(c, 1), IPV4_HEADER_BYTES + 8);
	crew_in(c, 2, &f);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_UDP_ERROR], 1);
	assert_int_equal(c->seen[1].last.reason, ECONNREFUSED);
	assert_int_equal(c->seen[1].last.peer_port, 9);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_UDP_ERROR], 0);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// An error that quotes what a worker's socket has just sent to the peer.
static void error_about_what(struct crew *c, uint32_t sender, prism_udp udp, struct frame *f)
{
	struct icmp_header icmp = {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_PORT};
	struct prism_endpoint to = at_peer(9);
	struct prism_buf *buf = prism_buf_alloc(c->worker[sender]);

	assert_int_equal(prism_buf_append(c->worker[sender], buf, "hello", 5), 0);
	assert_int_equal(prism_udp_send(c->worker[sender], udp, NULL, &to, buf), 0);
	crew_turns(c);
	frame_icmp(f, PEER, &icmp, crew_read_ip4(c, sender), IPV4_HEADER_BYTES + 8);
}

// All have a socket on the port, and send to the same peer: only the id in the quote is different.
static void an_icmp_error_reaches_the_sender_among_those_who_share_a_port(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	prism_udp udp[4];
	struct frame f;

	crew_meet(c);
	for (uint32_t i = 0; i < 4; i++)
		udp[i] = crew_open_udp(c, i, DNS);
	for (uint32_t i = 0; i < 4; i++) {
		error_about_what(c, i, udp[i], &f);
		for (uint32_t receiver = 0; receiver < 4; receiver++)
			crew_in(c, receiver, &f);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(c->seen[i].count[PRISM_EVENT_UDP_ERROR], 4);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// A socket for any address is as good a sender as another worker's for the very address.
static void an_icmp_error_reaches_a_sender_whose_socket_is_for_any_address(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_udp any = crew_open_udp(c, 1, DNS);
	struct frame f;

	crew_meet(c);
	crew_open_udp_at(c, 2, at(OURS, DNS));
	error_about_what(c, 1, any, &f);
	crew_in(c, 0, &f);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_UDP_ERROR], 1);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_UDP_ERROR], 0);
	crew_destroy(c);
}

// The sender has closed; or who translated the address wrote an id of his own.
static void an_icmp_error_about_nobodys_id_reaches_one_who_has_a_socket(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_udp udp = crew_open_udp(c, 1, DNS);
	struct frame f;

	crew_meet(c);
	crew_open_udp(c, 2, DNS);
	error_about_what(c, 1, udp, &f);
	assert_int_equal(prism_udp_close(c->worker[1], udp), 0);
	crew_in(c, 0, &f);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_UDP_ERROR], 1);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

// A reply leaves by the worker who has the socket, in the turn in which it was asked.
static void an_answer_leaves_by_the_queue_of_the_sockets_worker(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_udp udp = crew_open_udp(c, 1, DNS);
	struct prism_endpoint to = at_peer(5000);
	struct prism_buf *buf = prism_buf_alloc(c->worker[1]);

	crew_meet(c);
	assert_int_equal(prism_buf_append(c->worker[1], buf, "answer", 6), 0);
	assert_int_equal(prism_udp_send(c->worker[1], udp, NULL, &to, buf), 0);
	crew_turn(c, 1);
	assert_int_equal(c->port[1].tx_count, 1);
	assert_int_equal(crew_sent(c), 1);
	crew_destroy(c);
}

// What does not fit through a relay's port whole is cut by its sender.
static void a_large_datagram_leaves_in_pieces_by_way_of_another(void **state)
{
	struct crew *c = crew_create(2, CREW_FEW);
	prism_udp udp = crew_open_udp(c, 1, DNS);
	struct prism_endpoint to = at_peer(5000);
	struct prism_buf *buf = prism_buf_alloc(c->worker[1]);

	crew_meet(c);
	prism_buf_grow(buf, 1600);
	assert_int_equal(prism_udp_send(c->worker[1], udp, NULL, &to, buf), 0);
	crew_turns(c);
	assert_int_equal(crew_sent(c), 2);
	assert_int_equal(c->counters[0].value[COUNTER_tx_pkts],
			 c->counters[1].value[COUNTER_handed_out_pkts] + 1); // an announcement
	assert_int_equal(c->counters[1].value[COUNTER_tx_pkts], 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// RFC 6864 4: whatever the number of workers is, and however much more one of them sends.
static void datagrams_of_two_workers_never_have_the_same_id(void **state)
{
	static uint8_t sender[65536];

	for (uint32_t count = 2; count <= 4; count++) {
		struct crew *c = crew_create(count, CREW_SPREAD);
		struct addr peer = addr_from_v4(PEER);
		struct net_path path;

		memset(sender, 0, sizeof(sender));
		for (uint32_t i = 0; i < count; i++) {
			struct net *net = c->worker[i]->net;

			assert_int_equal(net_path_find(net, &(struct addr){0}, &peer, &path), 0);
			for (uint32_t n = 0; n < 65536 + i; n++) {
				uint8_t *s = &sender[ip4_next_id(net, &path, IP_UDP)];

				assert_true(*s == 0 || *s == i + 1);
				*s = (uint8_t)(i + 1);
			}
		}
		crew_destroy(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_gets_what_any_queue_brings),
		cmocka_unit_test(a_socket_gets_what_the_only_queue_brings),
		cmocka_unit_test(sockets_on_one_port_share_by_flow),
		cmocka_unit_test(who_receives_and_has_a_socket_keeps_it),
		cmocka_unit_test(two_addresses_on_one_port_are_two_workers),
		cmocka_unit_test(two_addresses_on_one_port_are_two_workers_behind_one_queue),
		cmocka_unit_test(the_closest_socket_of_all_workers_has_it),
		cmocka_unit_test(a_broadcast_is_for_who_has_a_socket_on_any_address),
		cmocka_unit_test(a_port_that_was_chosen_is_nobody_elses),
		cmocka_unit_test(closing_takes_the_claim_back),
		cmocka_unit_test(without_a_socket_anywhere_one_error_goes_back),
		cmocka_unit_test(an_icmp_error_reaches_the_socket_of_another_worker),
		cmocka_unit_test(an_icmp_error_reaches_the_sender_among_those_who_share_a_port),
		cmocka_unit_test(an_icmp_error_reaches_a_sender_whose_socket_is_for_any_address),
		cmocka_unit_test(an_icmp_error_about_nobodys_id_reaches_one_who_has_a_socket),
		cmocka_unit_test(an_answer_leaves_by_the_queue_of_the_sockets_worker),
		cmocka_unit_test(a_large_datagram_leaves_in_pieces_by_way_of_another),
		cmocka_unit_test(datagrams_of_two_workers_never_have_the_same_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
