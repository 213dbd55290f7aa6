// SPDX-License-Identifier: BSD-3-Clause
#include "net/inside.h"
#include "peer.h"

#define R1 198, 51, 100, 1
#define NEAR 198, 18, 0, 7 // a gateway on the link
#define SENDER 198, 18, 0, 1

// Gone by R1, then NEAR; and what goes back to the sender by NEAR, then R1.
static const uint8_t GONE[] = {1, 131, 11, 12, R1, NEAR};
static const uint8_t BACK[] = {1, 131, 11, 4, R1, SENDER};
// Gone by NEAR alone.
static const uint8_t GONE_NEAR[] = {1, 131, 7, 8, NEAR};
static const uint8_t BACK_NEAR[] = {1, 131, 7, 4, SENDER};

static int take_routes(void **state)
{
	(void)state;
	peer_source_routes = true;
	return 0;
}

static int take_none(void **state)
{
	(void)state;
	peer_source_routes = false;
	return 0;
}

// NEAR makes itself known.
static void meet_near(struct peer *b)
{
	const uint8_t near[] = {NEAR};
	uint8_t frame[42] = {2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0, 0x20, 7, 8, 6};
	struct arp_packet *a = (void *)(frame + 14);

	*a = (struct arp_packet){be16_of(1), be16_of(ETH_TYPE_IPV4), 6, 4, be16_of(ARP_REQUEST)};
	memcpy(a->sender_mac, frame + 6, 6);
	memcpy(&a->sender, near, sizeof(near));
	a->target = be32_of(0xc6120002);
	assert_true(capture_put(&b->port, b->env.pool[POOL_RX], frame, sizeof(frame)));
	peer_walk(b);
}

static struct peer *start(void)
{
	struct peer *b = peer_create();

	meet_near(b);
	peer_clear(b);
	return b;
}

// A segment that came by this route.
static void seg_by(struct peer *b, struct in in, const uint8_t *option, uint8_t len)
{
	in.ip_options = option;
	in.ip_options_len = len;
	peer_seg(b, in);
}

static void expect_by(const struct peer *b, const uint8_t *option, uint8_t len)
{
	const uint8_t near[] = {NEAR};

	assert_int_equal(b->out.ip_options_len, len);
	assert_memory_equal(b->out.ip_options, option, len);
	if (len)
		assert_memory_equal(&b->out.dst, near, sizeof(near));
}

#define expect_back(b) expect_by(b, BACK, sizeof(BACK))
#define expect_near(b) expect_by(b, BACK_NEAR, sizeof(BACK_NEAR))
#define expect_direct(b) expect_by(b, NULL, 0)

static void open_by(struct peer *b, const uint8_t *option, uint8_t len)
{
	peer_listen(b);
	seg_by(b, (struct in){.flags = SYN, .options = SYN_OPTIONS_MSS, .options_len = 4}, option,
	       len);
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(peer_state(b), ESTABLISHED);
}

static uint32_t users(const struct peer *b)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < SOURCE_ROUTES_MAX; i++)
		sum += b->net->source_routes->place[i].users;
	return sum;
}

// RFC 9293 MUST-53
static void every_segment_goes_back_by_the_way_the_syn_came(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	expect_back(b);
	peer_host_sends(b, 100, 100);
	expect(b, ACK, 1, 1, 100);
	expect_back(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 101, .len = 50});
	expect(b, ACK, 101, 51, 0);
	expect_back(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 101, 51, 0);
	expect_back(b);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 51, .ack = 102});
	expect(b, ACK, 102, 52, 0);
	expect_back(b);
	assert_int_equal(users(b), 1); // TIME-WAIT
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 51, .ack = 102});
	expect(b, ACK, 102, 52, 0);
	expect_back(b);
	peer_time(b, 61 * NS_PER_S);
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

// RFC 9293 SHLD-24
static void a_later_route_takes_its_place_when_the_segment_is_in_the_window(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	seg_by(b, (struct in){.flags = ACK, .seq = 70000, .ack = 1, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 9, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR)); // of what was never sent
	expect(b, ACK, 1, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE_NEAR,
	       sizeof(GONE_NEAR));
	expect(b, ACK, 1, 11, 0);
	expect_near(b);
	assert_int_equal(users(b), 1);
	peer_seg(b, (struct in){.flags = ACK, .seq = 11, .ack = 1, .len = 10});
	expect(b, ACK, 1, 21, 0); // without one: it stays
	expect_near(b);
	peer_destroy(b);
}

static void a_connection_that_had_none_takes_the_first(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_open(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 11, 0);
	expect_back(b);
	peer_destroy(b);
}

static void a_handshake_takes_the_last_route_it_sees(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_listen(b);
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_back(b);
	seg_by(b, (struct in){.flags = SYN}, GONE_NEAR, sizeof(GONE_NEAR));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 7}, GONE, sizeof(GONE)); // forged
	expect(b, RST, 7, 0, 0);
	expect_back(b);
	peer_time(b, 2 * NS_PER_S);
	expect(b, SYN | ACK, 0, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	expect_back(b);
	assert_int_equal(users(b), 1);
	peer_destroy(b);
}

static struct source_route by_near(void)
{
	const uint8_t near[] = {NEAR};
	struct source_route route = {.count = 1, .is_chosen = true};

	memcpy(&route.hop[0], near, sizeof(near));
	return route;
}

static struct tcp_tuple to_sender(void)
{
	return (struct tcp_tuple){
		.remote = addr_from_v4_octets(SENDER), .remote_port = 5000, .local_port = 80};
}

// RFC 9293 MUST-51, MUST-52
static void the_applications_route_is_gone_whatever_comes(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct peer *b = start();

	(void)state;
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &b->conn), 0);
	peer_turn(b);
	expect(b, SYN, 0, 0, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = SYN | ACK, .ack = 1}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 1, 0);
	expect_near(b);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 10}, GONE, sizeof(GONE));
	expect(b, ACK, 1, 11, 0);
	expect_near(b);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 11, 0);
	seg_by(b, (struct in){.flags = FIN | ACK, .seq = 11, .ack = 2}, GONE, sizeof(GONE));
	expect(b, ACK, 2, 12, 0);
	seg_by(b, (struct in){.flags = FIN | ACK, .seq = 11, .ack = 2}, GONE, sizeof(GONE));
	expect(b, ACK, 2, 12, 0); // TIME-WAIT
	expect_near(b);
	peer_destroy(b);
}

static void resets_go_by_the_way_of_what_they_answer(void **state)
{
	struct peer *b = start();

	(void)state;
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, RST | ACK, 0, 1, 0);
	expect_back(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, RST | ACK, 0, 1, 0);
	expect_direct(b);
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

// RFC 9293 MUST-16: less the options of both headers. MUST-67: what we take is not less for it.
static void segments_leave_room_for_the_option(void **state)
{
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	assert_int_equal(b->out.o.mss, 1460);
	peer_host_sends(b, 4000, 2000);
	expect(b, ACK, 1, 1, 1460 - sizeof(GONE));
	expect(b, ACK, 1 + 1460 - sizeof(GONE), 1, 1460 - sizeof(GONE));
	assert_true(peer_read(b));
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 4001});
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 4001}, GONE_NEAR, sizeof(GONE_NEAR));
	assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE_NEAR));
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 4001}, GONE, sizeof(GONE));
	assert_int_equal(peer_conn(b)->mss_bytes, 1460 - sizeof(GONE));
	peer_destroy(b);
}

// A million-fold SYN, each by another way: those that are answered are as many as are remembered.
static void more_routes_than_places_are_dropped_by_name(void **state)
{
	const struct source_route route = by_near();
	const struct tcp_tuple tuple = to_sender();
	struct tcp_config config = peer_config();
	uint8_t gone[] = {1, 131, 11, 12, 203, 0, 0, 0, NEAR};
	prism_conn conn;

	(void)state;
	config.half_open_max = 512;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	meet_near(b);
	peer_listen(b);
	for (uint16_t i = 0; i < 300; i++) {
		gone[6] = (uint8_t)(i / 256);
		gone[7] = (uint8_t)i;
		seg_by(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)}, gone,
		       sizeof(gone));
	}
	assert_int_equal(users(b), SOURCE_ROUTES_MAX);
	assert_int_equal(peer_drops(b, DROP_SOURCE_ROUTES_FULL), 300 - SOURCE_ROUTES_MAX);
	assert_int_equal(tcp_connect_by(b->tcp, &tuple, &route, 1, &conn), -ENOSPC);
	peer_clear(b);
	peer_seg(b, (struct in){.flags = SYN}); // who needs none is served
	expect(b, SYN | ACK, 0, 1, 0);
	peer_time(b, 400 * NS_PER_S); // nobody answers
	assert_int_equal(users(b), 0);
	peer_destroy(b);
}

static void cookies_go_by_the_way_their_syn_came(void **state)
{
	struct peer *b = start();

	(void)state;
	peer_listen(b);
	for (uint16_t i = 0; i < 4; i++)
		peer_seg(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)});
	while (peer_read(b))
		;
	seg_by(b, (struct in){.flags = SYN}, GONE, sizeof(GONE));
	expect(b, SYN | ACK, 0, 1, 0);
	expect_back(b);
	assert_int_equal(peer_count(b, COUNTER_tcp_cookies_out), 1);
	seg_by(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}, GONE, sizeof(GONE));
	assert_int_equal(b->accepted, 1);
	assert_int_equal(users(b), 1);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	expect_back(b);
	peer_destroy(b);
}

// As the path's MTU is: of the whole packet.
static void a_smaller_path_leaves_room_for_the_option(void **state)
{
	struct icmp_report report = {.local = addr_from_v4_octets(198, 18, 0, 2),
				     .remote = addr_from_v4_octets(SENDER),
				     .protocol = 6,
				     .type = ICMP_UNREACHABLE,
				     .code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED,
				     .local_port = 80,
				     .remote_port = 5000,
				     .mtu_bytes = 1000};
	struct peer *b = start();

	(void)state;
	open_by(b, GONE, sizeof(GONE));
	peer_host_sends(b, 1400, 1400);
	expect(b, ACK, 1, 1, 1400);
	report.seq = b->host_iss + 1;
	tcp_icmp_error(b->tcp, &report);
	peer_turn(b);
	expect(b, ACK, 1, 1, 1000 - 40 - sizeof(GONE));
	expect_back(b);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_segment_goes_back_by_the_way_the_syn_came),
		cmocka_unit_test(a_later_route_takes_its_place_when_the_segment_is_in_the_window),
		cmocka_unit_test(a_connection_that_had_none_takes_the_first),
		cmocka_unit_test(a_handshake_takes_the_last_route_it_sees),
		cmocka_unit_test(the_applications_route_is_gone_whatever_comes),
		cmocka_unit_test(resets_go_by_the_way_of_what_they_answer),
		cmocka_unit_test(segments_leave_room_for_the_option),
		cmocka_unit_test(more_routes_than_places_are_dropped_by_name),
		cmocka_unit_test(cookies_go_by_the_way_their_syn_came),
		cmocka_unit_test(a_smaller_path_leaves_room_for_the_option),
	};

	return cmocka_run_group_tests(tests, take_routes, take_none);
}
