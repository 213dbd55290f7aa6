// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

static void icmp(struct peer *b, uint8_t type, uint8_t code, uint32_t seq, uint32_t mtu_bytes)
{
	struct icmp_report r = {
		.local = addr_from_v4_octets(198, 18, 0, 2),
		.remote = addr_from_v4_octets(198, 18, 0, 1),
		.protocol = 6,
		.type = type,
		.code = code,
		.local_port = 80,
		.remote_port = 5000,
		.seq = b->host_iss + seq,
		.mtu_bytes = mtu_bytes,
	};

	tcp_icmp_error(b->tcp, &r);
	peer_turn(b);
}

static void connect_from_80(struct peer *b)
{
	struct tcp_tuple t = {.remote = addr_from_v4_octets(198, 18, 0, 1),
			      .remote_port = 5000,
			      .local_port = 80};

	assert_int_equal(tcp_connect(b->tcp, &t, 1, &b->conn), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
}

// RFC 9293 MUST-54: the report finds its connection. RFC 5927: what it quotes was in flight.
static void a_smaller_path_makes_smaller_segments(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 1460, 1460);
	expect(b, ACK, 1, 1, 1460);
	icmp(b, 3, 4, 70000, 1000); // not in flight: forged
	expect_nothing(b);
	icmp(b, 3, 4, 1, 1000);
	expect(b, ACK, 1, 1, 960);
	expect(b, ACK, 961, 1, 500);
	icmp(b, 3, 4, 1, 40); // nobody's MTU
	assert_true(peer_conn(b)->mss_bytes >= 536);
	peer_destroy(b);
}

// The path's MTU is forgotten, or found anew when routes change; segments stay as small as they
// once had to be.
static void a_connection_remembers_what_its_path_carried(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 1460, 1460);
	expect(b, ACK, 1, 1, 1460);
	icmp(b, 3, 4, 1, 1000);
	expect(b, ACK, 1, 1, 960);
	expect(b, ACK, 961, 1, 500);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1461});
	peer_time(b, 601 * NS_PER_S); // RFC 1191 6.3
	peer_host_sends(b, 1460, 1460);
	expect(b, ACK, 1461, 1, 960);
	expect(b, ACK, 2421, 1, 500);
	assert_int_equal(peer_conn(b)->path.mtu_bytes, 1500);
	peer_destroy(b);
}

// RFC 9293 MUST-47: soft errors are reported with the end. RFC 9293 MUST-56: soft errors do not
// abort. MUST-55: source quench means nothing.
static void soft_errors_are_waited_out(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	connect_from_80(b);
	icmp(b, 3, 0, 0, 0);
	icmp(b, 3, 1, 0, 0);
	icmp(b, 3, 5, 0, 0);
	icmp(b, 4, 0, 0, 0);
	icmp(b, 11, 0, 0, 0);
	assert_int_equal(b->closed, 0);
	peer_time(b, 300 * NS_PER_S);
	assert_int_equal(b->reason, PRISM_CLOSE_UNREACHABLE); // but it is said at the end
	peer_destroy(b);
}

static void a_hard_error_ends_an_attempt_and_no_connection(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	connect_from_80(b);
	icmp(b, 3, 3, 0, 0);
	assert_int_equal(b->reason, PRISM_CLOSE_UNREACHABLE);
	peer_open(b);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	icmp(b, 3, 3, 1, 0);
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_destroy(b);
}

static void limits_are_checked_when_it_is_made(void **state)
{
	struct peer *b = peer_create();
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 0;
	assert_null(tcp_create(&config, &b->env, b->net, b->wheel));
	config = peer_config();
	config.half_open_max = 0;
	assert_null(tcp_create(&config, &b->env, b->net, b->wheel));
	config = peer_config();
	config.time_wait_max = 0;
	assert_null(tcp_create(&config, &b->env, b->net, b->wheel));
	config = peer_config();
	config.receive_bytes_max = 1u << 31;
	assert_null(tcp_create(&config, &b->env, b->net, b->wheel));
	peer_destroy(b);
}

static void an_idle_connection_is_small(void **state)
{
	struct peer *b = peer_create();
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 100000;
	config.send_descs_max = 100000;
	config.time_wait_max = 25000;
	struct tcp *tcp = tcp_create(&config, &b->env, b->net, b->wheel);

	assert_non_null(tcp);
	assert_in_range(tcp_idle_conn_bytes(tcp), sizeof(struct conn), 512);
	tcp_destroy(tcp);
	peer_destroy(b);
}

static void establish(struct peer *b, uint16_t port, prism_conn *conn)
{
	peer_seg(b, (struct in){.flags = SYN, .src_port = port});
	assert_true(peer_read(b));
	peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
	*conn = b->conn;
}

static void send_bytes(struct peer *b, prism_conn conn, uint16_t len)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memset(pkt_append(p, len), 0, len);
	assert_int_equal(tcp_send_pkt(b->tcp, conn, p), 0);
}

// What stood on the stage before the one packet of ours is gone.
static void device_takes(struct port *port)
{
	port->stage_first += port->stage_count - 1;
	port->stage_count = 1;
}

// Whoever waits for the device is served in the order in which it began to wait, whatever is marked
// meanwhile.
static void a_full_device_changes_no_order(void **state)
{
	struct peer *b = peer_create();
	struct port *port = &b->port.port;
	prism_conn conn[4];

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		establish(b, (uint16_t)(6000 + i), &conn[i]);
	for (uint16_t i = 0; i < 3; i++)
		send_bytes(b, conn[i], (uint16_t)(10 * (i + 1)));
	port->stage_count = PORT_STAGE_PKTS - PORT_ROOM_PKTS; // one may be staged
	tcp_flush(b->tcp);
	assert_int_equal(port->stage_count, PORT_STAGE_PKTS - PORT_ROOM_PKTS + 1);
	tcp_flush(b->tcp); // nobody is asked
	send_bytes(b, conn[0], 50);
	send_bytes(b, conn[3], 40);
	tcp_flush(b->tcp);
	device_takes(port);
	peer_turn(b);
	for (uint16_t i = 0; i < 3; i++) {
		assert_true(peer_read(b));
		assert_int_equal(b->out.len, 10 * (i + 1));
	}
	assert_true(peer_read(b));
	assert_int_equal(b->out.len, 50);
	assert_true(peer_read(b));
	assert_int_equal(b->out.len, 40);
	expect_nothing(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_smaller_path_makes_smaller_segments),
		cmocka_unit_test(a_connection_remembers_what_its_path_carried),
		cmocka_unit_test(soft_errors_are_waited_out),
		cmocka_unit_test(a_hard_error_ends_an_attempt_and_no_connection),
		cmocka_unit_test(limits_are_checked_when_it_is_made),
		cmocka_unit_test(an_idle_connection_is_small),
		cmocka_unit_test(a_full_device_changes_no_order),
	};

	return run_peer_tests(tests);
}
