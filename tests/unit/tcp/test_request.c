// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/room.h"

// RFC 9293 MUST-41, MUST-42: one port, several listeners; the closest address answers, and a
// listener does not disturb what it has already accepted.
static void listeners_share_a_port_by_address(void **state)
{
	struct peer *b = peer_create();
	struct addr any = {0}, ours = addr_from_v4_octets(198, 18, 0, 2);
	struct addr other = addr_from_v4_octets(198, 18, 0, 77);
	prism_listener l;

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_listen(b->tcp, &any, 80, 1, &l), -EADDRINUSE);
	assert_int_equal(tcp_listen(b->tcp, &ours, 80, 1, &l), 0);
	assert_int_equal(tcp_listen(b->tcp, &ours, 80, 1, &l), -EADDRINUSE);
	assert_int_equal(tcp_listen(b->tcp, &other, 80, 1, &l), -EADDRNOTAVAIL); // RFC 9293 MUST-43
	assert_int_equal(tcp_listen(b->tcp, &any, 0, 1, &l), -EINVAL);
	assert_int_equal(tcp_listen(b->tcp, &any, 81, 1, &l), 0);
	assert_int_equal(tcp_listen(b->tcp, &any, 82, 1, &l), 0);
	assert_int_equal(tcp_listen(b->tcp, &any, 83, 1, &l), -ENFILE);
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_destroy(b);
}

// RFC 9293 MUST-43, MUST-44, MUST-45: the local address is the caller's or the path's, and stays.
static void connect_refuses_what_cannot_be(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1), .remote_port = 5000};
	prism_conn conn;

	(void)state;
	t.local = addr_from_v4_octets(198, 18, 0, 77);
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -EADDRNOTAVAIL);
	t.local = addr_from_v4_octets(198, 18, 0, 2);
	t.local_port = 4000;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), 0);
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -EADDRINUSE);
	t.remote_port = 0;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -EINVAL);
	t.remote_port = 1;
	t.remote = addr_from_v4_octets(224, 0, 0, 5); // RFC 9293 MUST-46
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -EINVAL);
	t.remote = addr_from_v4_octets(198, 18, 0, 255);
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -EINVAL);
	t.remote = addr_from_v4_octets(203, 0, 113, 1); // no route
	t.remote_port = 1;
	t.local_port = 0;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -ENETUNREACH);
	peer_destroy(b);
}

static void a_full_table_refuses_to_connect(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1), .remote_port = 5000};
	prism_conn conn;

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), 0);
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), -ENFILE);
	peer_destroy(b);
}

static uint16_t port_of(struct peer *b, prism_conn conn)
{
	struct tcp_tuple t;

	assert_int_equal(tcp_tuple_of(b->tcp, conn, &t), 0);
	return t.local_port;
}

// Half the ports are in use in one run, and the next in line is its first: one connect looks at few
// of them and finds a free one all the same. RFC 6056 R3, R6.
static void a_port_is_found_behind_a_long_run_in_use(void **state)
{
	struct tcp_config config = peer_config();
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1), .remote_port = 5000};
	static bool used[65536];
	prism_conn conn;

	(void)state;
	config.connections_max = 26000;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	uint32_t first = b->tcp->port_next;

	for (int i = 0; i < 25100; i++) {
		if (i >= 25000)
			b->tcp->port_next = first;
		assert_int_equal(tcp_connect(b->tcp, &t, 1, &conn), 0);
		assert_false(used[port_of(b, conn)]);
		used[port_of(b, conn)] = true;
	}
	peer_destroy(b);
}

// A port with a listener is not chosen, so nobody makes room there. RFC 6056 R2.
static void a_port_that_is_passed_over_keeps_its_time_wait(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1), .remote_port = 5000};
	struct addr any = {0};
	uint32_t next = b->tcp->port_next;
	prism_listener listener;
	struct tcp_counts counts;

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &b->conn), 0);
	uint16_t port = port_of(b, b->conn);

	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	b->ts = true; // so that the tuple may be used again
	peer_seg(b, (struct in){.flags = SYN | ACK, .ack = 1, .dst_port = port});
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2, .dst_port = port});
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.time_wait, 1);
	peer_time(b, 2 * NS_PER_S);
	assert_int_equal(tcp_listen(b->tcp, &any, port, 1, &listener), 0);
	b->tcp->port_next = next;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &b->conn), 0);
	assert_int_not_equal(port_of(b, b->conn), port);
	tcp_count(b->tcp, &counts);
	assert_int_equal(counts.time_wait, 1);
	assert_int_equal(tcp_unlisten(b->tcp, listener), 0);
	b->tcp->port_next = next;
	assert_int_equal(tcp_connect(b->tcp, &t, 1, &b->conn), 0);
	assert_int_equal(port_of(b, b->conn), port);
	peer_destroy(b);
}

static void listeners_come_and_go_in_any_order(void **state)
{
	struct peer *b = peer_create();
	struct addr any = {0};
	prism_listener l[4];
	uint16_t ports[] = {80, 80 + LISTENER_CHAINS, 80 + 2 * LISTENER_CHAINS, 81};

	(void)state;
	for (int gone = 0; gone < 4; gone++) {
		for (int i = 0; i < 4; i++)
			assert_int_equal(tcp_listen(b->tcp, &any, ports[i], 1, &l[i]), 0);
		assert_int_equal(tcp_unlisten(b->tcp, l[gone]), 0);
		for (int i = 0; i < 4; i++) {
			peer_seg(b, (struct in){.flags = SYN, .dst_port = ports[i]});
			assert_true(peer_read(b));
			assert_int_equal(b->out.flags, i == gone ? RST | ACK : SYN | ACK);
			peer_seg(b, (struct in){.flags = RST, .seq = 1, .dst_port = ports[i]});
			if (i != gone)
				assert_int_equal(tcp_unlisten(b->tcp, l[i]), 0);
		}
	}
	peer_destroy(b);
}

static void sends_are_all_or_none_and_room_is_announced(void **state)
{
	struct tcp_config config = peer_config();
	uint8_t *region = pool_region_alloc(20000);

	(void)state;
	memset(region, 1, 20000);
	config.send_bytes_max = 10000;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 20000, NULL), -EINVAL);
	assert_int_equal(tcp_credit(b->tcp, b->conn), 10000);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 8000, NULL), 0);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 8000, NULL), -EAGAIN);
	assert_int_equal(tcp_credit(b->tcp, b->conn), 2000);
	peer_turn(b);
	assert_int_equal(b->writable, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 8001});
	assert_int_equal(b->writable, 1);
	assert_int_equal(tcp_credit(b->tcp, b->conn), 10000);
	peer_destroy(b);
}

// Connections from the ports 6000 on; the later ones take their share of the descriptors, the last
// one the last of all, then all are refused, though the first four have nothing outstanding.
#define STARVED 8
static void starve(struct peer *b, prism_conn *conns, const uint8_t *region)
{
	peer_listen(b);
	for (uint16_t i = 0; i < STARVED; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		while (peer_read(b))
			;
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		conns[i] = b->conn;
		while (i >= 4 && tcp_credit(b->tcp, b->conn))
			assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 100, NULL), 0);
	}
	for (uint16_t i = 0; i < STARVED; i++) {
		assert_int_equal(tcp_credit(b->tcp, conns[i]), 0);
		assert_int_equal(tcp_send_region(b->tcp, conns[i], region, 100, NULL), -EAGAIN);
	}
	peer_turn(b);
	assert_int_equal(b->writable, 0);
	while (peer_read(b))
		;
}

static void whoever_waits_for_descriptors_is_told_when_others_free_them(void **state)
{
	struct tcp_config config = peer_config();
	uint8_t *region = pool_region_alloc(1000);
	prism_conn conns[STARVED];

	(void)state;
	config.send_descs_max = 20;
	config.send_bytes_max = 65535; // two descriptors
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	starve(b, conns, region);
	// One of those that wait goes away, one is closed: neither is told of room.
	peer_seg(b, (struct in){.flags = RST, .src_port = 6001, .seq = 1});
	assert_int_equal(tcp_close(b->tcp, conns[2]), 0);
	peer_turn(b);
	assert_int_equal(b->writable, 0);
	peer_seg(b, (struct in){.flags = ACK, .src_port = 6007, .seq = 1, .ack = 101});
	assert_int_equal(b->writable, STARVED - 2);
	assert_false(tcp_busy(b->tcp));
	assert_int_equal(tcp_send_region(b->tcp, conns[3], region, 100, NULL), 0);
	peer_destroy(b);
}

// Who was told and does nothing stands in nobody's way.
static void those_who_wait_are_told_in_their_order(void **state)
{
	struct tcp_config config = peer_config();
	uint8_t *region = pool_region_alloc(1000);
	prism_conn conns[STARVED];

	(void)state;
	config.send_descs_max = 20;
	config.send_bytes_max = 65535;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	starve(b, conns, region);
	assert_false(tcp_busy(b->tcp));
	peer_in(b, (struct in){.flags = ACK, .src_port = 6007, .seq = 1, .ack = 101});
	for (int told = 0; told < STARVED; told++) {
		struct prism_event e[2];

		assert_true(tcp_busy(b->tcp));
		assert_int_equal(tcp_deliver(b->tcp, e, 2), 1);
		assert_int_equal(e[0].type, PRISM_EVENT_WRITABLE);
		assert_int_equal(e[0].conn.id, conns[told].id);
	}
	peer_turn(b);
	assert_int_equal(b->writable, 0);
	assert_false(tcp_busy(b->tcp));
	peer_destroy(b);
}

// One byte in a packet of its own.
static int send_one(struct peer *b, prism_conn conn)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
	int error;

	if (!p)
		return -ENOBUFS;
	memset(pkt_append(p, 1), 'x', 1);
	error = tcp_send_pkt(b->tcp, conn, p);
	if (error)
		pkt_free(p);
	return error;
}

// Connections from the ports 6000 on; all but the last take what they get.
#define GREEDY 100
static void be_greedy(struct peer *b, prism_conn *conns, uint32_t *iss)
{
	peer_listen(b);
	for (uint16_t i = 0; i <= GREEDY; i++) {
		uint16_t port = (uint16_t)(6000 + i);

		peer_seg(b, (struct in){.flags = SYN, .src_port = port});
		while (peer_read(b))
			;
		peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
		conns[i] = b->conn;
		iss[i] = b->host_iss;
	}
	for (int i = 0; i < GREEDY; i++) {
		while (send_one(b, conns[i]) == 0)
			;
		assert_int_equal(send_one(b, conns[i]), -EAGAIN);
		assert_int_equal(tcp_credit(b->tcp, conns[i]), 0);
	}
}

// Of send_bytes_max all have plenty left.
static void who_is_not_acknowledged_leaves_packets_to_others(void **state)
{
	struct tcp_config config = peer_config();
	prism_conn conns[GREEDY + 1];
	uint32_t iss[GREEDY + 1];

	(void)state;
	config.connections_max = GREEDY + 1;
	config.send_descs_max = 2 * PEER_POOL_PKTS;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	be_greedy(b, conns, iss);
	const struct conn *first = conn_of(b->tcp, conns[0].id);
	uint64_t start = first->snd.una;
	uint32_t cost = first->sendq.cost;

	assert_true(pool_available(b->env.pool[POOL_TX]) > PEER_POOL_PKTS / 8);
	for (int i = 0; i < ROOM_PKTS_FREE; i++)
		assert_int_equal(send_one(b, conns[GREEDY]), 0);
	// Who is acknowledged is told when he is down to his share, not before.
	peer_turn(b);
	b->host_iss = iss[0];
	while (b->writable == 0) {
		assert_true(first->sendq.cost > cost / 50);
		peer_seg(b, (struct in){.flags = ACK,
					.src_port = 6000,
					.seq = 1,
					.ack = (uint32_t)(first->snd.una + 1 - start) + 1});
		while (peer_read(b))
			;
	}
	assert_true(first->sendq.cost < cost / 2);
	assert_int_equal(send_one(b, conns[0]), 0);
	peer_destroy(b);
}

static void a_stale_handle_is_refused_everywhere(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple t;

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = RST, .seq = 1});
	assert_int_equal(b->closed, 1);
	assert_int_equal(tcp_send_region(b->tcp, b->conn, "x", 1, NULL), -ESTALE);
	assert_int_equal(tcp_close(b->tcp, b->conn), -ESTALE);
	assert_int_equal(tcp_abort(b->tcp, b->conn), -ESTALE);
	assert_int_equal(tcp_set_user(b->tcp, b->conn, 1), -ESTALE);
	assert_int_equal(tcp_tuple_of(b->tcp, b->conn, &t), -ESTALE);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_DSCP, 1), -ESTALE);
	assert_int_equal(tcp_credit(b->tcp, b->conn), 0);
	peer_destroy(b);
}

// Also of a slot that is free, with the generation it has now.
static void a_made_up_handle_is_refused(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	for (uint64_t index = 0; index < 20; index++) {
		for (uint64_t generation = 0; generation < 4; generation++) {
			prism_conn made_up = {generation << HANDLE_INDEX_BITS | index};

			assert_int_equal(tcp_abort(b->tcp, made_up), -ESTALE);
		}
	}
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10});
	assert_int_equal(b->received, 10); // nobody said that it is not wanted
	uint64_t generation = b->conn.id >> HANDLE_INDEX_BITS;

	peer_seg(b, (struct in){.flags = RST, .seq = 11});
	assert_int_equal(b->closed, 1);
	b->conn.id += UINT64_C(1) << HANDLE_INDEX_BITS;
	assert_int_equal(b->conn.id >> HANDLE_INDEX_BITS, generation + 1);
	assert_int_equal(tcp_abort(b->tcp, b->conn), -ESTALE);
	peer_destroy(b);
}

// A datagram that came in fragments is such a chain: anybody may send us one, and an application
// may pass it on.
static void a_chain_is_refused_and_stays_the_callers(void **state)
{
	struct peer *b = peer_create();
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]), *more = pkt_alloc(b->env.pool[POOL_TX]);

	(void)state;
	memset(pkt_append(p, 100), 'x', 100);
	memset(pkt_append(more, 100), 'x', 100);
	pkt_chain(p, more);
	peer_open(b);
	assert_int_equal(tcp_send_pkt(b->tcp, b->conn, p), -EINVAL);
	pkt_free(p);
	peer_turn(b);
	expect_nothing(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_share_a_port_by_address),
		cmocka_unit_test(connect_refuses_what_cannot_be),
		cmocka_unit_test(a_full_table_refuses_to_connect),
		cmocka_unit_test(sends_are_all_or_none_and_room_is_announced),
		cmocka_unit_test(a_port_is_found_behind_a_long_run_in_use),
		cmocka_unit_test(a_port_that_is_passed_over_keeps_its_time_wait),
		cmocka_unit_test(listeners_come_and_go_in_any_order),
		cmocka_unit_test(whoever_waits_for_descriptors_is_told_when_others_free_them),
		cmocka_unit_test(those_who_wait_are_told_in_their_order),
		cmocka_unit_test(who_is_not_acknowledged_leaves_packets_to_others),
		cmocka_unit_test(a_stale_handle_is_refused_everywhere),
		cmocka_unit_test(a_made_up_handle_is_refused),
		cmocka_unit_test(a_chain_is_refused_and_stays_the_callers),
	};

	return run_peer_tests(tests);
}
